//! The action `purge`: whoever may call the route says what is no longer to be served.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use serde::Deserialize;

use super::Node;
use super::key::url_of;
use crate::body::Body;
use crate::cache::{Purge, Scope};
use crate::context::Context;
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::platform::{CollectError, Platform, within};

/// The most bytes of one request, and how many things it may name.
const MAX_BODY: u64 = 64 << 10;
const MOST: usize = 30;

/// How long the request's body may take.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// What a request says. Nothing else may be in it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Order {
    urls: Vec<String>,
    prefixes: Vec<String>,
    tags: Vec<String>,
    everything: bool,
    soft: bool,
}

/// Purges what the request's body says.
pub(crate) async fn purge<P: Platform>(
    node: &Node,
    platform: &P,
    context: &mut Context<'_>,
    body: Body<P::Stream>,
) -> Result<Response<Body<P::Stream>>, Refusal> {
    if context.method != Method::POST {
        return Err(context.refused(Refusal::new(Policy::Route, Reason::MethodNotAllowed).allow("POST")));
    }
    let bytes = match body {
        Body::Empty => bytes::Bytes::new(),
        Body::Full(bytes) => bytes,
        Body::Stream(stream) => {
            let collected = within(platform.sleep(TIMEOUT), platform.collect(stream, MAX_BODY)).await;
            let reason = match collected {
                Some(Ok(bytes)) => Ok(bytes),
                Some(Err(CollectError::TooLarge)) => Err(Reason::BodyTooLarge),
                Some(Err(CollectError::Broken)) => Err(Reason::ClientGone),
                None => Err(Reason::ClientTimeout),
            };
            reason.map_err(|reason| context.refused(Refusal::new(Policy::Cache, reason)))?
        }
    };
    let malformed = |detail: String| Refusal::new(Policy::Cache, Reason::RequestMalformed).detail(detail);
    let order = match serde_json::from_slice::<Order>(&bytes) {
        Ok(order) => order,
        Err(error) => return Err(context.refused(malformed(format!("What is to be purged cannot be read: {error}.")))),
    };
    let soft = order.soft;
    let scopes = match order.scopes() {
        Ok(scopes) => scopes,
        Err(detail) => return Err(context.refused(malformed(detail))),
    };
    let (at, count) = (platform.now(), scopes.len());
    for scope in scopes {
        if node.purge(platform, &Purge { scope, at, soft }).await.is_err() {
            let detail = "Not all of it is purged. Purge it again.";
            return Err(context.refused(Refusal::new(Policy::Cache, Reason::StoreUnavailable).detail(detail)));
        }
    }
    context.respond(Policy::Cache, Reason::Purged);
    let said = serde_json::json!({ "purged": count, "soft": soft });
    let mut response = Response::new(Body::from(said.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

impl Order {
    /// What it concerns, or what is wrong with it.
    fn scopes(self) -> Result<Vec<Scope>, String> {
        let url =
            |text: &String| url_of(text).ok_or_else(|| format!("`{text}` is no URL like https://example.com/path."));
        let mut scopes: Vec<Scope> = Vec::new();
        for text in &self.urls {
            scopes.push(Scope::Url(url(text)?.into()));
        }
        for text in &self.prefixes {
            scopes.push(Scope::Prefix(url(text)?.into()));
        }
        for tag in self.tags {
            if tag.is_empty()
                || tag.len() > 1_024
                || tag.contains(|letter: char| letter.is_whitespace() || letter == ',')
            {
                return Err(format!("`{tag}` is no tag: 1 to 1024 characters without blanks and commas."));
            }
            scopes.push(Scope::Tag(tag.into()));
        }
        if self.everything {
            scopes.push(Scope::Everything);
        }
        match scopes.len() {
            0 => Err("Say what is to be purged: `urls`, `prefixes`, `tags` or `everything`.".to_owned()),
            count if count > MOST => Err(format!("At most {MOST} things are purged at once.")),
            _ => Ok(scopes),
        }
    }
}
