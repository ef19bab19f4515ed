//! Signature algorithms, by their names in RFC 7518 §3.1 and RFC 8037 §3.1.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// The algorithms that a configuration may name. `none` is not among them and cannot be written.
///
/// Names are compared exactly, as RFC 7515 §4.1.1 demands: `rs256` is no algorithm, nor is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256 and a shared secret: whoever checks tokens could also make them.
    HS256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and 32 bytes of salt.
    PS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// EdDSA on Ed25519, never Ed448. RFC 9864 names it `Ed25519`, which is understood too.
    EdDSA,
}

impl Algorithm {
    /// Every algorithm, in the order of the documentation.
    pub const ALL: [Self; 6] = [Self::HS256, Self::RS256, Self::PS256, Self::ES256, Self::ES384, Self::EdDSA];

    /// The name as in a token's `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Whether the key is a shared secret. A configuration must not mix such algorithms with the others.
    pub const fn is_symmetric(self) -> bool {
        match self {
            Self::HS256 => true,
            Self::RS256 | Self::PS256 | Self::ES256 | Self::ES384 | Self::EdDSA => false,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        if name == "Ed25519" {
            return Ok(Self::EdDSA);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or(UnknownAlgorithm)
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A name that is no algorithm Portico accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an accepted algorithm: use HS256, RS256, PS256, ES256, ES384 or EdDSA")]
pub struct UnknownAlgorithm;
