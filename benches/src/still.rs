//! A platform that does nothing but answer, so that what remains is Portico's own.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use portico_core::cache::{Item, Purge, Reach};
use portico_core::limit::{Draw, MemoryStore, Rule, Verdict};
use portico_core::{Body, CollectError, FetchError, Platform, StoreError, Timestamp};

/// The clock stands until it is moved, the upstream answers at once, the limits are in memory, and the cache holds the one response that
/// it was given last, under any key.
pub struct Still {
    now: Cell<Timestamp>,
    limits: MemoryStore,
    cached: RefCell<Option<Arc<Item>>>,
}

impl Still {
    /// A platform that has neither counted nor stored anything.
    #[expect(clippy::new_without_default, reason = "nobody asks for a default one")]
    pub fn new() -> Self {
        Self {
            now: Cell::new(Timestamp::from_secs(1_800_000_000)),
            limits: MemoryStore::new(100_000, 1),
            cached: RefCell::default(),
        }
    }

    /// Moves the clock on.
    pub fn advance(&self, duration: Duration) {
        self.now.set(self.now.get() + duration);
    }
}

impl Platform for Still {
    type Stream = ();

    async fn fetch(&self, _: Request<Body<()>>, _: Duration) -> Result<Response<Body<()>>, FetchError> {
        Ok(Response::new(Body::Empty))
    }

    async fn collect(&self, (): (), _: u64) -> Result<Bytes, CollectError> {
        Ok(Bytes::new())
    }

    fn bounded(&self, (): (), _: u64) {}

    async fn sleep(&self, _: Duration) {}

    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn random(&self) -> u128 {
        0x0123_4567_89ab_cdef_0123_4567_89ab_cdef
    }

    async fn rate_limit(&self, key: &str, rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError> {
        Ok(self.limits.step(key, rules, || self.now(), draw))
    }

    async fn read(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
        Err(StoreError)
    }

    async fn write(&self, _: &str, _: Bytes, _: Duration) -> Result<(), StoreError> {
        Err(StoreError)
    }

    async fn cached(&self, _: &str, _: Reach) -> Result<Option<Arc<Item>>, StoreError> {
        Ok(self.cached.borrow().clone())
    }

    async fn cache(&self, _: &str, item: &Arc<Item>, _: Duration, _: Reach) -> Result<(), StoreError> {
        self.cached.replace(Some(Arc::clone(item)));
        Ok(())
    }

    async fn forget(&self, _: &str, _: Reach) -> Result<(), StoreError> {
        Ok(())
    }

    fn largest(&self, _: Reach) -> u64 {
        1 << 20
    }

    fn tee(&self, (): (), _: u64) -> ((), ()) {
        ((), ())
    }

    async fn purges(&self) -> Result<Vec<Purge>, StoreError> {
        Ok(Vec::new())
    }

    async fn purge(&self, _: &[Purge]) -> Result<(), StoreError> {
        Ok(())
    }

    fn secret(&self, _: &str) -> Option<String> {
        Some("0123456789abcdef0123456789abcdef".to_owned())
    }
}
