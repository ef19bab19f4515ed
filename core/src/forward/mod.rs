//! Forwarding: what a request loses and gains on its way upstream, and what a response loses on its way back.

pub mod forwarded;
pub mod hop_by_hop;
mod retry;
mod target;

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{COOKIE, HOST, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};

pub use target::{BINDING, Upstream, UpstreamTarget};

use self::retry::Retry;
use crate::body::Body;
use crate::context::{Context, TRACEPARENT, X_REQUEST_ID};
use crate::debug::X_PORTICO_TRACE;
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

    let (outcome, attempts) = match upstream.retry() {
        None => (once(upstream, platform, context, headers, target.as_ref(), body).await, 1),
        Some(retry) => repeatedly(retry, upstream, platform, context, headers, target.as_ref(), body).await,
    };
    let detail = if attempts > 1 { Cow::Owned(format!("{attempts} attempts")) } else { Cow::Borrowed("") };
    match outcome {
        Ok(mut response) => {
            context.allow(Policy::Forward, Reason::Forwarded, detail);
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                hop_by_hop::remove(response.headers_mut());
            }
            // only the gateway says what it decided
            response.headers_mut().remove(&X_PORTICO_TRACE);
            Ok(response)
        }
        Err(Failure::Fetch(FetchError::RequestTooLarge)) => {
            let refusal =
                body_limit.map_or_else(|| Refusal::new(Policy::BodyLimit, Reason::BodyTooLarge), BodyLimit::refusal);
            // the declared length was fine and the decision said so: this one replaces it
            context.decisions.retain(|decision| decision.policy != Policy::BodyLimit);
            Err(context.refused(refusal))
        }
        Err(Failure::Fetch(FetchError::Unsendable)) => {
            let detail = "Its method, or a body with this method, cannot be sent on from here.";
            Err(context.refused(Refusal::new(Policy::Forward, Reason::RequestMalformed).detail(detail)))
        }
        Err(failure) => Err(context.refused(Refusal::new(Policy::Forward, failure.reason()).note(detail))),
    }
}

/// Why there is no response.
#[derive(Debug)]
enum Failure {
    /// The upstream has no target.
    NoTarget,
    /// The path and query make no URI.
    NoUri,
    /// The platform's reason.
    Fetch(FetchError),
}

impl Failure {
    const fn reason(&self) -> Reason {
        match self {
            Self::NoTarget | Self::Fetch(FetchError::Connect) => Reason::UpstreamUnreachable,
            Self::NoUri => Reason::TemplateValueUnsafe,
            Self::Fetch(FetchError::Timeout) => Reason::UpstreamTimeout,
            Self::Fetch(FetchError::Reset) => Reason::UpstreamBroken,
            Self::Fetch(FetchError::Unsendable) => Reason::RequestMalformed,
            Self::Fetch(FetchError::RequestTooLarge) => Reason::BodyTooLarge,
            Self::Fetch(FetchError::ClientTimeout) => Reason::ClientTimeout,
            Self::Fetch(FetchError::ClientGone) => Reason::ClientGone,
        }
    }
}

/// One attempt, with a target of its own.
async fn once<'g, P: Platform>(
    upstream: &'g Upstream,
    platform: &P,
    context: &mut Context<'g>,
    headers: HeaderMap,
    target: Option<&Target<'_>>,
    body: Body<P::Stream>,
) -> Result<Response<Body<P::Stream>>, Failure> {
    let chosen = upstream.choose(platform).ok_or(Failure::NoTarget)?;
    context.upstream = Some(chosen.name());
    let uri = match (target, &context.canonical) {
        (Some(target), _) => chosen.uri(&target.path, target.query.as_deref()),
        (None, Some(path)) => chosen.uri(path, context.uri.query()),
        (None, None) => chosen.uri_as_it_came(&context.uri),
    };
    let mut request = Request::new(body);
    *request.method_mut() = context.method.clone();
    *request.uri_mut() = uri.ok_or(Failure::NoUri)?;
    *request.headers_mut() = headers;
    *request.version_mut() = Version::HTTP_11;
    platform.fetch(request, upstream.timeout()).await.map_err(Failure::Fetch)
}

/// As many attempts as the request and its failures are worth, and how many that were.
async fn repeatedly<'g, P: Platform>(
    retry: &Retry,
    upstream: &'g Upstream,
    platform: &P,
    context: &mut Context<'g>,
    headers: HeaderMap,
    target: Option<&Target<'_>>,
    body: Body<P::Stream>,
) -> (Result<Response<Body<P::Stream>>, Failure>, u32) {
    let kept = match retry.keep(platform, upstream.timeout(), &headers, body).await {
        Ok(Body::Empty) => Bytes::new(),
        Ok(Body::Full(bytes)) => bytes,
        Ok(body) => return (once(upstream, platform, context, headers, target, body).await, 1),
        Err(error) => return (Err(Failure::Fetch(error)), 1),
    };
    retry.note_first();
    let mut attempt = 1;
    loop {
        let outcome = once(upstream, platform, context, headers.clone(), target, kept.clone().into()).await;
        match retry.again(platform, &context.method, &headers, &outcome, attempt) {
            Some(wait) => platform.sleep(wait).await,
            None => return (outcome, attempt),
        }
        attempt += 1;
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

fn add_trace(headers: &mut HeaderMap, context: &Context<'_>) {
    headers.insert(X_REQUEST_ID, context.id.to_header());
    headers.insert(TRACEPARENT, context.trace.traceparent());
    if !context.trace.continued {
        headers.remove(TRACESTATE);
    }
}
