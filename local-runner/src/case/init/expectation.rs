//! What came of a request, written down as what is expected. What changes from one time to the next is left out.

use std::collections::BTreeSet;

use portico_core::config::wire::{HeaderEdit, Route, Setting};
use portico_core::decision::Policy;
use serde_json::{Map, Value};

use super::observe::{Seen, value};
use super::yaml::{Entry, Yaml, entry};
use crate::case::subject::Received;

/// Longer bodies are not written down.
const LONG: usize = 1_000;

/// Which header fields matter, in lower case: those that the configuration speaks of.
#[derive(Debug, Default)]
pub(super) struct Fields {
    response: BTreeSet<String>,
    request: BTreeSet<String>,
    /// Whether the route has an upstream at all.
    forwards: bool,
}

impl Fields {
    pub(super) fn of(route: &Route) -> Self {
        let edited = |edit: &HeaderEdit| edit.set.keys().chain(edit.add.keys()).cloned().collect::<Vec<_>>();
        let mut response: Vec<String> = vec!["location".to_owned()];
        if let Some(respond) = &route.respond {
            response.extend(respond.headers.keys().cloned());
        }
        if let Some(Setting::On(transform)) = &route.policies.response {
            response.extend(edited(&transform.headers));
        }
        let request = match &route.policies.request {
            Some(Setting::On(transform)) => edited(&transform.headers),
            _ => Vec::new(),
        };
        let lower = |names: Vec<String>| names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { response: lower(response), request: lower(request), forwards: route.upstream.is_some() }
    }
}

/// Whether keys are explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comments {
    Explain,
    Leave,
}

/// What to expect of a request. Of the response's header fields `more` matter, too.
pub(super) fn expectation(seen: &Seen, fields: &Fields, more: &[&str], comments: Comments) -> Vec<Entry> {
    let about = |entry: Entry, text: &str| match comments {
        Comments::Explain => entry.about(text),
        Comments::Leave => entry,
    };
    let Seen { answer, again } = seen;
    let mut expect = vec![entry("status", number(answer.status.into()))];
    if let Some(reason) = seen.problem() {
        expect.push(about(entry("problem", reason.code()), "the gateway's own error, by its code"));
    }
    let matters = |name: &str| fields.response.contains(name) || more.contains(&name);
    let headers = lines(&answer.headers, &again.headers, &matters);
    if !headers.is_empty() {
        expect.push(entry("headers", headers));
    }
    if seen.problem().is_none() {
        expect.extend(body(seen));
    }
    if fields.forwards {
        let got = |(name, received): (&String, &Vec<Received>)| {
            let again = again.upstream.get(name).map(Vec::as_slice).unwrap_or_default();
            let pairs = received.iter().zip(again);
            entry(name.as_str(), pairs.map(|(one, again)| request(one, again, fields).into()).collect::<Vec<Yaml>>())
        };
        let upstream: Vec<_> = answer.upstream.iter().map(got).collect();
        let text = match upstream.as_slice() {
            [] => "nothing reached an upstream",
            _ => "every request that reached an upstream, as it came there",
        };
        expect.push(about(entry("upstream", upstream), text));
    }
    let decisions = decisions(seen);
    if !decisions.is_empty() {
        expect.push(about(entry("decisions", decisions), "what the policies decided, and why"));
    }
    expect
}

pub(super) fn number(number: u64) -> Yaml {
    Yaml::from(&Value::from(number))
}

fn decisions(seen: &Seen) -> Vec<Entry> {
    let told = [Policy::Cors, Policy::Ip, Policy::RateLimit, Policy::Auth];
    let decided = told.into_iter().filter_map(|policy| seen.decision(policy));
    decided
        .map(|decision| {
            entry(decision.policy.as_str(), format!("{} {}", decision.outcome.as_str(), decision.reason.code()))
        })
        .collect()
}

/// Header fields that matter; of what changes only that it is there.
fn lines(all: &[(String, String)], again: &[(String, String)], matters: &dyn Fn(&str) -> bool) -> Vec<Entry> {
    let names: BTreeSet<_> = all.iter().map(|(name, _)| name.as_str()).filter(|name| matters(name)).collect();
    let of = |all: &[(String, String)], name: &str| -> Vec<String> {
        all.iter().filter(|(other, _)| other == name).map(|(_, value)| value.clone()).collect()
    };
    let one = |name: &str| {
        let values = of(all, name);
        let expected: Yaml = match values.as_slice() {
            _ if values != of(again, name) => vec![entry("present", Yaml::from(&Value::Bool(true)))].into(),
            [value] => value.as_str().into(),
            values => values.iter().map(|value| value.as_str().into()).collect::<Vec<Yaml>>().into(),
        };
        entry(usual(name), expected)
    };
    names.into_iter().map(one).collect()
}

/// A field's name as people write it: `X-Consumer`.
fn usual(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        first.to_ascii_uppercase() + rest
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

fn body(seen: &Seen) -> Option<Entry> {
    let Seen { answer, again } = seen;
    if answer.body.is_empty() || answer.body != again.body || answer.body.len() > LONG {
        return None;
    }
    let json = value(answer, "content-type").is_some_and(|kind| kind.starts_with("application/json"));
    match serde_json::from_slice::<Value>(&answer.body) {
        // an object without members would fit every object
        Ok(value) if json && value != Value::Object(Map::new()) => Some(entry("json", &value)),
        _ => Some(entry("body", std::str::from_utf8(&answer.body).ok()?)),
    }
}

fn request(received: &Received, again: &Received, fields: &Fields) -> Vec<Entry> {
    let mut seen = vec![entry("method", received.method.as_str())];
    if received.path == again.path {
        seen.push(entry("path", received.path.as_str()));
    }
    if received.query == again.query && !received.query.is_empty() {
        seen.push(entry("query", received.query.as_str()));
    }
    let headers = lines(&received.headers, &again.headers, &|name| fields.request.contains(name));
    if !headers.is_empty() {
        seen.push(entry("headers", headers));
    }
    seen
}
