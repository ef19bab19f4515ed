//! What a gateway has from outside its configuration: values in the key-value store, and key sets at the URLs of their issuers.

use std::collections::{BTreeMap, BTreeSet};

use portico_core::config::{Pointer, wire};
use serde_json::{Value, json};

use super::values::Values;
use super::wire::Rule as Written;
use super::{Outcome, Payload, Respond, Rule, When};
use crate::values::is_key;

/// The public keys of tokens, by the names of the tokens.
pub(super) type Keys = BTreeMap<String, Value>;

/// The URLs at which a configuration looks for key sets, each with the name of its identity.
pub fn issuers(config: &Value) -> Vec<(String, String)> {
    places(config).into_iter().filter_map(|(identity, place)| Some((identity, place.url?))).collect()
}

/// Whether a configuration looks into the key-value store.
pub(super) fn needs_store(config: &Value) -> bool {
    let identities = config.get("identities").and_then(Value::as_object);
    let keys = |identity: &Value| identity.get("api_key").is_some_and(|keys| keys.get("store").is_some());
    identities.into_iter().flatten().any(|(_, identity)| keys(identity))
        || places(config).iter().any(|(_, place)| place.store.is_some())
}

/// Where the key sets of identities are that are not in the configuration.
fn places(config: &Value) -> Vec<(String, wire::JwksPlace)> {
    let identities = config.get("identities").and_then(Value::as_object);
    let place = |(name, identity): (&String, &Value)| {
        let jwks = identity.get("jwt")?.get("jwks")?;
        match serde_json::from_value(jwks.clone()) {
            Ok(wire::Jwks::At(place)) => Some((name.clone(), place)),
            _ => None,
        }
    };
    identities.into_iter().flatten().filter_map(place).collect()
}

/// Puts the keys that were made for identities where the gateway looks for them, unless the case has something there.
pub(super) fn publish(
    config: &Value,
    made: &BTreeMap<String, Vec<Value>>,
    issuers: &mut BTreeMap<String, Vec<Rule>>,
    values: &mut BTreeMap<String, String>,
) {
    for (identity, place) in places(config) {
        let set = made.get(&identity).map(|keys| json!({ "keys": keys }).to_string());
        if let Some(url) = place.url {
            // where the case has nothing, nobody is
            let outcome = set.clone().map_or(Outcome::ConnectError, |set| Outcome::Respond(answer(set)));
            issuers.entry(url).or_insert_with(|| vec![Rule { when: When::default(), times: None, outcome }]);
        }
        if let (Some(name), Some(set)) = (place.store, set) {
            values.entry(format!("jwks/{name}")).or_insert(set);
        }
    }
}

fn answer(set: String) -> Respond {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Respond { status: 200, headers, body: Payload::Sized(set.into_bytes()), delay: None, break_after: None }
}

impl Values<'_> {
    /// What the store holds at the beginning, or what a step changes of it: `null` takes a value away.
    pub(super) fn stored(
        &mut self,
        written: &BTreeMap<String, Value>,
        at: &Pointer,
    ) -> BTreeMap<String, Option<String>> {
        let mut stored = BTreeMap::new();
        for (key, value) in written {
            let at = at.child_key(key);
            if !is_key(key) {
                let help = "words of letters, digits, `.`, `_` and `-`, with `/` between them; none begins with a dot";
                self.findings.error(&at, format!("{key:?} cannot be the key of a value")).on_key().help(help);
            }
            let value = match (value, keys_of(value)) {
                (Value::Null, _) => None,
                (Value::String(text), _) => Some(text.clone()),
                (_, Some(names)) => self.set(&names, &at.child_key("keys_of")),
                (json, None) => Some(json.to_string()),
            };
            stored.insert(key.clone(), value);
        }
        stored
    }

    /// The JWK Set of the keys of these tokens.
    pub(super) fn set(&mut self, names: &[String], at: &Pointer) -> Option<String> {
        let mut keys = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match self.keys.get(name) {
                Some(key) if keys.contains(key) => {}
                Some(key) => keys.push(key.clone()),
                None => {
                    let known: Vec<_> = self.keys.keys().map(String::as_str).collect();
                    let message = format!("no token {name:?} has a public key");
                    let help = format!("known: {}", known.join(", "));
                    self.findings.error(at.child_index(index), message).help(help);
                }
            }
        }
        Some(json!({ "keys": keys }).to_string())
    }

    /// The rules of issuers. Only those that the configuration names are asked.
    pub(super) fn issuers(
        &mut self,
        written: Option<&BTreeMap<String, Vec<Written>>>,
        config: &Value,
        of_another: bool,
        at: &Pointer,
    ) -> BTreeMap<String, Vec<Rule>> {
        let named: BTreeSet<_> = issuers(config).into_iter().map(|(_, url)| url).collect();
        let mut issuers = BTreeMap::new();
        for (url, rules) in written.into_iter().flatten() {
            let at = at.child_key(url);
            if !named.contains(url) {
                if !of_another {
                    self.findings
                        .error(&at, format!("no identity of the configuration has its keys at {url}"))
                        .on_key();
                }
                continue;
            }
            issuers.insert(url.clone(), self.rules(rules, &at));
        }
        issuers
    }
}

/// `{ keys_of: [TOKEN, …] }`.
fn keys_of(value: &Value) -> Option<Vec<String>> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    serde_json::from_value(map.get("keys_of")?.clone()).ok()
}
