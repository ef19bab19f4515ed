//! Callers who bring a signed token (RFC 7519).

use std::sync::Arc;

use http::HeaderValue;

use super::key_source::{Chore, KeySource};
use super::keys::{Keys, secret};
use super::{Aside, Proof, refused};
use crate::config::{At, Code, Compiler, units, wire};
use crate::context::Principal;
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::jwt::{Algorithm, KeySet, Memory, Rules, TokenError, Untrusted};
use crate::platform::{Platform, Timestamp};

/// Which tokens are accepted.
#[derive(Debug)]
pub(super) struct Jwt {
    rules: Rules,
    keys: Keys,
    /// The claim that names the consumer.
    consumer: String,
    verified: Memory<Principal>,
}

/// Verified tokens remembered by each identity: at most this many,
const REMEMBERED_TOKENS: usize = 10_000;
/// at most this many bytes of them,
const REMEMBERED_BYTES: usize = 8 << 20;
/// and each for at most this long, in seconds.
const REMEMBERED_SECONDS: u64 = 3_600;

impl Jwt {
    pub(super) fn compile(wire: &wire::Jwt, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        let algorithms_at = at.child_key("algorithms");
        let mut algorithms = Vec::new();
        for (index, name) in wire.algorithms.iter().enumerate() {
            let at = algorithms_at.child_index(index);
            let parsed = name
                .parse::<Algorithm>()
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
                Keys::public(jwks, &at.child_key("jwks"), compiler)
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
            rules: Rules {
                algorithms,
                issuer: some(&wire.issuer),
                audience: some(&wire.audience),
                types: some(&wire.typ),
                leeway,
                require_exp: true,
            },
            keys: keys?,
            consumer: wire.consumer.clone().unwrap_or_else(|| "sub".to_owned()),
            verified: Memory::new(REMEMBERED_TOKENS, REMEMBERED_BYTES, REMEMBERED_SECONDS),
        })
    }

    pub(super) async fn prove<P: Platform>(
        self: &Arc<Self>,
        identity: &Arc<str>,
        platform: &P,
        value: &HeaderValue,
        now: Timestamp,
        aside: &mut Aside,
    ) -> Proof {
        let token = match bearer(value) {
            Some(Ok(token)) => token,
            Some(Err(())) => return refused(Reason::TokenMalformed),
            None => return Proof::Absent,
        };
        if self.keys.are_settled(now)
            && let Some(principal) = self.verified.get(token, now.as_secs())
        {
            return Proof::Proven(principal);
        }
        match self.verify(identity, platform, token, now.as_secs(), aside).await {
            Ok(principal) => Proof::Proven(principal),
            Err(refusal) => Proof::Refused(refusal),
        }
    }

    async fn verify<P: Platform>(
        self: &Arc<Self>,
        identity: &Arc<str>,
        platform: &P,
        token: &str,
        now: u64,
        aside: &mut Aside,
    ) -> Result<Arc<Principal>, Refusal> {
        let refused = |error: TokenError| Refusal::new(Policy::Auth, reason(&error)).detail(error.to_string());
        let untrusted = Untrusted::parse(token).map_err(refused)?;
        // before the keys: what is verified with keys that are replaced meanwhile is not remembered
        let epoch = self.verified.epoch();
        let (shared, fetched);
        let keys = match &self.keys {
            Keys::Static(keys) => keys,
            Keys::Secret(name) => {
                shared = secret(platform, name)?;
                &shared
            }
            Keys::Outside(source) => {
                let held = self.fetched(platform, source, aside).await?;
                if let Some(principal) = self.verified.get(token, now) {
                    return Ok(principal);
                }
                fetched = match untrusted.select(&self.rules, &held) {
                    Err(TokenError::UnknownKey) => self.newer(platform, source, held, aside).await,
                    _ => held,
                };
                &fetched
            }
        };
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
        self.verified.insert_of(epoch, token, Arc::clone(&principal), weight, now, expires);
        Ok(principal)
    }

    /// The keys from outside.
    async fn fetched<P: Platform>(
        self: &Arc<Self>,
        platform: &P,
        source: &KeySource,
        aside: &mut Aside,
    ) -> Result<Arc<KeySet>, Refusal> {
        // boxed: only requests that need more than what is settled pay for a future of this size
        match Box::pin(source.keys(platform, &self.verified)).await {
            Ok(keys) => {
                if let Some(trouble) = keys.trouble {
                    aside.note(format!("decided with older keys, as of {}: {trouble}", source.place()));
                }
                aside.chores.extend(keys.chore.map(|chore| (Arc::clone(self), chore)));
                Ok(keys.set)
            }
            Err(trouble) => Err(Refusal::new(Policy::Auth, Reason::KeysUnavailable)
                .note(format!("the keys cannot be had: {}: {trouble}", source.place()))
                .retry_after(super::key_source::PAUSE.as_secs())),
        }
    }

    /// The keys from outside, when a token names one that is not in `held`.
    async fn newer<P: Platform>(
        self: &Arc<Self>,
        platform: &P,
        source: &KeySource,
        held: Arc<KeySet>,
        aside: &mut Aside,
    ) -> Arc<KeySet> {
        match Box::pin(source.newer(platform, &self.verified, &held)).await {
            Ok(keys) => {
                aside.chores.extend(keys.chore.map(|chore| (Arc::clone(self), chore)));
                keys.set
            }
            Err(_) => held,
        }
    }

    /// What follows a response.
    pub(super) async fn follow_up<P: Platform>(&self, platform: &P, chore: &Chore) {
        let Keys::Outside(source) = &self.keys else { return };
        match chore {
            Chore::Refresh(flight) => {
                // what goes wrong is told by the next request that goes on with the old keys
                if let Some(keys) = source.refresh(platform, &self.verified, flight).await
                    && let Some(Chore::Keep(copy)) = keys.chore
                {
                    let _ = platform.write(&copy.key, copy.value, source.keep()).await;
                }
            }
            Chore::Keep(copy) => {
                // a copy is a convenience
                let _ = platform.write(&copy.key, copy.value.clone(), source.keep()).await;
            }
        }
    }
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

/// The reason code of a token's error.
fn reason(error: &TokenError) -> Reason {
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
        use TokenError as Error;
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
