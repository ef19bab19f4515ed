//! What the script does in Redis, core says of it: the same state, for any rules, draw, time and state that it may find.

use std::time::Duration;

use portico_core::Timestamp;
use portico_core::limit::script::{SCRIPT, Unreadable, arguments, key, state, verdicts};
use portico_core::limit::{Draw, Quota, Rule, State, Window, step};
use portico_core::sim::Random;
use redis::Connection;

use crate::server::Redis;

const STEPS: u64 = 20_000;

/// What rules there are, by letters: GCRA, sliding and fixed windows.
const KINDS: [&str; 9] = ["g", "s", "f", "gs", "fg", "sf", "gg", "sgf", "fsg"];

/// In microseconds: from over within a step to longer than the test.
const SPANS: [u64; 8] = [60, 1_000, 9_973, 100_003, 1_000_000, 60_000_000, 86_400_000_000, 31 * 86_400_000_000];

/// What nobody wrote, or somebody under other rules.
const TEXTS: [&str; 15] = [
    "text",
    "-1",
    "+1",
    "1e3",
    "0x1",
    "1.0",
    "1\n",
    "9007199254740992",
    "99999999999999999999999999",
    "1 2 3",
    "2 9 1 8 1",
    "1 9 4294967296",
    "3 1 1",
    "2 9007199254740000 4294967295 9007199254740000 4294967295",
    "  007 ",
];

fn rules(random: &Random, kinds: &str, now: Timestamp) -> Vec<Rule> {
    let rule = |kind| {
        let per = *random.pick(&SPANS).unwrap();
        let limit = u32::try_from(1 + random.below(per.min(*random.pick(&[3, 40, 50_000]).unwrap()))).unwrap();
        match kind {
            'g' => Rule::Gcra(Quota::new(limit, Duration::from_micros(per), 1 + limit / 2).unwrap()),
            's' => Rule::Window(Window::sliding(limit, Duration::from_micros(per)).unwrap()),
            _ => {
                // whoever asks may be in another window than Redis, too
                let window = now.as_micros() / per + random.below(5);
                let ends = [0, 1, 2].map(|next| Timestamp::from_micros((window - 2 + next) * per));
                Rule::Window(Window::fixed(limit, ends))
            }
        }
    };
    kinds.chars().map(rule).collect()
}

fn draw(random: &Random, rules: &[Rule]) -> Draw {
    let limit = |rule: &Rule| match rule {
        Rule::Gcra(quota) => quota.burst(),
        Rule::Window(window) => window.limit(),
    };
    let most = rules.iter().map(limit).min().unwrap();
    let units = match random.below(8) {
        0 => u32::MAX,
        1 | 2 => u32::try_from(random.below(u64::from(most) + 2)).unwrap(),
        _ => u32::try_from(random.below(3)).unwrap(),
    };
    match random.below(6) {
        0 => Draw::Charge(units),
        1 => Draw::Return(units),
        _ => Draw::Take(units),
    }
}

/// What a node left there whose clock shows another time, or anything else.
fn text(random: &Random, rules: &[Rule], now: Timestamp) -> String {
    if random.below(3) == 0 {
        return (*random.pick(&TEXTS).unwrap()).to_owned();
    }
    let shifts = [0, 500_000, 999_000, 1_001_000, 5_000_000, 40 * 86_400_000_000];
    let mut left = State::default();
    for _ in 0..random.below(70) {
        let shift = *random.pick(&shifts).unwrap() + random.below(2_000_000);
        let then = now.as_micros() + shift - 1_000_000;
        left = step(rules, &left, Timestamp::from_micros(then), Draw::Charge(random.below(4) as u32)).1;
    }
    written(&left)
}

fn written(state: &State) -> String {
    state.write().iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

fn time(connection: &mut Connection) -> Timestamp {
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query(connection).unwrap();
    Timestamp::from_micros(seconds * 1_000_000 + micros)
}

#[test]
fn the_script_leaves_what_core_decides() {
    let redis = Redis::start();
    let connection = &mut redis.connect();
    let random = Random::new(0x9E37_79B9);
    let started = time(connection);
    let mut known: Vec<_> =
        KINDS.iter().map(|kinds| (0..3).map(|_| rules(&random, kinds, started)).collect::<Vec<_>>()).collect();
    let (mut passed, mut denied, mut unread, mut cut) = (0, 0, 0, 0);
    for at in 0..STEPS {
        let (kind, number) = (random.below(KINDS.len() as u64) as usize, random.below(3) as usize);
        let name = key(&format!("{kind} {number}"));
        // keys meet numbers that are not the ones they were counted with
        if random.below(20) == 0 {
            known[kind][number] = rules(&random, KINDS[kind], time(connection));
        }
        let rules = &known[kind][number];
        if random.below(20) == 0 {
            let text = text(&random, rules, time(connection));
            redis::cmd("SET").arg(&name).arg(text).exec(connection).unwrap();
        }
        let draw = draw(&random, rules);
        let mut call = redis::cmd("EVAL");
        call.arg(SCRIPT).arg(1).arg(&name).arg(arguments(rules, draw));
        let (answered, found): (i64, String) = call.query(connection).unwrap();
        let kept: Option<String> = redis::cmd("GET").arg(&name).query(connection).unwrap();
        let told = format!("step {at}: {rules:?} {draw:?} {answered} {found:?}");
        let decided = verdicts(answered, found.as_bytes(), rules, draw);
        let Some(before) = state(found.as_bytes(), rules) else {
            assert_eq!((decided, kept.as_deref()), (Err(Unreadable), Some(found.as_str())), "{told}");
            unread += 1;
            redis::cmd("DEL").arg(&name).exec(connection).unwrap();
            continue;
        };
        let now = Timestamp::from_micros(u64::try_from(answered).unwrap());
        let (expected, left) = step(rules, &before, now, draw);
        let passes = expected.iter().all(|verdict| verdict.allowed);
        assert_eq!(decided, Ok(expected), "{told}");
        let same = left.same_from(&before, now);
        if matches!(draw, Draw::Take(1..)) {
            (passed, denied, cut) =
                if passes { (passed + 1, denied, cut) } else { (passed, denied + 1, cut + u32::from(!same)) };
        }
        match kept {
            kept if same && matches!(draw, Draw::Take(_)) => {
                assert!(
                    kept.as_ref() == Some(&found) || kept.is_none() && left.idle_at() <= time(connection),
                    "{told}"
                );
            }
            Some(kept) if same => {
                assert!(state(kept.as_bytes(), rules).unwrap().same_from(&left, now), "{told} {kept}")
            }
            Some(kept) => {
                assert_eq!(kept, written(&left), "{told}");
                let millis: i64 = redis::cmd("PTTL").arg(&name).query(connection).unwrap();
                let expires = time(connection) + Duration::from_millis(u64::try_from(millis + 2).unwrap_or(0));
                assert!(millis == -2 || expires >= left.idle_at(), "{told}: forgotten in {millis} ms");
                let latest = left.idle_at().since(now).as_millis() + 1_001;
                assert!(millis == -2 || (0..=latest as i64).contains(&millis), "{told}: forgotten in {millis} ms");
            }
            None => assert!(left.idle_at() <= time(connection), "{told}"),
        }
    }
    println!("{passed} passed, {denied} denied, {cut} of them cut, {unread} not read");
    assert!([passed, denied].into_iter().all(|some| some > STEPS as u32 / 8) && cut > 10 && unread > 50);
}
