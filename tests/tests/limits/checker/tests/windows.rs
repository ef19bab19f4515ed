//! The same for windows.

use std::time::Duration;

use portico_core::limit::{Draw, Rule, State, Window, step};

use super::*;

/// Two units in six seconds, of which a sliding window makes slices of 100 ms.
fn sliding() -> Limit {
    Limit { algorithm: Algorithm::SlidingWindow, limit: 2, per: 6 * S, ..LIMIT }
}

fn fixed() -> Limit {
    Limit { algorithm: Algorithm::FixedWindow, ..sliding() }
}

/// Begins with both kinds of windows.
const T: u64 = 600 * S;

fn denied_for(sent: u64, done: u64, remaining: u64, reset: u64, retry_after: u64) -> Request {
    request(sent, done, Answer::Denied(Told { remaining, reset, retry_after: Some(retry_after) }))
}

#[test]
fn a_sound_history_of_a_sliding_window_is_one() {
    let requests = [
        passed(T + 1, T + 9, 1, 7),
        passed(T + 2 * S, T + 2 * S + 9, 0, 7),
        denied_for(T + 3 * S, T + 3 * S + 9, 0, 6, 4),
        denied_for(T + 6 * S + 90_000, T + 6 * S + 90_009, 0, 3, 1),
        passed(T + 6 * S + 100_000, T + 6 * S + 100_009, 0, 7),
        denied_for(T + 6 * S + 100_010, T + 6 * S + 100_019, 0, 6, 2),
    ];
    // what is taken a moment after a mark is back at the next but sixty
    let tally = Tally { buckets: 1, passed: 3, denied: 3, unanswered: 0 };
    assert_eq!(checked(&sliding(), &requests), Ok(tally));
}

#[test]
fn a_sliding_window_that_passes_one_more_is_found() {
    let at = |last: u64| [T, T + 3 * S, last].map(|at| passed(at, at + 9, 0, 6));
    let said = flaw(&sliding(), &at(T + 6 * S - 10));
    assert!(said.contains("3 requests of 1 passed within 5999999 µs: the limit permits 2"), "{said}");
    assert!(!flaw(&sliding(), &at(T + 6 * S)).contains("permits"), "the first may be back");
}

#[test]
fn a_fixed_window_that_passes_one_more_is_found() {
    let at = |times: [u64; 3]| times.map(|at| passed(at, at + 9, 0, 6));
    let said = flaw(&fixed(), &at([T, T + 3 * S, T + 6 * S - 10]));
    assert!(said.contains("3 requests of 1 passed within 6000000 µs: what fits into the windows permits 2"), "{said}");
    // the end of one and the beginning of the next
    let both = [T - 20, T - 10, T, T + 10].map(|at| passed(at, at + 9, u64::from(at == T - 20 || at == T), 6));
    assert!(!flaw(&fixed(), &both).contains("permits"));
    // one that was under way in two windows goes where there is room, but not where there is none
    let long = |more: &[u64]| {
        let short = more.iter().map(|at| passed(*at, at + 9, 0, 6));
        let all: Vec<_> = std::iter::once(passed(T - 5, T + 5, 0, 6)).chain(short).collect();
        flaw(&fixed(), &all)
    };
    assert!(!long(&[T - 20, T + 10, T + 20]).contains("permits"));
    let said = long(&[T - 30, T - 20, T + 10, T + 20]);
    assert!(said.contains("5 requests of 1 passed within 12000000 µs: what fits into the windows permits 4"), "{said}");
}

#[test]
fn windows_deny_for_a_reason_only() {
    for (limit, back, reset) in [(&sliding(), T + 6 * S + 100_009, 7), (&fixed(), T + 6 * S, 6)] {
        let two = [passed(T + 1, T + 9, 1, reset), passed(T + 10, T + 19, 0, reset)];
        let then = |more: Request| checked(limit, &[&two[..], &[more]].concat()).map(|tally| tally.denied);
        let said = flaw(limit, &[two[0].clone(), denied_for(T + 20, T + 29, 0, 6, 6)]);
        assert!(said.contains("denied, though at least 1 units were there all the time"), "{said}");
        assert_eq!(then(denied_for(back - 110_020, back - 110_011, 0, 1, 1)), Ok(1));
        assert!(then(denied_for(back, back + 9, 0, 1, 1)).unwrap_err().contains("denied, though at least 2 units"));
        // what was lost explains it
        let lost = request(T + 5, T + 9, Answer::Unanswered("503".to_owned()));
        let explained = [two[0].clone(), lost.clone(), denied_for(T + 20, T + 29, 0, reset, reset)];
        assert!(checked(limit, &explained).is_ok(), "{:?}", checked(limit, &explained));
        let refused = Request { counted: 0, ..lost };
        let said = flaw(limit, &[two[0].clone(), refused, denied_for(T + 20, T + 29, 0, reset, reset)]);
        assert!(said.contains("denied, though"), "{said}");
    }
}

