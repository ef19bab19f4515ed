//! Responses and purges in the key-value store.
//!
//! The store forgets nothing, and cannot say how much it holds. So a response is under the hour in which it was put there as well: it is found
//! in that hour and in the next one, and what is older is deleted by its name, read by nobody. In each hour no more than [`BUDGET`] is put
//! there.

mod purges;

use std::sync::Arc;

use portico_core::cache::Item;
use portico_core::{MAX_VALUE, StoreError, Timestamp};

use crate::cells::{self, HOUR, Store as _};
use crate::values;

pub(crate) use self::purges::{purge, purges};

/// Where responses are.
const PREFIX: &str = "responses/";

/// The most bytes of one response that are kept.
pub(crate) const LARGEST: u64 = MAX_VALUE as u64;

/// Stands for a key in the name of what counts the bytes of an hour. No key is like it.
const COUNTED: &str = "bytes";

/// Bytes that all instances together put there in an hour.
const BUDGET: i64 = 256 << 20;

/// What a small one counts as, for keys are listed when they are deleted.
const LEAST: usize = 4 * 1024;

/// Hours in which a response is found.
const HOURS: u64 = 2;

/// What is under `key`.
pub(crate) async fn cached(key: &str, now: Timestamp) -> Result<Option<Arc<Item>>, StoreError> {
    let hour = now.as_micros() / HOUR;
    for hour in [hour, hour.saturating_sub(1)] {
        if let Some(bytes) = values::read(&name(hour, key), now).await? {
            return Ok(Item::decode(&bytes).map(Arc::new));
        }
    }
    Ok(None)
}

/// Puts a response under `key`, unless it is too large for the store or would be too much.
pub(crate) async fn cache(key: &str, item: &Item, now: Timestamp, until: Timestamp) -> Result<(), StoreError> {
    let bytes = item.encode();
    if bytes.len() > MAX_VALUE {
        return forget(key, now).await;
    }
    let (hour, store) = (now.as_micros() / HOUR, cells::store());
    store.puts();
    let size = i64::try_from(bytes.len().max(LEAST)).map_err(|_| StoreError)?;
    let sum = store.add(&name(hour, COUNTED), size)?;
    if sum > BUDGET {
        // exactly one is the first
        if sum - size <= BUDGET {
            eprintln!(
                "key-value store: {BUDGET} bytes of responses were stored in this hour, and no more are before the next one"
            );
        }
        return forget(key, now).await;
    }
    values::write(&name(hour, key), &bytes, until).await?;
    // what was there in the hour before would be found again once this is over
    values::delete(&name(hour.saturating_sub(1), key)).await
}

/// Removes what is under `key`.
pub(crate) async fn forget(key: &str, now: Timestamp) -> Result<(), StoreError> {
    let hour = now.as_micros() / HOUR;
    for hour in [hour, hour.saturating_sub(1)] {
        values::delete(&name(hour, key)).await?;
    }
    Ok(())
}

/// Whether a key of the store is a response's, or a counter, that nobody comes back to.
pub(crate) fn is_over(name: &str, now: Timestamp) -> bool {
    let hour = || name.strip_prefix(PREFIX)?.split_once('/')?.0.parse::<u64>().ok();
    // an hour more, for those whose clock is behind
    hour().is_some_and(|hour| hour.saturating_add(HOURS + 1).saturating_mul(HOUR) <= now.as_micros())
}

fn name(hour: u64, key: &str) -> String {
    format!("{PREFIX}{hour}/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_can_be_told_by_its_name() {
        let now = Timestamp::from_micros(500_000 * HOUR);
        let over = |hour, key| is_over(&name(hour, key), now);
        for key in ["cache/orders/1f", COUNTED] {
            assert!(over(499_997, key) && !over(499_998, key) && !over(500_000, key) && !over(u64::MAX, key));
        }
        for other in ["responses/purges", "responses/x/y", "responses/1", "keys/1/2", "limits/1/2/3"] {
            assert!(!is_over(other, now), "{other}");
        }
    }
}
