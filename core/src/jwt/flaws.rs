//! What can be wrong with keys, in words for whoever configures the gateway.

/// The most keys that are read from one set; an issuer that rotates has two or three.
pub(super) const MAX_KEYS: usize = 64;

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
