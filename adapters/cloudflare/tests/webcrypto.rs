//! WebCrypto checks signatures like pure Rust. Only JavaScript has it, so this runs there (`scripts/test`), without the rest of
//! the adapter.

#[cfg(target_arch = "wasm32")]
#[path = "../src/verify.rs"]
mod verify;

/// No request's task is there to go on with.
#[cfg(target_arch = "wasm32")]
mod task {
    pub(crate) use wasm_bindgen_futures::JsFuture as Settled;
}

#[cfg(target_arch = "wasm32")]
#[path = "../../../core/src/jwt/tests/vectors.rs"]
#[expect(dead_code, reason = "core's vectors, of which only those with signatures are of use here")]
mod vectors;

#[cfg(target_arch = "wasm32")]
#[path = "../../../core/src/jwt/tests/signed.rs"]
mod signed;

#[cfg(target_arch = "wasm32")]
mod tests {
    use portico_core::jwt::Algorithm;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::signed::{decode, signed};
    use super::verify::{verify, verify_by_webcrypto};

    #[wasm_bindgen_test]
    async fn webcrypto_and_pure_rust_agree() {
        for (algorithm, keys, token, valid) in signed() {
            let key = keys.keys().first().unwrap();
            let (input, signature) = token.rsplit_once('.').unwrap();
            let signature = decode(signature);
            // the second time with the key that was imported the first time
            for _ in 0..2 {
                assert_eq!(verify(algorithm, key, input.as_bytes(), &signature).await, valid, "{algorithm} {token}");
            }
            for at in 0..signature.len() {
                let mut altered = signature.clone();
                altered[at] ^= 1;
                assert!(!verify(algorithm, key, input.as_bytes(), &altered).await, "{algorithm}, byte {at}");
            }
            assert!(!verify(algorithm, key, &input.as_bytes()[1..], &signature).await);
            assert!(!verify(algorithm, key, input.as_bytes(), &signature[1..]).await);
            assert!(!verify(algorithm, key, input.as_bytes(), &[]).await);
        }
    }

    #[wasm_bindgen_test]
    async fn public_keys_are_checked_by_webcrypto_itself() {
        for (algorithm, keys, token, valid) in signed() {
            if !valid || algorithm == Algorithm::HS256 {
                continue;
            }
            let key = keys.keys().first().unwrap();
            let (input, signature) = token.rsplit_once('.').unwrap();
            // an error on the way would look like a bad signature to `verify`
            let answer = verify_by_webcrypto(algorithm, key, input.as_bytes(), &decode(signature)).await;
            assert_eq!(answer, Ok(true), "{algorithm}");
        }
    }
}

fn main() {}
