//! Invalidation (RFC 9111 §4.4): a request that may have changed what is at a URL, and succeeded, ends the use of what is stored of it.

use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderName, Response, StatusCode, Uri};

use crate::body::Body;
use crate::context::Context;
use crate::gateway::Gateway;
use crate::platform::Timestamp;

/// Notes what an upstream's answer changed: what is at the request's URL, and at those of `Location` and `Content-Location`, if they are
/// on the same host. Whatever route changes it, what concerns the cache is the route that serves a GET there.
pub(crate) fn note_change<S>(gateway: &Gateway, context: &Context<'_>, response: &Response<Body<S>>, now: Timestamp) {
    let succeeded = response.status().is_success() || response.status().is_redirection();
    if context.method.is_safe() || !succeeded || response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    changed(gateway, context, context.path(), context.uri.query(), now);
    for uri in [LOCATION, CONTENT_LOCATION].iter().filter_map(|name| named(context, response, name)) {
        changed(gateway, context, uri.path(), uri.query(), now);
    }
}

fn changed(gateway: &Gateway, context: &Context<'_>, path: &str, query: Option<&str>, now: Timestamp) {
    if let Some(cache) = gateway.route_of_get(context, path, query).and_then(|route| route.policies.cache.as_ref()) {
        gateway.responses.change(&cache.key.url_at(context, path, query), now);
    }
}

/// The URL that a field names, if it is on the request's host. Relative ones are resolved against the root at most: others are rare, and
/// what is not found is not invalidated (§4.4 demands the request's own).
fn named<S>(context: &Context<'_>, response: &Response<Body<S>>, name: &HeaderName) -> Option<Uri> {
    let uri: Uri = response.headers().get(name)?.to_str().ok()?.parse().ok()?;
    let here = context.host()?;
    let same = uri.authority().is_none_or(|authority| authority.as_str().eq_ignore_ascii_case(here));
    (same && uri.path().starts_with('/')).then_some(uri)
}
