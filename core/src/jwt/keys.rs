//! Keys, parsed once and bound to what they may check.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::flaws::MAX_KEYS;
use super::{Algorithm, KeyError, KeyFlaw, KeyWarning, jwk, rsa};

/// One public key or shared secret.
///
/// What kind of key it is decides which algorithms it fits, never a token: a public key cannot be used as an HMAC
/// secret, because nothing here turns one into the other.
pub struct Key {
    pub(super) id: Option<String>,
    /// The one algorithm that the key's `alg` allows, `None` when it has no `alg` and everything of its kind fits.
    pub(super) only: Option<Algorithm>,
    pub(super) material: KeyMaterial,
    pub(super) thumbprint: [u8; 32],
}

impl Key {
    /// The key's `kid` (RFC 7517 §4.5). Not necessarily unique in its set.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The key itself, for platforms that check signatures by other means.
    pub fn material(&self) -> &KeyMaterial {
        &self.material
    }

    /// Whether the key may be used with `algorithm`: its kind, and its `alg` if it has one (RFC 7517 §4.4).
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm {
            Algorithm::HS256 => matches!(self.material, KeyMaterial::Hmac(_)),
            Algorithm::RS256 | Algorithm::PS256 => matches!(self.material, KeyMaterial::Rsa(_)),
            Algorithm::ES256 => matches!(self.material, KeyMaterial::P256(_)),
            Algorithm::ES384 => matches!(self.material, KeyMaterial::P384(_)),
            Algorithm::EdDSA => matches!(self.material, KeyMaterial::Ed25519(_)),
        };
        kind && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether both are the same key, for the same tokens.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.thumbprint == other.thumbprint && self.id == other.id && self.only == other.only
    }

    /// The key's SHA-256 thumbprint (RFC 7638): the same for the same key, whatever its id. Platforms that must import
    /// a key before they use it (WebCrypto) remember imported keys by this and the algorithm. Of a shared secret it is
    /// a hash of the secret: do not log it.
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.material {
            KeyMaterial::Hmac(_) => "Hmac",
            KeyMaterial::Rsa(_) => "Rsa",
            KeyMaterial::P256(_) => "P256",
            KeyMaterial::P384(_) => "P384",
            KeyMaterial::Ed25519(_) => "Ed25519",
        };
        formatter
            .debug_struct("Key")
            .field("id", &self.id)
            .field("kind", &kind)
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}

/// A key as bytes, beside what pure Rust made of it.
#[derive(Debug)]
pub enum KeyMaterial {
    /// A shared secret, for HS256.
    Hmac(HmacKey),
    /// An RSA public key of 2048 to 8192 bits, for RS256 and PS256.
    Rsa(RsaKey),
    /// A point on P-256, for ES256.
    P256(P256Key),
    /// A point on P-384, for ES384.
    P384(P384Key),
    /// An Ed25519 public key, for EdDSA.
    Ed25519(Ed25519Key),
}

/// A shared secret of at least 32 bytes. `Debug` does not show it.
pub struct HmacKey {
    secret: Vec<u8>,
    /// The HMAC with the key already absorbed.
    ready: Hmac<Sha256>,
}

impl HmacKey {
    /// The secret's bytes.
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// Whether `signature` is this secret's HMAC-SHA-256 of `message` (HS256). Compared in constant time.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.ready.clone().chain_update(message).verify_slice(signature).is_ok()
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HmacKey(..)")
    }
}

/// An RSA public key.
#[derive(Debug)]
pub struct RsaKey {
    pub(super) modulus: Vec<u8>,
    pub(super) exponent: Vec<u8>,
    pub(super) parsed: rsa::PublicKey,
}

impl RsaKey {
    /// `n`, big-endian, without leading zeros.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// `e`, big-endian, without leading zeros.
    pub fn exponent(&self) -> &[u8] {
        &self.exponent
    }
}

