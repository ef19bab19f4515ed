//! What a part of a configuration says, key by key, with what it leaves to defaults.

use std::collections::BTreeMap;

use portico_core::config::{Pointer, Segment};
use serde_json::Value;

use super::keys::{Effect, Key, leads};
use super::value::{Canonical, Kind};

/// The keys of a part, each with its value.
pub(super) type Facts = BTreeMap<Pointer, Fact>;

/// The value of one key.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) value: Canonical,
    /// What a change of it does.
    pub(super) effect: Effect,
    /// Where it is in the document. For a default: where it would be.
    pub(super) at: Pointer,
    /// Whether it is left to the default, or says what that says.
    pub(super) is_default: bool,
}

/// What `value` says, which is at `at` in its document. Keys are told with `under` before them.
pub(super) fn facts(table: &'static [Key], value: &Value, at: &Pointer, under: &Pointer) -> Facts {
    let mut facts = Facts::new();
    collect(table, value, at, under, &mut facts);
    for key in table {
        let (Some(default), true) = (key.default, leads(under.segments(), key.path)) else {
            continue;
        };
        let below: Vec<_> = key.path.split('.').skip(under.segments().len()).collect();
        let Some((last, way)) = below.split_last() else { continue };
        // a default is in force only where what it belongs to is
        let Some(_) = way.iter().try_fold(value, |value, step| value.get(step)).filter(|value| value.is_object())
        else {
            continue;
        };
        let pointer = |from: &Pointer| way.iter().chain([last]).fold(from.clone(), |at, step| at.child_key(*step));
        let value = Canonical::new(key.kind, &default_value(key.kind, default));
        let fact = Fact { value, effect: key.effect, at: pointer(at), is_default: true };
        facts
            .entry(pointer(under))
            .and_modify(|written| written.is_default = written.value == fact.value)
            .or_insert(fact);
    }
    facts
}

/// What facts say in one line, without what is left to defaults. Of their keys the part behind `under` is told.
pub(super) fn said<'f>(facts: impl IntoIterator<Item = (&'f Pointer, &'f Fact)>, under: &Pointer) -> String {
    let told = facts.into_iter().filter(|(_, fact)| !fact.is_default).map(|(key, fact)| {
        let key: Pointer = key.segments().iter().skip(under.segments().len()).cloned().collect();
        format!("{key} {}", fact.value.shown())
    });
    let told: Vec<_> = told.collect();
    if told.is_empty() { "with its defaults".to_owned() } else { told.join("; ") }
}

fn collect(table: &'static [Key], value: &Value, at: &Pointer, under: &Pointer, facts: &mut Facts) {
    match (find(table, under), value) {
        (Some(key), _) if key.kind == Kind::Ignored => {}
        (Some(key), parts) => {
            let value = match key.kind {
                Kind::Template if is_secret(under, value) => Canonical::Hidden(value.to_string()),
                kind => Canonical::new(kind, value),
            };
            facts.insert(under.clone(), Fact { value, effect: key.effect, at: at.clone(), is_default: false });
            // a value that is compared as a whole may have keys that are told besides
            for (name, part) in parts.as_object().into_iter().flatten() {
                let under = under.child_key(name);
                if find(table, &under).is_some() {
                    collect(table, part, &at.child_key(name), &under, facts);
                }
            }
        }
        (None, Value::Object(entries)) => {
            for (name, value) in entries {
                let header = table.iter().any(|key| leads_to(key, under, "{header}"));
                let spelled = if header { name.to_ascii_lowercase() } else { name.clone() };
                collect(table, value, &at.child_key(name), &under.child_key(spelled), facts);
            }
        }
        (None, _) => {
            let value = Canonical::new(Kind::Plain, value);
            facts.insert(under.clone(), Fact { value, effect: Effect::Unclear, at: at.clone(), is_default: false });
        }
    }
}

