//! Answers: from core's response to what each front of Lambda takes for one.
//!
//! | front | fields | cookies | body |
//! |---|---|---|---|
//! | REST API, HTTP API with payload 1.0 | every line, `multiValueHeaders` | likewise | text or base64 |
//! | HTTP API, Function URL | lines of a name joined, `headers` | `cookies` | text or base64 |
//! | load balancer, multi-value headers | every line, `multiValueHeaders` | likewise | text or base64 |
//! | load balancer | lines of a name joined, `headers` | names that differ in the case of their letters | text or base64 |
//! | any that streams | as above | as above | as it is, after the prelude |

mod fields;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, SET_COOKIE};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use portico_core::context::{RequestId, X_REQUEST_ID};
use portico_core::decision::{Policy, Reason};
use portico_core::{Body, Refusal};
use serde::Serialize;

use self::fields::{Cookies, Joined, Lines};
use crate::event::Front;
use crate::post::DELIMITER;

/// How long an answer may be, in bytes of its JSON: 6 MiB and 100 bytes, as Lambda's own error says.
pub(crate) const LIMIT: usize = 6_291_556;
/// The same behind a load balancer, which takes less: 1 MiB.
pub(crate) const ALB_LIMIT: usize = 1_048_576;

/// How long the head of a stream may be behind a REST API, which looks for its end within 16 KiB.
const PRELUDE_LIMIT: usize = 16 * 1024 - DELIMITER.len();

/// An answer as Lambda takes it.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status that the client sees: the response's, or that of the problem which stands in for it.
    pub(crate) status: StatusCode,
    pub(crate) json: Vec<u8>,
}

/// The answer that is a whole response. One that is longer than the front takes is replaced by a problem.
pub(crate) fn whole(front: Front, head: Parts, body: &[u8]) -> Answer {
    let json = written(front, &head, body);
    let limit = limit(front);
    if json.len() <= limit {
        return Answer { status: head.status, json };
    }
    let refusal = Refusal::new(Policy::Forward, Reason::ResponseTooLarge)
        .detail(format!("The response takes {} bytes, and at most {limit} can be handed on.", json.len()));
    instead(front, head, &refusal)
}

/// The answer that is a problem in place of a response. It keeps what is said about the request (its id, CORS, limits) and drops what was
/// said about the body.
pub(crate) fn instead(front: Front, mut head: Parts, refusal: &Refusal) -> Answer {
    let (problem, body) = problem(refusal, id(&head)).into_parts();
    fields::remove_body_fields(&mut head.headers);
    head.headers.extend(problem.headers);
    head.status = problem.status;
    let json = written(front, &head, &body);
    Answer { status: head.status, json }
}

/// What goes before the body in an answer that is streamed: the JSON of one without a body.
pub(crate) fn prelude(front: Front, head: &Parts) -> Vec<u8> {
    let mut json = Vec::with_capacity(2048);
    write(&mut json, &Wire::of(front, head));
    json
}

/// The problem in place of a streamed response whose prelude is longer than the front takes.
pub(crate) fn too_long(front: Front, head: &Parts, prelude: &[u8]) -> Option<Response<Bytes>> {
    if front != Front::Rest || prelude.len() <= PRELUDE_LIMIT {
        return None;
    }
    let detail =
        format!("The response's fields take {} bytes, and at most {PRELUDE_LIMIT} can be handed on.", prelude.len());
    let refusal = Refusal::new(Policy::Forward, Reason::ResponseTooLarge).detail(detail);
    let mut response = problem(&refusal, id(head));
    response.headers_mut().extend(head.headers.get(X_REQUEST_ID).cloned().map(|id| (X_REQUEST_ID, id)));
    Some(response)
}

fn id(head: &Parts) -> &str {
    head.headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default()
}

/// The response to a request that core takes no part in, or of which nothing came. Its id is made of `random`.
pub(crate) fn refused(refusal: &Refusal, random: u128) -> Response<Bytes> {
    let id = RequestId::new(random);
    let mut response = problem(refusal, id.as_str());
    response.headers_mut().insert(X_REQUEST_ID, id.to_header());
    response
}

fn problem(refusal: &Refusal, id: &str) -> Response<Bytes> {
    refusal.response::<Bytes>(id).map(|body| match body {
        Body::Empty => Bytes::new(),
        Body::Full(bytes) | Body::Stream(bytes) => bytes,
    })
}

/// How long an answer to this front may be.
pub(crate) const fn limit(front: Front) -> usize {
    match front {
        Front::Alb { .. } => ALB_LIMIT,
        Front::Rest | Front::HttpPayload1 | Front::Http | Front::FunctionUrl => LIMIT,
    }
}

/// An answer, as every front writes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Joined<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<Lines<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<Vec<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_base64_encoded: Option<bool>,
}

impl<'a> Wire<'a> {
    /// All but the body.
    fn of(front: Front, head: &'a Parts) -> Self {
        let joined = |cookies| Some(Joined { headers: &head.headers, cookies });
        let (headers, multi_value_headers) = match front {
            Front::Rest | Front::HttpPayload1 | Front::Alb { multi: true } => (None, Some(Lines(&head.headers))),
            Front::Http | Front::FunctionUrl => (joined(Cookies::Elsewhere), None),
            Front::Alb { multi: false } => (joined(Cookies::ByCase), None),
        };
        let cookies = || head.headers.get_all(SET_COOKIE).iter().map(fields::text).collect();
        Self {
            status_code: head.status.as_u16(),
            status_description: matches!(front, Front::Alb { .. }).then(|| description(head.status)),
            headers,
            multi_value_headers,
            cookies: matches!(front, Front::Http | Front::FunctionUrl).then(cookies),
            body: None,
            is_base64_encoded: None,
        }
    }
}

fn written(front: Front, head: &Parts, body: &[u8]) -> Vec<u8> {
    let text = text(&head.headers, body);
    let is_base64_encoded = text.is_none();
    let body = text.map_or_else(|| Cow::Owned(BASE64_STANDARD.encode(body)), Cow::Borrowed);
    let mut json = Vec::with_capacity(body.len() + body.len() / 8 + 2048);
    write(&mut json, &Wire { body: Some(body), is_base64_encoded: Some(is_base64_encoded), ..Wire::of(front, head) });
    json
}

fn write(json: &mut Vec<u8>, wire: &Wire<'_>) {
    let done = serde_json::to_writer(json, wire);
    debug_assert!(done.is_ok(), "an answer is names and texts: {done:?}");
}

/// A body that can stand in JSON as it is. One with a coding is not text, even if it happens to look like it.
fn text<'b>(headers: &HeaderMap, body: &'b [u8]) -> Option<&'b str> {
    std::str::from_utf8(body).ok().filter(|_| !headers.contains_key(CONTENT_ENCODING))
}

/// The status line's end, which a load balancer wants to be told.
fn description(status: StatusCode) -> String {
    [status.as_str(), status.canonical_reason().unwrap_or("Unknown")].join(" ")
}
