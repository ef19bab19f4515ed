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
//! | less than 0 | sealed, once or several times: what is left over [`SEAL`] went to the next span |
//!
//! One who comes first into a span looks back: at what is there to take along. One who is late and comes first into a span looks
//! ahead: there may be a next one already. Each creates its key before it looks, so at least one of the two sees the other.
//!
//! # What it costs
//!
//! Of a key that is there: one read for a request that is denied, one read and one swap for one that passes. Only a swap can come
//! too late, because of another instance: then its request waits a little, each time longer, and begins anew, until its deadline. Sealing adds to a value, whatever it is, and creating adds nothing: neither ever comes too late.

use portico_core::limit::{Quota, Verdict, decide};
use portico_core::{StoreError, Timestamp, within};

/// Where limits are in the store.
pub(super) const PREFIX: &str = "limits/";

/// The shortest span of time, in microseconds.
pub(super) const HOUR: u64 = 3_600 * 1_000_000;

/// What is added to a time to seal it. Times stay below it until the year 2540, and 512 fit into an `i64`: as many may seal one at
/// once.
const SEAL: i64 = i64::MIN / 512;

/// What a store can do, in steps that are atomic each.
pub(super) trait Store {
    /// A value that was read, to be swapped against.
    type Read;

    /// Adds to a value, 0 if there is none, and gives the sum.
    fn increment(&self, key: &str, by: i64) -> Result<i64, StoreError>;

    /// A value, if there is one.
    fn value(&self, key: &str) -> Result<Option<i64>, StoreError>;

    /// Reads a value that is to be swapped, if there is one.
    fn read(&self, key: &str) -> Result<(Self::Read, Option<i64>), StoreError>;

    /// Replaces a value that was read and was there.
    fn swap(&self, read: Self::Read, value: i64) -> Result<Swapped, StoreError>;

    /// Waits until it is worth the while to try again for one who was late this many times before.
    async fn wait(&self, late: u32);
}

/// What became of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swapped {
    /// The value is there.
    Done,
    /// Another one was there by then.
    Late,
}

/// Takes `cost` from the limit of `key`. One whom others overtake is given up at the deadline.
pub(super) async fn take(
    store: &impl Store,
    key: &str,
    quota: &Quota,
    cost: u32,
    now: impl Fn() -> Timestamp,
    deadline: impl Future<Output = ()>,
) -> Result<Verdict, StoreError> {
    within(deadline, attempts(store, key, quota, cost, now)).await.unwrap_or_else(|| {
        eprintln!("key-value store: others overtook one request until its time was up");
        Err(StoreError)
    })
}

/// Tries until it succeeds.
async fn attempts(
    store: &impl Store,
    key: &str,
    quota: &Quota,
    cost: u32,
    now: impl Fn() -> Timestamp,
) -> Result<Verdict, StoreError> {
    let hours = hours(quota);
    let name = |span| name(hours, span, key);
    let mut span = now().as_micros() / (hours * HOUR);
    let mut late = 0;
    loop {
        let (read, value) = read(store, &name(span))?;
        let known = match value {
            ..0 => {
                span += 1;
                continue;
            }
            0 if store.value(&name(span + 1))?.is_some() => {
                span += 1;
                continue;
            }
            0 => taken_along(store, &name(span.saturating_sub(1)))?,
            time => Some(time),
        };
        let known = known.and_then(|time| u64::try_from(time).ok()).map(Timestamp::from_micros);
        let (verdict, next) = decide(known, quota, now(), cost);
        if !verdict.allowed && value != 0 {
            return Ok(verdict);
        }
        let next = i64::try_from(next.as_micros()).map_err(|_| StoreError)?;
        if store.swap(read, next)? == Swapped::Done {
            return Ok(verdict);
        }
        store.wait(late).await;
        late += 1;
    }
}

/// Reads a value that is to be swapped; makes it if it is not there.
fn read<S: Store>(store: &S, name: &str) -> Result<(S::Read, i64), StoreError> {
    if let (read, Some(value)) = store.read(name)? {
        return Ok((read, value));
    }
    // when its answer got lost it is there all the same
    let created = store.increment(name, 0);
    match store.read(name)? {
        (read, Some(value)) => Ok((read, value)),
        (_, None) => created.and(Err(StoreError)),
    }
}

/// The time of a span that is over, which nobody takes from afterwards.
fn taken_along(store: &impl Store, name: &str) -> Result<Option<i64>, StoreError> {
    let sealed = match store.value(name)? {
        None => return Ok(None),
        Some(sealed @ ..0) => sealed,
        Some(_) => store.increment(name, SEAL)?,
    };
    Ok(Some(sealed.rem_euclid(SEAL)).filter(|time| *time != 0))
}

/// The length of a quota's spans, in hours: at least its window, and the same for quotas that do not differ much.
fn hours(quota: &Quota) -> u64 {
    u64::try_from(quota.window().as_micros()).unwrap_or(HOUR).div_ceil(HOUR).max(1).next_power_of_two()
}

/// The name of a limit's key in one span.
pub(super) fn name(hours: u64, span: u64, key: &str) -> String {
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
