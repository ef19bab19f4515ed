//! Signatures of tokens, with the keys of whoever develops and with keys that are made for a test.

use std::fmt;
use std::path::Path;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portico_core::jwt::Algorithm;
use ring::rand::SystemRandom;
use ring::signature::KeyPair as _;
use ring::{hmac, signature as sig};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

/// Something that can sign with one algorithm.
pub struct Signer(Key);

enum Key {
    Secret(hmac::Key),
    Rsa(sig::RsaKeyPair, &'static dyn sig::RsaEncoding),
    Ecdsa(sig::EcdsaKeyPair),
    Ed25519(sig::Ed25519KeyPair),
}

/// The fewest bytes of a secret (RFC 7518 §3.2); the gateway refuses shorter ones, too.
const MIN_SECRET: usize = 32;

impl Signer {
    /// HS256 with a shared secret. The error says what is wrong with it.
    pub fn secret(secret: &str) -> Result<Self, String> {
        if secret.len() < MIN_SECRET {
            return Err(format!("it has {} bytes, HS256 needs {MIN_SECRET} at least", secret.len()));
        }
        Ok(Self(Key::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))))
    }

    /// A public-key algorithm, with the private key in a PEM file. The error says what is wrong with it.
    pub fn key(algorithm: Algorithm, path: &Path) -> Result<Self, String> {
        let key = PrivateKeyDer::from_pem_file(path).map_err(|error| error.to_string())?;
        Key::new(algorithm, &key).map(Self)
    }

    /// A public-key algorithm, with a key that nobody else has; of RSA, which takes long to make, with one that everybody has.
    pub fn for_tests(algorithm: Algorithm) -> Result<Self, String> {
        let random = SystemRandom::new();
        let made = match algorithm {
            Algorithm::RS256 | Algorithm::PS256 => {
                let key = PrivateKeyDer::from_pem_slice(include_bytes!("sign/rsa-for-tests.pem"));
                return Key::new(algorithm, &key.map_err(|error| error.to_string())?).map(Self);
            }
            Algorithm::ES256 => sig::EcdsaKeyPair::generate_pkcs8(&sig::ECDSA_P256_SHA256_FIXED_SIGNING, &random),
            Algorithm::ES384 => sig::EcdsaKeyPair::generate_pkcs8(&sig::ECDSA_P384_SHA384_FIXED_SIGNING, &random),
            Algorithm::EdDSA => sig::Ed25519KeyPair::generate_pkcs8(&random),
            Algorithm::HS256 => return Err(NO_KEY.to_owned()),
        };
        let document = made.map_err(|_| "the system has no randomness".to_owned())?;
        let key = PrivatePkcs8KeyDer::from(document.as_ref());
        Key::new(algorithm, &PrivateKeyDer::from(key)).map(Self)
    }

    /// The public half as a JWK (RFC 7517); `None` for a shared secret.
    pub fn public(&self) -> Option<Value> {
        let text = Base64UrlUnpadded::encode_string;
        match &self.0 {
            Key::Secret(_) => None,
            Key::Rsa(pair, _) => {
                let parts = sig::RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                Some(json!({ "kty": "RSA", "n": text(&parts.n), "e": text(&parts.e) }))
            }
            Key::Ecdsa(pair) => {
                // one byte says that it is not compressed (SEC 1 §2.3.3)
                let (x, y) = pair.public_key().as_ref().get(1..).map(|point| point.split_at(point.len() / 2))?;
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                Some(json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) }))
            }
            Key::Ed25519(pair) => {
                Some(json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) }))
            }
        }
    }

    /// The token: header, claims and signature (RFC 7515 §7.1).
    pub fn token(&self, header: &Value, claims: &Value) -> Result<String, String> {
        let message = message(header, claims);
        self.sealed(&message, &message)
    }

    /// A token whose signature is that of something else.
    pub fn forged(&self, header: &Value, claims: &Value) -> Result<String, String> {
        self.sealed(&message(header, claims), "")
    }

    fn sealed(&self, message: &str, signed: &str) -> Result<String, String> {
        let signature = self.0.sign(signed.as_bytes()).map_err(|_| "the key does not sign".to_owned())?;
        Ok(format!("{message}.{}", Base64UrlUnpadded::encode_string(&signature)))
    }
}

fn message(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| Base64UrlUnpadded::encode_string(part.to_string().as_bytes());
    format!("{}.{}", encode(header), encode(claims))
}

const NO_KEY: &str = "HS256 takes a secret, not a key";

impl Key {
    fn new(algorithm: Algorithm, key: &PrivateKeyDer<'_>) -> Result<Self, String> {
        let rejected = |error: ring::error::KeyRejected| format!("not a key for {algorithm:?} ({error})");
        match (algorithm, key) {
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
            (Algorithm::HS256, _) => Err(NO_KEY.to_owned()),
            _ => Err("the key must be in PKCS#8: openssl pkcs8 -topk8 -nodes -in KEY -out KEY.pkcs8".to_owned()),
        }
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
