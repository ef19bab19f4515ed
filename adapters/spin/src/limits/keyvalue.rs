//! Limits in a store that compares and swaps, and that forgets nothing.
//!
//! A limit's time (`portico_core::limit`) is an `i64` in microseconds, eight bytes little-endian: what `increment` of the store
//! makes of a key, so that `increment(key, 0)` creates one. A key must be there before it is swapped: Spin's SQLite store writes
//! without comparing where nothing was.
//!
//! # How it is cleaned up
//!
//! Deleting is not comparing: whoever deletes a time that is over deletes the one that was put there since. So the name of a key
//! carries a span of time at least as long as the limit's window, and after the next span nobody comes back to it: it can be
//! deleted whenever somebody gets round to it. A limit that is used first in a new span takes its time along from the span before,
//! and seals that one, so that nobody who is late still takes from it:
//!
//! | value | meaning |
//! |---|---|
//! | none, 0 | nobody took anything in this span yet |
//! | more than 0 | the time |
//! | less than 0 | sealed: this time, negative, went to the next span |
//!
//! One who comes first into a span looks back: at what is there to take along. One who is late and comes first into a span looks
//! ahead: there may be a next one already. Each creates its key before it looks, so at least one of the two sees the other.

use portico_core::limit::{Quota, Verdict, decide};
use portico_core::{StoreError, Timestamp};

/// Where limits are in the store.
pub(super) const PREFIX: &str = "limits/";

/// The shortest span of time, in microseconds.
pub(super) const HOUR: u64 = 3_600 * 1_000_000;

/// How often others may come in between. Who is denied swaps nothing, so only as many compete as may pass.
const ATTEMPTS: u32 = 24;

/// What a store can do, in steps that are atomic each.
pub(super) trait Store {
    /// A value that was read, to be swapped against.
    type Read;

    /// Makes a key of value 0, unless it is there.
    fn create(&self, key: &str) -> Result<(), StoreError>;

    /// Reads a key.
    fn read(&self, key: &str) -> Result<(Self::Read, Option<i64>), StoreError>;

    /// Replaces a value that was read and was there.
    fn swap(&self, read: Self::Read, value: i64) -> Result<Swapped, StoreError>;
}

/// What became of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swapped {
    /// The value is there.
    Done,
    /// Another one was there by then.
    Late,
}

/// Takes `cost` from the limit of `key`.
pub(super) fn take(
    store: &impl Store,
    key: &str,
    quota: &Quota,
    cost: u32,
    now: impl Fn() -> Timestamp,
) -> Result<Verdict, StoreError> {
    let hours = hours(quota);
    let mut span = now().as_micros() / (hours * HOUR);
    for _ in 0..ATTEMPTS {
        let name = name(hours, span, key);
        let (read, value) = store.read(&name)?;
        let known = match value {
            None => {
                // when its answer got lost it is there all the same
                if store.create(&name).is_err() && store.read(&name)?.1.is_none() {
                    return Err(StoreError);
                }
                continue;
            }
            Some(..0) => {
                span += 1;
                continue;
            }
            Some(0) => {
                if let (_, Some(_)) = store.read(&self::name(hours, span + 1, key))? {
                    span += 1;
                    continue;
                }
                taken_along(store, &self::name(hours, span.saturating_sub(1), key))?
            }
            Some(time) => Some(time),
        };
        let known = known.and_then(|time| u64::try_from(time).ok()).map(Timestamp::from_micros);
        let (verdict, next) = decide(known, quota, now(), cost);
        if !verdict.allowed && value != Some(0) {
            return Ok(verdict);
        }
        let next = i64::try_from(next.as_micros()).map_err(|_| StoreError)?;
        if store.swap(read, next)? == Swapped::Done {
            return Ok(verdict);
        }
    }
    eprintln!("key-value store: {ATTEMPTS} attempts to count one request were overtaken");
    Err(StoreError)
}

/// The time of a span that is over, which nobody takes from afterwards.
fn taken_along(store: &impl Store, name: &str) -> Result<Option<i64>, StoreError> {
    for _ in 0..ATTEMPTS {
        let (read, value) = store.read(name)?;
        match value {
            None => return Ok(None),
            Some(sealed @ ..0) => return Ok((sealed != SEALED_EMPTY).then(|| -sealed)),
            Some(time) => {
                let sealed = if time == 0 { SEALED_EMPTY } else { -time };
                if store.swap(read, sealed)? == Swapped::Done {
                    return Ok(Some(time).filter(|time| *time != 0));
                }
            }
        }
    }
    Err(StoreError)
}

/// A span that was sealed before anybody took from it.
const SEALED_EMPTY: i64 = i64::MIN;

/// The length of a quota's spans, in hours: at least its window, and the same for quotas that do not differ much.
fn hours(quota: &Quota) -> u64 {
    u64::try_from(quota.window().as_micros()).unwrap_or(HOUR).div_ceil(HOUR).max(1).next_power_of_two()
}

/// The name of a limit's key in one span.
fn name(hours: u64, span: u64, key: &str) -> String {
    format!("{PREFIX}{hours}/{span}/{key}")
}

/// Whether a key of the store is a limit's that nobody comes back to.
pub(super) fn is_over(name: &str, now: Timestamp) -> bool {
    let parts = || {
        let mut parts = name.strip_prefix(PREFIX)?.splitn(3, '/');
        let (hours, span) = (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?);
        parts.next()?;
        // one span more than the limit itself looks back, for those whose clock is behind
        hours.checked_mul(HOUR)?.checked_mul(span.checked_add(3)?)
    };
    parts().is_some_and(|end| end <= now.as_micros())
}

#[cfg(test)]
mod tests;
