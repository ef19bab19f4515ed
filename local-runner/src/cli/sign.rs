//! Signatures of tokens, with the keys of whoever develops.

use std::fmt;
use std::path::Path;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portico_core::jwt::Algorithm;
use ring::rand::SystemRandom;
use ring::{hmac, signature as sig};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

/// Something that can sign with one algorithm.
pub(super) enum Signer {
    Secret(hmac::Key),
    Rsa(sig::RsaKeyPair, &'static dyn sig::RsaEncoding),
    Ecdsa(sig::EcdsaKeyPair),
    Ed25519(sig::Ed25519KeyPair),
}

/// The fewest bytes of a secret (RFC 7518 §3.2); the gateway refuses shorter ones, too.
const MIN_SECRET: usize = 32;

impl Signer {
    /// HS256 with a shared secret.
    pub(super) fn secret(secret: &str) -> Result<Self, String> {
        if secret.len() < MIN_SECRET {
            return Err(format!("it has {} bytes, HS256 needs {MIN_SECRET} at least", secret.len()));
        }
        Ok(Self::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }

    /// A public-key algorithm, with the private key in a PEM file.
    pub(super) fn key(algorithm: Algorithm, path: &Path) -> Result<Self, String> {
        let key = PrivateKeyDer::from_pem_file(path).map_err(|error| error.to_string())?;
        let rejected = |error: ring::error::KeyRejected| format!("not a key for {algorithm:?} ({error})");
        match (algorithm, &key) {
            (Algorithm::RS256 | Algorithm::PS256, key) => {
                let pair = match key {
                    PrivateKeyDer::Pkcs8(key) => sig::RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
                    key => sig::RsaKeyPair::from_der(key.secret_der()),
                };
                let padding: &'static dyn sig::RsaEncoding = match algorithm {
                    Algorithm::PS256 => &sig::RSA_PSS_SHA256,
                    _ => &sig::RSA_PKCS1_SHA256,
                };
                Ok(Self::Rsa(pair.map_err(rejected)?, padding))
            }
            (Algorithm::ES256 | Algorithm::ES384, PrivateKeyDer::Pkcs8(key)) => {
                let kind = match algorithm {
                    Algorithm::ES384 => &sig::ECDSA_P384_SHA384_FIXED_SIGNING,
                    _ => &sig::ECDSA_P256_SHA256_FIXED_SIGNING,
                };
                let pair = sig::EcdsaKeyPair::from_pkcs8(kind, key.secret_pkcs8_der(), &SystemRandom::new());
                Ok(Self::Ecdsa(pair.map_err(rejected)?))
            }
            (Algorithm::EdDSA, PrivateKeyDer::Pkcs8(key)) => {
                let pair = sig::Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der());
                Ok(Self::Ed25519(pair.map_err(rejected)?))
            }
            (Algorithm::HS256, _) => Err("HS256 takes a secret, not a key".to_owned()),
            _ => Err("the key must be in PKCS#8: openssl pkcs8 -topk8 -nodes -in KEY -out KEY.pkcs8".to_owned()),
        }
    }

    /// The token: header, claims and signature (RFC 7515 §7.1).
    pub(super) fn token(&self, header: &Value, claims: &Value) -> Result<String, String> {
        let encode = |part: &Value| Base64UrlUnpadded::encode_string(part.to_string().as_bytes());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.sign(message.as_bytes()).map_err(|_| "the key does not sign".to_owned())?;
        Ok(format!("{message}.{}", Base64UrlUnpadded::encode_string(&signature)))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        match self {
            Self::Secret(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Self::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(*padding, &SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
            Self::Ecdsa(pair) => Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// Without the key.
impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Signer(..)")
    }
}
