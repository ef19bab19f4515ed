//! Core's seam on Lambda.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use portico_core::cache::{Item, Purge, Reach};
use portico_core::limit::{Draw, Rule, Verdict};
use portico_core::{Body, CollectError, FetchError, Platform, StoreError, Timestamp, jwt};
use portico_native::body::NativeBody;
use portico_native::{system, verify};

use crate::instance::Instance;
use crate::state::{Kept, LARGEST};

/// Whoever has not answered so long before Lambda ends the invocation is given up: there must be time to say so.
pub(crate) const MARGIN: Duration = Duration::from_millis(500);

/// One invocation's view of the process.
#[derive(Debug)]
pub(crate) struct Lambda {
    pub(crate) instance: Arc<Instance>,
    /// The secrets that the configuration refers to, by name.
    pub(crate) secrets: Arc<BTreeMap<String, String>>,
    /// When Lambda ends the invocation.
    pub(crate) deadline: Timestamp,
}

impl Lambda {
    /// How long upstreams and the table may still take.
    pub(crate) fn left(&self) -> Duration {
        left(self.deadline)
    }
}

/// How long is left of an invocation that Lambda ends at `deadline`, less what it takes to say so.
pub(crate) fn left(deadline: Timestamp) -> Duration {
    deadline.since(system::now()).saturating_sub(MARGIN)
}

impl Platform for Lambda {
    type Stream = NativeBody;

    async fn fetch(
        &self,
        request: Request<Body<NativeBody>>,
        timeout: Duration,
    ) -> Result<Response<Body<NativeBody>>, FetchError> {
        self.instance.upstreams.fetch(request, timeout.min(self.left())).await
    }

    async fn collect(&self, stream: NativeBody, limit: u64) -> Result<Bytes, CollectError> {
        stream.collect(limit).await
    }

    fn bounded(&self, stream: NativeBody, limit: u64) -> NativeBody {
        stream.bounded(limit)
    }

    async fn sleep(&self, duration: Duration) {
        // it is the deadline of every body that is read
        tokio::time::sleep(duration.min(self.left())).await;
    }

    fn now(&self) -> Timestamp {
        system::now()
    }

    fn random(&self) -> u128 {
        system::random()
    }

    async fn rate_limit(&self, key: &str, rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError> {
        // boxed, as the others of the SDK: every request's future would be as large as this one otherwise
        Box::pin(self.instance.state()?.step(key, rules, draw, || self.now(), self.left())).await
    }

    async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        Box::pin(self.instance.state()?.read(key, self.left())).await
    }

