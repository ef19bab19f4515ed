//! What a key is known by: 64 bits of hash of it, so that an entry has the same size whatever clients send, and is found
//! without a look at the key's text.
//!
//! Two keys with the same bits would be counted as one. Among a million keys there are any such two with a chance of one in
//! 37 million, and who does not know the seed cannot look for them.

use std::hash::{BuildHasher, DefaultHasher, Hasher};

/// The hash of one key, which nobody outside can predict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Id(u64);

impl Id {
    /// Of this key, by a hasher that has read the seed.
    pub(super) fn of(key: &str, seeded: &DefaultHasher) -> Self {
        let mut hasher = seeded.clone();
        hasher.write(key.as_bytes());
        Self(hasher.finish())
    }

    /// Which of so many shards it is in: the low bits say it.
    pub(super) const fn shard(self, shards: usize) -> usize {
        self.0 as usize % shards
    }

    /// Which of so many slots it is looked for in first: the high bits say it.
    pub(super) const fn home(self, slots: usize) -> usize {
        ((self.0 as u128 * slots as u128) >> 64) as usize
    }
}

/// SipHash over the seed and the key. The seed comes from the platform; std's own `RandomState` would call the host.
#[derive(Debug, Clone, Copy)]
pub(in crate::limit) struct Seeded(pub(in crate::limit) u128);

impl BuildHasher for Seeded {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u128(self.0);
        hasher
    }
}
