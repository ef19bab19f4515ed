//! Tokens that steps send: signed when a case begins, by the gateway's clock, so that no case ages.
//!
//! HS256 signs with the identity's secret, which the case has. For all other algorithms the gateway holds its issuer's public
//! keys, whose private halves the issuer keeps to itself: so the case gets a configuration, or an issuer, in which keys made for it
//! stand in their place. A gateway that runs elsewhere cannot be given them ([`Need::Keys`](super::Need::Keys)), unless the case names a private key.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portico_core::Timestamp;
use portico_core::config::{Findings, Pointer, wire};
use portico_core::jwt::Algorithm;
use serde_json::{Map, Value, json};

use super::outside::Keys;
use super::values::Values;
use super::wire::{Signature, Token as Written};
use crate::sign::Signer;

/// A token that is not signed yet.
#[derive(Debug, Clone)]
pub struct Token {
    signer: Arc<Signer>,
    header: Value,
    claims: Map<String, Value>,
    age: Duration,
    expires_in: Duration,
    signature: Signature,
}

impl Token {
    /// The public half of the key that signs it; `None` for a shared secret.
    pub(super) fn public(&self) -> Option<Value> {
        let text = |name: &str| self.header.get(name).and_then(Value::as_str);
        public(&self.signer, text("alg")?, text("kid"))
    }

    /// The token, as it is at `now`. The error says why the key does not sign.
    pub fn sign(&self, now: Timestamp) -> Result<String, String> {
        let issued = now.as_secs().saturating_sub(self.age.as_secs());
        let mut claims = Map::from_iter([
            ("iat".to_owned(), issued.into()),
            ("exp".to_owned(), issued.saturating_add(self.expires_in.as_secs()).into()),
        ]);
        claims.extend(self.claims.clone());
        claims.retain(|_, value| !value.is_null());
        match self.signature {
            Signature::Valid => self.signer.token(&self.header, &claims.into()),
            Signature::Forged => self.signer.forged(&self.header, &claims.into()),
        }
    }
}

/// Makes the tokens of a case, and puts public keys into its configuration where it needs some.
pub(super) struct Mint<'a> {
    config: &'a mut Value,
    secrets: &'a BTreeMap<String, String>,
    /// The folder that the paths of keys are relative to.
    folder: &'a Path,
    findings: &'a mut Findings,
    /// The keys that were made.
    made: BTreeMap<Made, Arc<Signer>>,
}

