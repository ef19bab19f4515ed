//! Limits in Redis or Valkey: one script, one round trip, by Redis's own clock.
//!
//! The clock is Redis's and not the caller's because callers on several nodes have several: one whose clock is ahead would see
//! every bucket fuller than it is. The script answers with the time and with what it found, and what follows from them is
//! [`step`]'s to say: it says the same here as the script did there.
//!
//! A key holds the numbers of its [`State`] with spaces between them, and expires a second after it is idle. It is written when units are drawn,
//! or when something in it is further ahead than it can be: a request that is denied writes nothing. What is no state of the
//! rules is nobody's to lose: it stays as it is, and the caller is told.
//!
//! Here is what is said, not who says it: how to reach a Redis is the platform's own affair.

use super::{Draw, Rule, State, Verdict, step};
use crate::digest::sha256_hex;
use crate::platform::Timestamp;

/// [`step`], for Redis 5 and later: a script of one key, see [`key`] and [`arguments`].
///
/// It first reads rules and state together and sees whether all rules permit the draw, then takes or returns; what passes is a
/// charge that all rules have room for. Its numbers are doubles. They are whole below 2^53, where sums, differences and `fmod` are
/// exact; quotients are not. A product of units and an interval may be beyond that, and is then more than any bucket whatever it is.
pub const SCRIPT: &str = include_str!("script/step.lua");

/// Where the limit named `name` is in Redis. Names have clients in them and are as long as clients like: a hash is neither.
pub fn key(name: &str) -> String {
    format!("portico:limit:{}", sha256_hex(name.as_bytes()))
}

/// What the script is told: 0 to take, 1 to charge, 2 to return; so many units; then the [rules](Rule::write).
pub fn arguments(rules: &[Rule], draw: Draw) -> Vec<u64> {
    let (kind, units) = draw.write();
    [vec![u64::from(kind), u64::from(units)], Rule::write(rules)].concat()
}

/// What follows from the script's answer: Redis's time in microseconds, and the text that it found, empty where nothing was.
pub fn verdicts(now: i64, found: &[u8], rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, Unreadable> {
    let now = u64::try_from(now).map(Timestamp::from_micros).map_err(|_| Unreadable)?;
    let state = state(found, rules).ok_or(Unreadable)?;
    Ok(step(rules, &state, now, draw).0)
}

/// What the text under a key says of such rules, `None` for a text that none of their states has.
pub fn state(text: &[u8], rules: &[Rule]) -> Option<State> {
    let words = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let number = |word: &[u8]| {
        let digits = word.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(word).ok())??;
        digits.parse().ok().filter(|number: &u64| *number < 1 << 53)
    };
    State::read(rules, &words.map(number).collect::<Option<Vec<_>>>()?)
}

/// What is under the key is no state of such rules. It stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what Redis has there is no state of this limit")]
pub struct Unreadable;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limit::{Quota, Window};

    #[test]
    fn what_the_script_found_is_decided_by_core() {
        let gcra = Rule::Gcra(Quota::from_interval(1_000_000, 3).unwrap());
        let minute = Rule::Window(Window::sliding(5, Duration::from_secs(60)).unwrap());
        let now = 1_700_000_000_000_000;
        let verdict = |found: &str, draw| verdicts(now, found.as_bytes(), &[gcra, minute], draw).unwrap();
        let passed = verdict("1700000001000000 1 1700000030000000 2", Draw::Take(1));
        assert_eq!(
            passed.iter().map(|verdict| (verdict.allowed, verdict.remaining)).collect::<Vec<_>>(),
            [(true, 1), (true, 2)]
        );
        let denied = verdict("1700000002500000 0", Draw::Take(1));
        assert_eq!(denied.iter().map(|verdict| verdict.allowed).collect::<Vec<_>>(), [false, true]);
        assert_eq!(denied[0].retry_after.as_millis(), 500);
        assert_eq!(verdict("", Draw::Charge(9)).iter().map(|verdict| verdict.remaining).collect::<Vec<_>>(), [0, 0]);
    }

    #[test]
    fn another_text_is_no_state() {
        let rules = [Rule::Gcra(Quota::from_interval(1, 1).unwrap())];
        assert_eq!(verdicts(5, b"1700000002500000", &rules, Draw::Take(1)).map(|verdicts| verdicts.len()), Ok(1));
        for text in ["1 2", "-1", "+1", "1.5", "1e3", "9007199254740992", "text", "1\n", "1 \u{e9}"] {
            assert_eq!(verdicts(5, text.as_bytes(), &rules, Draw::Take(1)), Err(Unreadable), "{text}");
        }
        assert_eq!(verdicts(-1, b"", &rules, Draw::Take(1)), Err(Unreadable));
    }

    #[test]
    fn a_draw_and_rules_are_arguments() {
        let rules = [Rule::Gcra(Quota::from_interval(7, 3).unwrap())];
        assert_eq!(arguments(&rules, Draw::Take(2)), [0, 2, 0, 7, 3]);
        assert_eq!(arguments(&rules, Draw::Charge(2)), [1, 2, 0, 7, 3]);
        assert_eq!(arguments(&rules, Draw::Return(2)), [2, 2, 0, 7, 3]);
    }

    #[test]
    fn names_do_not_show_in_keys() {
        let key = key("orders:ip:203.0.113.7");
        let hash = key.strip_prefix("portico:limit:").unwrap();
        assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    }
}
