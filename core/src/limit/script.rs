//! Limits in Redis or Valkey: one script, one round trip, by Redis's own clock.
//!
//! The clock is Redis's and not the caller's because callers on several nodes have several: one whose clock is ahead would see
//! every bucket fuller than it is. The script answers with the time and with what it found, and what follows from them is
//! [`decide`]'s to say: it says the same here as the script did there. State expires when its bucket is full again.
//!
//! Here is what is said, not who says it: how to reach a Redis is the platform's own affair.

use super::{Quota, Verdict, decide};
use crate::digest::sha256_hex;
use crate::platform::{StoreError, Timestamp};

/// [`decide`], for Redis 5 and later: a script of one key, see [`key`] and [`arguments`]. Numbers are doubles, and whole below 2^53 as
/// long as the cost is within the bucket; a higher one is denied whatever the sum is.
pub const SCRIPT: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local latest = now + interval * burst
local found = tonumber(redis.call('GET', KEYS[1]) or now)
local tat = found > latest + 1000000 and latest or math.max(found, now)
local taken = tat + interval * cost
local after = taken <= latest and taken or tat
if after ~= found then
  redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.max(1, math.ceil((after - now) / 1000)))
end
return {now, tat}";

/// Where the limit named `name` is in Redis. Names have clients in them and are as long as clients like: a hash is neither.
pub fn key(name: &str) -> String {
    format!("portico:limit:{}", sha256_hex(name.as_bytes()))
}

/// What the script is told of a request of `cost` units.
pub fn arguments(quota: &Quota, cost: u32) -> [u64; 3] {
    [quota.interval_micros(), u64::from(quota.burst()), u64::from(cost)]
}

/// What follows from the script's answer: two numbers, the time and the state that it found. An error for any other answer.
pub fn verdict(answer: &[i64], quota: &Quota, cost: u32) -> Result<Verdict, StoreError> {
    let time = |micros: i64| u64::try_from(micros).map(Timestamp::from_micros).map_err(|_| StoreError);
    match *answer {
        [now, found] => Ok(decide(Some(time(found)?), quota, time(now)?, cost).0),
        _ => Err(StoreError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_found_is_decided_by_core() {
        let quota = Quota::from_interval(1_000_000, 3).unwrap();
        let now = 1_700_000_000_000_000;
        let passed = verdict(&[now, now + 1_000_000], &quota, 1).unwrap();
        assert!(passed.allowed && passed.remaining == 1);
        let denied = verdict(&[now, now + 2_500_000], &quota, 1).unwrap();
        assert!(!denied.allowed);
        assert_eq!(denied.retry_after.as_millis(), 500);
    }

    #[test]
    fn another_answer_is_none() {
        let quota = Quota::from_interval(1, 1).unwrap();
        for answer in [[].as_slice(), &[1], &[-1, 0], &[0, -1], &[0, 0, 0]] {
            assert_eq!(verdict(answer, &quota, 1), Err(StoreError), "{answer:?}");
        }
    }

    #[test]
    fn names_do_not_show_in_keys() {
        let key = key("orders:ip:203.0.113.7");
        let hash = key.strip_prefix("portico:limit:").unwrap();
        assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    }
}
