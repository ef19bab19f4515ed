//! The only seam between Portico and the machine it runs on.
//!
//! Core decides; a platform does. Everything core needs from outside is a method here, so that the same decisions
//! are made on every runtime and so that a simulated platform ([`sim`](crate::sim)) can stand in for any of them.
//!
//! The trait has no `Send`, no `'static` and no supertraits: Workers' futures are not `Send`, hyper's must be. As core
//! is generic over the platform and never boxes or spawns a future, the compiler works out which one it is.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::body::Body;
use crate::cache::{Item, Purge, Reach};
use crate::jwt;
use crate::limit::{Draw, Rule, Verdict};

/// What a runtime gives to core.
#[expect(
    async_fn_in_trait,
    reason = "whether a future is Send is the platform's affair, see the module's documentation"
)]
pub trait Platform {
    /// The runtime's own body stream, handed on untouched.
    type Stream;

    /// Sends `request` upstream and returns the response as soon as its head is there.
    ///
    /// The URI is absolute. Redirects are not followed and bodies
    /// are not decoded. `timeout` bounds the wait for the head, counted anew whenever a part of the request's body went
    /// out: a long upload is no silent upstream. A response 101 carries whatever the platform needs to join the two connections in its
    /// extensions.
    async fn fetch(
        &self,
        request: Request<Body<Self::Stream>>,
        timeout: Duration,
    ) -> Result<Response<Body<Self::Stream>>, FetchError>;

    /// Reads a whole stream into memory, at most `limit` bytes.
    async fn collect(&self, stream: Self::Stream, limit: u64) -> Result<Bytes, CollectError>;

    /// The same stream, which fails once more than `limit` bytes came through. A [`fetch`](Self::fetch) that sends it
    /// then returns [`FetchError::RequestTooLarge`].
    fn bounded(&self, stream: Self::Stream, limit: u64) -> Self::Stream;

    /// Waits: between attempts to reach an upstream, and as the deadline of a body that is read. Never on the hot path.
    async fn sleep(&self, duration: Duration);

    /// The time since the Unix epoch. May stand still while core computes (Workers), may go back (a corrected clock).
    fn now(&self) -> Timestamp;

    /// 128 random bits, unpredictable to clients: request ids and trace ids are made of them.
    fn random(&self) -> u128;

