//! A refusal: why a request ends early, and the problem document (RFC 9457) it is answered with.

use std::borrow::Cow;

use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::body::Body;
use crate::decision::{Policy, Reason};

/// Why and where a request was refused. Who is at fault, the status and the title all follow from the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The step that refused.
    pub policy: Policy,
    /// Why.
    pub reason: Reason,
    /// What this client should know about this occurrence (RFC 9457 §3.1.4); nothing internal.
    pub detail: Cow<'static, str>,
    /// What whoever runs the gateway should know besides: for the log, never for the client.
    pub note: Cow<'static, str>,
    /// Header fields that go with the status: `Allow`, `Retry-After`, `WWW-Authenticate`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal without particulars: the reason's title says it all.
    pub fn new(policy: Policy, reason: Reason) -> Self {
        Self { policy, reason, detail: Cow::Borrowed(""), note: Cow::Borrowed(""), headers: Vec::new() }
    }

    /// Adds what this client should know.
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Adds what only the log should know.
    pub fn note(mut self, note: impl Into<Cow<'static, str>>) -> Self {
        self.note = note.into();
        self
    }

    /// Adds `Allow` (RFC 9110 §10.2.1).
    pub fn allow(self, methods: &str) -> Self {
        self.header(ALLOW, methods)
    }

    /// Adds `Retry-After` in whole seconds, rounded up (RFC 9110 §10.2.3).
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, &seconds.to_string())
    }

    /// Adds one challenge (RFC 9110 §11.6.1).
    pub fn challenge(self, challenge: &str) -> Self {
        self.header(WWW_AUTHENTICATE, challenge)
    }

    fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The response: `application/problem+json` with `type`, `title`, `status`, `detail`, `instance` and `code`.
    pub fn response<S>(&self, request_id: &str) -> Response<Body<S>> {
        let status = self.reason.status();
        let detail = if self.detail.is_empty() { self.reason.title() } else { &self.detail };
        let problem = serde_json::json!({
            "type": format!("urn:portico:problem:{}", self.reason.code()),
            "title": self.reason.title(),
            "status": status.as_u16(),
            "detail": detail,
            "instance": request_id,
            "code": self.reason.code(),
        });
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        let mut response = Response::new(Body::from(problem.to_string()));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}