fn find(table: &'static [Key], under: &Pointer) -> Option<&'static Key> {
    let segments = under.segments();
    table.iter().find(|key| key.path.split('.').count() == segments.len() && leads(segments, key.path))
}

/// Whether `name` is the next step of a key's path behind `under`.
fn leads_to(key: &Key, under: &Pointer, name: &str) -> bool {
    leads(under.segments(), key.path) && key.path.split('.').nth(under.segments().len()) == Some(name)
}

fn default_value(kind: Kind, text: &str) -> Value {
    match (kind, text) {
        (Kind::Set(_), list) => list.split(',').collect(),
        (Kind::Number, number) => number.parse::<u64>().map_or(Value::Null, Value::from),
        (_, "true" | "false") => (text == "true").into(),
        _ => text.into(),
    }
}

/// Whether a text that should be a reference to a secret looks like the secret itself.
fn is_secret(under: &Pointer, value: &Value) -> bool {
    let secretive = ["authorization", "token", "secret", "password", "api-key", "apikey", "api_key", "cookie"];
    let name = match under.segments().last() {
        Some(Segment::Key(name)) => name.to_ascii_lowercase(),
        _ => return false,
    };
    let literal = value.as_str().is_some_and(|text| !text.contains("${"));
    literal && secretive.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::keys::{IDENTITY, POLICIES, ROUTE, UPSTREAM};
    use super::*;

    fn told(table: &'static [Key], value: Value, under: &[&str]) -> Vec<String> {
        let under = under.iter().fold(Pointer::root(), |at, step| at.child_key(*step));
        let facts = facts(table, &value, &Pointer::root().child_key("here"), &under);
        facts.iter().map(|(key, fact)| format!("{key} = {}", fact.value.shown())).collect()
    }

    #[test]
    fn what_is_left_out_is_told_as_its_default() {
        let plain = json!({ "targets": [{ "url": "http://a" }] });
        let spelled = json!({ "targets": [{ "url": "http://a" }], "timeout": "30s", "balance": "round_robin", "preserve_host": false });
        let expected = ["balance = round_robin", "preserve_host = false", "targets = http://a", "timeout = 30s"];
        assert_eq!(told(UPSTREAM, plain, &[]), expected);
        assert_eq!(told(UPSTREAM, spelled, &[]), expected);
    }

    #[test]
    fn a_default_is_in_force_only_with_what_it_belongs_to() {
        let respond = told(ROUTE, json!({ "match": { "path": "/" }, "respond": {} }), &[]);
        assert_eq!(respond, ["match.ambiguous_path = refuse", "match.path = /", "respond.status = 200"]);
        let auth = told(POLICIES, json!({ "any_of": ["users"] }), &["auth"]);
        assert_eq!(
            auth,
            ["auth.any_of = users", "auth.forward_credentials = false", "auth.mode = enforce", "auth.optional = false"]
        );
        let retry = told(UPSTREAM, json!({ "retry": { "attempts": 2, "on": [503, "connect_error", 502] } }), &[]);
        assert!(retry.contains(&"retry.on = 502, 503, connect_error".to_owned()), "{retry:?}");
    }

    #[test]
    fn names_of_header_fields_are_told_in_one_spelling() {
        let edit = json!({ "headers": { "set": { "X-A": "1" } }, "query": { "set": { "X-A": "1" } } });
        let told = told(POLICIES, edit, &["request"]);
        assert_eq!(told, ["request.headers.set.x-a = 1", "request.mode = enforce", "request.query.set.X-A = 1"]);
    }

    #[test]
    fn secrets_are_not_told() {
        let edit = json!({ "headers": { "set": { "Authorization": "Bearer s3cret", "X-Token": "${secret.TOKEN}" } } });
        let edit = told(POLICIES, edit, &["request"]);
        assert_eq!(
            edit[..2],
            ["request.headers.set.authorization = (hidden)", "request.headers.set.x-token = ${secret.TOKEN}"]
        );
        let keys = json!({ "api_key": { "keys": { "acme": { "sha256": "8649cdebee753898fd50e01408a9e438" } } } });
        assert_eq!(told(IDENTITY, keys, &[])[1], "api_key.keys.acme.sha256 = 8649cdeb…");
    }

    #[test]
    fn an_unknown_key_is_told_as_it_stands() {
        assert_eq!(told(UPSTREAM, json!({ "new": { "key": [1] } }), &[])[1], "new.key = [1]");
    }
}