    /// One atomic load-[step](crate::limit::step)-save of the limit named `key`: what `draw` says, by all of its rules together. What
    /// comes back is what each rule says, in their order. A key always comes with rules of the same kinds; their numbers may change.
    async fn rate_limit(&self, key: &str, rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError>;

    /// What the platform's own key-value store holds under `key`, `None` when it holds nothing.
    ///
    /// Keys are words of `A-Z a-z 0-9 . _ -` with `/` between them, at most [`MAX_KEY`] bytes; values have at most
    /// [`MAX_VALUE`] bytes, and a larger one is as if it could not be read. The store may be
    /// eventually consistent: what was written a minute ago need not be seen yet. Never on the hot path. A platform without a store fails
    /// every time: it must not say that nothing is there.
    async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError>;

    /// Puts `value` under `key` in that store, over what was there, whole or not at all.
    ///
    /// It is of use for `keep`. A store that cannot forget, or not so soon, keeps it longer: a value that ages says itself
    /// how old it is.
    async fn write(&self, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError>;

    /// What the response cache holds under `key`, `None` when it holds nothing. Keys are those of [`read`](Self::read).
    async fn cached(&self, key: &str, reach: Reach) -> Result<Option<Arc<Item>>, StoreError>;

    /// Puts `item` under `key` in the response cache, over what was there; as far as `reach` says, each part of it whole or not at all.
    ///
    /// It is of use for `keep`. A cache may forget it at any time, and does not grow without bound. When it cannot take an item, nothing is
    /// under the key afterwards.
    async fn cache(&self, key: &str, item: &Arc<Item>, keep: Duration, reach: Reach) -> Result<(), StoreError>;

    /// Removes what the response cache holds under `key`, as far as `reach` says. Nodes that have a copy of their own may keep it.
    async fn forget(&self, key: &str, reach: Reach) -> Result<(), StoreError>;

    /// The most bytes of a response that the response cache takes.
    fn largest(&self, reach: Reach) -> u64;

    /// The same stream twice. What comes through is read once, by whichever of the two wants it first, and held for the other; for the
    /// second one no more than `limit` bytes in all, beyond which that one fails. When one is dropped, the other goes on.
    fn tee(&self, stream: Self::Stream, limit: u64) -> (Self::Stream, Self::Stream);

    /// What was purged in the cache that nodes share, as far as it still matters. Empty where a node has its own and no other.
    async fn purges(&self) -> Result<Vec<Purge>, StoreError>;

    /// Adds purges to these, each in one atomic step: two at once are both there. When it fails some of them may be there. Nothing to do where a
    /// node has its own cache and no other.
    async fn purge(&self, purges: &[Purge]) -> Result<(), StoreError>;

    /// A secret by name, `None` when the platform has none of that name.
    fn secret(&self, name: &str) -> Option<String>;

    /// Whether `signature` is `key`'s signature of `message`.
    ///
    /// Platforms with something faster than pure Rust (ring, WebCrypto) override this. It must never panic and must
    /// say `false` whenever in doubt.
    async fn verify(&self, algorithm: jwt::Algorithm, key: &jwt::Key, message: &[u8], signature: &[u8]) -> bool {
        jwt::verify_pure(algorithm, key, message, signature)
    }
}

/// The longest key of [`Platform::read`], in bytes: what Workers KV takes.
pub const MAX_KEY: usize = 512;

/// The largest value of [`Platform::read`], in bytes: 1 MiB.
pub const MAX_VALUE: usize = 1 << 20;

/// No configuration makes the gateway hold more of one body: a failed allocation leaves a Wasm instance broken for good.
pub(crate) const MAX_BUFFERED: u64 = 64 << 20;

/// What `future` comes to, or `None` when `deadline` is over first.
pub async fn within<T>(deadline: impl Future<Output = ()>, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut deadline) = (pin!(future), pin!(deadline));
    poll_fn(|task| match future.as_mut().poll(task) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => deadline.as_mut().poll(task).map(|()| None),
    })
    .await
}

/// Microseconds since the Unix epoch.
///
/// Microseconds because every store must hold and compare them exactly: they stay below 2^53 until the year 2255, and
/// Redis scripts and JavaScript count in doubles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the Unix epoch.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down (RFC 7519 NumericDate).
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whether this is in the span of this length that began at `start`. Not before: when `start` is in the future, the clock was
    /// set back.
    pub fn is_within(self, span: Duration, start: Self) -> bool {
        start <= self && self.since(start) < span
    }

    /// The time from `earlier` to `self`, zero when the clock went back.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Why an upstream gave no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No connection: refused, unreachable, unknown name, TLS failure. The request was not sent.
    #[error("the upstream could not be reached")]
    Connect,
    /// No response head within the timeout.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// The connection broke after (part of) the request was sent, or the answer was not HTTP.
    #[error("the upstream broke off")]
    Reset,
    /// The platform has no way to send such a request: Workers sends no body with GET, and not every method.
    #[error("the platform cannot send the request")]
    Unsendable,
    /// The request's body grew over the bound given to [`Platform::bounded`].
    #[error("the request body is too large")]
    RequestTooLarge,
    /// No response within the timeout, while the next part of the request's body was awaited from the client.
    #[error("the client did not send its body in time")]
    ClientTimeout,
    /// The client broke off while its body was being sent.
    #[error("the client broke off")]
    ClientGone,
}

/// Why a body could not be collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// More than the limit.
    #[error("the body is too large")]
    TooLarge,
    /// The stream ended before its end.
    #[error("the body broke off")]
    Broken,
}

/// Why a store gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store is unavailable")]
pub struct StoreError;
