//! Core's seam on Lambda.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use portico_core::limit::{Draw, Rule, Verdict};
use portico_core::{Body, CollectError, FetchError, Platform, StoreError, Timestamp, jwt};
use portico_native::body::NativeBody;
use portico_native::{system, verify};

use crate::instance::Instance;

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

    fn secret(&self, name: &str) -> Option<String> {
        self.secrets.get(name).cloned()
    }

    async fn verify(&self, algorithm: jwt::Algorithm, key: &jwt::Key, message: &[u8], signature: &[u8]) -> bool {
        verify(algorithm, key, message, signature)
    }
}

#[cfg(test)]
mod tests {
    use portico_core::limit::Quota;
    use tokio::time::Instant;

    use super::*;
    use crate::instance::ResponseMode;
    use crate::state::State;

    #[tokio::test(start_paused = true)]
    async fn a_table_that_never_answers_leaves_the_time_to_say_so() {
        let document = serde_json::json!({ "portico": 1, "name": "nothing", "routes": [] });
        let (gateway, _) = portico_core::config::compile(&document).unwrap();
        let instance = Arc::new(Instance::of(gateway, ResponseMode::Whole).with(State::deaf()));
        let deadline = system::now() + Duration::from_secs(1);
        let lambda = Lambda { instance, secrets: Arc::default(), deadline };
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
