//! Signatures checked by ring: about as fast as anything there is, where pure Rust takes several times as long for elliptic curves.

use portico_core::jwt::{Algorithm, Key, KeyMaterial, verify_pure};
use ring::{hmac, signature as sig};

/// Whether `signature` is `key`'s signature of `message`. Says `false` whenever in doubt.
pub fn verify(algorithm: Algorithm, key: &Key, message: &[u8], signature: &[u8]) -> bool {
    if !key.fits(algorithm) {
        return false;
    }
    match (algorithm, key.material()) {
        (Algorithm::HS256, KeyMaterial::Hmac(key)) => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.secret());
            hmac::verify(&key, message, signature).is_ok()
        }
        (Algorithm::RS256, KeyMaterial::Rsa(key)) => {
            rsa(key.modulus(), key.exponent(), &sig::RSA_PKCS1_2048_8192_SHA256, message, signature)
        }
        (Algorithm::PS256, KeyMaterial::Rsa(key)) => {
            rsa(key.modulus(), key.exponent(), &sig::RSA_PSS_2048_8192_SHA256, message, signature)
        }
        (Algorithm::ES256, KeyMaterial::P256(key)) => {
            public(&sig::ECDSA_P256_SHA256_FIXED, key.point(), message, signature)
        }
        (Algorithm::ES384, KeyMaterial::P384(key)) => {
            public(&sig::ECDSA_P384_SHA384_FIXED, key.point(), message, signature)
        }
        (Algorithm::EdDSA, KeyMaterial::Ed25519(key)) => public(&sig::ED25519, key.bytes(), message, signature),
        // a kind of key that is newer than this list
        _ => verify_pure(algorithm, key, message, signature),
    }
}

fn public(algorithm: &'static dyn sig::VerificationAlgorithm, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    sig::UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
}

fn rsa(n: &[u8], e: &[u8], parameters: &'static sig::RsaParameters, message: &[u8], signature: &[u8]) -> bool {
    sig::RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
}

#[cfg(test)]
#[path = "../../core/src/jwt/tests/vectors.rs"]
#[expect(dead_code, reason = "core's vectors, of which only those with signatures are of use here")]
mod vectors;

#[cfg(test)]
#[path = "../../core/src/jwt/tests/signed.rs"]
mod signed;

#[cfg(test)]
mod tests {
    use super::signed::{decode, signed};
    use super::*;

    #[test]
    fn ring_and_pure_rust_agree() {
        for (algorithm, keys, token, valid) in signed() {
            let key = keys.keys().first().unwrap();
            let (input, signature) = token.rsplit_once('.').unwrap();
            let signature = decode(signature);
            assert_eq!(verify(algorithm, key, input.as_bytes(), &signature), valid, "{algorithm} {token}");
            assert_eq!(verify_pure(algorithm, key, input.as_bytes(), &signature), valid, "{algorithm} {token}");

            for at in 0..signature.len() {
                let mut altered = signature.clone();
                altered[at] ^= 1;
                assert!(!verify(algorithm, key, input.as_bytes(), &altered), "{algorithm}, byte {at}");
            }
            assert!(!verify(algorithm, key, &input.as_bytes()[1..], &signature));
            assert!(!verify(algorithm, key, input.as_bytes(), &signature[1..]));
            assert!(!verify(algorithm, key, input.as_bytes(), &[]));
        }
    }
}
