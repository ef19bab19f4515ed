//! How two sets of facts about the same thing differ, and what that does to those who call.

use std::collections::{BTreeMap, BTreeSet};

use portico_core::config::Pointer;
use serde_json::Value;

use super::change::{Judgement, Place, Told, What};
use super::facts::{Fact, Facts, said};
use super::keys::{self, Effect};
use super::value::Canonical;

/// What differs between two sets of facts about the same thing.
pub(super) fn compare(old: &Facts, new: &Facts) -> Vec<(Judgement, What, Place)> {
    let keys: BTreeSet<&Pointer> = old.keys().chain(new.keys()).collect();
    let mut changes = Vec::new();
    let mut whole: Vec<Pointer> = Vec::new();
    for (part, added) in keys.iter().flat_map(|key| parts(key)).collect::<BTreeSet<_>>() {
        let within = |facts: &Facts| {
            facts.iter().find(|(key, _)| is_below(key, &part)).map(|(key, fact)| above(key, fact, &part))
        };
        let told = |facts: &Facts| said(facts.iter().filter(|(key, _)| is_below(key, &part)), &part);
        let key = part.clone();
        let (judgement, what, place) = match (within(old), within(new)) {
            (None, Some(at)) => (added, What::Added { key, says: told(new) }, Place::New(at)),
            (Some(at), None) => (added.opposite(), What::Removed { key, said: told(old) }, Place::Old(at)),
            _ => continue,
        };
        if !whole.iter().any(|known| is_below(&part, known)) {
            changes.push((judgement, what, place));
            whole.push(part);
        }
    }
    let keys = keys.into_iter().filter(|key| !whole.iter().any(|part| is_below(key, part)));
    changes.extend(keys.flat_map(|key| differences(key, old.get(key), new.get(key))));
    changes
}

/// The parts that a key is in.
fn parts(key: &Pointer) -> Vec<(Pointer, Judgement)> {
    let segments = key.segments();
    let parts = keys::PARTS.iter().filter_map(|(path, judgement)| {
        let length = path.split('.').count();
        let within = segments.get(..length)?;
        keys::leads(within, path).then(|| (within.iter().cloned().collect(), *judgement))
    });
    parts.collect()
}

/// Where the part is that a fact is in.
fn above(key: &Pointer, fact: &Fact, part: &Pointer) -> Pointer {
    let up = key.segments().len() - part.segments().len();
    let at = fact.at.segments();
    at.iter().take(at.len().saturating_sub(up)).cloned().collect()
}

fn is_below(key: &Pointer, part: &Pointer) -> bool {
    key.segments().starts_with(part.segments())
}

fn differences(key: &Pointer, old: Option<&Fact>, new: Option<&Fact>) -> Vec<(Judgement, What, Place)> {
    let (before, after) = (old.map(|fact| &fact.value), new.map(|fact| &fact.value));
    let Some(effect) = new.or(old).map(|fact| fact.effect).filter(|_| before != after) else { return Vec::new() };
    let place = match (old, new) {
        (Some(old), None) => Place::Old(old.at.clone()),
        (_, new) => Place::New(new.map_or_else(Pointer::root, |new| new.at.clone())),
    };
    let nothing = Canonical::Set(BTreeMap::new());
    let told = match (before.unwrap_or(&nothing), after.unwrap_or(&nothing)) {
        (Canonical::Set(before), Canonical::Set(after)) => of_sets(key, effect, before, after),
        _ => {
            let what = What::Value { key: key.clone(), old: before.map(Told::new), new: after.map(Told::new) };
            vec![(judgement(effect, before, after), what)]
        }
    };
    told.into_iter().map(|(judgement, what)| (judgement, what, place.clone())).collect()
}

/// What each element is compared by, and what it is shown as.
type Elements = BTreeMap<String, String>;

