//! Tests of the whole module, by subject.

mod claims;
mod keys;
mod memory;
mod signatures;
mod tokens;
mod vectors;
mod wycheproof;

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Signer;
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;
use vectors::*;

const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

/// Before the `exp` of every vector.
const THEN: u64 = 1_300_819_379;

fn b64(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

fn unb64(text: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text).unwrap()
}

/// A token signed with an HMAC, whatever its header says.
fn hmac_token(secret: &[u8], header: &str, claims: impl AsRef<[u8]>) -> String {
    let input = format!("{}.{}", b64(header), b64(claims));
    let signature = Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(&input).finalize().into_bytes();
    format!("{input}.{}", b64(signature))
}

/// An honest HS256 token with these claims.
fn token(claims: impl AsRef<[u8]>) -> String {
    hmac_token(SECRET, r#"{"alg":"HS256"}"#, claims)
}

/// Verifies such a token.
fn check(claims: &Value, rules: &Rules, now: u64) -> Result<Claims, TokenError> {
    verify(&token(claims.to_string()), &secret_keys(), rules, now)
}

fn secret_keys() -> KeySet {
    KeySet::from_secret(SECRET).unwrap()
}

/// HS256, and no `exp` needed.
fn lax() -> Rules {
    Rules { require_exp: false, ..Rules::new(vec![Algorithm::HS256]) }
}

fn set(keys: Value) -> KeySet {
    KeySet::parse(&json!({ "keys": keys })).unwrap().0
}

fn rsa_jwk(n: &str) -> Value {
    json!({ "kty": "RSA", "n": n, "e": "AQAB" })
}

fn a3_jwk() -> Value {
    json!({ "kty": "EC", "crv": "P-256", "x": A3_X, "y": A3_Y })
}

fn es384_jwk() -> Value {
    json!({ "kty": "EC", "crv": "P-384", "x": ES384_X, "y": ES384_Y })
}

fn eddsa_jwk() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": EDDSA_X })
}

/// The `seed`th of many P-256 keys, with its public JWK.
fn p256_key(seed: u8) -> (p256::ecdsa::SigningKey, Value) {
    let key = p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap();
    let point = key.verifying_key().to_sec1_point(false);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": b64(point.x().unwrap()), "y": b64(point.y().unwrap()) });
    (key, jwk)
}

fn es256_token(key: &p256::ecdsa::SigningKey, header: &str, claims: &str) -> String {
    let input = format!("{}.{}", b64(header), b64(claims));
    let signature: p256::ecdsa::Signature = key.sign(input.as_bytes());
    format!("{input}.{}", b64(signature.to_bytes()))
}

/// Every asymmetric vector: its algorithm, key and token.
fn asymmetric() -> Vec<(Algorithm, Value, &'static str)> {
    vec![
        (Algorithm::RS256, rsa_jwk(A2_N), A2),
        (Algorithm::PS256, rsa_jwk(PS256_N), PS256),
        (Algorithm::ES256, a3_jwk(), A3),
        (Algorithm::ES384, es384_jwk(), ES384),
        (Algorithm::EdDSA, eddsa_jwk(), EDDSA),
    ]
}
