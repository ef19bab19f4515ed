//! What every host of `wasi:http` gives, such as `wasmtime serve`, which is less than Spin: variables of the environment, files, and the
//! memory of an instance.
//!
//! Nobody says who the client is, nothing is shared between instances, and nothing outlives one.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Once};

use bytes::Bytes;
use http::HeaderMap;
use portico_core::cache::{Item, Purge};
use portico_core::limit::{Draw, MemoryStore, Rule, Verdict};
use portico_core::{StoreError, Timestamp};

use crate::instance::{self, Unread};

/// What to do where there is no bundle.
pub(crate) const HELP: &str = "make one with `portico build --target wasi --out bundle.json`, and give the component its folder as /, \
     or its path as PORTICO_BUNDLE";

/// The most keys that are counted: a few megabytes at worst.
const MAX_KEYS: usize = 10_000;

/// Where the bundle is: what `PORTICO_BUNDLE` says, or bundle.json in the outermost folder.
pub(crate) fn bundle() -> PathBuf {
    std::env::var_os("PORTICO_BUNDLE").map_or_else(|| PathBuf::from("/bundle.json"), PathBuf::from)
}

/// Nobody: a field that says so is the client's own.
pub(crate) fn client(_: &mut HeaderMap) -> Option<IpAddr> {
    None
}

/// The host that a request is for: what `PORTICO_HOST` says for all of them (a fixed authority, RFC 9112 §3.3), or what the host of this
/// component tells. `wasmtime serve` tells it only of requests in absolute form.
pub(crate) fn authority(told: Option<String>) -> Option<String> {
    static COMPLAINT: Once = Once::new();
    let authority = std::env::var("PORTICO_HOST").ok().or(told);
    if authority.is_none() {
        COMPLAINT.call_once(|| {
            eprintln!(
                "a request without a host, or one whose host was not passed on\nhelp: say which it is with PORTICO_HOST"
            );
        });
    }
    authority
}

/// The value of a variable of the environment, if it has one.
pub(crate) async fn variable(name: &str) -> Result<Option<String>, Unread> {
    Ok(std::env::var(name).ok())
}

/// Where limits are counted.
pub(crate) async fn limits() -> Result<Limits, Unread> {
    Ok(Limits(MemoryStore::new(MAX_KEYS, instance::random())))
}

/// Limits as this instance counts them; they end with it.
#[derive(Debug)]
pub(crate) struct Limits(MemoryStore);

impl Limits {
    /// One step of the limit of `key`.
    pub(crate) async fn step(
        &self,
        key: &str,
        rules: &[Rule],
        draw: Draw,
        now: impl Fn() -> Timestamp,
    ) -> Result<Vec<Verdict>, StoreError> {
        Ok(self.0.step(key, rules, now, draw))
    }
}

/// Nothing: what is of no use any more goes when there is no room for more.
pub(crate) fn clean_up(_: Timestamp) {}

/// There is no key-value store.
pub(crate) async fn read(_: &str, _: Timestamp) -> Result<Option<Bytes>, StoreError> {
    Err(StoreError)
}

/// Likewise.
pub(crate) async fn write(_: &str, _: &[u8], _: Timestamp) -> Result<(), StoreError> {
    Err(StoreError)
}

/// Nor is there a place for responses, which is no error: they are fetched anew.
pub(crate) async fn cached(_: &str, _: Timestamp) -> Result<Option<Arc<Item>>, StoreError> {
    Ok(None)
}

/// Likewise.
pub(crate) async fn cache(_: &str, _: &Item, _: Timestamp, _: Timestamp) -> Result<(), StoreError> {
    Ok(())
}

/// Likewise.
pub(crate) async fn forget(_: &str, _: Timestamp) -> Result<(), StoreError> {
    Ok(())
}

/// The most bytes of one response that are kept.
pub(crate) const LARGEST: u64 = 0;

/// Where nothing is kept nothing can be purged.
pub(crate) fn purges(_: Timestamp) -> Result<Vec<Purge>, StoreError> {
    Ok(Vec::new())
}

/// Likewise.
pub(crate) async fn purge(_: &[Purge], _: Timestamp) -> Result<(), StoreError> {
    Ok(())
}
