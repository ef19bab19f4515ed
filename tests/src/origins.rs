//! The upstreams and issuers of a case, for real: an origin for each target and each URL of a key set, and a configuration that
//! leads there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use portico::case::Case;
use portico::case::origin::{Inbox, Origin, Part, lock};
use portico::case::outside::issuers;
use portico::case::subject::{Received, targets};
use serde_json::Value;

/// Origins. They end when this is dropped.
pub(crate) struct Origins {
    /// The case's configuration, with the addresses of origins in place of its targets' and issuers'.
    pub(crate) config: Value,
    /// Where the service of each binding is that the configuration names as a target (`binding://NAME`).
    pub(crate) bindings: Vec<(String, SocketAddr)>,
    inbox: Inbox,
    _all: Vec<Origin>,
}

impl Origins {
    /// Starts those of a case.
    pub(crate) fn start(case: &Case) -> Result<Self, String> {
        let inbox = Inbox::default();
        let (mut config, mut bindings, mut all) = (case.config.clone(), Vec::new(), Vec::new());
        let mut scripts = BTreeMap::new();
        for (upstream, index, authority) in targets(&case.config)? {
            let script =
                Arc::clone(scripts.entry(upstream.clone()).or_insert_with(|| Arc::new(case.script(&upstream))));
            let part = Part { upstream: upstream.clone(), authority: authority.clone(), script };
            let origin = Origin::start(part, Arc::clone(&inbox))
                .map_err(|error| format!("no origin could be started: {error}"))?;
            if let Some(url) = target(&mut config, &upstream, index) {
                match url.as_str().is_some_and(|url| url.starts_with("binding://")) {
                    true => bindings.push((authority, origin.address())),
                    false => redirect(url, origin.address()),
                }
            }
            all.push(origin);
        }
        for (identity, url) in issuers(&case.config) {
            let uri: http::Uri = url.parse().map_err(|_| format!("{url:?} is no URL"))?;
            let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
            let script = Arc::clone(scripts.entry(url.clone()).or_insert_with(|| Arc::new(case.issuer(&url))));
            let origin = Origin::start(Part { upstream: url, authority, script }, Arc::clone(&inbox))
                .map_err(|error| format!("no origin could be started: {error}"))?;
            if let Some(url) = key_set(&mut config, &identity) {
                redirect(url, origin.address());
            }
            all.push(origin);
        }
        Ok(Self { config, bindings, inbox, _all: all })
    }

    /// What reached them since this was asked last, by the names of their upstreams.
    pub(crate) fn received(&self) -> BTreeMap<String, Vec<Received>> {
        std::mem::take(&mut *lock(&self.inbox))
    }
}

/// The URL of a target.
fn target<'c>(config: &'c mut Value, upstream: &str, index: usize) -> Option<&'c mut Value> {
    config.get_mut("upstreams")?.get_mut(upstream)?.get_mut("targets")?.get_mut(index)?.get_mut("url")
}

/// The URL of an identity's key set.
fn key_set<'c>(config: &'c mut Value, identity: &str) -> Option<&'c mut Value> {
    let jwks = config.get_mut("identities")?.get_mut(identity)?.get_mut("jwt")?.get_mut("jwks")?;
    if jwks.is_string() { Some(jwks) } else { jwks.get_mut("url") }
}

/// Puts the address of an origin in place of a URL's, and leaves path and query.
fn redirect(url: &mut Value, address: SocketAddr) {
    let parsed = url.as_str().and_then(|text| text.parse::<http::Uri>().ok()).unwrap_or_default();
    let rest = parsed.path_and_query().map_or("/", |rest| rest.as_str());
    *url = Value::String(format!("http://{address}{rest}"));
}
