//! API keys whose records are in the platform's key-value store, under `keys/` and the key's SHA-256.
//!
//! What the store said about a key is remembered in the instance for `fresh`, so that a key that was taken away works for so
//! much longer at most (and for as long as the store takes to tell). While the store fails, records that were good go on
//! being used until `stale`.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use super::{Aside, Proof, refused};
use crate::context::Principal;
use crate::decision::{Policy, Reason};
use crate::digest;
use crate::error::Refusal;
use crate::jwt::Memory;
use crate::platform::{Platform, StoreError, Timestamp};

/// Records remembered: at most this many,
const REMEMBERED_RECORDS: usize = 10_000;
/// and at most this many bytes of them.
const REMEMBERED_BYTES: usize = 8 << 20;

/// Unknown keys remembered.
const REMEMBERED_MISSES: usize = 4_096;

/// How long after a failure of the store a key that is known does not ask it again.
const PAUSE: Duration = Duration::from_secs(5);

/// The records of one identity.
#[derive(Debug)]
pub(super) struct Records {
    identity: Arc<str>,
    fresh: Duration,
    stale: Duration,
    found: Memory<Found>,
    misses: Misses,
    /// When the store failed, in microseconds since the Unix epoch.
    failed: AtomicU64,
}

/// A record as the store holds it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    consumer: String,
    #[serde(default)]
    scopes: Vec<String>,
    not_after: Option<u64>,
}

/// A record that was found.
#[derive(Debug)]
struct Found {
    principal: Arc<Principal>,
    /// The last second in which the key is good, as in a token's `exp`.
    not_after: Option<u64>,
    read: Timestamp,
}

impl Records {
    pub(super) fn new(identity: Arc<str>, fresh: Duration, stale: Duration) -> Self {
        let found = Memory::new(REMEMBERED_RECORDS, REMEMBERED_BYTES, stale.as_secs());
        Self { identity, fresh, stale, found, misses: Misses::default(), failed: AtomicU64::new(0) }
    }

    /// Whose key has this hash.
    pub(super) async fn prove<P: Platform>(
        &self,
        platform: &P,
        hash: [u8; 32],
        now: Timestamp,
        aside: &mut Aside,
    ) -> Proof {
        let text = digest::hex(&hash);
        let known = self.found.get(&text, now.as_secs());
        if let Some(found) = known.as_ref().filter(|found| now.is_within(self.fresh, found.read)) {
            return found.prove(now);
        }
        if self.misses.contains(&hash, self.fresh, now) {
            return refused(Reason::KeyUnknown);
        }
        let failed = Timestamp::from_micros(self.failed.load(Ordering::Relaxed));
        let answer = if known.is_some() && now.is_within(PAUSE, failed) {
            Err(StoreError)
        } else {
            platform.read(&format!("keys/{text}")).await
        };
        match (answer, known) {
            (Ok(Some(value)), _) => match serde_json::from_slice(&value).map_err(|error| error.to_string()) {
                Ok(record) => self.remember(&text, record, now),
                Err(error) => {
                    self.found.remove(&text);
                    let note = format!("the record keys/{text} is not what it should be: {error}");
                    Proof::Refused(Refusal::new(Policy::Auth, Reason::KeyRecordMalformed).note(note))
                }
            },
            (Ok(None), _) => {
                self.found.remove(&text);
                self.misses.insert(hash, now);
                refused(Reason::KeyUnknown)
            }
            (Err(StoreError), Some(found)) => {
                if !now.is_within(PAUSE, failed) {
                    self.failed.store(now.as_micros(), Ordering::Relaxed);
                }
                aside.note("the store of keys is unavailable: decided with what it said before".to_owned());
                found.prove(now)
            }
            (Err(StoreError), None) => {
                let note = "the store of keys is unavailable";
                Proof::Refused(Refusal::new(Policy::Auth, Reason::StoreUnavailable).note(note))
            }
        }
    }

    fn remember(&self, text: &str, record: Record, now: Timestamp) -> Proof {
        let Record { consumer, scopes, not_after } = record;
        if consumer.is_empty() {
            self.found.remove(text);
            let note = format!("the record keys/{text} is not what it should be: its consumer needs a name");
            return Proof::Refused(Refusal::new(Policy::Auth, Reason::KeyRecordMalformed).note(note));
        }
        let weight = consumer.len() + scopes.iter().map(|scope| scope.len() + size_of::<String>()).sum::<usize>();
        let consumer = consumer.as_str().into();
        let principal = Principal { identity: Arc::clone(&self.identity), consumer, scopes, claims: None };
        let found = Arc::new(Found { principal: Arc::new(principal), not_after, read: now });
        let until = now.as_secs().saturating_add(self.stale.as_secs());
        self.found.insert(text, Arc::clone(&found), weight, now.as_secs(), Some(until));
        found.prove(now)
    }
}

impl Found {
    fn prove(&self, now: Timestamp) -> Proof {
        match self.not_after {
            Some(last) if last < now.as_secs() => refused(Reason::KeyExpired),
            _ => Proof::Proven(Arc::clone(&self.principal)),
        }
    }
}

/// Keys that the store does not know, each in the place that its hash gives it. A flood of keys that nobody has only pushes
/// out others of their kind, takes no more memory than this, and costs nobody who has a key a thing.
#[derive(Default)]
struct Misses(Mutex<Vec<Option<Miss>>>);

/// The hash of a key, and when it was looked for.
type Miss = ([u8; 32], Timestamp);

impl Misses {
    fn contains(&self, hash: &[u8; 32], fresh: Duration, now: Timestamp) -> bool {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match places.get(Self::place(hash)) {
            Some(Some((missed, at))) => missed == hash && now.is_within(fresh, *at),
            Some(None) | None => false,
        }
    }

    fn insert(&self, hash: [u8; 32], now: Timestamp) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // an identity that never sees a wrong key needs no room for them
        if places.is_empty() {
            places.resize(REMEMBERED_MISSES, None);
        }
        if let Some(place) = places.get_mut(Self::place(&hash)) {
            *place = Some((hash, now));
        }
    }

    fn place(hash: &[u8; 32]) -> usize {
        let first = hash.first_chunk::<4>().copied().map_or(0, u32::from_be_bytes);
        first as usize % REMEMBERED_MISSES
    }
}

impl fmt::Debug for Misses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Misses(..)")
    }
}