/// What came and what went. A set of nothing, spelled out, is what it is when it is left out.
fn of_sets(key: &Pointer, effect: Effect, old: &Elements, new: &Elements) -> Vec<(Judgement, What)> {
    let only = |one: &Elements, other: &Elements| -> Vec<String> {
        one.iter().filter(|(element, _)| !other.contains_key(*element)).map(|(_, shown)| shown.clone()).collect()
    };
    let (added, removed) = (only(new, old), only(old, new));
    if added.is_empty() && removed.is_empty() {
        return Vec::new();
    }
    let elements = |added, removed| What::Elements { key: key.clone(), added, removed };
    let grown = match effect {
        Effect::Permit if old.is_empty() || new.is_empty() => {
            let told = |set: &Elements| match set.is_empty() {
                true => Told { text: "any".to_owned(), json: Value::Null },
                false => Told::new(&Canonical::Set(set.clone())),
            };
            let judgement = if new.is_empty() { Judgement::Looser } else { Judgement::Tighter };
            return vec![(judgement, What::Value { key: key.clone(), old: Some(told(old)), new: Some(told(new)) })];
        }
        Effect::Permit => Judgement::Looser,
        Effect::Grow(judgement) => judgement,
        _ => return vec![(Judgement::Changed, elements(added, removed))],
    };
    let came = (!added.is_empty()).then(|| (grown, elements(added, Vec::new())));
    let went = (!removed.is_empty()).then(|| (grown.opposite(), elements(Vec::new(), removed)));
    came.into_iter().chain(went).collect()
}

