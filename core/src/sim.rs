//! A simulated platform: scripted upstreams, a clock moved by hand, seeded randomness, an in-memory store and faults on
//! demand. Whatever core does on it, it does on every other platform.
//!
//! It is single-threaded on purpose (`Rc`, `RefCell`): that core compiles for it proves that core asks nobody for `Send`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::body::Body;
use crate::limit::{MemoryStore, Quota, Verdict};
use crate::platform::{CollectError, FetchError, Peer, Platform, StoreError, Timestamp};

/// The simulated stream: chunks, and whether the stream breaks off after them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SimStream {
    /// What it carries.
    pub chunks: Vec<Bytes>,
    /// Whether it breaks off instead of ending.
    pub breaks: bool,
    /// The bound it was given, if any.
    pub limit: Option<u64>,
}

impl SimStream {
    /// A stream that ends well.
    pub fn of(chunks: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        Self { chunks: chunks.into_iter().map(Into::into).collect(), breaks: false, limit: None }
    }

    fn collect(self, limit: u64) -> Result<Bytes, CollectError> {
        let bytes = self.chunks.concat();
        match bytes.len() as u64 > limit {
            true => Err(CollectError::TooLarge),
            false if self.breaks => Err(CollectError::Broken),
            false => Ok(bytes.into()),
        }
    }
}

type Answer = dyn Fn(Request<Body<SimStream>>) -> Result<Response<Body<SimStream>>, FetchError>;

/// The simulated platform.
pub struct Sim {
    now: Cell<Timestamp>,
    seed: Cell<u64>,
    upstreams: RefCell<BTreeMap<String, Rc<Answer>>>,
    secrets: RefCell<BTreeMap<String, String>>,
    limits: MemoryStore,
    store_down: Cell<bool>,
}

impl Sim {
    /// A platform with no upstreams and no secrets, at the first second of 2026. Equal seeds behave equally.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Cell::new(Timestamp::from_secs(1_767_225_600)),
            seed: Cell::new(seed),
            upstreams: RefCell::default(),
            secrets: RefCell::default(),
            limits: MemoryStore::new(100_000, u128::from(seed)),
            store_down: Cell::new(false),
        }
    }

    /// A client at 192.0.2.1 (RFC 5737) on an unencrypted connection.
    pub fn peer() -> Peer {
        Peer { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), secure: false }
    }

    /// Lets `answer` stand for the upstream at `authority` (host and port).
    pub fn upstream(
        &self,
        authority: &str,
        answer: impl Fn(Request<Body<SimStream>>) -> Response<Body<SimStream>> + 'static,
    ) {
        self.faulty_upstream(authority, move |request| Ok(answer(request)));
    }

    /// Like [`upstream`](Self::upstream), for one that may fail.
    pub fn faulty_upstream(
        &self,
        authority: &str,
        answer: impl Fn(Request<Body<SimStream>>) -> Result<Response<Body<SimStream>>, FetchError> + 'static,
    ) {
        self.upstreams.borrow_mut().insert(authority.to_owned(), Rc::new(answer));
    }

    /// Gives the platform a secret.
    pub fn set_secret(&self, name: &str, value: &str) {
        self.secrets.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// Moves the clock on.
    pub fn advance(&self, duration: Duration) {
        self.now.set(self.now.get() + duration);
    }

    /// Lets every access to the rate-limit store fail, or work again.
    pub fn set_store_down(&self, down: bool) {
        self.store_down.set(down);
    }
}

impl Platform for Sim {
    type Stream = SimStream;

    async fn fetch(
        &self,
        mut request: Request<Body<SimStream>>,
        _timeout: Duration,
    ) -> Result<Response<Body<SimStream>>, FetchError> {
        if let Body::Stream(stream) = request.body() {
            let length = stream.chunks.iter().map(Bytes::len).sum::<usize>() as u64;
            if stream.limit.is_some_and(|limit| length > limit) {
                return Err(FetchError::RequestTooLarge);
            }
            if stream.breaks {
                return Err(FetchError::ClientGone);
            }
            let whole = stream.chunks.concat();
            *request.body_mut() = Body::from(Bytes::from(whole));
        }
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let answer = self.upstreams.borrow().get(&authority).cloned();
        answer.ok_or(FetchError::Connect)?(request)
    }

    async fn collect(&self, stream: SimStream, limit: u64) -> Result<Bytes, CollectError> {
        stream.collect(limit)
    }

    fn bounded(&self, stream: SimStream, limit: u64) -> SimStream {
        SimStream { limit: Some(stream.limit.map_or(limit, |other| other.min(limit))), ..stream }
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }

    fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// SplitMix64, twice.
    fn random(&self) -> u128 {
        let next = || {
            let seed = self.seed.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            self.seed.set(seed);
            let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        u128::from(next()) << 64 | u128::from(next())
    }

    async fn rate_limit(&self, key: &str, quota: &Quota, cost: u32) -> Result<Verdict, StoreError> {
        if self.store_down.get() { Err(StoreError) } else { Ok(self.limits.take(key, quota, self.now.get(), cost)) }
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
            .field("seed", &self.seed.get())
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
