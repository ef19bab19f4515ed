//! Invalidation (RFC 9111 §4.4): a request that may have changed what is at a URL, and succeeded, ends the use of what is stored of it.

use std::collections::BTreeMap;

use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderName, Response, StatusCode, Uri};

use super::chore::Spot;
use super::key::host;
use crate::body::Body;
use crate::cache::Entry;
use crate::context::Context;
use crate::digest;
use crate::gateway::Gateway;
use crate::platform::Timestamp;
use crate::route;

/// Notes what an upstream's answer changed: what is at the request's URL, and at those of `Location` and `Content-Location`, if they are
/// on the same host. Whatever route changes it, what concerns the cache is the route that serves a GET there.
///
/// This node serves nothing of them any more, whoever asks. What is stored under the key that the request would have there is removed, for
/// other nodes and later processes.
pub(crate) fn note_change<S>(
    gateway: &Gateway,
    context: &mut Context<'_>,
    response: &Response<Body<S>>,
    now: Timestamp,
) {
    let succeeded = response.status().is_success() || response.status().is_redirection();
    if context.method.is_safe() || !succeeded || response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let mut changed: Vec<Spot> = spot(gateway, context, context.path(), context.uri.query(), now).into_iter().collect();
    for uri in [LOCATION, CONTENT_LOCATION].iter().filter_map(|name| named(context, response, name)) {
        // what is no path that a route could have is not stored
        let Ok(canonical) = route::canonical(uri.path()) else { continue };
        changed.extend(spot(gateway, context, &canonical.path, uri.query(), now));
    }
    context.changed.extend(changed);
}

/// Where the route that caches there keeps what a GET of this caller brings.
fn spot(gateway: &Gateway, context: &Context<'_>, path: &str, query: Option<&str>, now: Timestamp) -> Option<Spot> {
    let route = gateway.route_of_get(context.host(), &context.headers, path, query)?;
    let cache = route.policies.cache.as_ref()?;
    gateway.responses.change(&cache.key.url_at(context, path, query), now);
    Some(Spot { key: cache.key.at(context, path, query), reach: cache.reach })
}

/// The URL that a field names, if it is on the request's host. Relative ones are resolved against the root at most: others are rare, and
/// what is not found is not invalidated (§4.4 demands the request's own).
fn named<S>(context: &Context<'_>, response: &Response<Body<S>>, name: &HeaderName) -> Option<Uri> {
    let uri: Uri = response.headers().get(name)?.to_str().ok()?.parse().ok()?;
    let here = context.host()?;
    let same = |authority: &str| host(authority, context.secure) == host(here, context.secure);
    let same = uri.authority().is_none_or(|authority| same(authority.as_str()));
    (same && uri.path().starts_with('/')).then_some(uri)
}

/// Of how many URLs it is known when they were last changed.
const MOST: usize = 16_384;

/// What was changed, and when: of each URL 128 bits of hash, so that whoever chooses URLs does not choose how much is held. When there are
/// too many, the older half counts as all URLs: more is asked for again than was changed, and never less.
#[derive(Debug, Default)]
pub(super) struct Changes {
    urls: BTreeMap<u128, Timestamp>,
    /// When the last one was of those that are no longer known one by one.
    everything: Option<Timestamp>,
    /// When the last one was.
    latest: Option<Timestamp>,
}

impl Changes {
    /// What is at a URL (`host/path?query`) was changed.
    pub(super) fn add(&mut self, url: &str, at: Timestamp) {
        self.latest = self.latest.max(Some(at));
        let known = self.urls.entry(id(url)).or_insert(at);
        *known = at.max(*known);
        if self.urls.len() > MOST {
            let mut times: Vec<Timestamp> = self.urls.values().copied().collect();
            let middle = times.len() / 2;
            let until = *times.select_nth_unstable(middle).1;
            self.urls.retain(|_, at| *at > until);
            self.everything = self.everything.max(Some(until));
        }
    }

    /// Whether a response may be from before: it was asked for until then.
    pub(super) fn concern(&self, entry: &Entry) -> bool {
        let after = |at: Option<Timestamp>| at.is_some_and(|at| entry.requested <= at);
        after(self.latest) && (after(self.everything) || after(self.urls.get(&id(&entry.url)).copied()))
    }
}

fn id(url: &str) -> u128 {
    let [first @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = digest::sha256(url.as_bytes());
    u128::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Lifetime;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn entry(url: &str, at: Timestamp) -> Entry {
        Entry::new(url, StatusCode::OK, http::HeaderMap::new(), bytes::Bytes::new(), at, at, Lifetime::default())
    }

    #[test]
    fn a_change_concerns_what_was_asked_for_before() {
        let mut changes = Changes::default();
        let later = |micros| START + std::time::Duration::from_micros(micros);
        changes.add("a/1", later(1));
        assert!(changes.concern(&entry("a/1", START)) && changes.concern(&entry("a/1", later(1))));
        assert!(!changes.concern(&entry("a/1", later(2))) && !changes.concern(&entry("a/2", START)));
    }

    #[test]
    fn what_is_held_is_bounded_and_never_laxer() {
        let mut changes = Changes::default();
        for index in 0..3 * MOST as u64 {
            changes.add(&format!("a/{index}"), Timestamp::from_micros(START.as_micros() + index));
            assert!(changes.urls.len() <= MOST);
        }
        for index in 0..3 * MOST as u64 {
            assert!(changes.concern(&entry(&format!("a/{index}"), START)), "{index}");
        }
        assert!(!changes.concern(&entry("a/0", Timestamp::from_micros(START.as_micros() + 3 * MOST as u64))));
    }
}
