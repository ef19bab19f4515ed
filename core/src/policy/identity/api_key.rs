//! Callers who bring a key, of which only the hash is known here.

use std::sync::Arc;

use http::header::COOKIE;
use http::{HeaderName, HeaderValue};

use super::consumers::{Consumers, KEYS};
use super::records::Records;
use super::{Aside, Proof, freshness, refused};
use crate::config::{At, Code, Compiler, wire};
use crate::decision::Reason;
use crate::digest;
use crate::platform::{Platform, Timestamp};
use crate::policy::headers::RESERVED;

/// Whose keys are accepted.
#[derive(Debug)]
pub(super) struct ApiKey {
    header: HeaderName,
    keys: Consumers,
    /// Those that the store knows.
    records: Option<Records>,
}

/// How long a record is fresh, and how long it may be used, in the configuration's words.
const FRESH: &str = "60s";
const STALE: &str = "10m";
const LONGEST_STALE: &str = "7d";

impl ApiKey {
    pub(super) fn compile(
        identity: &Arc<str>,
        wire: &wire::ApiKey,
        at: &At<'_>,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let header = wire.header.as_deref().unwrap_or("X-API-Key");
        let header_at = at.child_key("header");
        let header = compiler.header_name(header, &header_at)?;
        if RESERVED.contains(&header.as_str()) || header == COOKIE {
            compiler
                .error(&header_at, format!("`{header}` has a meaning of its own and cannot carry a key"))
                .code(Code::ReservedName);
        }
        if wire.keys.is_none() && wire.store.is_none() {
            compiler
                .error(at, "`keys` or `store` says which keys are good")
                .code(Code::MissingKey)
                .help("list the consumers in `keys`, or write `store: {}` to look for keys in the platform's store");
        }
        let keys = wire.keys.iter().flatten().map(|(name, key)| (name, &key.sha256, key.scopes.as_slice()));
        let keys = Consumers::compile(identity, keys, &KEYS, &at.child_key("keys"), compiler);
        let records = match &wire.store {
            Some(store) => {
                let times = (store.fresh.as_deref(), store.stale.as_deref());
                let usual = (FRESH, STALE, LONGEST_STALE);
                let (fresh, stale) = freshness::compile(times, usual, &at.child_key("store"), compiler)?;
                Some(Records::new(Arc::clone(identity), fresh, stale))
            }
            None => None,
        };
        Some(Self { header, keys, records })
    }

    /// The header that carries the key.
    pub(super) fn header(&self) -> &HeaderName {
        &self.header
    }

    /// Whose key it is.
    pub(super) async fn prove<P: Platform>(
        &self,
        platform: &P,
        value: &HeaderValue,
        now: Timestamp,
        aside: &mut Aside,
    ) -> Proof {
        let hash = digest::sha256(value.as_bytes());
        if let Some(principal) = self.keys.find(&hash) {
            return Proof::Proven(Arc::clone(principal));
        }
        match &self.records {
            Some(records) => records.prove(platform, hash, now, aside).await,
            None => refused(Reason::KeyUnknown),
        }
    }
}
