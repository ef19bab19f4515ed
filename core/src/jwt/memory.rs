//! Tokens that were verified a moment ago, so that a signature is checked once and not with every request.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most shards. A power of two.
const MAX_SHARDS: usize = 16;

/// What an entry takes beside the token's text and the value, in bytes, generously.
const ENTRY_BYTES: usize = 160;

/// A bounded memory from a token's exact text to what came of verifying it.
///
/// It holds for one configuration of one identity: other rules or other keys need another memory, or a
/// [`clear`](Self::clear) when the keys change. Entries are forgotten at their expiry, at the maximal age, and when
/// room is needed: the oldest first, but those that were asked for since get a second chance.
///
/// The hash is fixed and takes in only the end of the signature. That is safe although clients choose what they
/// send, because only verified tokens enter: to make two that collide one would have to sign them.
pub struct Memory<T> {
    shards: Vec<Mutex<Shard<T>>>,
    max_entries: usize,
    max_bytes: usize,
    max_age: u64,
    /// How often it was cleared.
    epoch: AtomicU64,
}

/// A time between two [clearings](Memory::clear) of a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(u64);

impl<T> Memory<T> {
    /// An empty memory for at most `max_entries` tokens and about `max_bytes` bytes altogether, each kept for at most
    /// `max_age` seconds. With a zero it remembers nothing.
    ///
    /// Tokens are spread over up to 16 shards, each with its share of both bounds, so that a few tokens fewer may fit.
    pub fn new(max_entries: usize, max_bytes: usize, max_age: u64) -> Self {
        // fewer shards for a small memory, so that a shard's share is never just a token or two
        let shards = (max_entries / 64).clamp(1, MAX_SHARDS);
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            max_entries: max_entries / shards,
            max_bytes: max_bytes / shards,
            max_age,
            epoch: AtomicU64::new(0),
        }
    }

    /// What was remembered for exactly this token, unless it has expired at `now` (seconds since the Unix epoch).
    pub fn get(&self, token: &str, now: u64) -> Option<Arc<T>> {
        let hash = hash(token);
        let mut shard = self.shard(hash)?;
        let entry = shard.entries.get_mut(&hash)?;
        if now >= entry.expires || !same(entry.token.as_bytes(), token.as_bytes()) {
            return None;
        }
        entry.asked = true;
        Some(Arc::clone(&entry.value))
    }

    /// Remembers `value` for this token until `expires` ([`Claims::expires`](super::Claims::expires) plus the leeway;
    /// `None`: as long as the maximal age), replacing what was there. `weight` is about what the value takes, in bytes. A token that
    /// would take more than a shard has is not remembered.
    pub fn insert(&self, token: &str, value: Arc<T>, weight: usize, now: u64, expires: Option<u64>) {
        self.insert_of(self.epoch(), token, value, weight, now, expires);
    }

    /// Like [`insert`](Self::insert), for what was found out with what held in `epoch`: once that is over, nothing is remembered.
    pub fn insert_of(&self, epoch: Epoch, token: &str, value: Arc<T>, weight: usize, now: u64, expires: Option<u64>) {
        let bytes = token.len().saturating_add(weight).saturating_add(ENTRY_BYTES);
        let expires = now.saturating_add(self.max_age).min(expires.unwrap_or(u64::MAX));
        if self.max_entries == 0 || bytes > self.max_bytes || expires <= now {
            return;
        }
        let hash = hash(token);
        let Some(mut shard) = self.shard(hash) else { return };
        // looked at under the lock: a clearing that comes later finds the entry in its shard
        if epoch != self.epoch() {
            return;
        }
        shard.forget(hash);
        while shard.entries.len() >= self.max_entries || shard.bytes.saturating_add(bytes) > self.max_bytes {
            if !shard.evict(now) {
                break;
            }
        }
        shard.bytes = shard.bytes.saturating_add(bytes);
        shard.queue.push_back(hash);
        shard.entries.insert(hash, Entry { token: token.into(), value, expires, bytes, asked: false });
    }

    /// Forgets one token.
    pub fn remove(&self, token: &str) {
        let hash = hash(token);
        if let Some(mut shard) = self.shard(hash) {
            shard.forget(hash);
        }
    }

    /// The time since the last clearing. Look at it before the keys.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Forgets everything: for when the keys have changed.
    pub fn clear(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        for shard in &self.shards {
            *lock(shard) = Shard::default();
        }
    }

    /// Tokens held, also those that have expired and not yet made room.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).entries.len()).sum()
    }

    /// Whether no token is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, hash: u64) -> Option<MutexGuard<'_, Shard<T>>> {
        // bits from the middle: the map uses the others
        let index = (hash >> 32) as usize % self.shards.len().max(1);
        self.shards.get(index).map(lock)
    }
}

impl<T> fmt::Debug for Memory<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // the tokens are as good as passwords
        formatter.debug_struct("Memory").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// A poisoned lock only means that another thread panicked, and nothing in here can while an entry is half written.
fn lock<T>(shard: &Mutex<Shard<T>>) -> MutexGuard<'_, Shard<T>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every key of `entries` stands exactly once in `queue`, the oldest in front.
struct Shard<T> {
    entries: HashMap<u64, Entry<T>, BuildHasherDefault<Ready>>,
    queue: VecDeque<u64>,
    bytes: usize,
}

impl<T> Shard<T> {
    /// Removes the oldest entry that has expired or was not asked for since it came or was last spared. `false` when
    /// there was nothing to remove.
    fn evict(&mut self, now: u64) -> bool {
        while let Some(hash) = self.queue.pop_front() {
            match self.entries.get_mut(&hash) {
                Some(entry) if entry.asked && now < entry.expires => {
                    entry.asked = false;
                    self.queue.push_back(hash);
                }
                _ => {
                    self.remove(hash);
                    return true;
                }
            }
        }
        false
    }

    /// Removes one entry. Searches the queue, which is short work beside the signature check just done.
    fn forget(&mut self, hash: u64) {
        if self.entries.contains_key(&hash) {
            self.queue.retain(|other| *other != hash);
            self.remove(hash);
        }
    }

    fn remove(&mut self, hash: u64) {
        if let Some(entry) = self.entries.remove(&hash) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }
}

impl<T> Default for Shard<T> {
    fn default() -> Self {
        Self { entries: HashMap::default(), queue: VecDeque::new(), bytes: 0 }
    }
}

struct Entry<T> {
    token: Box<str>,
    value: Arc<T>,
    expires: u64,
    bytes: usize,
    asked: bool,
}

/// Takes in the last 32 characters, 192 bits of the signature, and mixes them as MurmurHash3's finalizer does.
fn hash(token: &str) -> u64 {
    let bytes = token.as_bytes();
    let tail = bytes.last_chunk::<32>().map_or(bytes, |tail| tail);
    let mut hash = 0u64;
    for chunk in tail.chunks(8) {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(word)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^= hash >> 33;
    }
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Compares without an early exit: how long it takes must not tell how much of a guess at somebody's token is right.
fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let difference = one.iter().zip(other).fold(0, |difference, (one, other)| difference | (one ^ other));
    std::hint::black_box(difference) == 0
}

/// A hasher for keys that are hashes already.
#[derive(Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // never called: the keys are u64
        for byte in bytes {
            self.0 = (self.0 << 8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
