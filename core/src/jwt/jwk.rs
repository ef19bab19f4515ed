//! One JSON Web Key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::keys::{Ed25519Key, P256Key, P384Key, RsaKey};
use super::{Algorithm, Key, KeyFlaw, KeyMaterial, rsa};

/// Whether the key is symmetric (RFC 7518 §6.4).
pub(super) fn is_shared_secret(json: &Value) -> bool {
    json.get("kty").and_then(Value::as_str) == Some("oct") || json.get("k").is_some()
}

/// Whether the key has a member that is private, whatever its type (RFC 7518 §6.2.2 and §6.3.2; `priv` is that of the
/// post-quantum keys).
pub(super) fn is_private(json: &Value) -> bool {
    ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"].into_iter().any(|name| json.get(name).is_some())
}

/// Reads a public key and makes sure that it is sound and meant for checking signatures.
pub(super) fn parse(json: &Value) -> Result<Key, KeyFlaw> {
    if !json.is_object() {
        return Err(KeyFlaw::NotAnObject);
    }
    let kind = text(json, "kty")?.ok_or(KeyFlaw::Member("kty"))?;
    let id = text(json, "kid")?.map(str::to_owned);
    if text(json, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(KeyFlaw::OtherUse);
    }
    if let Some(operations) = json.get("key_ops") {
        let operations = operations.as_array().ok_or(KeyFlaw::Member("key_ops"))?;
        if !operations.iter().any(|operation| operation == "verify") {
            return Err(KeyFlaw::OtherUse);
        }
    }
    let only = match text(json, "alg")? {
        None => None,
        Some(name) => Some(name.parse::<Algorithm>().map_err(|_| KeyFlaw::OtherAlgorithm)?),
    };
    let material = match kind {
        "RSA" => rsa_key(json)?,
        "EC" => match text(json, "crv")?.ok_or(KeyFlaw::Member("crv"))? {
            "P-256" => p256(json)?,
            "P-384" => p384(json)?,
            _ => return Err(KeyFlaw::UnknownCurve),
        },
        "OKP" => match text(json, "crv")?.ok_or(KeyFlaw::Member("crv"))? {
            "Ed25519" => ed25519(json)?,
            _ => return Err(KeyFlaw::UnknownCurve),
        },
        _ => return Err(KeyFlaw::UnknownType),
    };
    let thumbprint = thumbprint(&material);
    let key = Key { id, only, material, thumbprint };
    match only {
        Some(algorithm) if !key.fits(algorithm) => Err(KeyFlaw::OtherAlgorithm),
        _ => Ok(key),
    }
}

/// The SHA-256 thumbprint (RFC 7638 §3): required members only, in the order of their names, without blanks.
pub(super) fn thumbprint(material: &KeyMaterial) -> [u8; 32] {
    let text = Base64UrlUnpadded::encode_string;
    let json = match material {
        KeyMaterial::Hmac(key) => format!(r#"{{"k":"{}","kty":"oct"}}"#, text(key.secret())),
        KeyMaterial::Rsa(key) => {
            format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(key.exponent()), text(key.modulus()))
        }
        KeyMaterial::P256(key) => elliptic("P-256", key.point()),
        KeyMaterial::P384(key) => elliptic("P-384", key.point()),
        KeyMaterial::Ed25519(key) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(key.bytes())),
    };
    Sha256::digest(json).into()
}

fn elliptic(curve: &str, point: &[u8]) -> String {
    let coordinates = point.strip_prefix(&[UNCOMPRESSED]).unwrap_or_default();
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    let (x, y) = (Base64UrlUnpadded::encode_string(x), Base64UrlUnpadded::encode_string(y));
    format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#)
}

/// RFC 7518 §6.3.1.
fn rsa_key(json: &Value) -> Result<KeyMaterial, KeyFlaw> {
    let modulus = integer(json, "n")?;
    let exponent = integer(json, "e")?;
    let bits = rsa::bits(&modulus);
    if !(2048..=MAX_RSA_BITS).contains(&bits) {
        return Err(KeyFlaw::RsaSize { bits });
    }
    let parsed = rsa::PublicKey::new(&modulus, &exponent).ok_or(KeyFlaw::RsaNumbers)?;
    Ok(KeyMaterial::Rsa(RsaKey { modulus, exponent, parsed }))
}

/// RFC 7518 §6.2.1.
fn p256(json: &Value) -> Result<KeyMaterial, KeyFlaw> {
    let point: [u8; 65] = point(json, 32)?;
    let parsed = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| KeyFlaw::Point)?;
    Ok(KeyMaterial::P256(P256Key { point, parsed }))
}

/// RFC 7518 §6.2.1.
fn p384(json: &Value) -> Result<KeyMaterial, KeyFlaw> {
    let point: [u8; 97] = point(json, 48)?;
    let parsed = p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| KeyFlaw::Point)?;
    Ok(KeyMaterial::P384(P384Key { point, parsed }))
}

/// RFC 8037 §2.
fn ed25519(json: &Value) -> Result<KeyMaterial, KeyFlaw> {
    let point = bytes(json, "x")?.try_into().map_err(|_| KeyFlaw::Member("x"))?;
    let parsed = ed25519_dalek::VerifyingKey::from_bytes(&point).map_err(|_| KeyFlaw::Point)?;
    // RFC 8032 §5.1.3 knows one encoding of a point, and the library reads others too
    if parsed.is_weak() || parsed.to_edwards().compress().to_bytes() != point {
        return Err(KeyFlaw::Point);
    }
    Ok(KeyMaterial::Ed25519(Ed25519Key { parsed }))
}

/// The largest modulus: what ring and WebCrypto take as well.
const MAX_RSA_BITS: usize = 8192;

/// Starts a point of which both coordinates follow (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A point from its coordinates, each exactly `size` bytes; not yet known to be on a curve.
fn point<const N: usize>(json: &Value, size: usize) -> Result<[u8; N], KeyFlaw> {
    let mut point = vec![UNCOMPRESSED];
    for name in ["x", "y"] {
        let coordinate = bytes(json, name)?;
        if coordinate.len() != size {
            return Err(KeyFlaw::Member(name));
        }
        point.extend(coordinate);
    }
    point.try_into().map_err(|_| KeyFlaw::Point)
}

/// A Base64urlUInt (RFC 7518 §2) without leading zeros: they are forbidden, but some libraries write one.
fn integer(json: &Value, name: &'static str) -> Result<Vec<u8>, KeyFlaw> {
    let mut bytes = bytes(json, name)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    Ok(bytes)
}

fn bytes(json: &Value, name: &'static str) -> Result<Vec<u8>, KeyFlaw> {
    // longer than any sound member, so that nothing huge is decoded
    let text = text(json, name)?.filter(|text| text.len() <= MAX_RSA_BITS);
    text.and_then(|text| Base64UrlUnpadded::decode_vec(text).ok()).ok_or(KeyFlaw::Member(name))
}

/// A string member, `None` when it is absent.
fn text<'j>(json: &'j Value, name: &'static str) -> Result<Option<&'j str>, KeyFlaw> {
    json.get(name).map(|value| value.as_str().ok_or(KeyFlaw::Member(name))).transpose()
}
