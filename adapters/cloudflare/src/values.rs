//! The key-value store: a KV namespace.

use std::time::Duration;

use bytes::Bytes;
use portico_core::StoreError;
use worker::Env;
use worker::kv::KvStore;

/// The binding of the namespace, as `wrangler.toml` names it.
const BINDING: &str = "PORTICO";

/// KV keeps nothing for less.
const SHORTEST: Duration = Duration::from_secs(60);

/// The namespace, `None` when none is bound.
pub(crate) fn store(env: &Env) -> Option<KvStore> {
    env.kv(BINDING).ok()
}

/// Reads a value.
pub(crate) async fn read(env: &Env, key: &str) -> Result<Option<Bytes>, StoreError> {
    let store = store(env).ok_or_else(|| failed(&"no KV namespace is bound as PORTICO"))?;
    let value = store.get(key).bytes().await.map_err(|error| failed(&error))?;
    Ok(value.map(Bytes::from))
}

/// Writes a value that need not be kept for longer than `keep`.
pub(crate) async fn write(env: &Env, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError> {
    let store = store(env).ok_or(StoreError)?;
    let put = store.put_bytes(key, &value).map_err(|error| failed(&error))?;
    put.expiration_ttl(keep.max(SHORTEST).as_secs()).execute().await.map_err(|error| failed(&error))
}

fn failed(error: &dyn std::fmt::Display) -> StoreError {
    worker::console_error!("key-value store: {error}");
    StoreError
}
