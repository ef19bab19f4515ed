//! What is sent and answered in a case file: requests, responses, header lines, bodies.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use portico_core::config::{Findings, Pointer, units};
use portico_core::{Certificate, Country};
use serde_json::Value;

use super::outside::Keys;
use super::{Outcome, Payload, Peer, Respond, Rule, Send, When, wire};

/// Reads values and notes what is wrong with them.
pub(super) struct Values<'a> {
    pub(super) findings: &'a mut Findings,
    /// The names of the case's tokens.
    pub(super) tokens: &'a [&'a str],
    /// The public keys of the case's tokens.
    pub(super) keys: &'a Keys,
}

impl Values<'_> {
    pub(super) fn duration(&mut self, text: &str, at: &Pointer) -> Option<Duration> {
        units::duration(text).map_err(|message| self.findings.error(at, message)).ok()
    }

    pub(super) fn rule(&mut self, rule: &wire::Rule, at: &Pointer) -> Option<Rule> {
        let outcome = match (&rule.respond, rule.fail) {
            (Some(respond), None) => Outcome::Respond(self.respond(respond, &at.child_key("respond"))?),
            (None, Some(wire::Fault::ConnectError)) => Outcome::ConnectError,
            (None, Some(wire::Fault::Timeout)) => Outcome::Timeout,
            (None, Some(wire::Fault::Reset)) => Outcome::Reset,
            _ => {
                self.findings.error(at, "a rule has either `respond` or `fail`");
                return None;
            }
        };
        self.not_zero(rule.times, &at.child_key("times"));
        let wire::When { method, path, query, headers } = rule.when.clone();
        let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        Some(Rule { when: When { method, path, query, headers }, times: rule.times, outcome })
    }

    pub(super) fn rules(&mut self, rules: &[wire::Rule], at: &Pointer) -> Vec<Rule> {
        let gone = |rule: &wire::Rule| matches!(rule.fail, Some(wire::Fault::ConnectError));
        if rules.iter().any(|rule| gone(rule) && (rules.len() > 1 || rule.times.is_some())) {
            let message = "`connect_error` is an upstream's only rule, for all requests: what is not there reads none";
            self.findings.error(at, message);
        }
        let rules = rules.iter().enumerate();
        rules.filter_map(|(index, rule)| self.rule(rule, &at.child_index(index))).collect()
    }

    /// What happens no time at all is a mistake.
    pub(super) fn not_zero(&mut self, times: Option<u32>, at: &Pointer) {
        if times == Some(0) {
            self.findings.error(at, "expected 1 at least");
        }
    }

    pub(super) fn peer(&mut self, peer: &wire::Peer, at: &Pointer) -> Peer {
        let mut parsed = Peer { asn: peer.asn, ..Peer::new(Ipv4Addr::LOCALHOST.into(), peer.secure) };
        if let Some(code) = &peer.country {
            parsed.country = Country::parse(code);
            if parsed.country.is_none() {
                let message =
                    format!("{code:?} is no country code: expected two capital letters of ISO 3166-1 such as DE");
                self.findings.error(at.child_key("country"), message);
            }
        }
        if let Some(certificate) = &peer.certificate {
            let at = at.child_key("certificate");
            let wire::Certificate { subject, issuer, serial, sha256 } = certificate.clone();
            let sha256 = sha256.unwrap_or_else(|| "0".repeat(64));
            match Certificate::new(subject, issuer, serial, &sha256) {
                Some(certificate) => parsed.certificate = Some(certificate.into()),
                None => {
                    self.findings.error(at.child_key("sha256"), "expected 64 hex digits");
                }
            }
            if !peer.secure {
                self.findings.error(&at, "only an encrypted connection has one: add `secure: true`");
            }
        }
        if let Some(text) = &peer.address {
            match text.parse() {
                Ok(address) => parsed.address = address,
                Err(_) => {
                    self.findings.error(at.child_key("address"), format!("{text:?} is no IP address"));
                }
            }
        }
        parsed
    }

    fn respond(&mut self, wire: &wire::Respond, at: &Pointer) -> Option<Respond> {
        let mut headers = self.lines(&wire.headers, &at.child_key("headers"));
        let set = match &wire.keys_of {
            Some(names) => self.set(names, &at.child_key("keys_of")),
            None => None,
        };
        let body = match (set, self.payload(&wire.json, &wire.body, &wire.chunks, at)?) {
            (None, body) => body,
            (Some(set), Payload::None) => Payload::Sized(set.into_bytes()),
            (Some(_), _) => {
                self.findings.error(at, "`keys_of` is a body of its own");
                return None;
            }
        };
        if (wire.json.is_some() || wire.keys_of.is_some())
            && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let delay = match &wire.delay {
            Some(text) => Some(self.duration(text, &at.child_key("delay"))?),
            None => None,
        };
        let break_at = at.child_key("break_after");
        if wire.break_after.is_some_and(|after| after >= body.bytes().len()) {
            self.findings.error(break_at, "the body is not longer than that: nothing would break");
        }
        Some(Respond { status: wire.status.unwrap_or(200), headers, body, delay, break_after: wire.break_after })
    }

    pub(super) fn send(&mut self, wire: &wire::Send, at: &Pointer) -> Option<Send> {
        let Some((authority, target)) = split_url(&wire.url) else {
            self.findings.error(at.child_key("url"), format!("expected http://HOST/PATH, found {:?}", wire.url));
            return None;
        };
        let headers_at = at.child_key("headers");
        let own = self.lines(&wire.headers, &headers_at);
        for (name, value) in &own {
            self.placeholders(value, &headers_at.child_key(name));
        }
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

    /// `${token.NAME}` stands for a token that the case has.
    fn placeholders(&mut self, text: &str, at: &Pointer) {
        for rest in text.split("${token.").skip(1) {
            if rest.split_once('}').is_some_and(|(name, _)| self.tokens.contains(&name)) {
                continue;
            }
            let known: Vec<_> = self.tokens.iter().map(|name| format!("${{token.{name}}}")).collect();
            let help = match known.as_slice() {
                [] => "`tokens` has none".to_owned(),
                known => format!("known: {}", known.join(", ")),
            };
            self.findings.error(at, "this stands for no token").help(help);
        }
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

    pub(super) fn texts(&mut self, value: &Value, at: &Pointer) -> Option<Vec<String>> {
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
