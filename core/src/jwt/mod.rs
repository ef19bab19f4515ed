//! JSON Web Tokens (RFC 7519): parse, select keys, check the signature, compare the claims. All of it is pure.
//!
//! A token passes through one type for each stage, and no stage can be left out:
//!
//! ```text
//! text ── Untrusted::parse ──> Untrusted ── trust(signature_valid) ──> Trusted ── claims(rules, now) ──> Claims
//!                                  │                  ▲
//!                                  └─ select(keys) ─> verify_pure, or the platform's own (Platform::verify)
//! ```
//!
//! Which algorithms are accepted is the configuration's business, and which of them a key fits is the key's: the
//! token's `alg` is only compared with both. So there is no algorithm confusion (RFC 8725 §2.1), and `none` is not even
//! a value of [`Algorithm`].
//!
//! Out of scope: making tokens, encrypted tokens (RFC 7516), fetching keys. [`Memory`] remembers verified tokens.
//!
//! ```
//! use portico_core::jwt::{self, Algorithm, KeySet, Rules, TokenError};
//!
//! // RFC 7515 appendix A.1
//! let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
//!     .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
//!     .dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
//! # use base64ct::Encoding;
//! # let secret = base64ct::Base64UrlUnpadded::decode_vec(
//! #     "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow").unwrap();
//! let keys = KeySet::from_secret(&secret)?;
//! let rules = Rules { issuer: Some(vec!["joe".into()]), ..Rules::new(vec![Algorithm::HS256]) };
//!
//! let claims = jwt::verify(token, &keys, &rules, 1_300_819_379)?;
//! assert_eq!(claims.claim("http://example.com/is_root"), Some(&true.into()));
//! assert_eq!(jwt::verify(token, &keys, &rules, 1_300_819_380), Err(TokenError::Expired));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod claims;
mod flaws;
mod json;
mod jwk;
mod keys;
mod memory;
mod pure;
mod rsa;
mod token;

#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claims::{Claims, Rules};
pub use flaws::{KeyError, KeyFlaw, KeyWarning};
pub use keys::{Ed25519Key, HmacKey, Key, KeyMaterial, KeySet, P256Key, P384Key, RsaKey};
pub use memory::{Epoch, Memory};
pub use pure::verify_pure;
pub use token::{MAX_TOKEN_BYTES, TokenError, Trusted, Untrusted};

/// Everything at once, with [`verify_pure`]. `now` is in seconds since the Unix epoch.
pub fn verify(token: &str, keys: &KeySet, rules: &Rules, now: u64) -> Result<Claims, TokenError> {
    let token = Untrusted::parse(token)?;
    let candidates = token.select(rules, keys)?;
    let valid = candidates
        .into_iter()
        .any(|(algorithm, key)| verify_pure(algorithm, key, token.signing_input(), token.signature()));
    token.trust(valid)?.claims(rules, now)
}
