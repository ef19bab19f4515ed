//! Identities: the ways in which a caller proves who it is. Each looks for its own credentials and checks them.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use subtle::ConstantTimeEq;

use super::headers::RESERVED;
use crate::config::{Code, Compiler, Pointer, units, wire};
use crate::context::Principal;
use crate::decision::{Policy, Reason};
use crate::digest;
use crate::error::Refusal;
use crate::jwt;
use crate::platform::{Platform, Timestamp};

/// A compiled identity. Shared by the routes that accept it, so that a token verified on one is known on all.
#[derive(Debug)]
pub struct Identity {
    name: Arc<str>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Jwt(Jwt),
    ApiKey(ApiKey),
}

#[derive(Debug)]
struct Jwt {
    rules: jwt::Rules,
    keys: Keys,
    /// The claim that names the consumer.
    consumer: String,
    verified: jwt::Memory<Principal>,
}

#[derive(Debug)]
enum Keys {
    Static(jwt::KeySet),
    /// The name of the secret that HS256 shares.
    Secret(Box<str>),
}

#[derive(Debug)]
struct ApiKey {
    header: HeaderName,
    /// Hashes of keys with their consumers, sorted by hash.
    keys: Vec<([u8; 32], Arc<Principal>)>,
}

/// What an identity makes of a request.
#[derive(Debug)]
pub enum Proof {
    /// It carries none of this identity's credentials.
    Absent,
    /// It carries credentials, and they are good.
    Proven(Arc<Principal>),
    /// It carries credentials, and they are not good.
    Refused(Refusal),
}

/// Verified tokens remembered by each identity: at most this many,
const REMEMBERED_TOKENS: usize = 10_000;
/// at most this many bytes of them,
const REMEMBERED_BYTES: usize = 8 << 20;
/// and each for at most this long, in seconds.
const REMEMBERED_SECONDS: u64 = 3_600;

impl Identity {
    pub(crate) fn compile(
        name: &str,
        wire: &wire::Identity,
        at: &Pointer,
        compiler: &mut Compiler<'_>,
    ) -> Option<Self> {
        let name: Arc<str> = name.into();
        let kind = match wire {
            wire::Identity::Jwt(jwt) => Kind::Jwt(Jwt::compile(jwt, &at.child_key("jwt"), compiler)?),
            wire::Identity::ApiKey(keys) => {
                Kind::ApiKey(ApiKey::compile(&name, keys, &at.child_key("api_key"), compiler)?)
            }
        };
        Some(Self { name, kind })
    }

    /// The name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The header that carries the credentials.
    pub fn header(&self) -> &HeaderName {
        match &self.kind {
            Kind::Jwt(_) => &AUTHORIZATION,
            Kind::ApiKey(api_key) => &api_key.header,
        }
    }

    /// Whether its callers have claims.
    pub fn has_claims(&self) -> bool {
        matches!(self.kind, Kind::Jwt(_))
    }

    /// The scheme of its challenge (RFC 9110 §11.6.1).
    pub fn scheme(&self) -> &'static str {
        match self.kind {
            Kind::Jwt(_) => "Bearer",
            Kind::ApiKey(_) => "ApiKey",
        }
    }

    /// Looks for credentials and checks them.
    pub async fn prove<P: Platform>(&self, platform: &P, headers: &HeaderMap, now: Timestamp) -> Proof {
        let mut values = headers.get_all(self.header()).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Proof::Absent,
            (Some(value), None) => value,
            // two readers could pick different ones
            (Some(_), Some(_)) => return refused(Reason::CredentialsAmbiguous),
        };
        match &self.kind {
            Kind::ApiKey(api_key) => api_key.prove(value),
            Kind::Jwt(jwt) => match bearer(value) {
                Some(Ok(token)) => jwt.prove(&self.name, platform, token, now).await,
                Some(Err(())) => refused(Reason::TokenMalformed),
                None => Proof::Absent,
            },
        }
    }
}

fn refused(reason: Reason) -> Proof {
    Proof::Refused(Refusal::new(Policy::Auth, reason))
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1); `None` when it is another scheme.
fn bearer(value: &HeaderValue) -> Option<Result<&str, ()>> {
    if value.as_bytes().eq_ignore_ascii_case(b"Bearer") {
        return Some(Err(()));
    }
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return None;
    }
    Some(std::str::from_utf8(token.trim_ascii()).map_err(|_| ()))
}