#[test]
fn fields_of_windows_that_lie_are_found() {
    for (limit, reset) in [(&sliding(), 7), (&fixed(), 6)] {
        let first = passed(T + 1, T + 9, 1, reset);
        let then = |more: Request| flaw(limit, &[first.clone(), passed(T + 10, T + 19, 0, reset), more]);
        let second = |remaining, reset| flaw(limit, &[first.clone(), passed(T + 10, T + 19, remaining, reset)]);
        assert!(second(1, reset).contains("from 0 to 0 units left, not 1"), "{}", second(1, reset));
        for wrong in [reset - 1, reset + 1] {
            let said = second(0, wrong);
            assert!(said.contains(&format!("in from {reset} to {reset} s, not in {wrong}")), "{said}");
            let said = then(denied_for(T + 20, T + 29, 0, reset, wrong));
            assert!(said.contains(&format!("in from {reset} to {reset} s, not in Some({wrong})")), "{said}");
        }
        let never = Answer::Denied(Told { remaining: 0, reset, retry_after: None });
        assert!(then(request(T + 20, T + 29, never)).contains("not in None"));
        let waits = Answer::Passed(Told { remaining: 1, reset, retry_after: Some(1) });
        assert!(flaw(limit, &[request(T + 1, T + 9, waits)]).contains("it passed, and is told to wait"));
    }
}

/// What is wrong with a limiter, and what is as it may be.
#[derive(Clone, Copy, Default)]
struct Traits {
    /// How much more it passes.
    more: u32,
    /// Whether it forgets now and then.
    forgets: bool,
    /// For how many microseconds at most it knows the time before it decides.
    stale: u64,
    /// By how many microseconds at most the clocks of its three nodes are ahead.
    ahead: u64,
}

/// A history of impatient clients.
fn played(seed: u64, algorithm: Algorithm, traits: Traits) -> History {
    let random = Random::new(seed);
    let draw = |from: u64, to: u64| from + random.below(to + 1 - from);
    let cost = draw(1, 3) as u32;
    let (limit, per) = (draw(20, 60) as u32 / cost * cost, draw(200, 900) * 1_000);
    let ahead: Vec<i64> = (0..3).map(|_| draw(0, traits.ahead) as i64).collect();
    let reads_clock_first = traits.stale > 0;
    let limit = Limit { algorithm, limit, per, burst: limit, cost, reads_clock_first, ahead, ..LIMIT };
    let (mut now, mut state, mut requests) = (1_000_000_000, State::default(), Vec::new());
    let wide = (1 + random.below(8)) * 500;
    for index in 0..600 {
        now += random.below(per / u64::from(limit.limit));
        if traits.forgets && index % 200 == 199 {
            state = State::default();
        }
        let (read, node) = (now - random.below(traits.stale + 1), random.below(3) as usize);
        let clock = read.checked_add_signed(limit.ahead[node]).unwrap();
        let units = limit.limit + traits.more * cost;
        let end = |window: u64| Timestamp::from_micros((clock / per + window) * per);
        let window = match algorithm {
            Algorithm::FixedWindow => Window::fixed(units, [end(0), end(1), end(2)]),
            _ => Window::sliding(units, Duration::from_micros(per)).unwrap(),
        };
        let (verdicts, next) = step(&[Rule::Window(window)], &state, Timestamp::from_micros(clock), Draw::Take(cost));
        state = next;
        let verdict = verdicts[0];
        let told = Told {
            remaining: u64::from(verdict.remaining.saturating_sub(traits.more * cost)),
            reset: verdict.reset.as_micros().div_ceil(1_000_000) as u64,
            retry_after: (!verdict.allowed).then_some(verdict.retry_after.as_micros().div_ceil(1_000_000) as u64),
        };
        let answer = if verdict.allowed { Answer::Passed(told) } else { Answer::Denied(told) };
        let seen = request(read - random.below(wide), now + random.below(wide), answer);
        requests.push(Request { node, ..seen });
    }
    requests.sort_by_key(|request| request.sent);
    History { limit, requests }
}

const SEEDS: u64 = 40;

#[test]
fn every_history_of_windows_is_one() {
    for algorithm in [Algorithm::SlidingWindow, Algorithm::FixedWindow] {
        for (stale, ahead) in [(0, 0), (20_000, 0), (1_000, 50_000)] {
            check_seeds(SEEDS, None, |seed| {
                let history = played(seed, algorithm, Traits { stale, ahead, ..Traits::default() });
                let tally = check(&history).unwrap_or_else(|violation| panic!("{violation}"));
                assert!(tally.passed > 20, "{tally:?}");
            });
        }
    }
}

#[test]
fn windows_that_pass_one_more_or_forget_are_found() {
    for algorithm in [Algorithm::SlidingWindow, Algorithm::FixedWindow] {
        for (more, forgets) in [(1, false), (0, true)] {
            let wrong =
                |seed: &u64| check(&played(*seed, algorithm, Traits { more, forgets, ..Traits::default() })).is_err();
            let found = (0..SEEDS).filter(wrong).count() as u64;
            assert!(found > SEEDS * 9 / 10, "{algorithm:?}, {more} more, forgets: {forgets}: {found} of {SEEDS}");
        }
    }
}