/// A point on P-256.
#[derive(Debug)]
pub struct P256Key {
    pub(super) point: [u8; 65],
    pub(super) parsed: p256::ecdsa::VerifyingKey,
}

impl P256Key {
    /// The uncompressed point: `4 || x || y` (SEC 1 §2.3.3).
    pub fn point(&self) -> &[u8; 65] {
        &self.point
    }
}

/// A point on P-384.
#[derive(Debug)]
pub struct P384Key {
    pub(super) point: [u8; 97],
    pub(super) parsed: p384::ecdsa::VerifyingKey,
}

impl P384Key {
    /// The uncompressed point: `4 || x || y` (SEC 1 §2.3.3).
    pub fn point(&self) -> &[u8; 97] {
        &self.point
    }
}

/// An Ed25519 public key.
#[derive(Debug)]
pub struct Ed25519Key {
    pub(super) parsed: ed25519_dalek::VerifyingKey,
}

impl Ed25519Key {
    /// The public key as in RFC 8032 §5.1.5.
    pub fn bytes(&self) -> &[u8; 32] {
        self.parsed.as_bytes()
    }
}

/// The keys of one issuer; never empty.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517 §5).
    ///
    /// Keys that cannot be used are skipped, each with a warning: an unknown `kty` or curve, `use` other than `sig`,
    /// `key_ops` without `verify`, an `alg` that Portico does not accept or that does not fit, RSA under 2048 or over
    /// 8192 bits, a point that is not on its curve, the same key once more, keys after the 64th. Different keys under
    /// the same `kid` are all kept and all tried.
    ///
    /// It is an error when no key is left, and when the set holds a private key or a shared secret: those do not belong
    /// into a file that many people read.
    pub fn parse(json: &Value) -> Result<(Self, Vec<KeyWarning>), KeyError> {
        let Some(entries) = json.get("keys").and_then(Value::as_array) else {
            return Err(if json.get("kty").is_some() { KeyError::SingleKey } else { KeyError::NotASet });
        };
        let mut keys: Vec<Key> = Vec::new();
        let mut warnings = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let id = entry.get("kid").and_then(Value::as_str).map(str::to_owned);
            if jwk::is_shared_secret(entry) {
                return Err(KeyError::SharedSecret { index });
            }
            if jwk::is_private(entry) {
                return Err(KeyError::PrivateKey { index });
            }
            if index >= MAX_KEYS {
                // one warning says it for all of them, but private keys are still looked for
                if index == MAX_KEYS {
                    warnings.push(KeyWarning { index, id, flaw: KeyFlaw::TooMany });
                }
                continue;
            }
            match jwk::parse(entry) {
                Err(flaw) => warnings.push(KeyWarning { index, id, flaw }),
                Ok(key) if keys.iter().any(|other| other.is_same(&key)) => {
                    warnings.push(KeyWarning { index, id, flaw: KeyFlaw::Repeated });
                }
                Ok(key) => {
                    if key.id.is_some() && keys.iter().any(|other| other.id == key.id) {
                        warnings.push(KeyWarning { index, id, flaw: KeyFlaw::SharedId });
                    }
                    keys.push(key);
                }
            }
        }
        if keys.is_empty() {
            return Err(KeyError::NoUsableKey { warnings });
        }
        Ok((Self { keys }, warnings))
    }

    /// One shared secret, for HS256. It has no id and fits tokens with any `kid`.
    ///
    /// An error when it is shorter than 32 bytes (RFC 7518 §3.2).
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        let ready = match Hmac::new_from_slice(secret) {
            Ok(ready) if secret.len() >= 32 => ready,
            _ => return Err(KeyError::SecretTooShort { bytes: secret.len() }),
        };
        let material = KeyMaterial::Hmac(HmacKey { secret: secret.to_vec(), ready });
        let thumbprint = jwk::thumbprint(&material);
        Ok(Self { keys: vec![Key { id: None, only: Some(Algorithm::HS256), material, thumbprint }] })
    }

    /// The keys, in the set's order.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}
