//! A simulated platform: scripted upstreams, a clock moved by hand, seeded randomness, an in-memory store and faults on
//! demand. Whatever core does on it, it does on every other platform.
//!
//! Nothing on it comes from outside: a run is a function of its seed and its script, so a failure found once can be seen
//! again ([`check_seeds`] names the seed). It is single-threaded on purpose (`Rc`, `RefCell`): that core compiles for it
//! proves that core asks nobody for `Send`.
//!
//! Faults are iterators, one item for each step, `None` where nothing goes wrong; after the last, all is well again. So the
//! next step, the next three, all of them and a random few are set in one way:
//!
//! ```
//! use portico_core::sim::{Sim, StoreFault, UpstreamFault};
//! use std::iter::{repeat, repeat_n};
//! use std::time::Duration;
//!
//! let sim = Sim::new(1);
//! sim.set_upstream_faults("orders.internal", [None, Some(UpstreamFault::Delay(Duration::from_secs(3)))]);
//! sim.set_store_faults(repeat_n(Some(StoreFault::LostResponse), 3));
//! sim.set_store_faults(repeat(Some(StoreFault::Throttled)));
//! sim.set_store_faults(sim.weather(&[(5, StoreFault::Throttled), (1, StoreFault::Duplicate)]));
//! sim.set_store_faults([]);
//! ```

mod cache;
mod fault;
mod random;
mod seeds;
mod store;
mod stream;
mod values;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

pub use fault::{StoreFault, UpstreamFault, ValueFault};
pub use random::Random;
pub use seeds::{SEED_VARIABLE, check_seeds};
pub use stream::SimStream;

use crate::body::Body;
use crate::cache::{Item, Purge, Reach};
use crate::limit::{Draw, Rule, Verdict};
use crate::peer::Peer;
use crate::platform::{CollectError, FetchError, Platform, StoreError, Timestamp};

type Answer = dyn Fn(Request<Body<SimStream>>) -> Result<Response<Body<SimStream>>, FetchError>;
type Faults<F> = Box<dyn Iterator<Item = Option<F>>>;

/// The simulated platform.
pub struct Sim {
    now: Cell<Timestamp>,
    random: Random,
    upstreams: RefCell<BTreeMap<String, Rc<Answer>>>,
    upstream_faults: RefCell<BTreeMap<String, Faults<UpstreamFault>>>,
    secrets: RefCell<BTreeMap<String, String>>,
    store: RefCell<store::Store>,
    store_faults: RefCell<Faults<StoreFault>>,
    values: RefCell<values::Values>,
    value_faults: RefCell<Faults<ValueFault>>,
    cache: RefCell<cache::Cache>,
    cache_faults: RefCell<Faults<ValueFault>>,
}

