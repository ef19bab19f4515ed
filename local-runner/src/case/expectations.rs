//! What is expected in a case file: statuses, texts, decisions, and what reaches upstreams.

use std::collections::BTreeMap;

use portico_core::config::Pointer;
use portico_core::decision::{Outcome, Policy, Reason};
use regex_lite::Regex;
use serde_json::Value;

use super::expect::{Decided, Expect, Matcher, Seen};
use super::values::Values;
use super::wire;

impl Values<'_> {
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
        let decisions = wire.decisions.iter().filter_map(|(policy, text)| self.decided(policy, text, &decisions_at));
        let decisions = decisions.collect();
        let headers = self.matchers(&wire.headers, &at.child_key("headers"));
        let body = wire.body.as_ref().and_then(|value| self.matcher(value, &at.child_key("body")));
        let (status, breaks, json) = (wire.status, wire.breaks, wire.json.clone());
        Some(Expect { status, problem, breaks, headers, json, body, upstream, decisions })
    }

    fn reason(&mut self, code: &str, at: &Pointer) -> Option<Reason> {
        let reason = Reason::ALL.iter().copied().find(|reason| reason.code() == code);
        if reason.is_none() {
            self.findings.error(at, format!("{code:?} is no reason code"));
        }
        reason
    }

    fn decided(&mut self, policy: &str, text: &str, at: &Pointer) -> Option<Decided> {
        let at = at.child_key(policy);
        let Some(policy) = Policy::ALL.into_iter().find(|known| known.as_str() == policy) else {
            let known = Policy::ALL.map(Policy::as_str).join(", ");
            let finding = self.findings.error(&at, format!("{policy:?} decides nothing"));
            finding.on_key().help(format!("known: {known}"));
            return None;
        };
        let (outcome, reason) = match text.split_once(' ') {
            Some((outcome, reason)) => (outcome, Some(self.reason(reason, &at)?)),
            None => (text, None),
        };
        let known = Outcome::ALL.into_iter().find(|known| known.as_str() == outcome);
        if known.is_none() && outcome != "none" {
            let message = format!("expected allow, deny, would_deny, respond or none, found {outcome:?}");
            self.findings.error(&at, message);
        }
        Some(Decided { policy, outcome: known, reason })
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