impl Jwt {
    fn compile(wire: &wire::Jwt, at: &Pointer, compiler: &mut Compiler<'_>) -> Option<Self> {
        let algorithms_at = at.child_key("algorithms");
        let mut algorithms = Vec::new();
        for (index, name) in wire.algorithms.iter().enumerate() {
            let at = algorithms_at.child_index(index);
            let parsed = name
                .parse::<jwt::Algorithm>()
                .map_err(|_| format!("unknown algorithm {name:?}; known: HS256, RS256, PS256, ES256, ES384, EdDSA"));
            algorithms.extend(compiler.check(&at, parsed));
        }
        if wire.algorithms.is_empty() {
            compiler
                .error(&algorithms_at, "name the algorithms that are accepted")
                .code(Code::NothingPasses)
                .help("for example algorithms: [ES256]");
        }
        let symmetric = algorithms.iter().filter(|algorithm| algorithm.is_symmetric()).count();
        if symmetric > 0 && symmetric < algorithms.len() {
            compiler
                .error(
                    &algorithms_at,
                    "HS256 and public-key algorithms cannot be mixed: a public key could pass as the secret",
                )
                .code(Code::AlgorithmConfusion)
                .help("make two identities of it");
        }
        let keys = match (&wire.jwks, &wire.secret) {
            (Some(jwks), None) => {
                if symmetric > 0 {
                    compiler.error(&algorithms_at, "HS256 needs `secret`, not `jwks`").code(Code::AlgorithmConfusion);
                }
                Self::public_keys(jwks, &at.child_key("jwks"), compiler).map(Keys::Static)
            }
            (None, Some(secret)) => {
                if symmetric < algorithms.len() {
                    compiler
                        .error(&algorithms_at, "`secret` is for HS256; public-key algorithms need `jwks`")
                        .code(Code::AlgorithmConfusion);
                }
                compiler.secret(secret, &at.child_key("secret")).map(Keys::Secret)
            }
            (Some(_), Some(_)) | (None, None) => {
                compiler
                    .error(at, "exactly one of `jwks` and `secret` says which signatures are good")
                    .code(Code::ConflictingKeys);
                None
            }
        };
        for (key, code, accepted) in
            [("issuer", Code::IssuerMissing, &wire.issuer), ("audience", Code::AudienceMissing, &wire.audience)]
        {
            if accepted.0.is_empty() {
                compiler
                    .warning(code, at, format!("without `{key}` a token that was made for somebody else is accepted"))
                    .help(format!("add `{key}`"));
            }
        }
        let leeway = match &wire.leeway {
            Some(leeway) => compiler.check(&at.child_key("leeway"), units::duration(leeway))?.as_secs(),
            None => 0,
        };
        let some = |accepted: &wire::OneOrMany| (!accepted.0.is_empty()).then(|| accepted.0.clone());
        Some(Self {
            rules: jwt::Rules {
                algorithms,
                issuer: some(&wire.issuer),
                audience: some(&wire.audience),
                types: some(&wire.typ),
                leeway,
                require_exp: true,
            },
            keys: keys?,
            consumer: wire.consumer.clone().unwrap_or_else(|| "sub".to_owned()),
            verified: jwt::Memory::new(REMEMBERED_TOKENS, REMEMBERED_BYTES, REMEMBERED_SECONDS),
        })
    }

    fn public_keys(jwks: &serde_json::Value, at: &Pointer, compiler: &mut Compiler<'_>) -> Option<jwt::KeySet> {
        if let Some(text) = jwks.as_str() {
            compiler
                .error(at, format!("the keys at {text:?} were not read; fetching them from a URL is not supported yet"))
                .code(Code::Unsupported)
                .help("save the issuer's key set beside the configuration and name the file: jwks: issuer-keys.json");
            return None;
        }
        match jwt::KeySet::parse(jwks) {
            Ok((keys, warnings)) => {
                for warning in warnings {
                    compiler.warning(Code::KeySkipped, at, warning.to_string());
                }
                Some(keys)
            }
            Err(error) => {
                let code = match error {
                    jwt::KeyError::PrivateKey { .. } | jwt::KeyError::SharedSecret { .. } => Code::PrivateKey,
                    _ => Code::InvalidValue,
                };
                compiler.error(at, error.to_string()).code(code);
                None
            }
        }
    }

    async fn prove<P: Platform>(&self, identity: &Arc<str>, platform: &P, token: &str, now: Timestamp) -> Proof {
        let now = now.as_secs();
        if let Some(principal) = self.verified.get(token, now) {
            return Proof::Proven(principal);
        }
        match self.verify(identity, platform, token, now).await {
            Ok(principal) => Proof::Proven(principal),
            Err(refusal) => Proof::Refused(refusal),
        }
    }

