//! The key-value store: a KV namespace.

use std::time::Duration;

use bytes::Bytes;
use portico_core::{MAX_VALUE, StoreError};
use wasm_bindgen::JsCast as _;
use worker::Env;
use worker::kv::KvStore;

use crate::glue;
use crate::task::Settled;

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
    bounded(&bound(env)?, key, MAX_VALUE).await.map_err(failed)
}

/// Reads a value of at most `limit` bytes. More would not fit into an isolate's memory, which ends it.
pub(crate) async fn bounded(store: &KvStore, key: &str, limit: usize) -> Result<Option<Bytes>, String> {
    let stream = store.get(key).stream().await.map_err(|error| error.to_string())?;
    let Some(stream) = stream else { return Ok(None) };
    let value = Settled::from(glue::collect(&stream, limit as f64)).await;
    let value = value.map_err(|error| format!("{key}: {error:?}"))?;
    match value.dyn_ref::<js_sys::Uint8Array>() {
        Some(bytes) => Ok(Some(bytes.to_vec().into())),
        None => Err(format!("{key}: {}", value.as_string().unwrap_or_default())),
    }
}

/// Writes a value that need not be kept for longer than `keep`.
pub(crate) async fn write(env: &Env, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError> {
    let put = bound(env)?.put_bytes(key, &value).map_err(failed)?;
    put.expiration_ttl(keep.max(SHORTEST).as_secs()).execute().await.map_err(failed)
}

/// Removes a value.
pub(crate) async fn delete(env: &Env, key: &str) -> Result<(), StoreError> {
    bound(env)?.delete(key).await.map_err(failed)
}

fn bound(env: &Env) -> Result<KvStore, StoreError> {
    store(env).ok_or_else(|| failed("no KV namespace is bound as PORTICO"))
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    worker::console_error!("key-value store: {error}");
    StoreError
}
