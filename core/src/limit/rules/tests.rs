use std::time::Duration;

use super::*;
use crate::limit::window::ends;
use crate::sim::Random;

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

fn gcra(limit: u32, seconds: u64, burst: u32) -> Rule {
    Rule::Gcra(Quota::new(limit, Duration::from_secs(seconds), burst).unwrap())
}

fn sliding(limit: u32, seconds: u64) -> Rule {
    Rule::Window(Window::sliding(limit, Duration::from_secs(seconds)).unwrap())
}

fn fixed(limit: u32, seconds: u64, now: Timestamp) -> Rule {
    Rule::Window(Window::fixed(limit, ends(Duration::from_secs(seconds), now)))
}

#[test]
fn all_or_none_are_taken() {
    let rules = [gcra(10, 1, 10), sliding(3, 60), fixed(100, 3_600, START)];
    let (verdicts, state) = step(&rules, &State::default(), START, Draw::Take(3));
    assert_eq!(verdicts.iter().map(|verdict| verdict.remaining).collect::<Vec<_>>(), [7, 0, 97]);
    let (denied, after) = step(&rules, &state, START, Draw::Take(1));
    assert_eq!(denied.iter().map(|verdict| verdict.allowed).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(denied.iter().map(|verdict| verdict.remaining).collect::<Vec<_>>(), [7, 0, 97], "nothing was taken");
    assert_eq!(denied[0].retry_after, Duration::ZERO);
    assert_eq!(after, state);
}

/// Each rule of several decides as it would alone, of what passed them all.
#[test]
fn several_rules_pass_what_each_alone_would() {
    for seed in 0..30 {
        let random = Random::new(seed);
        let number = |from: u64, to: u64| (from + random.below(to - from)) as u32;
        let (burst, per) = (number(1, 9), u64::from(number(1, 30)));
        let rules = |now| [gcra(7, per, burst), sliding(5, 3 * per), fixed(9, 5 * per, now)];
        let (mut now, mut all, mut alone) = (START, State::default(), [const { State(Vec::new()) }; 3]);
        for _ in 0..500 {
            now = now + Duration::from_millis(random.below(1_000 * per));
            let cost = number(1, 3);
            let (verdicts, next) = step(&rules(now), &all, now, Draw::Take(cost));
            let each: Vec<_> = rules(now)
                .iter()
                .zip(&alone)
                .map(|(rule, state)| step(&[*rule], state, now, Draw::Take(cost)))
                .collect();
            let passes = verdicts.iter().all(|verdict| verdict.allowed);
            assert_eq!(passes, each.iter().all(|(verdicts, _)| verdicts[0].allowed), "seed {seed}");
            for ((verdict, (one, state)), kept) in verdicts.iter().zip(each).zip(&mut alone) {
                assert_eq!(verdict.allowed, one[0].allowed, "seed {seed}");
                if passes {
                    assert_eq!(*verdict, one[0]);
                    *kept = state;
                }
            }
            all = next;
        }
    }
}

/// What is given back before it is back by itself is as if it had not been taken, for whoever comes then.
#[test]
fn what_is_given_back_at_once_was_never_taken() {
    let rules = [gcra(10, 60, 10), sliding(10, 60), fixed(10, 60, START)];
    let (_, before) = step(&rules, &State::default(), START, Draw::Take(2));
    let (_, taken) = step(&rules, &before, START, Draw::Take(5));
    let (verdicts, after) = step(&rules, &taken, START, Draw::Return(5));
    assert_eq!(after, before);
    assert!(verdicts.iter().all(|verdict| verdict.remaining == 8));
    let (_, empty) = step(&rules, &after, START, Draw::Return(100));
    assert_eq!(step(&rules, &empty, START, Draw::Take(0)).0, step(&rules, &State::default(), START, Draw::Take(0)).0);
}

#[test]
fn a_charge_takes_what_there_is() {
    let rules = [gcra(10, 60, 10), sliding(20, 60)];
    let (_, state) = step(&rules, &State::default(), START, Draw::Take(3));
    let (verdicts, state) = step(&rules, &state, START, Draw::Charge(9));
    assert_eq!(verdicts.iter().map(|verdict| verdict.remaining).collect::<Vec<_>>(), [0, 8]);
    assert!(!step(&rules, &state, START, Draw::Take(1)).0[0].allowed);
}

#[test]
fn a_state_is_idle_when_it_is_as_if_it_had_never_been() {
    let rules = [gcra(10, 60, 10), sliding(10, 600)];
    let (_, state) = step(&rules, &State::default(), START, Draw::Take(10));
    let idle = state.idle_at();
    assert_eq!(step(&rules, &state, idle, Draw::Take(10)), step(&rules, &State::default(), idle, Draw::Take(10)));
    let before = Timestamp::from_micros(idle.as_micros() - 1);
    assert_ne!(step(&rules, &state, before, Draw::Take(10)), step(&rules, &State::default(), before, Draw::Take(10)));
    assert_eq!(State::default().idle_at(), Timestamp::default());
}

#[test]
fn states_are_the_same_from_when_their_difference_is_past() {
    let rules = [gcra(1, 60, 2), sliding(10, 600)];
    let (_, state) = step(&rules, &State::default(), START, Draw::Take(1));
    let later = START + Duration::from_secs(60);
    let (_, without) = step(&rules[1..], &State::default(), START, Draw::Take(1));
    let without = State([vec![Part::Gcra(None)], without.0].concat());
    assert!(state.same_from(&without, later) && !state.same_from(&without, START));
    let idle = state.idle_at();
    assert!(State::default().same_from(&state, idle) && !State::default().same_from(&state, later));
    // cut, it is another one
    let lower = [gcra(1, 1, 1), rules[1]];
    assert!(!state.same_from(&step(&lower, &state, START, Draw::Take(0)).1, START));
}

#[test]
fn rules_and_states_are_numbers() {
    let rules = [gcra(10, 1, 7), sliding(3, 60), fixed(100, 3_600, START)];
    assert_eq!(Rule::read(&Rule::write(&rules)).as_deref(), Some(rules.as_slice()));
    let (_, state) = step(&rules, &State::default(), START, Draw::Take(1));
    let (_, state) = step(&rules, &state, START + Duration::from_secs(2), Draw::Take(2));
    let written = state.write();
    assert_eq!(written.len(), 1 + 5 + 3, "{written:?}");
    assert_eq!(State::read(&rules, &written), Some(state));
    assert_eq!(State::read(&rules, &[]), Some(State::default()));
    for length in 1..written.len() {
        assert_eq!(State::read(&rules, &written[..length]), None);
    }
    assert_eq!(State::read(&rules, &[1, 2, 9, 1, 8, 1, 0]), None, "not in order");
    for numbers in [&[3][..], &[0, 1], &[0, 0, 1], &[1, 5, 0], &[2, 5, 3, 2, 1], &[2, 5, 1, 2], &[0, 1, 1 << 40]] {
        assert_eq!(Rule::read(numbers), None, "{numbers:?}");
    }
    assert_eq!(State::of_tat(START).tat(), Some(START));
}
