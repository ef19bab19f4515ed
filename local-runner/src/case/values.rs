//! The small things of a case file: header lines, bodies, and the texts they are compared with.

use std::collections::BTreeMap;
use std::time::Duration;

use portico_core::config::{Findings, Pointer, units};
use portico_core::decision::Reason;
use regex_lite::Regex;
use serde_json::Value;

use super::expect::{Decided, Expect, Matcher, Seen};
use super::{Payload, Respond, Send, wire};

/// Reads values and notes what is wrong with them.
pub(super) struct Values<'a> {
    pub(super) findings: &'a mut Findings,
}

pub(super) fn duration(text: &str, at: &Pointer, findings: &mut Findings) -> Option<Duration> {
    units::duration(text).map_err(|message| findings.error(at, message)).ok()
}

impl Values<'_> {
    pub(super) fn respond(&mut self, wire: &wire::Respond, at: &Pointer) -> Option<Respond> {
        let mut headers = self.lines(&wire.headers, &at.child_key("headers"));
        let body = self.payload(&wire.json, &wire.body, &wire.chunks, at)?;
        if wire.json.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        Some(Respond { status: wire.status.unwrap_or(200), headers, body })
    }

    pub(super) fn send(&mut self, wire: &wire::Send, at: &Pointer) -> Option<Send> {
        let Some((authority, target)) = split_url(&wire.url) else {
            self.findings.error(at.child_key("url"), format!("expected http://HOST/PATH, found {:?}", wire.url));
            return None;
        };
        let own = self.lines(&wire.headers, &at.child_key("headers"));
        let says = |name: &str| wire.headers.keys().any(|own| own.eq_ignore_ascii_case(name));
        let mut headers = Vec::new();
        if !says("host") {
            headers.push(("Host".to_owned(), authority.to_owned()));
        }
        headers.extend(own);
        if wire.json.is_some() && !says("content-type") {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        let body = match wire.body_bytes {
            Some(size) => Payload::Sized(vec![b'x'; size]),
            None => self.payload(&wire.json, &wire.body, &wire.chunks, at)?,
        };
        match &body {
            Payload::Sized(bytes) if !says("content-length") => {
                headers.push(("Content-Length".to_owned(), bytes.len().to_string()));
            }
            Payload::Chunked(_) if !says("transfer-encoding") => {
                headers.push(("Transfer-Encoding".to_owned(), "chunked".to_owned()));
            }
            Payload::None | Payload::Sized(_) | Payload::Chunked(_) => {}
        }
        let target = wire.target.clone().unwrap_or(target);
        let method = wire.method.clone().unwrap_or_else(|| "GET".to_owned());
        if target.contains([' ', '\r', '\n']) || method.contains([' ', '\r', '\n']) {
            self.findings.error(at, "a request line has no blanks in its method and target");
        }
        Some(Send { method, target, headers, body })
    }

    fn payload(
        &mut self,
        json: &Option<Value>,
        body: &Option<String>,
        chunks: &Option<Vec<String>>,
        at: &Pointer,
    ) -> Option<Payload> {
        match (json, body, chunks) {
            (None, None, None) => Some(Payload::None),
            (Some(json), None, None) => Some(Payload::Sized(json.to_string().into_bytes())),
            (None, Some(body), None) => Some(Payload::Sized(body.clone().into_bytes())),
            (None, None, Some(chunks)) => {
                Some(Payload::Chunked(chunks.iter().map(|chunk| chunk.clone().into_bytes()).collect()))
            }
            _ => {
                self.findings.error(at, "`json`, `body` and `chunks` exclude each other");
                None
            }
        }
    }

    /// Header fields: text, or a list of texts for several lines.
    fn lines(&mut self, headers: &BTreeMap<String, Value>, at: &Pointer) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for (name, value) in headers {
            let texts = self.texts(value, &at.child_key(name)).unwrap_or_default();
            lines.extend(texts.into_iter().map(|text| (name.clone(), text)));
        }
        lines
    }

    fn texts(&mut self, value: &Value, at: &Pointer) -> Option<Vec<String>> {
        let one = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let texts = match value {
            Value::Array(values) => values.iter().map(one).collect(),
            value => one(value).map(|text| vec![text]),
        };
        if texts.is_none() {
            self.findings.error(at, "expected text, or a list of texts");
        }
        texts
    }

    pub(super) fn expect(&mut self, wire: &wire::Expect, at: &Pointer) -> Option<Expect> {
        let problem = match &wire.problem {
            Some(code) => Some(self.reason(code, &at.child_key("problem"))?),
            None => None,
        };
        let upstream_at = at.child_key("upstream");
        let upstream = wire.upstream.as_ref().map(|all| {
            let seen = all.iter().map(|(name, requests)| {
                let at = upstream_at.child_key(name);
                let each = requests.iter().enumerate().map(|(index, seen)| self.seen(seen, &at.child_index(index)));
                (name.clone(), each.collect())
            });
            seen.collect()
        });
        let decisions_at = at.child_key("decisions");
        let decisions = wire.decisions.iter().map(|(policy, text)| self.decided(policy, text, &decisions_at));
        let decisions = decisions.collect();
        let headers = self.matchers(&wire.headers, &at.child_key("headers"));
        let body = wire.body.as_ref().and_then(|value| self.matcher(value, &at.child_key("body")));
        Some(Expect { status: wire.status, problem, headers, json: wire.json.clone(), body, upstream, decisions })
    }

    fn reason(&mut self, code: &str, at: &Pointer) -> Option<Reason> {
        let reason = Reason::ALL.iter().copied().find(|reason| reason.code() == code);
        if reason.is_none() {
            self.findings.error(at, format!("{code:?} is no reason code"));
        }
        reason
    }

    fn decided(&mut self, policy: &str, text: &str, at: &Pointer) -> Decided {
        let at = at.child_key(policy);
        let (outcome, reason) = match text.split_once(' ') {
            Some((outcome, reason)) => (outcome, Some(reason)),
            None => (text, None),
        };
        if let Some(code) = reason {
            self.reason(code, &at);
        }
        if !["allow", "deny", "would_deny", "respond", "none"].contains(&outcome) {
            let message = format!("expected allow, deny, would_deny, respond or none, found {outcome:?}");
            self.findings.error(&at, message);
        }
        let outcome = (outcome != "none").then(|| outcome.to_owned());
        Decided { policy: policy.to_owned(), outcome, reason: reason.map(str::to_owned) }
    }

    fn seen(&mut self, wire: &wire::Seen, at: &Pointer) -> Seen {
        Seen {
            method: wire.method.clone(),
            path: wire.path.clone(),
            query: wire.query.clone(),
            headers: self.matchers(&wire.headers, &at.child_key("headers")),
            json: wire.json.clone(),
            body: wire.body.as_ref().and_then(|value| self.matcher(value, &at.child_key("body"))),
            body_bytes: wire.body_bytes,
        }
    }

    fn matchers(&mut self, headers: &BTreeMap<String, Value>, at: &Pointer) -> Vec<(String, Matcher)> {
        let mut matchers = Vec::new();
        for (name, value) in headers {
            let matcher = self.matcher(value, &at.child_key(name));
            matchers.extend(matcher.map(|matcher| (name.to_ascii_lowercase(), matcher)));
        }
        matchers
    }

    fn matcher(&mut self, value: &Value, at: &Pointer) -> Option<Matcher> {
        let Some(map) = value.as_object() else { return self.texts(value, at).map(Matcher::Lines) };
        let mut entries = map.iter();
        let (Some((key, value)), None) = (entries.next(), entries.next()) else {
            self.findings
                .error(at, "expected text, a list, or one of { matches }, { contains }, { lacks } and { present }");
            return None;
        };
        let at = at.child_key(key);
        match (key.as_str(), value) {
            ("present", Value::Bool(present)) => Some(Matcher::Present(*present)),
            ("contains", Value::String(text)) => Some(Matcher::Contains(text.clone())),
            ("lacks", Value::String(text)) => Some(Matcher::Lacks(text.clone())),
            ("matches", Value::String(text)) => match Regex::new(&format!("^(?:{text})$")) {
                Ok(regex) => Some(Matcher::Matches(regex)),
                Err(error) => {
                    self.findings.error(&at, error.to_string());
                    None
                }
            },
            _ => {
                self.findings
                    .error(&at, "expected { matches: regex }, { contains: text }, { lacks: text } or { present: bool }")
                    .on_key();
                None
            }
        }
    }
}

/// The authority and the request target of a URL, both as written.
fn split_url(url: &str) -> Option<(&str, String)> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end)?;
    if authority.is_empty() {
        return None;
    }
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Some((authority, target))
}
