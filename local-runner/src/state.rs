//! What nodes of the native server share: limits, values and cached responses, in one Redis or Valkey (`state: { redis: … }`).
//!
//! A limit is one script of core's ([`script`]) in one round trip: `EVALSHA`, and `EVAL` when Redis does not know the script yet, or no
//! more. Each script and each value has one key. An answer that was lost is asked for once more, so that a request may count twice
//! then, and never not at all; units that are given back are not given back twice, though nobody knows whether they were once. Whoever gets no answer within a second goes on without one; the log says so once, and once more
//! when there are answers again: for limits, for values that are read and for those that are written each on its own.

mod link;
mod question;
mod responses;
mod server;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use portico_core::limit::script::{self, SCRIPT};
use portico_core::limit::{Draw, Rule, Verdict};
use portico_core::{MAX_VALUE, StoreError};
use redis::{Cmd, Value};
use ring::digest;
use rustls::RootCertStore;

use self::link::Link;
use self::question::{Purpose, Question};
pub use self::server::AddressError;
use crate::values::is_key;

/// A Redis or Valkey, connected when it is first asked, by one connection for all requests and another one for cached responses. It has no
/// parts that show: its address may have a password.
pub struct Redis {
    link: Link,
    /// For cached responses: no limit waits behind a large one.
    large: Link,
    /// By which it knows the script.
    sha1: Arc<str>,
    /// For which purposes the last question remained without an answer, and the log says so: their bits.
    silent: AtomicU8,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    /// The one at `address`: `redis://` or, with TLS, `rediss://`, then `[[USER][:PASSWORD]@]HOST[:PORT][/DATABASE]`. With TLS it must
    /// show a certificate that goes back to one of `roots`, which are read for nothing else. Nothing is connected yet.
    pub fn new(address: &str, roots: impl FnOnce() -> RootCertStore) -> Result<Self, AddressError> {
        let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, SCRIPT.as_bytes());
        let sha1: String = sha1.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let link = Link::new(address, roots)?;
        Ok(Self { large: link.beside(), link, sha1: sha1.into(), silent: AtomicU8::new(0) })
    }

    /// Connects, before a request has to wait for that, and lets the log say when there is no answer.
    pub async fn greet(&self) {
        // what is wrong is in the log
        drop(self.ask(&Question::Command(Purpose::Limits, redis::cmd("PING"))).await);
    }

    /// One step of the limit named `name`.
    pub(crate) async fn step(&self, name: &str, rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError> {
        let (key, arguments) = (script::key(name), script::arguments(rules, draw));
        let step = Question::Script { sha1: Arc::clone(&self.sha1), key: key.clone(), arguments, draw };
        let Value::Array(answer) = self.ask(&step).await? else { return Err(StoreError) };
        let [Value::Int(now), Value::BulkString(found)] = answer.as_slice() else { return Err(StoreError) };
        script::verdicts(*now, found, rules, draw).map_err(|unreadable| {
            tracing::error!(help = "delete the key, or give limits a database of their own", key, "{unreadable}");
            StoreError
        })
    }

    /// The value under `key`.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let mut read = redis::cmd("GET");
        read.arg(value(key)?);
        match self.ask(&Question::Command(Purpose::Reads, read)).await? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) if bytes.len() <= MAX_VALUE => Ok(Some(bytes.into())),
            _ => Err(StoreError),
        }
    }

    /// Puts `bytes` under `key`. They are forgotten after `keep`.
    pub(crate) async fn write(&self, key: &str, bytes: Bytes, keep: Duration) -> Result<(), StoreError> {
        if bytes.len() > MAX_VALUE {
            return Err(StoreError);
        }
        self.ask(&Question::Command(Purpose::Writes, set(&value(key)?, &bytes, keep))).await.map(drop)
    }

    /// Asks, and lets the log say that there are no answers, or that there are again.
    async fn ask(&self, question: &Question) -> Result<Value, StoreError> {
        let purpose = question.purpose();
        let link = match purpose {
            Purpose::Limits | Purpose::Reads | Purpose::Writes | Purpose::Purges => &self.link,
            Purpose::Responses | Purpose::Shares | Purpose::Purged => &self.large,
        };
        let answer = link.ask(question).await;
        let (bit, name) = (purpose.bit(), purpose.name());
        match &answer {
            Ok(_) if self.silent.load(Ordering::Relaxed) & bit != 0 => {
                if self.silent.fetch_and(!bit, Ordering::Relaxed) & bit != 0 {
                    tracing::info!("the Redis of `state` answers again for {name}");
                }
            }
            Err(trouble) if self.silent.fetch_or(bit, Ordering::Relaxed) & bit == 0 => {
                let (help, otherwise) = (trouble.help(), purpose.otherwise());
                tracing::error!(
                    help,
                    "no answer from the Redis of `state` for {name}: {trouble}; until there is one {otherwise}"
                );
            }
            Ok(_) | Err(_) => {}
        }
        answer.map_err(|_| StoreError)
    }
}

/// In milliseconds, a century: what Redis can add to its clock.
const LONGEST: u64 = 100 * 366 * 86_400 * 1_000;

/// Puts `bytes` under `key` for as long.
fn set(key: &str, bytes: &[u8], keep: Duration) -> Cmd {
    let millis = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).clamp(1, LONGEST);
    let mut set = redis::cmd("SET");
    set.arg(key).arg(bytes).arg("PX").arg(millis);
    set
}

/// Where the value under `key` is.
fn value(key: &str) -> Result<String, StoreError> {
    if is_key(key) { Ok(format!("portico:value:{key}")) } else { Err(StoreError) }
}

#[cfg(test)]
mod tests;
