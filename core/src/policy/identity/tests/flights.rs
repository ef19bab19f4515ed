//! Many requests at once, on a platform that lets them wait.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::cache::{Item, Purge, Reach};
use crate::limit::{Draw, Rule, Verdict};
use crate::platform::{CollectError, FetchError, StoreError, Timestamp};

/// A simulated platform on which answers come when they are let.
struct Yard {
    sim: Sim,
    open: Cell<bool>,
}

impl Yard {
    fn new() -> Self {
        Self { sim: Sim::new(1), open: Cell::new(false) }
    }
}

impl Platform for Yard {
    type Stream = SimStream;

    async fn fetch(
        &self,
        request: Request<Body<SimStream>>,
        timeout: Duration,
    ) -> Result<Response<Body<SimStream>>, FetchError> {
        let response = self.sim.fetch(request, timeout).await;
        poll_fn(|_| if self.open.get() { Poll::Ready(()) } else { Poll::Pending }).await;
        response
    }

    async fn collect(&self, stream: SimStream, limit: u64) -> Result<Bytes, CollectError> {
        self.sim.collect(stream, limit).await
    }

    fn bounded(&self, stream: SimStream, limit: u64) -> SimStream {
        self.sim.bounded(stream, limit)
    }

    /// Over at the next look: what moves the clock is the test.
    async fn sleep(&self, _: Duration) {
        let mut slept = false;
        poll_fn(|_| if std::mem::replace(&mut slept, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn now(&self) -> Timestamp {
        self.sim.now()
    }

    fn random(&self) -> u128 {
        self.sim.random()
    }

    async fn rate_limit(&self, key: &str, rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError> {
        self.sim.rate_limit(key, rules, draw).await
    }

    async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.sim.read(key).await
    }

    async fn write(&self, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError> {
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

/// What is left to do behind a response.
type Left = FollowUp<SimStream>;

/// Requests under way, each with what came of it.
struct Crowd<'a> {
    #[expect(clippy::type_complexity, reason = "a list of boxed futures")]
    open: Vec<Option<Pin<Box<dyn Future<Output = (String, String, Left)> + 'a>>>>,
    ended: Rc<RefCell<Vec<(usize, String, Left)>>>,
}

impl<'a> Crowd<'a> {
    fn new(gateway: &'a Gateway, yard: &'a Yard, tokens: &'a [String]) -> Self {
        let start = |token: &'a String| -> Option<Pin<Box<dyn Future<Output = _> + 'a>>> {
            Some(Box::pin(async move { call(gateway, yard, "authorization", &format!("Bearer {token}")).await }))
        };
        Self { open: tokens.iter().map(start).collect(), ended: Rc::default() }
    }

    /// Lets each that is still open go on, as far as it can.
    fn go_on(&mut self) {
        for (index, slot) in self.open.iter_mut().enumerate() {
            let Some(future) = slot else { continue };
            if let Poll::Ready((code, _, follow_up)) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                self.ended.borrow_mut().push((index, code, follow_up));
                *slot = None;
            }
        }
    }

    /// What came of them, in the order in which they ended.
    fn codes(&self) -> Vec<String> {
        self.ended.borrow().iter().map(|(_, code, _)| code.clone()).collect()
    }
}

fn tokens(seed: u8, count: usize) -> Vec<String> {
    (0..count).map(|number| token(seed, &number.to_string())).collect()
}

#[test]
fn all_first_requests_wait_for_one_fetch() {
    let (yard, gateway, tokens) = (Yard::new(), remote(), tokens(1, 20));
    let issuer = Issuer::new(&yard.sim, &[1]);
    let mut crowd = Crowd::new(&gateway, &yard, &tokens);
    for _ in 0..10 {
        crowd.go_on();
    }
    assert_eq!((crowd.codes().len(), issuer.asked()), (0, 1));
    yard.open.set(true);
    crowd.go_on();
    crowd.go_on();
    assert_eq!(crowd.codes(), ["token_valid"; 20]);
    assert_eq!(issuer.asked(), 0);
}

#[test]
fn all_of_them_hear_at_once_that_the_issuer_fails() {
    let (yard, gateway, tokens) = (Yard::new(), remote(), tokens(1, 20));
    let issuer = Issuer::new(&yard.sim, &[1]);
    issuer.says(500, String::new());
    yard.open.set(true);
    let mut crowd = Crowd::new(&gateway, &yard, &tokens);
    crowd.go_on();
    crowd.go_on();
    assert_eq!(crowd.codes(), ["keys_unavailable"; 20]);
    assert_eq!(issuer.asked(), 1);
}

#[test]
fn when_the_client_of_the_fetching_request_goes_away_another_fetches() {
    let (yard, gateway, tokens) = (Yard::new(), remote(), tokens(1, 5));
    let issuer = Issuer::new(&yard.sim, &[1]);
    let mut crowd = Crowd::new(&gateway, &yard, &tokens);
    for gone in 0..4 {
        crowd.go_on();
        assert_eq!(issuer.asked(), 1, "{gone}");
        crowd.open[gone] = None;
    }
    yard.open.set(true);
    crowd.go_on();
    crowd.go_on();
    assert_eq!(crowd.codes(), ["token_valid"]);
    assert_eq!(issuer.asked(), 1);
}

#[test]
fn a_fetch_that_is_never_heard_of_again_blocks_nobody_for_long() {
    let (yard, gateway, tokens) = (Yard::new(), remote(), tokens(1, 2));
    let issuer = Issuer::new(&yard.sim, &[1]);
    let mut crowd = Crowd::new(&gateway, &yard, &tokens);
    crowd.go_on();
    // cut off as Workers does it: neither polled nor dropped
    let _cut_off = crowd.open[0].take();
    for _ in 0..3 {
        crowd.go_on();
        yard.sim.advance(Duration::from_secs(5));
        assert!(issuer.asked() <= 1);
    }
    yard.open.set(true);
    crowd.go_on();
    assert_eq!((crowd.codes(), issuer.asked()), (vec!["token_valid".to_owned()], 1));
}

#[test]
fn nobody_waits_for_ever() {
    let (yard, gateway, tokens) = (Yard::new(), remote(), tokens(1, 2));
    let _issuer = Issuer::new(&yard.sim, &[1]);
    let mut crowd = Crowd::new(&gateway, &yard, &tokens);
    // the clock stands still and the answer never comes
    for _ in 0..1_100 {
        crowd.go_on();
    }
    assert_eq!(crowd.codes(), ["keys_unavailable"]);
}

#[test]
fn one_refresh_follows_many_requests_and_none_waits_for_it() {
    let (yard, gateway, tokens) = (Yard::new(), remote(), tokens(1, 20));
    let issuer = Issuer::new(&yard.sim, &[1]);
    yard.open.set(true);
    let mut crowd = Crowd::new(&gateway, &yard, &tokens[..1]);
    crowd.go_on();
    assert_eq!(issuer.asked(), 1);
    yard.open.set(false);
    yard.sim.advance(Duration::from_secs(600));
    let mut crowd = Crowd::new(&gateway, &yard, &tokens);
    crowd.go_on();
    assert_eq!(crowd.codes(), ["token_valid"; 20]);
    assert_eq!(issuer.asked(), 0);
    let ended = crowd.ended.borrow();
    let due: Vec<_> = ended.iter().filter(|(_, _, follow_up)| !follow_up.is_empty()).collect();
    assert_eq!(due.len(), 1);
    // lost with its request, it is due again in a moment
    yard.sim.advance(Duration::from_secs(15));
    let mut crowd = Crowd::new(&gateway, &yard, &tokens);
    crowd.go_on();
    assert_eq!(crowd.ended.borrow().iter().filter(|(_, _, follow_up)| !follow_up.is_empty()).count(), 1);
}

#[test]
fn what_was_verified_with_a_key_that_went_meanwhile_is_not_remembered() {
    let (yard, gateway) = (Yard::new(), remote());
    let issuer = Issuer::new(&yard.sim, &[1]);
    yard.open.set(true);
    let (old, other) = ([token(1, "old")], [token(2, "other")]);
    Crowd::new(&gateway, &yard, &old).go_on();
    yard.sim.advance(Duration::from_secs(31));
    // a refresh brings other keys while the old token is remembered
    issuer.has(&[2]);
    let mut crowd = Crowd::new(&gateway, &yard, &other);
    crowd.go_on();
    assert_eq!(crowd.codes(), ["token_valid"]);
    let mut crowd = Crowd::new(&gateway, &yard, &old);
    crowd.go_on();
    assert_eq!(crowd.codes(), ["token_unknown_key"]);
}