    async fn verify<P: Platform>(
        &self,
        identity: &Arc<str>,
        platform: &P,
        token: &str,
        now: u64,
    ) -> Result<Arc<Principal>, Refusal> {
        let shared;
        let keys = match &self.keys {
            Keys::Static(keys) => keys,
            Keys::Secret(name) => {
                let missing = |why: String| Refusal::new(Policy::Auth, Reason::SecretMissing).note(why);
                let secret = platform.secret(name).ok_or_else(|| missing(format!("there is no secret {name}")))?;
                shared = jwt::KeySet::from_secret(secret.as_bytes())
                    .map_err(|error| missing(format!("the secret {name} cannot be used: {error}")))?;
                &shared
            }
        };
        let refused = |error: jwt::TokenError| Refusal::new(Policy::Auth, reason(&error)).detail(error.to_string());
        let untrusted = jwt::Untrusted::parse(token).map_err(refused)?;
        let mut valid = false;
        for (algorithm, key) in untrusted.select(&self.rules, keys).map_err(refused)? {
            valid = platform.verify(algorithm, key, untrusted.signing_input(), untrusted.signature()).await;
            if valid {
                break;
            }
        }
        let claims = untrusted.trust(valid).and_then(|token| token.claims(&self.rules, now)).map_err(refused)?;
        let consumer = match claims.claim(&self.consumer) {
            Some(serde_json::Value::String(consumer)) if !consumer.is_empty() => consumer.as_str().into(),
            _ => {
                let detail = format!("The token has no claim {:?} to tell who is calling.", self.consumer);
                return Err(Refusal::new(Policy::Auth, Reason::TokenClaim).detail(detail));
            }
        };
        let expires = claims.expires().map(|exp| exp.saturating_add(self.rules.leeway));
        let (weight, scopes) = (claims.weight(), claims.scopes().to_vec());
        let principal = Arc::new(Principal { identity: Arc::clone(identity), consumer, scopes, claims: Some(claims) });
        self.verified.insert(token, Arc::clone(&principal), weight, now, expires);
        Ok(principal)
    }
}

impl ApiKey {
    fn compile(identity: &Arc<str>, wire: &wire::ApiKey, at: &Pointer, compiler: &mut Compiler<'_>) -> Option<Self> {
        let header = wire.header.as_deref().unwrap_or("X-API-Key");
        let header_at = at.child_key("header");
        let header = compiler.header_name(header, &header_at)?;
        if RESERVED.contains(&header.as_str()) || header == COOKIE {
            compiler
                .error(&header_at, format!("`{header}` has a meaning of its own and cannot carry a key"))
                .code(Code::ReservedName);
        }
        let keys_at = at.child_key("keys");
        let mut keys = BTreeMap::new();
        for (consumer, key) in &wire.keys {
            let at = keys_at.child_key(consumer);
            if consumer.is_empty() {
                compiler.error(&at, "a consumer needs a name").code(Code::InvalidName);
            }
            if key.sha256.0.is_empty() {
                compiler.error(&at.child_key("sha256"), "a consumer needs at least one key").code(Code::NothingPasses);
            }
            let principal = Arc::new(Principal {
                identity: Arc::clone(identity),
                consumer: consumer.as_str().into(),
                scopes: key.scopes.clone(),
                claims: None,
            });
            for text in &key.sha256.0 {
                let at = at.child_key("sha256");
                let Some(hash) = digest::parse_hex(text) else {
                    compiler
                        .error(&at, "expected the SHA-256 of the key: 64 hex digits")
                        .help("printf %s \"$KEY\" | sha256sum");
                    continue;
                };
                if let Some(other) = keys.insert(hash, Arc::clone(&principal)) {
                    compiler.error(&at, format!("`{}` has the same key", other.consumer)).code(Code::DuplicateApiKey);
                }
            }
        }
        Some(Self { header, keys: keys.into_iter().collect() })
    }

    /// The key is found by the first bytes of its hash and compared in constant time: whoever guesses keys learns nothing from
    /// how long it took, as nobody can choose what a guess hashes to.
    fn prove(&self, value: &HeaderValue) -> Proof {
        let hash = digest::sha256(value.as_bytes());
        let prefix = |hash: &[u8; 32]| hash.first_chunk::<8>().copied();
        let from = self.keys.partition_point(|(known, _)| prefix(known) < prefix(&hash));
        let candidates = self.keys.iter().skip(from).take_while(|(known, _)| prefix(known) == prefix(&hash));
        for (known, principal) in candidates {
            if known.ct_eq(&hash).into() {
                return Proof::Proven(Arc::clone(principal));
            }
        }
        refused(Reason::KeyUnknown)
    }
}

/// The reason code of a token's error.
fn reason(error: &jwt::TokenError) -> Reason {
    Reason::ALL.iter().copied().find(|reason| reason.code() == error.code()).unwrap_or(Reason::TokenMalformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_told_from_other_schemes() {
        let read = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            bearer(&value).map(|token| token.map(str::to_owned))
        };
        assert_eq!(read("Bearer abc"), Some(Ok("abc".into())));
        assert_eq!(read("bearer  abc "), Some(Ok("abc".into())));
        assert_eq!(read("Bearer "), Some(Ok(String::new())));
        assert_eq!(read("Bearer"), Some(Err(())));
        assert_eq!(read("Basic abc"), None);
        assert_eq!(read("Bearerabc"), None);
    }

    #[test]
    fn every_error_of_a_token_has_a_reason_of_its_own() {
        use jwt::TokenError as Error;
        let errors = [
            Error::TooLarge,
            Error::Malformed,
            Error::Critical,
            Error::Algorithm,
            Error::UnknownKey,
            Error::Signature,
            Error::Type,
            Error::Issuer,
            Error::Audience,
            Error::Expired,
            Error::NotYetValid,
            Error::Claim("exp"),
        ];
        for error in errors {
            assert_eq!(reason(&error).code(), error.code());
        }
    }
}
