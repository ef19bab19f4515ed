//! The in-memory store: exact within one process, gone with it.

use std::collections::HashMap;
use std::hash::{BuildHasher, DefaultHasher, Hasher};
use std::sync::{Mutex, PoisonError};

use super::{Quota, Verdict, decide};
use crate::platform::Timestamp;

/// Shards, so that threads rarely wait for each other. A power of two.
const SHARDS: usize = 64;

/// Limits held in memory, bounded, safe to share between threads. Guarantee: `exact` within the process.
///
/// When a shard is full, keys whose bucket is full again are dropped first (forgetting them changes nothing); if that is not enough,
/// those nearest to a full bucket go, so that a flood of new keys cannot buy an exhausted key a new quota cheaply.
#[derive(Debug)]
pub struct MemoryStore {
    shards: Vec<Mutex<HashMap<Box<str>, Timestamp, Seeded>>>,
    hasher: Seeded,
    keys_per_shard: usize,
}

impl MemoryStore {
    /// An empty store for at most about `max_keys` keys (an entry takes around 100 bytes). `seed` must be unpredictable to
    /// clients: keys hold what clients sent, and a known hash invites collisions.
    pub fn new(max_keys: usize, seed: u128) -> Self {
        let hasher = Seeded(seed);
        let shards = (0..SHARDS).map(|_| Mutex::new(HashMap::with_hasher(hasher))).collect();
        Self { shards, hasher, keys_per_shard: max_keys.div_ceil(SHARDS).max(1) }
    }

    /// One atomic load-decide-save.
    pub fn take(&self, key: &str, quota: &Quota, now: Timestamp, cost: u32) -> Verdict {
        // the high bits: the map itself uses the low ones
        let shard = (self.hasher.hash_one(key) >> 32) as usize % SHARDS;
        let Some(shard) = self.shards.get(shard) else {
            return decide(None, quota, now, cost).0;
        };
        // a poisoned lock only means that another thread panicked; a TAT is one number and always whole
        let mut keys = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tat) = keys.get_mut(key) {
            let (verdict, next) = decide(Some(*tat), quota, now, cost);
            *tat = next;
            return verdict;
        }
        if keys.len() >= self.keys_per_shard {
            make_room(&mut keys, now);
        }
        let (verdict, next) = decide(None, quota, now, cost);
        keys.insert(key.into(), next);
        verdict
    }

    /// Keys held at this moment.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Whether no key is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Frees an eighth of a shard at a time, so that a flood of new keys pays for one sweep in many insertions.
fn make_room(keys: &mut HashMap<Box<str>, Timestamp, Seeded>, now: Timestamp) {
    let room = (keys.len() / 8).max(1);
    let before = keys.len();
    keys.retain(|_, tat| *tat > now);
    let Some(missing) = room.checked_sub(before - keys.len()).filter(|missing| *missing > 0) else { return };
    let mut tats: Vec<Timestamp> = keys.values().copied().collect();
    let last = missing.min(tats.len()).saturating_sub(1);
    if last >= tats.len() {
        return;
    }
    let (_, nearest, _) = tats.select_nth_unstable(last);
    let nearest = *nearest;
    let mut missing = missing;
    keys.retain(|_, tat| {
        let drop = missing > 0 && *tat <= nearest;
        missing -= usize::from(drop);
        !drop
    });
}

/// SipHash over the seed and the key. The seed comes from the platform; std's own `RandomState` would call the host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seeded(pub(super) u128);

impl BuildHasher for Seeded {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u128(self.0);
        hasher
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_700_000_000);

    #[test]
    fn many_threads_pass_exactly_the_limit() {
        let store = MemoryStore::new(1_000, 1);
        let quota = Quota::new(100, Duration::from_secs(3_600), 100).unwrap();
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..50).filter(|_| store.take("one", &quota, START, 1).allowed).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 100);
    }

    #[test]
    fn it_stays_bounded_and_keeps_the_most_exhausted_keys() {
        let store = MemoryStore::new(SHARDS * 32, 7);
        let quota = Quota::new(10, Duration::from_secs(60), 10).unwrap();
        assert!(store.take("greedy", &quota, START, 10).allowed);
        for index in 0..10_000 {
            store.take(&format!("new-{index}"), &quota, START, 1);
        }
        assert!(store.len() <= SHARDS * 32);
        assert!(!store.take("greedy", &quota, START, 1).allowed, "a flood of keys gave it a new quota");
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let store = MemoryStore::new(1, 3);
        let quota = Quota::new(1, Duration::from_secs(1), 1).unwrap();
        for index in 0..500 {
            store.take(&index.to_string(), &quota, START + Duration::from_secs(index * 2), 1);
        }
        assert!(store.len() <= SHARDS);
    }
}
