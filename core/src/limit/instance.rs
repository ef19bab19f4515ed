//! What one instance decides by itself: by units that it leased, and by buckets of its own while the store cannot be reached.

use std::sync::OnceLock;

use super::lease::{Leases, Terms};
use super::{MemoryStore, Quota, Verdict};
use crate::platform::{Platform, StoreError};

/// The most keys that are remembered of each kind: a few megabytes at worst.
const MAX_KEYS: usize = 10_000;

/// One for each gateway, shared by all its limits. What is in it is made at first use, for its seed comes from the platform.
#[derive(Debug, Default)]
pub(crate) struct Instance {
    leases: OnceLock<Leases>,
    buckets: OnceLock<MemoryStore>,
}

impl Instance {
    /// Takes one request's cost from a lease, or else from the platform's store.
    pub(crate) async fn lease<P: Platform>(
        &self,
        platform: &P,
        key: &str,
        terms: &Terms,
    ) -> Result<Verdict, StoreError> {
        let leases = self.leases.get_or_init(|| Leases::new(MAX_KEYS, platform.random()));
        leases.take(platform, key, terms).await
    }

    /// Takes `cost` from a bucket that only this instance knows.
    pub(crate) fn take<P: Platform>(&self, platform: &P, key: &str, quota: &Quota, cost: u32) -> Verdict {
        let buckets = self.buckets.get_or_init(|| MemoryStore::new(MAX_KEYS, platform.random()));
        buckets.take(key, quota, platform.now(), cost)
    }
}
