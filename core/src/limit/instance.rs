//! What one instance decides by itself: by units that it leased, by buckets of its own while the store cannot be reached, and by how
//! many requests are under way.

use std::sync::{Arc, OnceLock};

use super::in_flight::{Slot, UnderWay};
use super::lease::{Leases, Terms};
use super::{Draw, MemoryStore, Rule, Verdict};
use crate::platform::{Platform, StoreError};

/// The most keys that are remembered of each kind: a few megabytes at worst.
const MAX_KEYS: usize = 10_000;

/// One for each gateway, shared by all its limits. What is in it is made at first use, for its seed comes from the platform.
#[derive(Debug, Default)]
pub(crate) struct Instance {
    leases: OnceLock<Leases>,
    buckets: OnceLock<MemoryStore>,
    under_way: Arc<UnderWay>,
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

    /// One step of a limit that only this instance knows.
    pub(crate) fn step<P: Platform>(&self, platform: &P, key: &str, rules: &[Rule], draw: Draw) -> Vec<Verdict> {
        let buckets = self.buckets.get_or_init(|| MemoryStore::new(MAX_KEYS, platform.random()));
        buckets.step(key, rules, || platform.now(), draw)
    }

    /// A place among at most `limit` requests of the key that are under way, `None` when all are taken.
    pub(crate) fn enter(&self, key: &str, limit: u32) -> Option<Slot> {
        self.under_way.enter(key, limit)
    }
}
