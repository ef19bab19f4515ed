//! The access log: one JSON object for each request, the same on every platform.

use std::borrow::Cow;

use http::HeaderValue;
use serde::Serialize;

use super::Record;
use crate::peer::Country;
use crate::platform::Timestamp;
use crate::time::rfc3339;

/// A line as it is written; `docs/command-line.md` describes the fields.
///
/// The query is not among them: keys, tokens and addresses of people stand in queries, and a log is read by more people
/// than the request was meant for.
#[derive(Debug, Serialize)]
struct Line<'a> {
    time: String,
    request_id: &'a str,
    trace_id: String,
    client: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    method: &'a str,
    host: Option<Cow<'a, str>>,
    path: Cow<'a, str>,
    status: u16,
    duration_ms: f64,
    route: Option<&'a str>,
    identity: Option<&'a str>,
    consumer: Option<&'a str>,
    upstream: Option<&'a str>,
    user_agent: Option<Cow<'a, str>>,
    decisions: Vec<Decision<'a>>,
    config: String,
}

#[derive(Debug, Serialize)]
struct Decision<'a> {
    policy: &'a str,
    outcome: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

/// Longer texts of a client's own are cut off: lines that wait to be written must not fill the memory.
const LONGEST: usize = 2 * 1024;

impl Record {
    /// The request as one JSON object without line breaks, as `docs/command-line.md` describes it. `now`: when the head of
    /// its response was ready.
    pub fn to_json(&self, now: Timestamp) -> String {
        // texts and numbers only: this does not fail
        serde_json::to_string(&line(self, now)).unwrap_or_default()
    }
}

fn line(record: &Record, now: Timestamp) -> Line<'_> {
    let principal = record.principal.as_deref();
    Line {
        time: rfc3339(record.received),
        request_id: record.id.as_str(),
        trace_id: format!("{:032x}", record.trace.trace_id),
        client: record.client.to_string(),
        country: record.country.map(Country::as_str),
        asn: record.asn,
        method: record.method.as_str(),
        host: record.authority.as_ref().map(text),
        path: shortened(Cow::Borrowed(record.uri.path())),
        status: record.status.as_u16(),
        duration_ms: now.since(record.received).as_micros() as f64 / 1_000.0,
        route: record.route.as_deref(),
        identity: principal.map(|principal| &*principal.identity),
        consumer: principal.map(|principal| &*principal.consumer),
        upstream: record.upstream.as_deref(),
        user_agent: record.user_agent.as_ref().map(text),
        decisions: record
            .decisions
            .iter()
            .map(|decision| Decision {
                policy: decision.policy.as_str(),
                outcome: decision.outcome.as_str(),
                reason: decision.reason.code(),
                detail: &decision.detail,
            })
            .collect(),
        config: record.config.to_string(),
    }
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    shortened(String::from_utf8_lossy(value.as_bytes()))
}

fn shortened(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.get(..text.floor_char_boundary(LONGEST)) {
        Some(start) if start.len() < text.len() => Cow::Owned(format!("{start}…")),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::after::Seen;
    use crate::config::Hash;
    use crate::peer::Peer;
    use crate::platform::Platform as _;
    use crate::sim::Sim;

    #[test]
    fn what_is_known_of_a_client_is_told() {
        let line = |peer: &Peer| {
            let (sim, request) = (Sim::new(1), http::Request::new(()));
            let seen = Seen::new(&sim, &request);
            let record = Record::abandoned(&sim, peer, seen, Hash::of(&serde_json::Value::Null));
            record.to_json(sim.now())
        };
        let mut peer = Sim::peer();
        assert!(line(&peer).contains(r#""client":"192.0.2.1","method""#), "{}", line(&peer));
        (peer.country, peer.asn) = (Country::parse("DE"), Some(64_496));
        let told = r#""client":"192.0.2.1","country":"DE","asn":64496,"method""#;
        assert!(line(&peer).contains(told), "{}", line(&peer));
    }

    #[test]
    fn long_texts_are_cut_off() {
        assert_eq!(shortened(Cow::Borrowed("/short")), "/short");
        let cut = shortened(Cow::Owned("é".repeat(LONGEST)));
        assert_eq!(cut.len(), LONGEST + '…'.len_utf8());
    }
}
