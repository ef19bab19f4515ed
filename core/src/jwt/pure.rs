//! Signature checks in pure Rust, for platforms that have nothing faster.
//!
//! Microseconds of processor for one check with a key that is ready, RSA's of 2048 bits, on one machine:
//!
//! | | HS256 | RS256, PS256 | ES256 | ES384 | EdDSA |
//! |---|---|---|---|---|---|
//! | in Wasm, as Spin runs it | 2 | 180 | 1,070 | 4,050 | 160 |
//! | native | 0.3 | 39 | 330 | 990 | 45 |
//!
//! `.cargo/config.toml` has a part in the first line.

use p256::ecdsa::signature::Verifier;

use super::{Algorithm, Key, KeyMaterial};

/// Whether `signature` is `key`'s signature of `message` under `algorithm`.
///
/// `false` for every doubt: an algorithm that does not fit the key, a wrong length, an ECDSA signature in DER (RFC 7518
/// §3.4 wants `r || s`), numbers out of range. Never panics. HMACs are compared in constant time; for the others
/// nothing is secret.
pub fn verify_pure(algorithm: Algorithm, key: &Key, message: &[u8], signature: &[u8]) -> bool {
    if !key.fits(algorithm) {
        return false;
    }
    match (algorithm, key.material()) {
        (Algorithm::HS256, KeyMaterial::Hmac(key)) => key.verify(message, signature),
        (Algorithm::RS256, KeyMaterial::Rsa(key)) => key.parsed.verify_pkcs1v15(message, signature),
        (Algorithm::PS256, KeyMaterial::Rsa(key)) => key.parsed.verify_pss(message, signature),
        (Algorithm::ES256, KeyMaterial::P256(key)) => p256::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.parsed.verify(message, &signature).is_ok()),
        (Algorithm::ES384, KeyMaterial::P384(key)) => p384::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.parsed.verify(message, &signature).is_ok()),
        (Algorithm::EdDSA, KeyMaterial::Ed25519(key)) => ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| key.parsed.verify_strict(message, &signature).is_ok()),
        // spelled out, so that a new algorithm cannot be forgotten here
        (
            Algorithm::HS256
            | Algorithm::RS256
            | Algorithm::PS256
            | Algorithm::ES256
            | Algorithm::ES384
            | Algorithm::EdDSA,
            _,
        ) => false,
    }
}
