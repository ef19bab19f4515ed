//! Configurations in whose identities keys stand that are known here, so that recorded callers can prove again who they are.
//!
//! A key that one configuration accepts and the other does not stays such a key: what is put in the place of an API key or of an
//! issuer's keys is made of what it replaces.

use std::collections::BTreeSet;

use portico_core::jwt::{Algorithm, KeySet};
use ring::digest;
use serde_json::{Value, json};

use crate::diff::side::Side;

/// Both configurations with known keys, and the secrets that sign their tokens.
pub(super) struct KnownKeys {
    pub(super) old: Value,
    pub(super) new: Value,
    /// What each of the two configurations accepts from issuers, the old one first.
    issuers: Vec<(Origin, String, BTreeSet<String>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Old,
    New,
}

impl KnownKeys {
    pub(super) fn new(old: &Side, new: &Side) -> Self {
        let mut known = Self { old: old.document().clone(), new: new.document().clone(), issuers: Vec::new() };
        for (origin, document) in [(Origin::Old, old.document()), (Origin::New, new.document())] {
            for (name, identity) in identities(document) {
                let accepted = identity.get("jwt").map(accepted);
                known.issuers.extend(accepted.map(|accepted| (origin, name.clone(), accepted)));
            }
        }
        for origin in [Origin::Old, Origin::New] {
            let issuers = &known.issuers;
            let document = if origin == Origin::Old { &mut known.old } else { &mut known.new };
            let identities = document.get_mut("identities").and_then(Value::as_object_mut);
            for (name, identity) in identities.into_iter().flatten() {
                let secret = issuer(issuers, origin, name);
                if let Some(jwt) = identity.get_mut("jwt").and_then(Value::as_object_mut) {
                    jwt.remove("jwks");
                    jwt.insert("algorithms".to_owned(), json!(["HS256"]));
                    jwt.insert("secret".to_owned(), format!("${{secret.{secret}}}").into());
                }
                let keys = identity.get_mut("api_key").and_then(|api_key| api_key.get_mut("keys")?.as_object_mut());
                for (_, key) in keys.into_iter().flatten() {
                    let hashes: Value = hashes(key).iter().map(|hash| sha256(&key_behind(hash))).collect();
                    if let Some(key) = key.as_object_mut() {
                        key.insert("sha256".to_owned(), hashes);
                    }
                }
            }
        }
        known
    }

    /// The name of the secret that signs the tokens of an identity of the old configuration. What it holds is
    /// [`secret_value`]'s to say.
    pub(super) fn secret(&self, identity: &str) -> String {
        issuer(&self.issuers, Origin::Old, identity)
    }
}

/// The same for identities that accept a key in common.
fn issuer(issuers: &[(Origin, String, BTreeSet<String>)], origin: Origin, identity: &str) -> String {
    let mut at = issuers.iter().position(|(other, name, _)| *other == origin && name == identity);
    // from each to the first that it has a key in common with, until that is itself
    while let Some((index, (_, _, own))) = at.and_then(|at| Some((at, issuers.get(at)?))) {
        let first = issuers.iter().take(index).position(|(_, _, accepted)| !accepted.is_disjoint(own));
        if first.is_none() {
            break;
        }
        at = first;
    }
    format!("REPLAY_{}", at.unwrap_or(issuers.len()))
}

/// What any secret of a replay holds: long enough to sign with.
pub(super) fn secret_value(name: &str) -> String {
    format!("what the secret {name} holds in a replay of recorded requests")
}

/// The identities of a document.
fn identities(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    document.get("identities").and_then(Value::as_object).into_iter().flatten()
}

/// The keys that may sign an identity's tokens, each with an algorithm. Of a shared secret only the name is known: another name is
/// another secret.
fn accepted(jwt: &Value) -> BTreeSet<String> {
    let algorithms = jwt.get("algorithms").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let algorithms: Vec<Algorithm> = algorithms.filter_map(|name| name.parse().ok()).collect();
    let keys = jwt.get("jwks").and_then(|jwks| KeySet::parse(jwks).ok());
    let keys = keys.iter().flat_map(|(keys, _)| keys.keys());
    let public = keys.flat_map(|key| {
        let fit = algorithms.iter().filter(|algorithm| key.fits(**algorithm));
        fit.map(|algorithm| format!("{:?} {algorithm}", key.thumbprint())).collect::<Vec<_>>()
    });
    public.chain(jwt.get("secret").and_then(Value::as_str).map(str::to_owned)).collect()
}

/// The hashes of a consumer's keys.
pub(super) fn hashes(key: &Value) -> Vec<String> {
    match key.get("sha256") {
        Some(Value::Array(hashes)) => hashes.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect(),
        Some(Value::String(hash)) => vec![hash.to_ascii_lowercase()],
        _ => Vec::new(),
    }
}

/// The key that stands for the unknown one of this hash.
pub(super) fn key_behind(hash: &str) -> String {
    format!("replay-{hash}")
}

fn sha256(text: &str) -> String {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use portico::sign::Signer;

    use super::*;

    /// A configuration with these identities, each with some of these keys.
    fn side(name: &str, identities: &[(&str, &[&Value])]) -> Side {
        let identity = |(name, keys): &(&str, &[&Value])| {
            let jwt =
                json!({ "algorithms": ["EdDSA", "ES256"], "issuer": "i", "audience": "a", "jwks": { "keys": keys } });
            ((*name).to_owned(), json!({ "jwt": jwt }))
        };
        let identities: Value = identities.iter().map(identity).collect::<serde_json::Map<_, _>>().into();
        Side::of(name, &json!({ "portico": 1, "name": "a", "identities": identities }).to_string())
    }

    #[test]
    fn identities_share_a_secret_if_they_have_a_key_in_common() {
        let keys: Vec<_> = (0..4).map(|_| Signer::for_tests(Algorithm::EdDSA).unwrap().public().unwrap()).collect();
        let [one, two, three, four] = keys.as_slice() else { panic!() };
        let old = side("old.yaml", &[("customers", &[one]), ("staff", &[one, two]), ("robots", &[three])]);
        let new = side("new.yaml", &[("employees", &[two, four]), ("robots", &[four]), ("customers", &[one])]);
        let known = KnownKeys::new(&old, &new);
        let secret =
            |document: &Value, name: &str| document["identities"][name]["jwt"]["secret"].as_str().unwrap().to_owned();
        let (customers, robots) = (secret(&known.old, "customers"), secret(&known.old, "robots"));
        assert_eq!(format!("${{secret.{}}}", known.secret("robots")), robots);
        assert_ne!(customers, robots);
        for (document, name) in [(&known.old, "staff"), (&known.new, "employees"), (&known.new, "customers")] {
            assert_eq!(secret(document, name), customers, "{name}");
        }
        let now = secret(&known.new, "robots");
        assert!(now != robots, "its only key is another one");
        assert!(portico_core::config::compile(&known.old).is_ok() && portico_core::config::compile(&known.new).is_ok());
    }
}
