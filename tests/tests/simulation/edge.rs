//! Instances at the edge that share one exact store and lease units of one limit.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use portico_core::cache::{Item, Purge, Reach};
use portico_core::limit::{Bound, Draw, Rule, Verdict};
use portico_core::sim::{Random, Sim, SimStream};
use portico_core::{Body, CollectError, FetchError, Gateway, Platform, StoreError, Timestamp, config};
use serde_json::json;

use crate::model::Promise;
use crate::scene::Limit;

/// A limit, its lease, and the instances that share it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) limit: Limit,
    pub(crate) lease: u64,
    pub(crate) instances: usize,
}

impl Setup {
    pub(crate) fn draw(random: &Random) -> Self {
        let draw = |from: u64, to: u64| from + random.below(to + 1 - from);
        let cost = draw(1, 2);
        let burst = draw(4 * cost, 16);
        let limit = Limit { limit: draw(30, 70), per: draw(1, 20), burst, cost };
        Self { limit, lease: draw(2 * cost, burst), instances: draw(1, 3) as usize }
    }

    pub(crate) fn gateway(&self) -> Gateway {
        let Limit { limit, per, burst, cost } = self.limit;
        let limit = json!({
            "limit": limit, "per": format!("{per}s"), "burst": burst, "cost": cost, "by": "route", "lease": self.lease,
        });
        let route = json!({
            "name": "hot", "match": { "path": "/hot" }, "respond": {}, "policies": { "rate_limit": limit },
        });
        config::compile(&json!({ "portico": 1, "name": "leases", "routes": [route] })).unwrap().0
    }

    pub(crate) fn bound(&self) -> Bound {
        let Limit { limit, burst, cost, .. } = self.limit;
        Bound::new(limit as u32, burst as u32, cost as u32, self.lease as u32)
    }

    /// What may pass in any window of length `per`.
    pub(crate) fn most(&self) -> u64 {
        let Bound { shared, for_each_instance, altogether } = self.bound();
        altogether.min(shared + for_each_instance * self.instances as u64)
    }

    pub(crate) fn drip(&self) -> Duration {
        Duration::from_micros(self.limit.drip())
    }
}

/// What the shared store did.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) promise: Promise,
    pub(crate) granted: u64,
    pub(crate) steps: usize,
}

/// The platform of one request: its questions to the store take their time to get there and back.
pub(crate) struct Edge<'s> {
    sim: &'s Sim,
    ledger: &'s RefCell<Ledger>,
    setup: Setup,
    /// When the store passed something for this request.
    granted: Cell<Option<Timestamp>>,
    /// Whether the store would have passed it when it was asked last, by its own promise.
    would_pass: Cell<Option<bool>>,
}

impl<'s> Edge<'s> {
    pub(crate) fn new(sim: &'s Sim, ledger: &'s RefCell<Ledger>, setup: Setup) -> Self {
        Self { sim, ledger, setup, granted: Cell::default(), would_pass: Cell::default() }
    }

    fn would_pass_now(&self) -> bool {
        self.ledger.borrow().promise.excess(&self.setup.limit, self.sim.now()) == 0
    }
}

/// Ready at the second look.
async fn on_the_way() {
    let mut there = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut there, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

impl Platform for Edge<'_> {
    type Stream = SimStream;

    async fn fetch(
        &self,
        request: Request<Body<SimStream>>,
        timeout: Duration,
    ) -> Result<Response<Body<SimStream>>, FetchError> {
        self.sim.fetch(request, timeout).await
    }

    async fn collect(&self, stream: SimStream, limit: u64) -> Result<bytes::Bytes, CollectError> {
        self.sim.collect(stream, limit).await
    }

    fn bounded(&self, stream: SimStream, limit: u64) -> SimStream {
        self.sim.bounded(stream, limit)
    }

    async fn sleep(&self, duration: Duration) {
        self.sim.sleep(duration).await;
    }

    fn now(&self) -> Timestamp {
        self.sim.now()
    }

    fn random(&self) -> u128 {
        self.sim.random()
    }

    async fn rate_limit(&self, key: &str, rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError> {
        let Draw::Take(units) = draw else { unreachable!("no limit here gives back or charges") };
        on_the_way().await;
        self.would_pass.set(Some(self.would_pass_now()));
        let (verdicts, now) = (self.sim.rate_limit(key, rules, draw).await?, self.sim.now());
        self.ledger.borrow_mut().steps += 1;
        if verdicts.iter().all(|verdict| verdict.allowed) {
            let mut ledger = self.ledger.borrow_mut();
            (0..u64::from(units) / self.setup.limit.cost).for_each(|_| ledger.promise.pass(now));
            ledger.granted += u64::from(units);
            self.granted.set(Some(now));
        }
        on_the_way().await;
        Ok(verdicts)
    }

    async fn read(&self, key: &str) -> Result<Option<bytes::Bytes>, StoreError> {
        self.sim.read(key).await
    }

    async fn write(&self, key: &str, value: bytes::Bytes, keep: Duration) -> Result<(), StoreError> {
        self.sim.write(key, value, keep).await
    }

    async fn cached(&self, key: &str, reach: Reach) -> Result<Option<Arc<Item>>, StoreError> {
        self.sim.cached(key, reach).await
    }

    async fn cache(&self, key: &str, item: &Arc<Item>, keep: Duration, reach: Reach) -> Result<(), StoreError> {
        self.sim.cache(key, item, keep, reach).await
    }

    async fn forget(&self, key: &str, reach: Reach) -> Result<(), StoreError> {
        self.sim.forget(key, reach).await
    }

    fn largest(&self, reach: Reach) -> u64 {
        self.sim.largest(reach)
    }

    fn tee(&self, stream: SimStream, limit: u64) -> (SimStream, SimStream) {
        self.sim.tee(stream, limit)
    }

    async fn purges(&self) -> Result<Vec<Purge>, StoreError> {
        self.sim.purges().await
    }

    async fn purge(&self, purges: &[Purge]) -> Result<(), StoreError> {
        self.sim.purge(purges).await
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.sim.secret(name)
    }
}

/// Serves one request. When it passed: the moment at which the store passed it, or else now, when it was paid from a lease.
pub(crate) async fn serve(edge: Edge<'_>, gateway: &Gateway) -> Option<Timestamp> {
    let request = Request::get("/hot").header("host", "a").body(Body::Empty).unwrap();
    let (response, _) = gateway.handle(&edge, &Sim::peer(), request).await;
    match response.status().as_u16() {
        200 => Some(edge.granted.get().unwrap_or(edge.sim.now())),
        status => {
            let would_pass = edge.would_pass.get().unwrap_or_else(|| edge.would_pass_now());
            assert!(status == 429 && !would_pass, "{status}, and the store would have let it pass: {:?}", edge.setup);
            None
        }
    }
}