fn judgement(effect: Effect, old: Option<&Canonical>, new: Option<&Canonical>) -> Judgement {
    match (effect, old, new) {
        (Effect::More(more), Some(Canonical::Amount(old, _)), Some(Canonical::Amount(new, _))) => {
            if new > old {
                more
            } else {
                more.opposite()
            }
        }
        (Effect::LooserAs(value), _, Some(new)) if new.shown() == value => Judgement::Looser,
        (Effect::LooserAs(_), _, _) => Judgement::Tighter,
        (Effect::Rising(values), Some(old), Some(new)) => {
            let rank = |value: &Canonical| values.iter().position(|known| *known == value.shown());
            if rank(new) > rank(old) { Judgement::Looser } else { Judgement::Tighter }
        }
        (Effect::Guard, None, Some(_)) => Judgement::Tighter,
        (Effect::Guard, Some(_), None) => Judgement::Looser,
        _ => Judgement::Changed,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::facts::facts;
    use super::super::keys::{IDENTITY, POLICIES};
    use super::*;

    fn told(policy: &str, old: Value, new: Value) -> Vec<String> {
        let under = Pointer::root().child_key(policy);
        let facts = |value: &Value| match policy {
            "jwt" | "api_key" | "client_cert" => facts(IDENTITY, value, &under, &under),
            _ => facts(POLICIES, value, &under, &under),
        };
        let differ = compare(&facts(&old), &facts(&new));
        differ.iter().map(|(judgement, what, _)| format!("{judgement}: {}", what.text())).collect()
    }

    #[test]
    fn what_lets_more_pass_is_looser() {
        for (policy, old, new, expected) in [
            ("rate_limit", json!({ "limit": 100 }), json!({ "limit": 200 }), "looser: rate_limit.limit 100 → 200"),
            ("rate_limit", json!({ "per": "1m" }), json!({ "per": "30s" }), "looser: rate_limit.per 1m → 30s"),
            (
                "rate_limit",
                json!({ "cost": { "base": 2 } }),
                json!({ "cost": { "base": 1 } }),
                "looser: rate_limit.cost.base 2 → 1",
            ),
            ("rate_limit", json!({}), json!({ "on_error": "local" }), "looser: rate_limit.on_error deny → local"),
            (
                "rate_limit",
                json!({ "on_error": "local" }),
                json!({ "on_error": "allow" }),
                "looser: rate_limit.on_error local → allow",
            ),
            (
                "rate_limit",
                json!({ "guarantee": "exact" }),
                json!({ "guarantee": "bounded" }),
                "looser: rate_limit.guarantee exact → bounded",
            ),
            ("rate_limit", json!({}), json!({ "lease": 20 }), "looser: rate_limit.lease 1 → 20"),
            ("auth", json!({ "scopes": ["a", "b"] }), json!({ "scopes": "b" }), "looser: auth.scopes now without a"),
            ("auth", json!({ "any_of": ["a"] }), json!({ "any_of": ["b", "a"] }), "looser: auth.any_of now with b"),
            ("auth", json!({}), json!({ "optional": true }), "looser: auth.optional false → true"),
            ("auth", json!({}), json!({ "mode": "observe" }), "looser: auth.mode enforce → observe"),
            ("auth", json!({ "claims": { "role": "a" } }), json!({}), "looser: auth.claims.role a → any"),
            ("ip", json!({ "allow": ["10.0.0.0/8"] }), json!({}), "looser: ip.allow 10.0.0.0/8 → any"),
            ("ip", json!({ "deny": ["10.0.0.1"] }), json!({}), "looser: ip.deny now without 10.0.0.1"),
            (
                "ip",
                json!({ "allow": ["10.0.0.0/8"] }),
                json!({ "allow": ["country:DE", "10.0.0.0/8"] }),
                "looser: ip.allow now with country:DE",
            ),
            (
                "ip",
                json!({ "deny": ["asn:64496", "asn:64497"] }),
                json!({ "deny": ["asn:64497"] }),
                "looser: ip.deny now without asn:64496",
            ),
            ("client_cert", json!({ "any": false }), json!({ "any": true }), "looser: client_cert.any false → true"),
            (
                "client_cert",
                json!({ "certs": { "acme": { "sha256": "AB" } } }),
                json!({ "certs": { "acme": { "sha256": ["ab", "cd"] } } }),
                "looser: client_cert.certs.acme.sha256 now with cd",
            ),
            (
                "client_cert",
                json!({ "certs": { "acme": { "sha256": "ab" } } }),
                json!({ "certs": { "acme": { "sha256": "ab" }, "beta": { "sha256": "cd" } } }),
                "looser: client_cert.certs.beta added: sha256 cd",
            ),
            ("body_limit", json!({ "max": "1KiB" }), json!({ "max": "1MiB" }), "looser: body_limit.max 1KiB → 1MiB"),
            (
                "cors",
                json!({ "origins": ["https://a"] }),
                json!({ "origins": ["https://b", "https://A"] }),
                "looser: cors.origins now with https://b",
            ),
            ("jwt", json!({ "audience": "a" }), json!({ "audience": ["a", "b"] }), "looser: jwt.audience now with b"),
            (
                "security_headers",
                json!({ "content_security_policy": "x" }),
                json!({}),
                "looser: security_headers.content_security_policy x → not set",
            ),
        ] {
            assert_eq!(told(policy, old.clone(), new.clone()), [expected]);
            let back = told(policy, new, old);
            assert!(back.len() == 1 && back[0].starts_with("tighter: "), "{back:?}");
        }
    }

    #[test]
    fn elements_that_came_and_elements_that_went_are_told_apart() {
        assert_eq!(
            told("jwt", json!({ "issuer": ["a", "b"] }), json!({ "issuer": ["b", "c"] })),
            ["looser: jwt.issuer now with c", "tighter: jwt.issuer now without a"]
        );
        assert_eq!(
            told(
                "request",
                json!({ "headers": { "remove": ["A", "B"] } }),
                json!({ "headers": { "remove": ["b", "C"] } })
            ),
            ["changed: request.headers.remove now without A and with C"]
        );
    }

    #[test]
    fn another_spelling_is_no_difference() {
        for (policy, old, new) in [
            ("rate_limit", json!({ "per": "1m" }), json!({ "per": "60s", "by": "ip", "mode": "enforce" })),
            ("auth", json!({ "scopes": [] }), json!({ "optional": false, "claims": {} })),
            ("ip", json!({ "allow": [] }), json!({})),
            ("jwt", json!({ "audience": [], "consumer": "sub" }), json!({ "leeway": "0s" })),
            (
                "request",
                json!({ "headers": { "set": { "X-A": "1" } } }),
                json!({ "headers": { "set": { "x-a": "1" } } }),
            ),
        ] {
            assert_eq!(told(policy, old.clone(), new.clone()), [""; 0], "{old} {new}");
            assert_eq!(told(policy, new, old), [""; 0]);
        }
    }
}
