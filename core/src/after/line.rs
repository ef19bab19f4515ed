//! The access log: one JSON object for each request, the same on every platform.

use std::borrow::Cow;

use http::HeaderValue;

use super::Record;
use crate::decision::Decision;
use crate::net;
use crate::platform::Timestamp;
use crate::time::rfc3339;

/// Longer texts of a client's own are cut off: lines that wait to be written must not fill the memory.
const LONGEST: usize = 2 * 1024;

/// Enough for the line of most requests.
const USUAL: usize = 1024;

impl Record {
    /// The request as one JSON object without line breaks, as `docs/command-line.md` describes it. `now`: when the head of
    /// its response was ready.
    ///
    /// The query is not in it: keys, tokens and addresses of people stand in queries, and a log is read by more people
    /// than the request was meant for.
    pub fn to_json(&self, now: Timestamp) -> String {
        let principal = self.principal.as_deref();
        let mut line = Object(String::with_capacity(USUAL));
        line.text("time", &rfc3339(self.received));
        line.text("request_id", self.id.as_str());
        line.text("trace_id", &self.trace.id());
        line.text("client", &net::text(self.client));
        if let Some(country) = &self.country {
            line.text("country", country.as_str());
        }
        if let Some(asn) = self.asn {
            line.number("asn", asn.into());
        }
        line.text("method", self.method.as_str());
        line.text_or_null("host", self.authority.as_ref().map(text).as_deref());
        line.text("path", &shortened(Cow::Borrowed(self.uri.path())));
        line.number("status", self.status.as_u16().into());
        line.milliseconds("duration_ms", now.since(self.received).as_micros());
        line.text_or_null("route", self.route.as_deref());
        line.text_or_null("identity", principal.map(|principal| &*principal.identity));
        line.text_or_null("consumer", principal.map(|principal| &*principal.consumer));
        line.text_or_null("upstream", self.upstream.as_deref());
        line.text_or_null("user_agent", self.user_agent.as_ref().map(text).as_deref());
        line.decisions("decisions", &self.decisions);
        line.text("config", &self.config.to_string());
        line.end()
    }
}

/// A JSON object on its way. By hand: with serde_json, and what it would have to be given, a line took more of the processor than all
/// decisions about its request.
struct Object(String);

impl Object {
    /// Names here are words, which need no escapes.
    fn key(&mut self, name: &str) {
        self.0.push_str(if self.0.is_empty() { "{\"" } else { ",\"" });
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn text(&mut self, name: &str, text: &str) {
        self.key(name);
        self.string(text);
    }

    fn text_or_null(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => {
                self.key(name);
                self.0.push_str("null");
            }
        }
    }

    fn number(&mut self, name: &str, number: u64) {
        self.key(name);
        self.0.push_str(itoa::Buffer::new().format(number));
    }

    /// As a number with as many decimals as it takes, and one at least.
    fn milliseconds(&mut self, name: &str, micros: u128) {
        self.key(name);
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        self.0.push_str(itoa::Buffer::new().format(micros / 1_000));
        let digit = |value: u64| char::from(b'0' + (value % 10) as u8);
        self.0.extend(['.', digit(micros / 100)]);
        if micros % 100 > 0 {
            self.0.push(digit(micros / 10));
        }
        if micros % 10 > 0 {
            self.0.push(digit(micros));
        }
    }

    fn decisions(&mut self, name: &str, decisions: &[Decision]) {
        self.key(name);
        for (index, decision) in decisions.iter().enumerate() {
            self.0.push_str(if index == 0 { "[{\"policy\":\"" } else { ",{\"policy\":\"" });
            self.0.push_str(decision.policy.as_str());
            self.0.push_str("\",\"outcome\":\"");
            self.0.push_str(decision.outcome.as_str());
            self.0.push_str("\",\"reason\":\"");
            self.0.push_str(decision.reason.code());
            self.0.push('"');
            if !decision.detail.is_empty() {
                self.text("detail", &decision.detail);
            }
            self.0.push('}');
        }
        self.0.push_str(if decisions.is_empty() { "[]" } else { "]" });
    }

    fn string(&mut self, text: &str) {
        let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        // every byte is looked at, rather than those up to the first that is not plain: so many are at once
        if text.bytes().fold(true, |all, byte| all & plain(byte)) {
            self.0.extend(["\"", text, "\""]);
        } else {
            // a text: this does not fail
            self.0.push_str(&serde_json::to_string(text).unwrap_or_default());
        }
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    shortened(String::from_utf8_lossy(value.as_bytes()))
}

fn shortened(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return text;
    }
    match text.get(..text.floor_char_boundary(LONGEST)) {
        Some(start) => Cow::Owned(format!("{start}…")),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::after::Seen;
    use crate::config::Hash;
    use crate::decision::{Outcome, Policy, Reason};
    use crate::peer::{Country, Peer};
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
    fn what_is_written_is_json_and_says_what_it_was_given() {
        let texts = ["", "plain", "a \"quote\"", "back\\slash", "line\nbreak", "\u{1}\u{1f}\u{7f}", "é … \u{2028} 🦀"];
        for text in texts {
            let mut object = Object(String::new());
            object.text("a", text);
            object.text_or_null("b", Some(text));
            object.text_or_null("c", None);
            object.number("d", u64::MAX);
            let decision = |detail: &str| Decision {
                policy: Policy::RateLimit,
                outcome: Outcome::WouldDeny,
                reason: Reason::RateLimited,
                detail: detail.to_owned().into(),
            };
            object.decisions("e", &[]);
            object.decisions("f", &[decision(text), decision("")]);
            let read: serde_json::Value = serde_json::from_str(&object.end()).unwrap();
            let bare = json!({ "policy": "rate_limit", "outcome": "would_deny", "reason": Reason::RateLimited.code() });
            let mut told = bare.clone();
            if !text.is_empty() {
                told["detail"] = text.into();
            }
            assert_eq!(read, json!({ "a": text, "b": text, "c": null, "d": u64::MAX, "e": [], "f": [told, bare] }));
        }
    }

    #[test]
    fn milliseconds_have_the_decimals_they_need() {
        for (micros, written) in
            [(0, "0.0"), (7, "0.007"), (70, "0.07"), (700, "0.7"), (1_000, "1.0"), (12_340_056, "12340.056")]
        {
            let mut object = Object(String::new());
            object.milliseconds("a", micros);
            assert_eq!(object.end(), format!("{{\"a\":{written}}}"));
        }
    }

    #[test]
    fn long_texts_are_cut_off() {
        assert_eq!(shortened(Cow::Borrowed("/short")), "/short");
        let cut = shortened(Cow::Owned("é".repeat(LONGEST)));
        assert_eq!(cut.len(), LONGEST + '…'.len_utf8());
    }
}
