//! Core's seam on WASI.

use std::io::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use portico_core::cache::{Item, Purge, Reach};
use portico_core::limit::{Draw, Rule, Verdict};
use portico_core::{After, Body, CollectError, FetchError, Gateway, Platform, StoreError, Timestamp};
use wasip3::clocks::{monotonic_clock, system_clock};

use crate::instance::{self, Variables};
use crate::stream::Stream;
use crate::{host, upstream};

/// One request's view of the runtime.
#[derive(Debug)]
pub(crate) struct Wasi {
    pub(crate) variables: Rc<Variables>,
}

impl Wasi {
    /// What follows a response: its line in the access log, and what nobody waits for.
    pub(crate) async fn after(self, gateway: Rc<Gateway>, after: After<Stream>) {
        if self.variables.access_log {
            let mut line = after.record.to_json(self.now());
            line.push('\n');
            // there is nobody to tell
            drop(std::io::stdout().write_all(line.as_bytes()));
        }
        after.follow_up.run(&gateway, &self).await;
        host::clean_up(self.now());
    }
}

impl Platform for Wasi {
    type Stream = Stream;

    async fn fetch(
        &self,
        request: Request<Body<Stream>>,
        timeout: Duration,
    ) -> Result<Response<Body<Stream>>, FetchError> {
        upstream::fetch(request, timeout).await
    }

    async fn collect(&self, stream: Stream, limit: u64) -> Result<Bytes, CollectError> {
        stream.collect(limit).await
    }

    fn bounded(&self, stream: Stream, limit: u64) -> Stream {
        stream.bounded(limit)
    }

    async fn sleep(&self, duration: Duration) {
        monotonic_clock::wait_for(nanos(duration)).await;
    }

    fn now(&self) -> Timestamp {
        let now = system_clock::now();
        let seconds = u64::try_from(now.seconds).unwrap_or_default();
        Timestamp::from_micros(seconds.saturating_mul(1_000_000).saturating_add(u64::from(now.nanoseconds / 1_000)))
    }

    fn random(&self) -> u128 {
        instance::random()
    }

    async fn rate_limit(&self, key: &str, rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError> {
        let limits = self.variables.limits.as_ref().ok_or(StoreError)?;
        limits.step(key, rules, draw, || self.now()).await
    }

    async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        host::read(key, self.now()).await
    }

    async fn write(&self, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError> {
        host::write(key, &value, self.now() + keep).await
    }

    async fn cached(&self, key: &str, reach: Reach) -> Result<Option<Arc<Item>>, StoreError> {
        match reach {
            // an instance serves few requests, and nobody knows which: nothing is kept in it
            Reach::Local => Ok(None),
            Reach::Shared => host::cached(key, self.now()).await,
        }
    }

    async fn cache(&self, key: &str, item: &Arc<Item>, keep: Duration, reach: Reach) -> Result<(), StoreError> {
        match reach {
            Reach::Local => Ok(()),
            Reach::Shared => host::cache(key, item, self.now(), self.now() + keep).await,
        }
    }

    async fn forget(&self, key: &str, reach: Reach) -> Result<(), StoreError> {
        match reach {
            Reach::Local => Ok(()),
            Reach::Shared => host::forget(key, self.now()).await,
        }
    }

    fn largest(&self, reach: Reach) -> u64 {
        match reach {
            Reach::Local => 0,
            Reach::Shared => host::LARGEST,
        }
    }

    fn tee(&self, stream: Stream, limit: u64) -> (Stream, Stream) {
        stream.tee(limit)
    }

    async fn purges(&self) -> Result<Vec<Purge>, StoreError> {
        host::purges(self.now())
    }

    async fn purge(&self, purges: &[Purge]) -> Result<(), StoreError> {
        host::purge(purges, self.now()).await
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.variables.secrets.get(name).cloned()
    }
}

/// A duration as the host's clocks take it; the longest there is when it is longer.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