    async fn write(&self, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError> {
        Box::pin(self.instance.state()?.write(key, &value, keep, self.now(), self.left())).await
    }

    async fn cached(&self, key: &str, reach: Reach) -> Result<Option<Arc<Item>>, StoreError> {
        let known = self.instance.responses.get(key, self.now());
        if known.is_some() || reach == Reach::Local {
            return Ok(known);
        }
        let found = Box::pin(self.instance.state()?.cached(key, self.now(), self.left())).await?;
        Ok(found.map(|(item, end)| {
            self.instance.responses.put(key, &item, end.min(item.renewed(self.now())));
            item
        }))
    }

    async fn cache(&self, key: &str, item: &Arc<Item>, keep: Duration, reach: Reach) -> Result<(), StoreError> {
        let now = self.now();
        let kept = match reach {
            Reach::Local => Ok(Kept::Here),
            Reach::Shared => match self.instance.state() {
                Ok(state) => Box::pin(state.cache(key, item, keep, now, self.left())).await,
                Err(error) => Err(error),
            },
        };
        let end = if kept == Ok(Kept::InTable) { (now + keep).min(item.renewed(now)) } else { now + keep };
        self.instance.responses.put(key, item, end);
        kept.map(drop)
    }

    async fn forget(&self, key: &str, reach: Reach) -> Result<(), StoreError> {
        self.instance.responses.remove(key);
        match reach {
            Reach::Local => Ok(()),
            Reach::Shared => Box::pin(self.instance.state()?.forget(key, self.left())).await,
        }
    }

    fn largest(&self, reach: Reach) -> u64 {
        let here = self.instance.responses.heaviest();
        match reach {
            Reach::Local => here,
            Reach::Shared => here.max(LARGEST as u64),
        }
    }

    fn tee(&self, stream: NativeBody, limit: u64) -> (NativeBody, NativeBody) {
        stream.tee(limit)
    }

    async fn purges(&self) -> Result<Vec<Purge>, StoreError> {
        match self.instance.table() {
            Some(table) => Box::pin(table.purges(self.now(), self.left())).await,
            None => Ok(Vec::new()),
        }
    }

    async fn purge(&self, purges: &[Purge]) -> Result<(), StoreError> {
        match self.instance.table() {
            Some(table) => {
                for purge in purges {
                    Box::pin(table.purge(purge, self.now(), self.left())).await?;
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.secrets.get(name).cloned()
    }

    async fn verify(&self, algorithm: jwt::Algorithm, key: &jwt::Key, message: &[u8], signature: &[u8]) -> bool {
        verify(algorithm, key, message, signature)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use portico_core::cache::{Entry, Lifetime, Scope};
    use portico_core::limit::Quota;
    use tokio::time::Instant;

    use super::*;
    use crate::instance::ResponseMode;
    use crate::state::State;

    fn lambda(state: Option<State>) -> Lambda {
        let document = serde_json::json!({ "portico": 1, "name": "nothing", "routes": [] });
        let (gateway, _) = portico_core::config::compile(&document).unwrap();
        let instance = Instance::of(gateway, ResponseMode::Whole);
        let instance = match state {
            Some(state) => instance.with(state),
            None => instance,
        };
        Lambda {
            instance: Arc::new(instance),
            secrets: Arc::default(),
            deadline: system::now() + Duration::from_secs(1),
        }
    }

    fn response(fresh: Duration) -> Arc<Item> {
        let (now, lifetime) = (system::now(), Lifetime { fresh, ..Lifetime::default() });
        let entry = Entry::new("a.test/", StatusCode::OK, HeaderMap::new(), "body".into(), now, now, lifetime);
        Arc::new(Item::Response(entry))
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn what_is_local_is_in_memory_and_the_table_is_not_asked() {
        for lambda in [lambda(None), lambda(Some(State::deaf()))] {
            let response = response(Duration::ZERO);
            assert_eq!(lambda.cached("a", Reach::Local).await, Ok(None));
            assert_eq!(lambda.cache("a", &response, MINUTE, Reach::Local).await, Ok(()));
            assert_eq!(lambda.cached("a", Reach::Local).await, Ok(Some(response)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_table_does_not_take_is_in_memory_all_the_same() {
        for lambda in [lambda(None), lambda(Some(State::deaf()))] {
            let response = response(Duration::ZERO);
            assert_eq!(lambda.cached("a", Reach::Shared).await, Err(StoreError));
            assert_eq!(lambda.cache("a", &response, MINUTE, Reach::Shared).await, Err(StoreError));
            assert_eq!(lambda.cached("a", Reach::Shared).await, Ok(Some(response)));
        }
    }

    #[tokio::test]
    async fn what_is_shared_is_in_memory_as_long_as_it_is_fresh() {
        let lambda = lambda(Some(State::accepting()));
        lambda.cache("fresh", &response(MINUTE), MINUTE, Reach::Shared).await.unwrap();
        assert!(lambda.cached("fresh", Reach::Shared).await.unwrap().is_some());
        lambda.cache("stale", &response(Duration::ZERO), MINUTE, Reach::Shared).await.unwrap();
        assert_eq!(
            lambda.cached("stale", Reach::Shared).await,
            Ok(None),
            "the table is asked, which says that it has none"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_table_there_are_no_purges_but_the_nodes_own() {
        let purge = Purge { scope: Scope::Everything, at: system::now(), soft: false };
        assert_eq!(
            (lambda(None).purges().await, lambda(None).purge(std::slice::from_ref(&purge)).await),
            (Ok(Vec::new()), Ok(()))
        );
        let deaf = lambda(Some(State::deaf()));
        assert_eq!(deaf.purges().await, Err(StoreError));
        assert_eq!(deaf.purge(&[purge]).await, Err(StoreError));
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_that_never_answers_leaves_the_time_to_say_so() {
        let lambda = lambda(Some(State::deaf()));
        // each by itself: tokio's time is not that of the deadline
        let most = Duration::from_secs(1) - MARGIN + Duration::from_millis(1);
        let rules = [Rule::Gcra(Quota::new(1, Duration::from_secs(1), 1).unwrap())];
        let started = Instant::now();
        assert_eq!(lambda.rate_limit("a", &rules, Draw::Take(1)).await, Err(StoreError));
        assert!(started.elapsed() <= most, "{:?}", started.elapsed());
        let started = Instant::now();
        assert_eq!(lambda.read("a").await, Err(StoreError));
        assert!(started.elapsed() <= most, "{:?}", started.elapsed());
        let started = Instant::now();
        assert_eq!(lambda.write("a", Bytes::new(), Duration::from_secs(1)).await, Err(StoreError));
        assert!(started.elapsed() <= most, "{:?}", started.elapsed());
    }
}
