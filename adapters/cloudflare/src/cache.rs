//! The response cache: the Cache API, which is the data centre's own, and behind it the KV namespace, which is the world's.
//!
//! What is kept are core's items as bytes, under core's keys. The Cache API is HTTP's own idea of a cache and knows nothing of
//! variants or callers; so it sees no field of a response, and each variant has a key of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use portico_core::cache::{Item, Reach};
use portico_core::{Platform as _, StoreError};
use wasm_bindgen::JsCast as _;

use crate::platform::Workers;
use crate::task::Settled;
use crate::{glue, values};

/// The largest item, in bytes: 8 MiB. An isolate has 128 MB for everything, and an item is there more than once while it is written.
pub(crate) const MAX_ITEM: usize = 8 << 20;

/// Nothing is kept for longer: a year, as RFC 9111's ancestors had it.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What is under `key`. What is found in KV is put into the data centre's cache, behind the response.
pub(crate) async fn read(workers: &Workers, key: &str, reach: Reach) -> Result<Option<Arc<Item>>, StoreError> {
    let here = look_up(workers, key).await;
    let (Reach::Shared, Ok(None) | Err(_)) = (reach, &here) else { return here };
    let Some(store) = values::store(&workers.env) else { return here };
    let bytes = values::bounded(&store, key, MAX_ITEM).await.map_err(failed)?;
    let Some((bytes, item)) = bytes.and_then(|bytes| Item::decode(&bytes).map(|item| (bytes, item))) else {
        return Ok(None);
    };
    let keep = match &item {
        Item::Response(entry) => entry.keep(workers.now()),
        Item::Varies(_) => LONGEST,
    };
    let put = put(workers, key, &bytes, near(workers, &item, keep, reach));
    (*workers.context).as_ref().wait_until(&put).map_err(|_| StoreError)?;
    Ok(Some(Arc::new(item)))
}

/// Puts `item` under `key`: into the data centre's cache, and into KV if that far.
pub(crate) async fn write(
    workers: &Workers,
    key: &str,
    item: &Item,
    keep: Duration,
    reach: Reach,
) -> Result<(), StoreError> {
    if item.size() > MAX_ITEM {
        return forget(workers, key, reach).await;
    }
    let bytes = item.encode();
    let failure = Settled::from(put(workers, key, &bytes, near(workers, item, keep, reach))).await.map_err(failed)?;
    if reach == Reach::Shared {
        values::write(&workers.env, key, bytes, keep.min(LONGEST)).await?;
    }
    failure.as_string().map_or(Ok(()), |error| Err(failed(error)))
}

/// How long the data centre keeps an item: of what tells variants apart KV may know more after a while.
fn near(workers: &Workers, item: &Item, keep: Duration, reach: Reach) -> Duration {
    let now = workers.now();
    match (item, reach) {
        (Item::Varies(_), Reach::Shared) => keep.min(item.renewed(now).since(now)),
        _ => keep,
    }
}

/// Removes what is under `key`.
pub(crate) async fn forget(workers: &Workers, key: &str, reach: Reach) -> Result<(), StoreError> {
    let failure = Settled::from(glue::forget(host(workers), key)).await.map_err(failed)?;
    if reach == Reach::Shared {
        values::delete(&workers.env, key).await?;
    }
    failure.as_string().map_or(Ok(()), |error| Err(failed(error)))
}

/// What the data centre has.
async fn look_up(workers: &Workers, key: &str) -> Result<Option<Arc<Item>>, StoreError> {
    let found = Settled::from(glue::look_up(host(workers), key, MAX_ITEM as f64)).await.map_err(failed)?;
    if found.is_undefined() {
        return Ok(None);
    }
    match found.dyn_into::<js_sys::Uint8Array>() {
        Ok(bytes) => Ok(Item::decode(&Bytes::from(bytes.to_vec())).map(Arc::new)),
        Err(error) => Err(failed(error.as_string().unwrap_or_default())),
    }
}

/// Keeps bytes in the data centre. The promise gives a text if that failed.
fn put(workers: &Workers, key: &str, bytes: &[u8], keep: Duration) -> js_sys::Promise {
    glue::put(host(workers), key, bytes, keep.min(LONGEST).as_secs() as f64)
}

/// The name that the client asked for, which is one of the Worker's own.
fn host(workers: &Workers) -> &str {
    workers.came.map.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

fn failed(error: impl std::fmt::Debug) -> StoreError {
    worker::console_error!("cache: {error:?}");
    StoreError
}
