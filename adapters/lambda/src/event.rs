//! Events: from what a front of Lambda makes of a request to core's request.
//!
//! | front | path | query | fields | client |
//! |---|---|---|---|---|
//! | REST API | as sent, without the stage | decoded, every value | every line | `requestContext.identity` |
//! | HTTP API, payload 1.0 | decoded, with the stage | decoded, every value | every line | `requestContext.identity` |
//! | HTTP API, payload 2.0 | decoded, with the stage | as sent | lines of a name joined, cookies apart | `requestContext.http` |
//! | Function URL | as sent | as sent | the same | `requestContext.http` |
//! | load balancer | as sent | as sent; with multi-value headers every value, else the last | likewise | the last of `X-Forwarded-For` |
//!
//! Where a form is lost it is made again: what was decoded is encoded. What cannot be made again is lost before it comes here: in the
//! path of an HTTP API, whether a `/` was `%2F`, and what stood behind `%3F`; among the query keys of payload 1.0, their order.

mod certificate;
mod fields;
mod target;
#[cfg(test)]
mod tests;
mod wire;

use std::net::{IpAddr, Ipv6Addr};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use portico_core::Peer;

use self::target::Form;
use self::wire::{Context, Event, Text};

/// A request, who sent it, and through which front.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) front: Front,
    pub(crate) peer: Peer,
    pub(crate) request: Request<Bytes>,
}

/// What stands between the client and the function, as far as its answers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    /// An API Gateway REST API.
    Rest,
    /// An API Gateway HTTP API with payload 1.0.
    HttpPayload1,
    /// An API Gateway HTTP API with payload 2.0.
    Http,
    /// A Function URL.
    FunctionUrl,
    /// An Application Load Balancer; `multi` says whether its target group has multi-value headers.
    Alb { multi: bool },
}

/// Why there is no request for core.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The event is none of a client's request, so that there is nobody to answer: the invocation fails.
    #[error("{0}")]
    Event(String),
    /// The request is none that core takes; what the client is told.
    #[error("{detail}")]
    Request { front: Front, detail: &'static str },
}

const HELP: &str = "help: put the function behind an API Gateway HTTP API or REST API, a Function URL, or an Application Load Balancer";

/// The request behind an event.
pub(crate) fn request(event: &[u8]) -> Result<Incoming, Refused> {
    let mut event: Event<'_> =
        serde_json::from_slice(event).map_err(|error| refused(&format!("the event is no HTTP request: {error}")))?;
    let body = body(event.body.take(), event.is_base64_encoded == Some(true))?;
    if event.asks.is_some() {
        return Err(refused("the event asks an authorizer, which this function is not"));
    }
    let Some(context) = &event.request_context else {
        return Err(refused("the event is no HTTP request"));
    };
    if context.connection_id.is_some() {
        return Err(refused("the event is one of a WebSocket API, which is not supported"));
    }
    let message = Message::new(&event, context)?;
    let front = message.front;
    message.request(&event, context, body).map_err(|detail| Refused::Request { front, detail })
}

fn refused(why: &str) -> Refused {
    Refused::Event(format!("{why}; {HELP}"))
}

/// What the fronts say in different places.
struct Message<'e> {
    front: Front,
    method: &'e str,
    /// `None` when the path is none.
    target: Option<Uri>,
    /// The client's address; `None` where a field says it.
    source: Option<&'e str>,
    certificate: Option<&'e wire::ClientCert<'e>>,
}

