//! Forwarding: what a request loses and gains on its way upstream, and what a response loses on its way back.

pub mod forwarded;
pub mod hop_by_hop;
mod target;

use http::header::{COOKIE, HOST, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};

pub use target::{Upstream, UpstreamTarget};

use crate::body::Body;
use crate::context::{Context, TRACEPARENT, X_REQUEST_ID};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::platform::{FetchError, Platform};
use crate::policy::body_limit::BodyLimit;
use crate::policy::transform::Target;

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Step 12 of a request's life: sends the request to a target of `upstream`, and returns its response without hop-by-hop
/// fields. `headers` are the client's, already transformed.
pub(crate) async fn forward<'g, P: Platform>(
    upstream: &'g Upstream,
    platform: &P,
    context: &mut Context<'g>,
    body_limit: Option<&BodyLimit>,
    mut headers: HeaderMap,
    target: Option<Target<'_>>,
    body: Body<P::Stream>,
) -> Result<Response<Body<P::Stream>>, Refusal> {
    let Some(chosen) = upstream.choose(platform) else {
        return Err(refused(context, Reason::UpstreamUnreachable));
    };
    context.upstream = Some(chosen.name());
    let uri = match (&target, &context.canonical) {
        (Some(target), _) => chosen.uri(&target.path, target.query.as_deref()),
        (None, Some(path)) => chosen.uri(path, context.uri.query()),
        (None, None) => chosen.uri_as_it_came(&context.uri),
    };
    let Some(uri) = uri else {
        return Err(refused(context, Reason::TemplateValueUnsafe));
    };
    headers.reserve(8);
    headers.remove(HOST);
    if let Some(host) = context.authority.as_ref().filter(|_| upstream.preserve_host()) {
        headers.insert(HOST, host.clone());
    }
    forwarded::add(&mut headers, context);
    // RFC 9110 §7.6.3: which version came in, and who took it
    let via = if context.version == Version::HTTP_2 { "2 portico" } else { "1.1 portico" };
    headers.append(VIA, HeaderValue::from_static(via));
    add_trace(&mut headers, context);

    let mut request = Request::new(body);
    *request.method_mut() = context.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    *request.version_mut() = Version::HTTP_11;
    match platform.fetch(request, upstream.timeout()).await {
        Ok(mut response) => {
            context.allow(Policy::Forward, Reason::Forwarded, "");
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                hop_by_hop::remove(response.headers_mut());
            }
            Ok(response)
        }
        Err(FetchError::RequestTooLarge) => {
            let refusal =
                body_limit.map_or_else(|| Refusal::new(Policy::BodyLimit, Reason::BodyTooLarge), BodyLimit::refusal);
            // the declared length was fine and the decision said so: this one replaces it
            context.decisions.retain(|decision| decision.policy != Policy::BodyLimit);
            Err(context.refused(refusal))
        }
        Err(FetchError::Connect) => Err(refused(context, Reason::UpstreamUnreachable)),
        Err(FetchError::Timeout) => Err(refused(context, Reason::UpstreamTimeout)),
        Err(FetchError::Reset) => Err(refused(context, Reason::UpstreamBroken)),
        Err(FetchError::ClientTimeout) => Err(refused(context, Reason::ClientTimeout)),
        Err(FetchError::ClientGone) => Err(refused(context, Reason::ClientGone)),
    }
}

/// One `Cookie` field of several: HTTP/2 may split it, HTTP/1.1 knows only one (RFC 9113 §8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    if let (Some(_), Some(_)) = (crumbs.next(), crumbs.next()) {
        let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        match HeaderValue::from_bytes(&crumbs.join(b"; ".as_slice())) {
            Ok(joined) => headers.insert(COOKIE, joined),
            Err(_) => headers.remove(COOKIE),
        };
    }
}

fn refused(context: &mut Context<'_>, reason: Reason) -> Refusal {
    context.refused(Refusal::new(Policy::Forward, reason))
}

fn add_trace(headers: &mut HeaderMap, context: &Context<'_>) {
    headers.insert(X_REQUEST_ID, context.id.to_header());
    headers.insert(TRACEPARENT, context.trace.traceparent());
    if !context.trace.continued {
        headers.remove(TRACESTATE);
    }
}