impl Sim {
    /// A platform with no upstreams, no secrets and no faults, at the first second of 2026. Equal seeds behave equally.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Cell::new(Timestamp::from_secs(1_767_225_600)),
            random: Random::new(seed),
            upstreams: RefCell::default(),
            upstream_faults: RefCell::default(),
            secrets: RefCell::default(),
            store: RefCell::default(),
            store_faults: RefCell::new(Box::new(std::iter::empty())),
            values: RefCell::default(),
            value_faults: RefCell::new(Box::new(std::iter::empty())),
            cache: RefCell::default(),
            cache_faults: RefCell::new(Box::new(std::iter::empty())),
        }
    }

    /// A client at 192.0.2.1 (RFC 5737) on an unencrypted connection.
    pub fn peer() -> Peer {
        Peer::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), false)
    }

    /// Lets `answer` stand for the upstream at `authority` (host and port). Where nothing stands, no connection is made.
    pub fn upstream(
        &self,
        authority: &str,
        answer: impl Fn(Request<Body<SimStream>>) -> Response<Body<SimStream>> + 'static,
    ) {
        self.faulty_upstream(authority, move |request| Ok(answer(request)));
    }

    /// Like [`upstream`](Self::upstream), for one that may fail by its own script. A response may carry among its extensions, as
    /// `Vec<UpstreamFault>`, what goes wrong with it, one after the other.
    pub fn faulty_upstream(
        &self,
        authority: &str,
        answer: impl Fn(Request<Body<SimStream>>) -> Result<Response<Body<SimStream>>, FetchError> + 'static,
    ) {
        self.upstreams.borrow_mut().insert(authority.to_owned(), Rc::new(answer));
    }

    /// What goes wrong with the next requests to `authority`, one item each. Replaces what was set before.
    pub fn set_upstream_faults<I>(&self, authority: &str, faults: I)
    where
        I: IntoIterator<Item = Option<UpstreamFault>, IntoIter: 'static>,
    {
        self.upstream_faults.borrow_mut().insert(authority.to_owned(), Box::new(faults.into_iter()));
    }

    /// What goes wrong with the next steps of the rate-limit store, one item each. Replaces what was set before.
    pub fn set_store_faults<I>(&self, faults: I)
    where
        I: IntoIterator<Item = Option<StoreFault>, IntoIter: 'static>,
    {
        *self.store_faults.borrow_mut() = Box::new(faults.into_iter());
    }

    /// Lets every step of the rate-limit store be refused, or none.
    pub fn set_store_down(&self, down: bool) {
        self.set_store_faults(std::iter::repeat_n(Some(StoreFault::Throttled), if down { usize::MAX } else { 0 }));
    }

    /// Puts a value into the key-value store, for good.
    pub fn set_value(&self, key: &str, value: impl Into<Bytes>) {
        self.values.borrow_mut().set(key, value.into());
    }

    /// Takes a value out of the key-value store.
    pub fn remove_value(&self, key: &str) {
        self.values.borrow_mut().remove(key);
    }

    /// What the key-value store holds under `key`.
    pub fn value(&self, key: &str) -> Option<Bytes> {
        self.values.borrow().get(key, self.now.get())
    }

    /// What goes wrong with the next reads and writes of the key-value store, one item each. Replaces what was set before.
    pub fn set_value_faults<I>(&self, faults: I)
    where
        I: IntoIterator<Item = Option<ValueFault>, IntoIter: 'static>,
    {
        *self.value_faults.borrow_mut() = Box::new(faults.into_iter());
    }

    /// Lets every read and write of the key-value store fail, or none.
    pub fn set_values_down(&self, down: bool) {
        self.set_value_faults(std::iter::repeat_n(Some(ValueFault::Throttled), if down { usize::MAX } else { 0 }));
    }

    /// What goes wrong with the next steps of the response cache that nodes share, one item each: reads, writes and purges. Replaces what
    /// was set before.
    pub fn set_cache_faults<I>(&self, faults: I)
    where
        I: IntoIterator<Item = Option<ValueFault>, IntoIter: 'static>,
    {
        *self.cache_faults.borrow_mut() = Box::new(faults.into_iter());
    }

    /// Lets the response cache forget all it holds, as any cache may.
    pub fn forget_responses(&self) {
        self.cache.borrow_mut().forget();
    }

    /// Faults without end that come by chance, drawn from this platform's own seed: each of `odds` is a fault and how many
    /// of a hundred steps it befalls.
    pub fn weather<F: Copy>(&self, odds: &[(u64, F)]) -> impl Iterator<Item = Option<F>> + use<F> {
        let (odds, random) = (odds.to_vec(), Random::new(self.random.next()));
        std::iter::repeat_with(move || {
            let mut point = random.below(100);
            odds.iter().find_map(|(percent, fault)| match point.checked_sub(*percent) {
                Some(beyond) => {
                    point = beyond;
                    None
                }
                None => Some(*fault),
            })
        })
    }

    /// Gives the platform a secret.
    pub fn set_secret(&self, name: &str, value: &str) {
        self.secrets.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// Sets the clock, to an earlier time too: clocks are corrected.
    pub fn set_now(&self, now: Timestamp) {
        self.now.set(now);
    }

    /// Moves the clock on.
    pub fn advance(&self, duration: Duration) {
        self.now.set(self.now.get() + duration);
    }

    /// A node's own memory does not fail.
    fn cache_fault(&self, reach: Reach) -> Option<ValueFault> {
        match reach {
            Reach::Local => None,
            Reach::Shared => self.cache_faults.borrow_mut().next().flatten(),
        }
    }

    /// What becomes of a response that is waited for until `timeout` from now.
    fn befall(
        &self,
        response: Response<Body<SimStream>>,
        fault: UpstreamFault,
        timeout: Duration,
    ) -> Result<Response<Body<SimStream>>, FetchError> {
        match fault {
            UpstreamFault::Connect => Err(FetchError::Connect),
            UpstreamFault::Delay(delay) if delay <= timeout => {
                self.advance(delay);
                Ok(response)
            }
            UpstreamFault::Delay(_) | UpstreamFault::Timeout => {
                self.advance(timeout);
                Err(FetchError::Timeout)
            }
            UpstreamFault::Reset => Err(FetchError::Reset),
            UpstreamFault::ResetBody(after) => Ok(response.map(|body| stream::broken(body, after))),
        }
    }
}