impl<'e> Message<'e> {
    fn new(event: &'e Event<'e>, context: &'e Context<'e>) -> Result<Self, Refused> {
        let stage = context.stage.as_ref().map(|stage| &*stage.0);
        let version = event.version.as_ref().map(|version| &*version.0);
        let multi = event.multi_value_query_string_parameters.as_ref();
        let parameters = || wire::lines(event.query_string_parameters.as_ref(), multi);

        if let (Some(http), Some(path)) = (&context.http, &event.raw_path) {
            let (front, form) = match is_function_url(context) {
                true => (Front::FunctionUrl, Form::Sent),
                false => (Front::Http, Form::Decoded),
            };
            let path = target::path(target::without_stage(&path.0, stage), form);
            let query = event.raw_query_string.as_ref().map(|query| target::query(&query.0)).unwrap_or_default();
            return Ok(Self {
                front,
                method: &http.method.0,
                target: target::uri(&path, &query),
                source: http.source_ip.as_ref().map(|address| &*address.0),
                certificate: context.authentication.as_ref().and_then(|told| told.client_cert.as_ref()),
            });
        }
        let (Some(method), Some(path)) = (&event.http_method, &event.path) else {
            return Err(refused("the event is no HTTP request"));
        };
        if context.elb.is_some() {
            return Ok(Self {
                front: Front::Alb { multi: event.multi_value_headers.is_some() },
                method: &method.0,
                target: target::uri(&target::path(&path.0, Form::Sent), &target::joined(parameters(), Form::Sent)),
                source: None,
                certificate: None,
            });
        }
        let (front, path) = match version {
            Some("1.0") => (Front::HttpPayload1, target::path(target::without_stage(&path.0, stage), Form::Decoded)),
            _ => (Front::Rest, target::path(&path.0, Form::Sent)),
        };
        let identity = context.identity.as_ref().ok_or_else(|| refused("the event is no HTTP request"))?;
        Ok(Self {
            front,
            method: &method.0,
            target: target::uri(&path, &target::joined(parameters(), Form::Decoded)),
            source: identity.source_ip.as_ref().map(|address| &*address.0),
            certificate: identity.client_cert.as_ref(),
        })
    }

    fn request(self, event: &Event<'_>, context: &Context<'_>, body: Bytes) -> Result<Incoming, &'static str> {
        let lines = wire::lines(event.headers.as_ref(), event.multi_value_headers.as_ref());
        let mut headers = fields::fields(lines)?;
        if let Some(cookies) = &event.cookies {
            fields::insert_cookies(&mut headers, cookies)?;
        }
        fields::correct_length(&mut headers, body.len());

        let told = match self.source {
            Some(address) => address.parse().ok(),
            None => fields::appended_address(&headers),
        };
        if let Some(address) = told {
            fields::take_off_own_hops(&mut headers, address);
        }
        let secure = fields::secure(&headers).unwrap_or(!matches!(self.front, Front::Alb { .. }));
        let mut peer = Peer::new(told.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), secure);
        peer.certificate = self.certificate.and_then(certificate::certificate).map(Into::into);

        let mut request = Request::new(body);
        *request.method_mut() = Method::from_bytes(self.method.as_bytes()).map_err(|_| "The method is malformed.")?;
        *request.uri_mut() = self.target.ok_or("The request target is malformed.")?;
        *request.version_mut() = name_host(&mut headers, context)?;
        *request.headers_mut() = headers;
        Ok(Incoming { front: self.front, peer, request })
    }
}

/// By the only thing in which such an event differs from an HTTP API's. A Function URL has no other domain: what stands before it under
/// one asks for this one.
fn is_function_url(context: &Context<'_>) -> bool {
    context.domain_name.as_ref().is_some_and(|domain| domain.0.contains(".lambda-url."))
}

/// Makes sure of the host. What names none (a load balancer's health check) is what HTTP/1.0 permits.
fn name_host(headers: &mut HeaderMap, context: &Context<'_>) -> Result<Version, &'static str> {
    if headers.contains_key(HOST) {
        return Ok(Version::HTTP_11);
    }
    let Some(domain) = &context.domain_name else { return Ok(Version::HTTP_10) };
    headers.insert(HOST, HeaderValue::from_str(&domain.0).map_err(|_| "The host is malformed.")?);
    Ok(Version::HTTP_11)
}

fn body(text: Option<Text<'_>>, is_base64: bool) -> Result<Bytes, Refused> {
    let text = text.map(|text| text.0).unwrap_or_default();
    if !is_base64 {
        return Ok(Bytes::from(text.into_owned()));
    }
    let decoded = BASE64_STANDARD.decode(text.as_bytes());
    decoded.map(Bytes::from).map_err(|error| refused(&format!("the event's body is not base64: {error}")))
}