/// What a key was made for: an identity, an algorithm, a `kid`.
type Made = (String, &'static str, Option<String>);

/// What is preferred when an identity takes several: the first is small and fast.
const PREFERRED: [Algorithm; 6] =
    [Algorithm::ES256, Algorithm::EdDSA, Algorithm::ES384, Algorithm::RS256, Algorithm::PS256, Algorithm::HS256];

/// What is wrong, and what to do about it.
type Wrong = (String, String);

impl<'a> Mint<'a> {
    pub(super) fn new(
        config: &'a mut Value,
        secrets: &'a BTreeMap<String, String>,
        folder: &'a Path,
        findings: &'a mut Findings,
    ) -> Self {
        Self { config, secrets, folder, findings, made: BTreeMap::new() }
    }

    /// The public halves of the keys that were made, by identity.
    pub(super) fn made(&self) -> BTreeMap<String, Vec<Value>> {
        let mut made = BTreeMap::<String, Vec<Value>>::new();
        for ((identity, algorithm, kid), signer) in &self.made {
            let key = public(signer, algorithm, kid.as_deref());
            made.entry(identity.clone()).or_default().extend(key);
        }
        made
    }

    /// One token; `None` when something is wrong with it, which is noted.
    pub(super) fn token(&mut self, token: &Written, at: &Pointer) -> Option<Token> {
        let identity_at = if token.identity.is_some() { &at.child_key("identity") } else { at };
        let (name, identity) = noted(self.identity(token.identity.as_deref()), identity_at, self.findings)?;
        let algorithm = algorithm(&name, &identity, token.algorithm.as_deref());
        let algorithm_at = if token.algorithm.is_some() { &at.child_key("algorithm") } else { at };
        let algorithm = noted(algorithm, algorithm_at, self.findings)?;
        let key_at = if token.key.is_some() { &at.child_key("key") } else { algorithm_at };
        let signer = noted(self.signer(&name, &identity, algorithm, token), key_at, self.findings)?;
        let mut claims = Map::new();
        for (claim, accepted) in [("iss", &identity.issuer), ("aud", &identity.audience)] {
            claims.extend(accepted.0.first().map(|value| (claim.to_owned(), value.as_str().into())));
        }
        claims.extend(token.claims.clone());
        let typ = identity.typ.0.first().map_or("JWT", String::as_str);
        let mut values = Values { findings: self.findings, tokens: &[], keys: &Keys::new() };
        let mut time = |text: &Option<String>, key, usual| match text {
            Some(text) => values.duration(text, &at.child_key(key)),
            None => Some(usual),
        };
        let mut header = json!({ "alg": algorithm.as_str(), "typ": typ });
        if let (Some(kid), Some(header)) = (&token.kid, header.as_object_mut()) {
            header.insert("kid".to_owned(), kid.as_str().into());
        }
        Some(Token {
            signer,
            header,
            claims,
            age: time(&token.age, "age", Duration::ZERO)?,
            expires_in: time(&token.expires_in, "expires_in", Duration::from_secs(3_600))?,
            signature: token.signature,
        })
    }

    /// The identity that is to take a token.
    fn identity(&self, wanted: Option<&str>) -> Result<(String, wire::Jwt), Wrong> {
        let all = self.config.get("identities").and_then(Value::as_object).into_iter().flatten();
        let jwts: Vec<_> = all
            .filter_map(|(name, value)| match serde_json::from_value(value.clone()) {
                Ok(wire::Identity::Jwt(jwt)) => Some((name.clone(), jwt)),
                _ => None,
            })
            .collect();
        let names: Vec<_> = jwts.iter().map(|(name, _)| format!("`{name}`")).collect();
        let names = names.join(", ");
        let mut meant: Vec<_> =
            jwts.into_iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == name)).collect();
        match (meant.pop(), meant.is_empty(), wanted) {
            (Some(only), true, _) => Ok(only),
            (None, _, _) if names.is_empty() => {
                let help = "tokens are for identities with `jwt`; send an API key in a header of its own";
                Err(("the configuration has no identity that takes tokens".to_owned(), help.to_owned()))
            }
            (_, _, Some(wanted)) => {
                Err((format!("the configuration has no JWT identity `{wanted}`"), format!("there are: {names}")))
            }
            _ => Err((
                "several identities could be meant".to_owned(),
                format!("choose one with `identity`; there are: {names}"),
            )),
        }
    }

    fn signer(
        &mut self,
        name: &str,
        identity: &wire::Jwt,
        algorithm: Algorithm,
        token: &Written,
    ) -> Result<Arc<Signer>, Wrong> {
        let refused = |why, help: &str| (format!("the identity `{name}` cannot have a token: {why}"), help.to_owned());
        if let Some(path) = &token.key {
            let help = "`key` is the PEM file of a private key, relative to the file with the cases";
            return Signer::key(algorithm, &self.folder.join(path))
                .map(Arc::new)
                .map_err(|why| (format!("{path}: {why}"), help.to_owned()));
        }
        if algorithm == Algorithm::HS256 {
            let secret = identity.secret.as_deref().and_then(|text| text.strip_prefix("${secret.")?.strip_suffix('}'));
            let Some(secret) = secret else {
                return Err(refused("it has no secret".to_owned(), "choose another `algorithm`"));
            };
            let Some(value) = self.secrets.get(secret) else {
                let help = "add it to `secrets`; a case has no others";
                return Err(refused(format!("the case has no secret {secret}"), help));
            };
            return Signer::secret(value)
                .map(Arc::new)
                .map_err(|why| refused(format!("the secret {secret} is unusable, {why}"), "make it longer"));
        }
        let made = (name.to_owned(), algorithm.as_str(), token.kid.clone());
        if let Some(signer) = self.made.get(&made) {
            return Ok(Arc::clone(signer));
        }
        let signer = Signer::for_tests(algorithm).map_err(|why| refused(why, "try another algorithm"))?;
        let signer = Arc::new(signer);
        self.made.insert(made, Arc::clone(&signer));
        if !matches!(identity.jwks, Some(wire::Jwks::At(_))) {
            self.publish(name);
        }
        Ok(signer)
    }

    /// Puts all keys that were made for an identity in the place of those that it has.
    fn publish(&mut self, name: &str) {
        let keys = self.made().remove(name);
        let jwt = self.config.get_mut("identities").and_then(|all| all.get_mut(name)?.get_mut("jwt")?.as_object_mut());
        if let Some(jwt) = jwt {
            jwt.insert("jwks".to_owned(), json!({ "keys": keys }));
        }
    }
}