impl Platform for Sim {
    type Stream = SimStream;

    async fn fetch(
        &self,
        mut request: Request<Body<SimStream>>,
        timeout: Duration,
    ) -> Result<Response<Body<SimStream>>, FetchError> {
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let fault = self.upstream_faults.borrow_mut().get_mut(&authority).and_then(|faults| faults.next()).flatten();
        let answer = self.upstreams.borrow().get(&authority).cloned();
        let answer = answer.filter(|_| fault != Some(UpstreamFault::Connect)).ok_or(FetchError::Connect)?;
        if let Body::Stream(stream) = request.body_mut() {
            let whole = std::mem::take(stream).upload()?;
            *request.body_mut() = Body::from(whole);
        }
        let mut response = answer(request)?;
        let own = response.extensions_mut().remove::<Vec<UpstreamFault>>().unwrap_or_default();
        let deadline = self.now() + timeout;
        let befall = |response, fault| self.befall(response, fault, deadline.since(self.now()));
        fault.into_iter().chain(own).try_fold(response, befall)
    }

    async fn collect(&self, stream: SimStream, limit: u64) -> Result<Bytes, CollectError> {
        stream.collect(limit)
    }

    fn bounded(&self, stream: SimStream, limit: u64) -> SimStream {
        stream.bounded(limit)
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }

    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn random(&self) -> u128 {
        u128::from(self.random.next()) << 64 | u128::from(self.random.next())
    }

    async fn rate_limit(&self, key: &str, rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError> {
        let fault = self.store_faults.borrow_mut().next().flatten();
        self.store.borrow_mut().rate_limit(key, rules, self.now.get(), draw, fault)
    }

    async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let fault = self.value_faults.borrow_mut().next().flatten();
        self.values.borrow().read(key, self.now.get(), fault)
    }

    async fn write(&self, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError> {
        let fault = self.value_faults.borrow_mut().next().flatten();
        self.values.borrow_mut().write(key, value, self.now.get() + keep, fault)
    }

    async fn cached(&self, key: &str, reach: Reach) -> Result<Option<Arc<Item>>, StoreError> {
        let fault = self.cache_fault(reach);
        self.cache.borrow().read(key, reach, self.now.get(), fault)
    }

    async fn cache(&self, key: &str, item: &Arc<Item>, keep: Duration, reach: Reach) -> Result<(), StoreError> {
        let fault = self.cache_fault(reach);
        self.cache.borrow_mut().write(key, reach, item, self.now.get() + keep, fault)
    }

    async fn forget(&self, key: &str, reach: Reach) -> Result<(), StoreError> {
        let fault = self.cache_fault(reach);
        self.cache.borrow_mut().remove(key, reach, fault)
    }

    fn largest(&self, _: Reach) -> u64 {
        u64::MAX
    }

    fn tee(&self, stream: SimStream, limit: u64) -> (SimStream, SimStream) {
        let second = stream.clone().bounded(limit);
        (stream, second)
    }

    async fn purges(&self) -> Result<Vec<Purge>, StoreError> {
        let fault = self.cache_fault(Reach::Shared);
        self.cache.borrow().purges(fault)
    }

    async fn purge(&self, purges: &[Purge]) -> Result<(), StoreError> {
        let fault = self.cache_fault(Reach::Shared);
        self.cache.borrow_mut().purge(purges, fault)
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.secrets.borrow().get(name).cloned()
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sim")
            .field("now", &self.now.get())
            .field("random", &self.random)
            .finish_non_exhaustive()
    }
}

/// Runs a future of the simulated platform to its end. Nothing on it ever waits, so one poll does.
///
/// # Panics
///
/// When the future waits for something other than the simulated platform.
pub fn block_on<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits for something that is not simulated"),
    }
}

#[cfg(test)]
mod tests;
