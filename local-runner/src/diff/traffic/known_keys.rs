//! Configurations in whose identities keys stand that are known here, so that recorded callers can prove again who they are.
//!
//! A key that one configuration accepts and the other does not stays such a key: what is put in the place of an API key or of an
//! issuer's key is made for that one. Shared secrets need nothing in their place: the simulated platform has them.

use std::collections::BTreeMap;
use std::rc::Rc;

use portico::sign::Signer;
use portico_core::digest;
use portico_core::jwt::{Algorithm, KeySet};
use serde_json::{Value, json};

use super::super::elements::elsewhere;
use crate::secrets::Secrets;

/// Both configurations with known keys, and what signs with them.
pub(super) struct KnownKeys {
    pub(super) old: Value,
    pub(super) new: Value,
    signers: BTreeMap<String, Rc<Signer>>,
}

impl KnownKeys {
    /// Of two documents that compiled. The error says why no keys can be made.
    pub(super) fn new(old: &Value, new: &Value) -> Result<Self, String> {
        let mut signers = BTreeMap::new();
        let [old, new] = [old, new].map(|document| with_known_keys(document.clone(), &mut signers));
        Ok(Self { old: old?, new: new?, signers })
    }

    /// What signs in the place of an issuer's key, one of [`issuers_keys`].
    pub(super) fn signer(&self, key: &str) -> Option<Rc<Signer>> {
        self.signers.get(key).cloned()
    }
}

fn with_known_keys(mut document: Value, signers: &mut BTreeMap<String, Rc<Signer>>) -> Result<Value, String> {
    let identities = document.get_mut("identities").and_then(Value::as_object_mut);
    for (_, identity) in identities.into_iter().flatten() {
        let keys = identity.get("jwt").map(issuers_keys).unwrap_or_default();
        if let Some(jwt) = identity.get_mut("jwt").and_then(Value::as_object_mut).filter(|_| !keys.is_empty()) {
            let public = keys.into_iter().map(|key| known(key, signers)).collect::<Result<Value, _>>()?;
            jwt.insert("jwks".to_owned(), json!({ "keys": public }));
            jwt.insert("algorithms".to_owned(), json!([KNOWN.as_str()]));
        }
        let keys = identity.get_mut("api_key").and_then(|api_key| api_key.get_mut("keys")?.as_object_mut());
        for (_, key) in keys.into_iter().flatten() {
            let hashes: Value =
                hashes(key).iter().map(|hash| digest::sha256_hex(key_behind(hash).as_bytes())).collect();
            if let Some(key) = key.as_object_mut() {
                key.insert("sha256".to_owned(), hashes);
            }
        }
    }
    Ok(document)
}

/// The algorithm of keys that are made here.
pub(super) const KNOWN: Algorithm = Algorithm::EdDSA;

/// The public half of what stands for an issuer's key, made when it is first asked for.
fn known(key: String, signers: &mut BTreeMap<String, Rc<Signer>>) -> Result<Value, String> {
    let signer = match signers.get(&key) {
        Some(signer) => Rc::clone(signer),
        None => Rc::new(Signer::for_tests(KNOWN)?),
    };
    let mut public = signer.public().unwrap_or_default();
    if let Some(public) = public.as_object_mut() {
        public.insert("kid".to_owned(), key.as_str().into());
    }
    signers.insert(key, signer);
    Ok(public)
}

/// The public keys that check an identity's tokens, each with one of its algorithms. None where a shared secret does. Of a set that
/// is elsewhere nobody knows more than where: it stands for one key.
pub(super) fn issuers_keys(jwt: &Value) -> Vec<String> {
    let algorithms = jwt.get("algorithms").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let algorithms: Vec<Algorithm> = algorithms.filter_map(|name| name.parse().ok()).collect();
    if let Some(place) = jwt.get("jwks").and_then(elsewhere) {
        return algorithms.iter().map(|algorithm| format!("{place} {algorithm}")).collect();
    }
    let keys = jwt.get("jwks").and_then(|jwks| KeySet::parse(jwks).ok());
    let keys = keys.iter().flat_map(|(keys, _)| keys.keys());
    let with_algorithms = keys.flat_map(|key| {
        let fit = algorithms.iter().filter(|algorithm| key.fits(**algorithm));
        fit.map(|algorithm| format!("{} {algorithm}", digest::hex(key.thumbprint()))).collect::<Vec<_>>()
    });
    with_algorithms.collect()
}

/// What a secret holds in a replay: what the environment says, or else something long enough to sign with.
pub(super) fn secret_value(name: &str) -> String {
    let made_up = || format!("what the secret {name} holds in a replay of recorded requests");
    Secrets::environment().get(name).unwrap_or_else(made_up)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration with one identity, whose tokens any of these keys may sign.
    fn document(algorithms: &[&str], keys: &[&Value]) -> Value {
        let jwt = json!({ "algorithms": algorithms, "issuer": "i", "audience": "a", "jwks": { "keys": keys } });
        json!({ "portico": 1, "name": "a", "identities": { "users": { "jwt": jwt } } })
    }

    #[test]
    fn what_stands_for_a_key_is_the_same_in_both_configurations() {
        let key = |algorithm| Signer::for_tests(algorithm).unwrap().public().unwrap();
        let (one, two, rsa) = (key(Algorithm::ES256), key(Algorithm::EdDSA), key(Algorithm::RS256));
        let shared = |old: &Value, new: &Value| {
            let known = KnownKeys::new(old, new).unwrap();
            let keys =
                |document: &Value| document["identities"]["users"]["jwt"]["jwks"]["keys"].as_array().unwrap().clone();
            for document in [&known.old, &known.new] {
                assert!(portico_core::config::compile(document).is_ok(), "{document}");
            }
            let (old, new) = (keys(&known.old), keys(&known.new));
            (old.len(), new.len(), old.iter().filter(|key| new.contains(key)).count())
        };
        let all = ["ES256", "EdDSA"];
        assert_eq!(shared(&document(&all, &[&one, &two]), &document(&all, &[&two, &one])), (2, 2, 2));
        assert_eq!(shared(&document(&all, &[&one]), &document(&all, &[&two, &one])), (1, 2, 1));
        assert_eq!(shared(&document(&all, &[&one]), &document(&all, &[&two])), (1, 1, 0));
        // the same key with another algorithm takes other tokens
        assert_eq!(shared(&document(&["RS256"], &[&rsa]), &document(&["PS256"], &[&rsa])), (1, 1, 0));
        assert_eq!(shared(&document(&["RS256"], &[&rsa]), &document(&["PS256", "RS256"], &[&rsa])), (1, 2, 1));
    }
}
