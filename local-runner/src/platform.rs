//! The native platform: what core needs, from hyper, tokio, ring and the environment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use portico_core::cache::{Item, Purge, Reach};
use portico_core::limit::{Draw, MemoryStore, Rule, Verdict};
use portico_core::{Body, CollectError, FetchError, Platform, StoreError, Timestamp, jwt};
use portico_native::body::NativeBody;
use portico_native::upstream::Upstreams;
use portico_native::{system, verify};
use rustls::RootCertStore;

use crate::cache::folder::Folder;
use crate::cache::{Cache, Shared};
use crate::state::Redis;
use crate::values::Values;
use crate::{demo, tls};

/// What a [`NativePlatform`] is made of.
#[derive(Debug)]
pub struct Settings {
    /// Whom to trust when an upstream is `https`: usually [`tls::native_roots`].
    pub roots: RootCertStore,
    /// Secrets for which there is no environment variable.
    pub secrets: BTreeMap<String, String>,
    /// The most rate limit keys held at a time, at 21 to 32 bytes each.
    pub rate_limit_keys: usize,
    /// The key-value store, `None` when there is none but the one in `redis`.
    pub values: Option<Values>,
    /// The most bytes of memory that cached responses take.
    pub cache_size: u64,
    /// Where cached responses outlive the process, `None` when there is no such place but the one in `redis`.
    pub cache_folder: Option<Folder>,
    /// Where limits are counted and values and responses are held together with other nodes; `None` when this one is on its own.
    pub redis: Option<Arc<Redis>>,
    /// Whether targets like `demo://echo` and `binding://NAME` are answered, see [`demo`]. Only `portico dev` does.
    pub demo: bool,
}

impl Default for Settings {
    /// Trusts nobody, knows no secrets, holds 100 000 keys, no values and 64 MiB of responses, is on its own and answers nothing by itself.
    fn default() -> Self {
        Self {
            roots: RootCertStore::empty(),
            secrets: BTreeMap::new(),
            rate_limit_keys: 100_000,
            values: None,
            cache_size: 64 << 20,
            cache_folder: None,
            redis: None,
            demo: false,
        }
    }
}

/// One process on a machine of its own. Connections, limits, cached responses and secrets are shared by every gateway it runs, one after
/// the other: a reload empties none of them.
#[derive(Debug)]
pub struct NativePlatform {
    upstreams: Upstreams,
    limits: MemoryStore,
    secrets: BTreeMap<String, String>,
    values: Option<Values>,
    cache: Cache,
    redis: Option<Arc<Redis>>,
    demo: bool,
}

impl NativePlatform {
    /// A platform without connections, its limits untouched.
    pub fn new(settings: Settings) -> Result<Self, rustls::Error> {
        let tls = tls::client(settings.roots)?;
        let shared = match (settings.cache_folder, &settings.redis) {
            (Some(folder), _) => Shared::Folder(folder),
            (None, Some(redis)) => Shared::Redis(Arc::clone(redis)),
            (None, None) => Shared::Nowhere,
        };
        Ok(Self {
            upstreams: Upstreams::new(|| tls),
            limits: MemoryStore::new(settings.rate_limit_keys, system::random()),
            secrets: settings.secrets,
            values: settings.values,
            cache: Cache::new(settings.cache_size, shared),
            redis: settings.redis,
            demo: settings.demo,
        })
    }
}

impl Platform for NativePlatform {
    type Stream = NativeBody;

    async fn fetch(
        &self,
        request: Request<Body<NativeBody>>,
        timeout: Duration,
    ) -> Result<Response<Body<NativeBody>>, FetchError> {
        if request.uri().scheme_str().is_some_and(demo::answers) {
            // boxed: every request's future would be as large as this one otherwise
            return if self.demo { Box::pin(demo::fetch(request, timeout)).await } else { Err(FetchError::Connect) };
        }
        self.upstreams.fetch(request, timeout).await
    }

    async fn collect(&self, stream: NativeBody, limit: u64) -> Result<Bytes, CollectError> {
        stream.collect(limit).await
    }

    fn bounded(&self, stream: NativeBody, limit: u64) -> NativeBody {
        stream.bounded(limit)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn now(&self) -> Timestamp {
        system::now()
    }

    fn random(&self) -> u128 {
        system::random()
    }

    async fn rate_limit(&self, key: &str, rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError> {
        match &self.redis {
            // boxed, like those below: every request's future would be as large as this one otherwise
            Some(redis) => Box::pin(redis.step(key, rules, draw)).await,
            None => Ok(self.limits.step(key, rules, || self.now(), draw)),
        }
    }

    async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        match (&self.values, &self.redis) {
            (Some(values), _) => values.read(key).await,
            (None, Some(redis)) => Box::pin(redis.read(key)).await,
            (None, None) => Err(StoreError),
        }
    }

    async fn write(&self, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError> {
        match (&self.values, &self.redis) {
            (Some(values), _) => values.write(key, value).await,
            (None, Some(redis)) => Box::pin(redis.write(key, value, keep)).await,
            (None, None) => Err(StoreError),
        }
    }

    async fn cached(&self, key: &str, reach: Reach) -> Result<Option<Arc<Item>>, StoreError> {
        let now = self.now();
        let known = self.cache.remembered(key, now);
        match reach {
            Reach::Shared if known.as_ref().is_none_or(|item| self.cache.may_be_renewed(item, now)) => {
                // what cannot be asked takes nothing away
                Box::pin(self.cache.shared(key, now)).await.or_else(|error| known.map(Some).ok_or(error))
            }
            Reach::Local | Reach::Shared => Ok(known),
        }
    }

    async fn cache(&self, key: &str, item: &Arc<Item>, keep: Duration, reach: Reach) -> Result<(), StoreError> {
        Box::pin(self.cache.put(key, item, self.now(), keep, reach)).await
    }

    async fn forget(&self, key: &str, reach: Reach) -> Result<(), StoreError> {
        Box::pin(self.cache.forget(key, reach)).await
    }

    fn largest(&self, reach: Reach) -> u64 {
        self.cache.largest(reach)
    }

    fn tee(&self, stream: NativeBody, limit: u64) -> (NativeBody, NativeBody) {
        stream.tee(limit)
    }

    async fn purges(&self) -> Result<Vec<Purge>, StoreError> {
        Box::pin(self.cache.purges()).await
    }

    async fn purge(&self, purges: &[Purge]) -> Result<(), StoreError> {
        Box::pin(self.cache.purge(purges)).await
    }

    fn secret(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().or_else(|| self.secrets.get(name).cloned())
    }

    async fn verify(&self, algorithm: jwt::Algorithm, key: &jwt::Key, message: &[u8], signature: &[u8]) -> bool {
        verify(algorithm, key, message, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_outranks_the_file() {
        let secrets = [("PATH", "from the file"), ("PORTICO_TEST_ONLY_HERE", "x")];
        let secrets = secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let platform = NativePlatform::new(Settings { secrets, ..Settings::default() }).unwrap();
        assert_eq!(platform.secret("PATH"), std::env::var("PATH").ok());
        assert_eq!(platform.secret("PORTICO_TEST_ONLY_HERE").as_deref(), Some("x"));
        assert_eq!(platform.secret("PORTICO_TEST_NOWHERE"), None);
    }
}
