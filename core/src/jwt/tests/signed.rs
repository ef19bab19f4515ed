//! Signatures, good and bad, on which every way to check them has to agree: the standards', with keys that fit and that do not.
//! Platforms include this file beside `vectors.rs`.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portico_core::jwt::{Algorithm, KeySet};
use serde_json::{Value, json};

use super::vectors::*;

/// An algorithm, the key in a set of its own, a token, and whether its signature is good.
pub(super) fn signed() -> Vec<(Algorithm, KeySet, &'static str, bool)> {
    let set = |key| KeySet::parse(&json!({ "keys": [key] })).unwrap().0;
    let p256 = json!({ "kty": "EC", "crv": "P-256", "x": A3_X, "y": A3_Y });
    let p384 = json!({ "kty": "EC", "crv": "P-384", "x": ES384_X, "y": ES384_Y });
    let ed25519 = json!({ "kty": "OKP", "crv": "Ed25519", "x": EDDSA_X });
    vec![
        (Algorithm::HS256, KeySet::from_secret(&decode(A1_SECRET)).unwrap(), A1, true),
        (Algorithm::RS256, set(rsa(A2_N)), A2, true),
        (Algorithm::RS256, set(rsa(PS256_N)), PS256, false),
        (Algorithm::PS256, set(rsa(PS256_N)), PS256, true),
        (Algorithm::PS256, set(rsa(PS256_N)), PS256_SALT_20, false),
        (Algorithm::ES256, set(p256.clone()), A3, true),
        (Algorithm::ES384, set(p256), A3, false),
        (Algorithm::ES384, set(p384.clone()), ES384, true),
        (Algorithm::ES384, set(p384), ES384_DER, false),
        (Algorithm::EdDSA, set(ed25519), EDDSA, true),
    ]
}

/// The bytes behind base64url.
pub(super) fn decode(text: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text).unwrap()
}

fn rsa(n: &str) -> Value {
    json!({ "kty": "RSA", "n": n, "e": "AQAB" })
}
