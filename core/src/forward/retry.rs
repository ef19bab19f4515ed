//! Retries: whether a request that failed may be sent again, and when.
//!
//! What may have been done must not be done twice: only idempotent requests are repeated (RFC 9110 §9.2.2), or those that carry
//! an `Idempotency-Key`. A connection that never came about carried nothing, so that failure may be retried for any method. A
//! body that went by as a stream is gone: it is repeated only if it was short enough to be kept.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderMap, HeaderName, Method, Response};

use super::Failure;
use crate::body::Body;
use crate::config::{At, Code, Compiler, units, wire};
use crate::platform::{CollectError, FetchError, MAX_BUFFERED, Platform, within};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// No wait between two attempts is longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

/// A compiled retry.
#[derive(Debug)]
pub(crate) struct Retry {
    /// In all, the first included.
    attempts: u32,
    failures: Vec<wire::Failure>,
    methods: Vec<Method>,
    backoff: Duration,
    /// The longest body that is kept to be sent again.
    buffer: u64,
    budget: Budget,
}

impl Retry {
    pub(crate) fn compile(wire: &wire::Retry, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        if !(2..=10).contains(&wire.attempts) {
            compiler
                .error(&at.child_key("attempts"), "`attempts` counts the first one too: 2 to 10")
                .help("to have no retries, leave `retry` out");
        }
        let on_at = at.child_key("on");
        if wire.on.as_ref().is_some_and(Vec::is_empty) {
            compiler
                .error(&on_at, "nothing would ever be retried")
                .code(Code::NoEffect)
                .help("leave `on` out for the default");
        }
        for (index, failure) in wire.on.iter().flatten().enumerate() {
            if let wire::Failure::Status(status) = failure
                && !failure.is_of_upstream()
            {
                compiler
                    .error(&on_at.child_index(index), format!("{status} says that a retry would fare no better"))
                    .help("retry on 429 or on a status from 500 to 599");
            }
        }
        let usual = || [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE].to_vec();
        let methods = wire.methods.as_ref();
        let methods = methods.map_or_else(usual, |texts| compiler.methods(texts, &at.child_key("methods")));
        let backoff = wire.backoff.as_deref().unwrap_or("50ms");
        let backoff = compiler.check(&at.child_key("backoff"), units::duration(backoff))?;
        let buffer = wire.buffer.as_deref().unwrap_or("64KiB");
        let buffer = compiler.check(&at.child_key("buffer"), units::size(buffer))?;
        let usual = [wire::Failure::ConnectError, wire::Failure::Status(502), wire::Failure::Status(503)];
        if buffer > MAX_BUFFERED {
            compiler.error(&at.child_key("buffer"), "at most 64MiB of one request are held in memory");
        }
        let failures = wire.on.clone().unwrap_or_else(|| usual.to_vec());
        Some(Self { attempts: wire.attempts, failures, methods, backoff, buffer, budget: Budget::full() })
    }

    /// Reads a body that is short enough to be kept, so that it can be sent again; `timeout` bounds the wait for it. A longer
    /// one, and one of unknown length, stays as it is.
    pub(super) async fn keep<P: Platform>(
        &self,
        platform: &P,
        timeout: Duration,
        headers: &HeaderMap,
        body: Body<P::Stream>,
    ) -> Result<Body<P::Stream>, FetchError> {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        match (body, length) {
            (Body::Stream(stream), Some(length)) if length <= self.buffer => {
                match within(platform.sleep(timeout), platform.collect(stream, length)).await {
                    // a length that goes on with less behind it would make what follows a part of this body
                    Some(Ok(bytes)) if bytes.len() as u64 != length => Err(FetchError::ClientGone),
                    Some(Ok(bytes)) => Ok(bytes.into()),
                    Some(Err(CollectError::TooLarge)) => Err(FetchError::RequestTooLarge),
                    Some(Err(CollectError::Broken)) => Err(FetchError::ClientGone),
                    None => Err(FetchError::ClientTimeout),
                }
            }
            (body, _) => Ok(body),
        }
    }

    /// Whether a failure of this request is worth another attempt, and how long to wait before it. `attempt` counts from 1.
    pub(super) fn again<P: Platform, S>(
        &self,
        platform: &P,
        method: &Method,
        headers: &HeaderMap,
        outcome: &Result<Response<Body<S>>, Failure>,
        attempt: u32,
    ) -> Option<Duration> {
        let failed = self.failures.iter().any(|failure| match (failure, outcome) {
            (wire::Failure::ConnectError, Err(Failure::Fetch(FetchError::Connect))) => true,
            (wire::Failure::Timeout, Err(Failure::Fetch(FetchError::Timeout))) => true,
            (wire::Failure::Reset, Err(Failure::Fetch(FetchError::Reset))) => true,
            (wire::Failure::Status(status), Ok(response)) => response.status().as_u16() == *status,
            _ => false,
        });
        let sent = !matches!(outcome, Err(Failure::Fetch(FetchError::Connect)));
        let safe = !sent || self.methods.contains(method) || headers.contains_key(IDEMPOTENCY_KEY);
        let wait = self.wait(platform, attempt);
        let welcome = !outcome.as_ref().is_ok_and(|response| asks_for_more_than(wait, response.headers()));
        (failed && safe && welcome && attempt < self.attempts && self.budget.withdraw()).then_some(wait)
    }

