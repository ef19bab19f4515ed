//! Signatures, checked by WebCrypto where that is faster than pure Rust. What it checks has no second implementation here: the
//! runtime would have to compile that at every start.
//!
//! Microseconds of processor for one check with a key that is ready, in workerd 1.20260426 on one machine, against the crates `rsa` 0.9
//! and `p256` 0.13 (with today's ones RS256 takes 180, ES256 1,070 in another WebAssembly runtime):
//!
//! | | HS256 | RS256, PS256 | ES256 | ES384 | EdDSA |
//! |---|---|---|---|---|---|
//! | pure Rust | 2 | 770 | 1,500 | 6,200 | 380 |
//! | WebCrypto | 10 | 20 | 60 | 600 | 60 |

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use js_sys::{Array, Object, Reflect, Uint8Array};
use portico_core::jwt::{Algorithm, Key, KeyMaterial};
use wasm_bindgen::prelude::*;
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};

use crate::task::Settled;

thread_local! {
    /// Keys that were imported. Bounded: a configuration and its key sets hold few.
    static IMPORTED: RefCell<HashMap<Id, Rc<Imported>>> = RefCell::default();
}

/// A key's thumbprint, and the algorithm that it was imported for.
type Id = ([u8; 32], Algorithm);

/// WebCrypto, and what it needs besides a message and its signature.
#[derive(Debug)]
struct Imported {
    subtle: SubtleCrypto,
    algorithm: Object,
    key: CryptoKey,
}

/// As many imported keys are remembered; then they are imported anew.
const REMEMBERED: usize = 256;

/// Whether `signature` is `key`'s signature of `message`. Says `false` whenever in doubt.
pub(crate) async fn verify(algorithm: Algorithm, key: &Key, message: &[u8], signature: &[u8]) -> bool {
    if !key.fits(algorithm) {
        return false;
    }
    // the way to WebCrypto and back costs more than an HMAC
    if let KeyMaterial::Hmac(key) = key.material() {
        return key.verify(message, signature);
    }
    // core took the key, and WebCrypto takes whatever could be one
    verify_by_webcrypto(algorithm, key, message, signature).await.unwrap_or_else(|error| {
        worker::console_error!("WebCrypto refused a key for {algorithm}: {error:?}");
        false
    })
}

pub(crate) async fn verify_by_webcrypto(
    algorithm: Algorithm,
    key: &Key,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, JsValue> {
    let id = (*key.thumbprint(), algorithm);
    let imported = match IMPORTED.with_borrow(|keys| keys.get(&id).cloned()) {
        Some(imported) => imported,
        None => {
            let imported = Rc::new(import(algorithm, key).await?);
            IMPORTED.with_borrow_mut(|keys| {
                if keys.len() >= REMEMBERED {
                    keys.clear();
                }
                keys.insert(id, Rc::clone(&imported));
            });
            imported
        }
    };
    let Imported { subtle, algorithm, key } = &*imported;
    // views of WebAssembly's memory: WebCrypto has copied or used them when it returns (Web Cryptography API §14.3.4)
    let promise = subtle.verify_with_object_and_u8_array_and_u8_array(algorithm, key, signature, message)?;
    Ok(Settled::from(promise).await?.is_truthy())
}

/// What WebCrypto calls the algorithm, for import and verification alike.
fn parameters(algorithm: Algorithm) -> Result<Object, JsValue> {
    let (name, hash, more) = match algorithm {
        Algorithm::RS256 => ("RSASSA-PKCS1-v1_5", "SHA-256", None),
        Algorithm::PS256 => ("RSA-PSS", "SHA-256", Some(("saltLength", JsValue::from(32)))),
        Algorithm::ES256 => ("ECDSA", "SHA-256", Some(("namedCurve", "P-256".into()))),
        Algorithm::ES384 => ("ECDSA", "SHA-384", Some(("namedCurve", "P-384".into()))),
        Algorithm::EdDSA => ("Ed25519", "SHA-512", None),
        _ => return Err("no public-key algorithm".into()),
    };
    object([("name", name.into()), ("hash", hash.into())].into_iter().chain(more))
}

async fn import(algorithm: Algorithm, key: &Key) -> Result<Imported, JsValue> {
    let subtle = js_sys::global().unchecked_into::<WorkerGlobalScope>().crypto()?.subtle();
    let raw = |bytes: &[u8]| ("raw", Uint8Array::from(bytes).into());
    let (format, data): (_, Object) = match key.material() {
        KeyMaterial::Rsa(key) => {
            let number = |bytes: &[u8]| JsValue::from(Base64UrlUnpadded::encode_string(bytes));
            let members = [("kty", "RSA".into()), ("n", number(key.modulus())), ("e", number(key.exponent()))];
            ("jwk", object(members)?)
        }
        KeyMaterial::P256(key) => raw(key.point()),
        KeyMaterial::P384(key) => raw(key.point()),
        KeyMaterial::Ed25519(key) => raw(key.bytes()),
        KeyMaterial::Hmac(_) => return Err("no public key".into()),
    };
    let usages = Array::of1(&"verify".into());
    let algorithm = parameters(algorithm)?;
    let promise = subtle.import_key_with_object(format, &data, &algorithm, false, &usages)?;
    let key = Settled::from(promise).await?.unchecked_into();
    Ok(Imported { subtle, algorithm, key })
}

fn object(members: impl IntoIterator<Item = (&'static str, JsValue)>) -> Result<Object, JsValue> {
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &name.into(), &value)?;
    }
    Ok(object)
}
