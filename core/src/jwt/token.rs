//! A token on its way from text to claims, one type for each stage: what has not been checked cannot be read.

use jwt_compact::UntrustedToken;
use serde_json::{Map, Value};

use super::json::{self, Extensions};
use super::{Algorithm, Claims, Key, KeySet, Rules, claims};

/// The longest token that is looked at, in bytes. Common servers take no larger header field either.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The most keys that are tried for one token.
const MAX_CANDIDATES: usize = 4;

/// A token taken apart, of which nothing is believed yet.
///
/// From the header only `alg`, `kid` and `typ` are read, and `alg` only to compare it with the configuration. Keys and
/// addresses of keys inside a token (`jwk`, `jku`, `x5c`, `x5u`) are ignored.
#[derive(Debug)]
pub struct Untrusted<'a> {
    token: UntrustedToken<'a, Extensions>,
    signing_input: &'a str,
    claims: &'a str,
}

impl<'a> Untrusted<'a> {
    /// Takes a token in the compact serialization apart (RFC 7515 §7.1), without checking anything that needs a key.
    ///
    /// Refused are: more than [`MAX_TOKEN_BYTES`]; anything but three non-empty parts (RFC 7516's encrypted tokens have
    /// five); base64url with padding, blanks or stray bits; a header that is no JSON object, has a name twice, or a
    /// `cty` (a nested token); any `crit` and `b64: false`, as no extension is understood (RFC 7515 §4.1.11, RFC 7797).
    pub fn parse(text: &'a str) -> Result<Self, TokenError> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge);
        }
        let (signing_input, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signing_input.split_once('.').ok_or(TokenError::Malformed)?;
        if header.is_empty() || claims.is_empty() || signature.is_empty() || claims.contains('.') {
            return Err(TokenError::Malformed);
        }
        let token = UntrustedToken::<Extensions>::try_from(text).map_err(|_| TokenError::Malformed)?;
        if token.header().other_fields.critical {
            return Err(TokenError::Critical);
        }
        Ok(Self { token, signing_input, claims })
    }

    /// The keys to try, in this order, each with the algorithm to use; never empty.
    ///
    /// The token's `alg` must be one of the rules' and fit the key. A `kid` selects the keys of that id, or if there
    /// are none those without an id. Without a `kid` every key that fits is a candidate. At most 4 are returned.
    pub fn select<'k>(&self, rules: &Rules, keys: &'k KeySet) -> Result<Vec<(Algorithm, &'k Key)>, TokenError> {
        let algorithm: Algorithm = self.token.algorithm().parse().map_err(|_| TokenError::Algorithm)?;
        if !rules.algorithms.contains(&algorithm) {
            return Err(TokenError::Algorithm);
        }
        let wanted = self.token.header().key_id.as_deref();
        let known = wanted.is_some() && keys.keys().iter().any(|key| key.id() == wanted);
        let candidates: Vec<_> = keys
            .keys()
            .iter()
            .filter(|key| match wanted {
                None => true,
                Some(_) if known => key.id() == wanted,
                Some(_) => key.id().is_none(),
            })
            .filter(|key| key.fits(algorithm))
            .take(MAX_CANDIDATES)
            .map(|key| (algorithm, key))
            .collect();
        match candidates.is_empty() {
            false => Ok(candidates),
            true if known => Err(TokenError::Algorithm),
            true => Err(TokenError::UnknownKey),
        }
    }

    /// What was signed: header and claims as they stand in the token (RFC 7515 §5.2).
    pub fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    /// The signature, decoded. Of any length: nobody has checked it.
    pub fn signature(&self) -> &[u8] {
        self.token.signature_bytes()
    }

    /// Goes on with a token whose signature one of the [`select`](Self::select)ed keys has confirmed.
    ///
    /// Takes the answer of the check, so that nobody can read claims without having one.
    pub fn trust(self, signature_valid: bool) -> Result<Trusted, TokenError> {
        if !signature_valid {
            return Err(TokenError::Signature);
        }
        let kind = self.token.header().token_type.clone();
        let claims = json::decode_object(self.claims).ok_or(TokenError::Malformed)?;
        Ok(Trusted { kind, claims })
    }
}

/// A token with a valid signature, whose claims are still to be compared with the rules.
#[derive(Debug)]
pub struct Trusted {
    kind: Option<String>,
    claims: Map<String, Value>,
}

impl Trusted {
    /// Compares type, issuer, audience and times with the rules. `now` is in seconds since the Unix epoch.
    pub fn claims(self, rules: &Rules, now: u64) -> Result<Claims, TokenError> {
        claims::check(self.kind.as_deref(), self.claims, rules, now)
    }
}

/// Why a token is refused. The messages may be shown to clients: they tell nothing about keys or configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Over [`MAX_TOKEN_BYTES`].
    #[error("the token is too large")]
    TooLarge,
    /// Not three parts of canonical base64url, or no JSON objects in them, or a name twice in one.
    #[error("the token is malformed")]
    Malformed,
    /// The header demands an extension (`crit`, `b64`).
    #[error("the token demands an extension that is not supported")]
    Critical,
    /// The header's `alg` is not accepted, or not with the key that `kid` names.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// No key of that `kid`, or none that fits. Worth looking for newer keys.
    #[error("the token's key is not known")]
    UnknownKey,
    /// The signature is not valid.
    #[error("the token's signature is not valid")]
    Signature,
    /// The header's `typ` is not accepted.
    #[error("the token's type is not accepted")]
    Type,
    /// `iss` is missing or not accepted.
    #[error("the token's issuer is not accepted")]
    Issuer,
    /// `aud` is missing, malformed or names somebody else.
    #[error("the token is meant for another audience")]
    Audience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The claim of this name is malformed, or missing although it is demanded.
    #[error("the token's claim `{0}` is missing or malformed")]
    Claim(&'static str),
}

impl TokenError {
    /// The stable reason code, one of [`Reason`](crate::decision::Reason)'s.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::Malformed => "token_malformed",
            Self::Critical => "token_crit",
            Self::Algorithm => "token_algorithm",
            Self::UnknownKey => "token_unknown_key",
            Self::Signature => "token_signature",
            Self::Type => "token_type",
            Self::Issuer => "token_issuer",
            Self::Audience => "token_audience",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Claim(_) => "token_claim",
        }
    }
}