    /// Notes a request that is no retry: it pays into the budget.
    pub(super) fn note_first(&self) {
        self.budget.deposit();
    }

    /// Twice as long for each attempt, and a random part of it, so that clients that failed together do not return together.
    fn wait<P: Platform>(&self, platform: &P, attempt: u32) -> Duration {
        let longest = self.backoff.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_BACKOFF);
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        let half = micros / 2;
        Duration::from_micros(half + (platform.random() as u64) % (micros - half + 1))
    }
}

/// Whether a response asks not to be bothered for longer than `wait` (RFC 9110 §10.2.3). A date is taken for long.
fn asks_for_more_than(wait: Duration, headers: &HeaderMap) -> bool {
    headers.get(RETRY_AFTER).is_some_and(|after| {
        let seconds = after.to_str().ok().and_then(|text| text.trim().parse().ok());
        seconds.is_none_or(|seconds| Duration::from_secs(seconds) > wait)
    })
}

/// What keeps retries from felling an upstream that is down: over time one retry for five requests, and a hundred at once.
#[derive(Debug)]
struct Budget(AtomicU32);

impl Budget {
    const RETRY: u32 = 5;
    const FULL: u32 = 100 * Self::RETRY;

    const fn full() -> Self {
        Self(AtomicU32::new(Self::FULL))
    }

    fn deposit(&self) {
        let more = |left: u32| (left < Self::FULL).then_some(left + 1);
        // full is full
        _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    fn withdraw(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(Self::RETRY)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use http::{Request, StatusCode};
    use serde_json::json;

    use super::*;
    use crate::Gateway;
    use crate::config::compile;
    use crate::sim::{Sim, SimStream, block_on};

    type Outcome = Result<u16, FetchError>;

    /// A gateway whose upstream has these outcomes one after the other, the last one again and again.
    struct Scene {
        gateway: Gateway,
        sim: Sim,
        received: Rc<RefCell<Vec<String>>>,
    }

    impl Scene {
        fn new(retry: serde_json::Value, outcomes: &[Outcome]) -> Self {
            let document = json!({
                "portico": 1, "name": "retry",
                "upstreams": { "app": { "targets": [{ "url": "http://app.internal" }], "retry": retry } },
                "routes": [{ "name": "app", "match": { "path": "/{*rest}" }, "upstream": "app" }],
            });
            let (gateway, _) = compile(&document).unwrap();
            let (sim, received) = (Sim::new(1), Rc::new(RefCell::new(Vec::new())));
            let (seen, outcomes) = (Rc::clone(&received), outcomes.to_vec());
            sim.faulty_upstream("app.internal", move |request| {
                let body = match request.body() {
                    Body::Full(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    _ => String::new(),
                };
                let index = seen.borrow().len();
                seen.borrow_mut().push(format!("{} {body}", request.method()));
                let outcome = outcomes.get(index).or(outcomes.last()).copied().unwrap_or(Ok(200));
                outcome.map(|status| {
                    let mut response = Response::new(Body::from(format!("answer {index}")));
                    *response.status_mut() = StatusCode::from_u16(status).unwrap();
                    response
                })
            });
            Self { gateway, sim, received }
        }

        /// The status, the number of requests upstream, and what the decision to forward says.
        fn send(&self, method: &str, headers: &[(&str, &str)], body: Body<SimStream>) -> (u16, usize, String) {
            let mut request = Request::builder().method(method).uri("/x").header("host", "a");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let before = self.received.borrow().len();
            let peer = Sim::peer();
            let answer = self.gateway.handle(&self.sim, &peer, request.body(body).unwrap());
            let (response, after) = block_on(answer);
            let said = after.record.decisions.last().map(|decision| decision.detail.to_string()).unwrap_or_default();
            (response.status().as_u16(), self.received.borrow().len() - before, said)
        }

        fn get(&self) -> (u16, usize, String) {
            self.send("GET", &[], Body::Empty)
        }
    }

    fn stream(text: &'static str) -> Body<SimStream> {
        Body::Stream(SimStream::of([text]))
    }

    const RESET: Outcome = Err(FetchError::Reset);
    const GONE: Outcome = Err(FetchError::Connect);

    #[test]
    fn a_failure_is_repeated_until_it_succeeds_or_the_attempts_are_used_up() {
        let retry = json!({ "attempts": 3, "on": ["connect_error", "timeout", "reset", 503], "backoff": "100ms" });
        for failure in [GONE, RESET, Err(FetchError::Timeout), Ok(503)] {
            let scene = Scene::new(retry.clone(), &[failure, failure, Ok(200)]);
            assert_eq!(scene.get(), (200, 3, "3 attempts".to_owned()), "{failure:?}");
        }
        assert_eq!(Scene::new(retry.clone(), &[RESET]).get(), (502, 3, "3 attempts".to_owned()));
        assert_eq!(
            Scene::new(retry.clone(), &[Ok(503)]).get(),
            (503, 3, "3 attempts".to_owned()),
            "the upstream's own"
        );
        assert_eq!(
            Scene::new(retry.clone(), &[Ok(500), Ok(200)]).get(),
            (500, 1, String::new()),
            "500 is not on the list"
        );
        assert_eq!(Scene::new(retry, &[Ok(200)]).get(), (200, 1, String::new()));
    }

    #[test]
    fn an_upstream_that_asks_for_time_is_left_alone() {
        let wait = Duration::from_secs(2);
        for (after, more) in
            [("0", false), ("2", false), ("3", true), ("Fri, 31 Dec 2027 23:59:59 GMT", true), ("-", true)]
        {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, after.parse().unwrap())]);
            assert_eq!(asks_for_more_than(wait, &headers), more, "{after}");
        }
        assert!(!asks_for_more_than(wait, &HeaderMap::new()));
    }

