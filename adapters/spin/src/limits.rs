//! Rate limits: counted in Redis, or in the key-value store.
//!
//! | `portico_limits` | where | keeps |
//! |---|---|---|
//! | empty | the store `default`, by compare-and-swap (`limits/keyvalue.rs`) | exact with Spin's own SQLite store |
//! | `redis://…`, `rediss://…` | that Redis, by a script in one round trip (`limits/redis.rs`) | exact, for any number of nodes |

mod keyvalue;
mod redis;

use std::time::Duration;

use portico_core::digest::sha256_hex;
use portico_core::limit::{Draw, Rule, Verdict};
use portico_core::{StoreError, Timestamp};
use wasip3::clocks::monotonic_clock;

pub(crate) use self::keyvalue::is_over;
use self::redis::Redis;
use crate::cells;
use crate::platform::nanos;

/// A store that has not decided after this long cannot be reached: Spin itself waits for a Redis as long as it takes, and one who is
/// always overtaken in the key-value store tries for ever.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Where limits are counted.
#[derive(Debug)]
pub(crate) enum Limits {
    /// In the key-value store.
    KeyValue,
    /// In Redis.
    Redis(Redis),
    /// Nowhere: what the variable says is neither, or it could not be read. Every limit is then as if its store could not be reached.
    Nowhere,
}

impl Limits {
    /// What the variable says.
    pub(crate) fn new(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            Self::KeyValue
        } else if text.starts_with("redis://") || text.starts_with("rediss://") {
            Self::Redis(Redis::new(text))
        } else {
            eprintln!(
                "portico_limits is neither empty nor an address such as redis://localhost:6379: no limit is counted"
            );
            Self::Nowhere
        }
    }

    /// One step of the limit named `key`.
    pub(crate) async fn step(
        &self,
        key: &str,
        rules: &[Rule],
        draw: Draw,
        now: impl Fn() -> Timestamp,
    ) -> Result<Vec<Verdict>, StoreError> {
        let deadline = monotonic_clock::wait_for(nanos(TIMEOUT));
        match self {
            Self::KeyValue => {
                let store = cells::store();
                store.puts();
                // keys name clients, and are as long as clients like
                let key = sha256_hex(key.as_bytes());
                keyvalue::step(&*store, &key, rules, draw, now, deadline).await
            }
            Self::Redis(redis) => redis.step(key, rules, draw, deadline).await,
            Self::Nowhere => Err(StoreError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_says_where() {
        assert!(matches!(Limits::new(" "), Limits::KeyValue));
        assert!(matches!(Limits::new("redis://localhost:6379/1"), Limits::Redis(_)));
        assert!(matches!(Limits::new("rediss://:secret@redis.internal"), Limits::Redis(_)));
        assert!(matches!(Limits::new("memory"), Limits::Nowhere));
    }
}