/// A key's public half.
fn public(signer: &Signer, algorithm: &str, kid: Option<&str>) -> Option<Value> {
    let mut key = signer.public()?;
    let map = key.as_object_mut()?;
    map.insert("alg".to_owned(), algorithm.into());
    map.extend(kid.map(|kid| ("kid".to_owned(), kid.into())));
    Some(key)
}

fn algorithm(name: &str, identity: &wire::Jwt, wanted: Option<&str>) -> Result<Algorithm, Wrong> {
    let known = || format!("known: {}", PREFERRED.map(Algorithm::as_str).join(", "));
    if let Some(wanted) = wanted {
        return wanted.parse().map_err(|_| (format!("{wanted:?} is no algorithm"), known()));
    }
    let accepted = |algorithm: &Algorithm| identity.algorithms.iter().any(|name| name.parse() == Ok(*algorithm));
    let found = PREFERRED.into_iter().find(accepted);
    found.ok_or_else(|| (format!("the identity `{name}` takes no algorithm that is known"), known()))
}

/// The value; what is wrong is noted.
fn noted<T>(result: Result<T, Wrong>, at: &Pointer, findings: &mut Findings) -> Option<T> {
    result.map_err(|(message, help)| findings.error(at, message).help(help)).ok()
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use portico_core::Timestamp;
    use serde_json::{Value, json};

    use crate::case::parse;

    /// The header and the claims of a token that is signed at 10000.
    fn signed(token: &str) -> [Value; 2] {
        let text = format!(
            r#"
config:
  portico: 1
  name: tokens
  identities: {{ users: {{ jwt: {{ jwks: {{ keys: [] }}, issuer: [one, two], audience: shop, typ: at+jwt, algorithms: [RS256, EdDSA] }} }} }}
  routes: [{{ name: a, match: {{ path: /a }}, respond: {{}} }}]
tokens: {{ a: {token} }}
steps: [{{ send: {{ url: "http://a/a" }}, expect: {{ status: 200 }} }}]
"#
        );
        let case = parse(&text, "case.yaml".as_ref(), "case").unwrap_or_else(|report| panic!("{report}")).remove(0);
        let token = case.tokens["a"].sign(Timestamp::from_secs(10_000)).unwrap();
        let part = |part: &str| serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap();
        let mut parts = token.split('.').map(str::to_owned);
        [part(&parts.next().unwrap()), part(&parts.next().unwrap())]
    }

    #[test]
    fn what_is_not_said_follows_from_the_identity_and_the_clock() {
        assert_eq!(
            signed("{}"),
            [
                json!({ "alg": "EdDSA", "typ": "at+jwt" }),
                json!({ "iss": "one", "aud": "shop", "iat": 10_000, "exp": 13_600 }),
            ]
        );
        let said = "{ claims: { iss: two, exp: 1, level: 3, aud: null, nbf: null }, age: 1m, expires_in: 2m, algorithm: RS256 }";
        assert_eq!(
            signed(said),
            [json!({ "alg": "RS256", "typ": "at+jwt" }), json!({ "iss": "two", "iat": 9_940, "exp": 1, "level": 3 })]
        );
        assert_eq!(signed("{ age: 1m, expires_in: 2m }")[1]["exp"], 10_060);
    }
}
