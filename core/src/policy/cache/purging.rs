//! The action `purge`: whoever may call the route says what is no longer to be served.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use serde::Deserialize;

use super::key::Address;
use crate::body::Body;
use crate::cache::{Purge, Scope};
use crate::context::Context;
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::gateway::Gateway;
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
    gateway: &Gateway,
    platform: &P,
    context: &mut Context<'_>,
    body: Body<P::Stream>,
) -> Result<Response<Body<P::Stream>>, Refusal> {
    if context.method != Method::POST {
        return Err(context.refused(Refusal::new(Policy::Route, Reason::MethodNotAllowed).allow("POST")));
    }
    let bytes = match body {
        Body::Empty => bytes::Bytes::new(),
        Body::Full(bytes) if bytes.len() as u64 > MAX_BODY => {
            return Err(context.refused(Refusal::new(Policy::Cache, Reason::BodyTooLarge)));
        }
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
    let (soft, count) = (order.soft, order.count());
    let scopes = match order.scopes(gateway) {
        Ok(scopes) => scopes,
        Err(detail) => return Err(context.refused(malformed(detail))),
    };
    let at = platform.now();
    let purges: Vec<Purge> = scopes.into_iter().map(|scope| Purge { scope, at, soft }).collect();
    if gateway.responses.purge(platform, &purges).await.is_err() {
        let detail = "Not all of it is purged. Purge it again.";
        return Err(context.refused(Refusal::new(Policy::Cache, Reason::StoreUnavailable).detail(detail)));
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
    fn scopes(self, gateway: &Gateway) -> Result<Vec<Scope>, String> {
        let no_url = |text: &str| format!("`{text}` is no URL like https://example.com/path.");
        let urls = |text: &str| Address::parse(text).map(|at| at.urls(gateway)).ok_or_else(|| no_url(text));
        match self.count() {
            0 => return Err("Say what is to be purged: `urls`, `prefixes`, `tags` or `everything`.".to_owned()),
            count if count > MOST => return Err(format!("At most {MOST} things are purged at once.")),
            _ => {}
        }
        let mut scopes: Vec<Scope> = Vec::new();
        for text in &self.urls {
            scopes.extend(urls(text)?.into_iter().map(|url| Scope::Url(url.into())));
        }
        for text in &self.prefixes {
            // what begins so is not narrowed by what its own query lacks
            scopes.extend(urls(text)?.into_iter().take(1).map(|url| Scope::Prefix(url.into())));
        }
        for tag in self.tags {
            if !(1..=1_024).contains(&tag.len()) || tag.trim() != tag || tag.contains(',') {
                return Err(format!("`{tag}` is no tag: 1 to 1024 bytes without commas, and no blanks around it."));
            }
            scopes.push(Scope::Tag(tag.into()));
        }
        if self.everything {
            scopes.push(Scope::Everything);
        }
        Ok(scopes)
    }

    /// How many things it names.
    fn count(&self) -> usize {
        self.urls.len() + self.prefixes.len() + self.tags.len() + usize::from(self.everything)
    }
}
