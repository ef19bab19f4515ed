//! Keys, parsed once and bound to what they may check.

use std::fmt;

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::{Algorithm, jwk};

/// The most keys that are read from one set; an issuer that rotates has two or three.
pub(super) const MAX_KEYS: usize = 64;

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
    pub(super) ready: Hmac<Sha256>,
}

impl HmacKey {
    /// The secret's bytes.
    pub fn secret(&self) -> &[u8] {
        &self.secret
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
    pub(super) pkcs1v15: rsa::pkcs1v15::VerifyingKey<Sha256>,
    pub(super) pss: rsa::pss::VerifyingKey<Sha256>,
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
    pub(super) parsed: ed25519_compact::PublicKey,
}

impl Ed25519Key {
    /// The public key as in RFC 8032 §5.1.5.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.parsed
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
                Ok(key) if keys.iter().any(|other| is_repeated(other, &key)) => {
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

fn is_repeated(one: &Key, other: &Key) -> bool {
    one.thumbprint == other.thumbprint && one.id == other.id && one.only == other.only
}

/// Why there is no key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not an object with an array `keys`.
    #[error("not a JWK Set: that is an object with an array `keys` (RFC 7517 §5)")]
    NotASet,
    /// A key where a set of keys belongs.
    #[error("a single key, not a JWK Set: write {{\"keys\": […]}} around it")]
    SingleKey,
    /// A key with private members.
    #[error(
        "key {index} is a private key: whoever reads this file could sign tokens with it. Have the issuer replace it, \
         and put only public keys here"
    )]
    PrivateKey {
        /// Its place in the set, from 0.
        index: usize,
    },
    /// A key of type `oct`.
    #[error("key {index} is a shared secret, which does not belong into a JWK Set: name it as a secret and use HS256")]
    SharedSecret {
        /// Its place in the set, from 0.
        index: usize,
    },
    /// No key is left, for these reasons.
    #[error("no key of the set can be used{}", list(warnings))]
    NoUsableKey {
        /// One for each key; none when the set is empty.
        warnings: Vec<KeyWarning>,
    },
    /// A secret under 32 bytes.
    #[error("the secret has {bytes} bytes, HS256 needs at least 32 (RFC 7518 §3.2)")]
    SecretTooShort {
        /// Its length.
        bytes: usize,
    },
}

/// What is wrong with one key of a set that is otherwise usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key {index}{}: {flaw}", id.as_ref().map(|id| format!(" ({id:?})")).unwrap_or_default())]
pub struct KeyWarning {
    /// Its place in the set, from 0.
    pub index: usize,
    /// Its `kid`.
    pub id: Option<String>,
    /// What is wrong.
    pub flaw: KeyFlaw,
}

/// Why a key is skipped, or in one case ([`SharedId`](Self::SharedId)) only remarked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFlaw {
    /// Not a JSON object.
    #[error("not an object")]
    NotAnObject,
    /// A member is missing, of the wrong type, of the wrong length or not base64url without padding.
    #[error("`{0}` is missing or malformed")]
    Member(&'static str),
    /// A `kty` other than `RSA`, `EC` and `OKP`.
    #[error("of an unknown type (`kty`)")]
    UnknownType,
    /// A `crv` other than `P-256`, `P-384` and `Ed25519`.
    #[error("on an unknown curve (`crv`)")]
    UnknownCurve,
    /// An `alg` that Portico does not accept, or not with such a key.
    #[error("made for another algorithm (`alg`)")]
    OtherAlgorithm,
    /// `use` or `key_ops` say that the key is not for checking signatures.
    #[error("not for checking signatures (`use`, `key_ops`)")]
    OtherUse,
    /// An RSA modulus under 2048 or over 8192 bits.
    #[error("{bits} bits long, RSA keys must have 2048 to 8192")]
    RsaSize {
        /// Bits of the modulus.
        bits: usize,
    },
    /// Numbers that make no RSA key: an even one, an exponent under 3 or over 2^33.
    #[error("not a sound RSA key")]
    RsaNumbers,
    /// A point that is not on the curve, or of small order.
    #[error("not a sound point on its curve")]
    Point,
    /// The same key with the same id stands further up.
    #[error("there already")]
    Repeated,
    /// Another key has the same id; both are kept and tried.
    #[error("its `kid` names another key too, both are tried")]
    SharedId,
    /// The set is too long.
    #[error("only the first {MAX_KEYS} keys are read")]
    TooMany,
}

fn list(warnings: &[KeyWarning]) -> String {
    warnings
        .iter()
        .enumerate()
        .map(|(place, warning)| format!("{} {warning}", if place == 0 { ":" } else { ";" }))
        .collect()
}