    #[test]
    fn the_wait_doubles_and_half_of_it_is_random() {
        let scene = Scene::new(json!({ "attempts": 3, "on": ["reset"], "backoff": "100ms" }), &[RESET]);
        let before = scene.sim.now();
        scene.get();
        let waited = scene.sim.now().since(before);
        assert!((Duration::from_millis(150)..=Duration::from_millis(300)).contains(&waited), "{waited:?}");
    }

    #[test]
    fn what_may_have_been_done_is_not_done_twice() {
        let retry = json!({ "attempts": 2, "on": ["connect_error", "reset", 503] });
        for failure in [RESET, Ok(503)] {
            let scene = Scene::new(retry.clone(), &[failure, Ok(200)]);
            assert_eq!(scene.send("POST", &[("content-length", "5")], stream("order")).1, 1);
        }
        let scene = Scene::new(retry.clone(), &[RESET, Ok(200)]);
        let idempotent = [("content-length", "5"), ("idempotency-key", "1")];
        assert_eq!(scene.send("POST", &idempotent, stream("order")), (200, 2, "2 attempts".to_owned()));
        assert_eq!(*scene.received.borrow(), ["POST order", "POST order"]);
        let scene = Scene::new(retry, &[GONE, Ok(200)]);
        assert_eq!(scene.send("POST", &[("content-length", "5")], stream("order")).0, 200, "nothing had been sent");
        let listed = json!({ "attempts": 2, "on": ["reset"], "methods": ["POST"] });
        let scene = Scene::new(listed.clone(), &[RESET, Ok(200)]);
        assert_eq!(scene.send("POST", &[("content-length", "5")], stream("order")).1, 2, "the configuration says so");
        assert_eq!(Scene::new(listed, &[RESET, Ok(200)]).get().1, 1, "GET is not on the list");
    }

    #[test]
    fn only_what_was_kept_is_sent_again() {
        let retry = json!({ "attempts": 2, "on": ["reset"], "buffer": "4B" });
        let put = |length: Option<&str>, body| {
            let headers: Vec<_> = length.map(|length| ("content-length", length)).into_iter().collect();
            Scene::new(retry.clone(), &[RESET, Ok(200)]).send("PUT", &headers, body)
        };
        assert_eq!(put(Some("4"), stream("four")).1, 2);
        assert_eq!(put(Some("5"), stream("fives")).1, 1, "longer than the buffer");
        assert_eq!(put(None, stream("four")).1, 1, "of unknown length");
        assert_eq!(put(Some("2"), stream("four")), (413, 0, String::new()), "longer than declared");
        assert_eq!(put(Some("4"), stream("two")), (499, 0, String::new()), "shorter than declared");
        let broken = SimStream { breaks: true, ..SimStream::of(["four"]) };
        assert_eq!(put(Some("4"), Body::Stream(broken)).0, 499);
    }

    #[test]
    fn an_upstream_that_is_down_is_not_felled_by_retries() {
        let scene = Scene::new(json!({ "attempts": 2, "on": ["reset"], "backoff": "1ms" }), &[RESET]);
        let sent: usize = (0..1_000).map(|_| scene.get().1).sum();
        // a hundred at once, and one for five requests
        assert!((1_295..=1_301).contains(&sent), "{sent}");
    }
}
