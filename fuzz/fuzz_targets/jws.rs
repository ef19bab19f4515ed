//! Tokens and key sets: nothing is accepted that its owner did not sign, and what is read is what stands there.
#![no_main]

use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding};
use libfuzzer_sys::fuzz_target;
use portico_core::jwt::{self, Algorithm, KeyMaterial, KeySet, Rules, Untrusted};
use serde_json::{Map, Value};

/// A second before the tokens of RFC 7515 expire.
const NOW: u64 = 1_300_819_379;

/// The keys that signed [`SIGNED`]. Nobody who fuzzes can sign with them.
static PUBLIC: LazyLock<KeySet> = LazyLock::new(|| {
    let (keys, warnings) = key_set(include_str!("../seeds/jws/keys")).expect("the seed is a key set");
    assert!(warnings.is_empty(), "{warnings:?}");
    keys
});
static SHARED: LazyLock<KeySet> = LazyLock::new(|| {
    // RFC 7515 appendix A.1
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    KeySet::from_secret(&Base64UrlUnpadded::decode_vec(secret).expect("base64url")).expect("long enough")
});

const SIGNED: [&str; 5] = [
    include_str!("../seeds/jws/hs256"),
    include_str!("../seeds/jws/rs256"),
    include_str!("../seeds/jws/ps256"),
    include_str!("../seeds/jws/es256"),
    include_str!("../seeds/jws/es384"),
];

// a key set as JSON, or a header and claims on two lines, or a token
fuzz_target!(init: check_signed(), |input: &str| {
    if let Ok(json) = serde_json::from_str(input) {
        key_sets(&json);
    } else if let Some((header, claims)) = input.split_once('\n') {
        let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        tokens(&format!("{}.{}.AAAA", encode(header), encode(claims)));
    } else {
        tokens(input);
    }
});

/// Without this, all tokens could be refused for another reason.
fn check_signed() {
    for token in SIGNED {
        let valid = |keys| jwt::verify(token, keys, &rules(), NOW).is_ok();
        assert!(valid(&*PUBLIC) != valid(&*SHARED), "{token}");
    }
}

fn rules() -> Rules {
    let issuer = Some(vec!["joe".into(), "https://id.example/".into()]);
    Rules { issuer, ..Rules::new(Algorithm::ALL.into()) }
}

fn key_set(text: &str) -> Option<(KeySet, Vec<jwt::KeyWarning>)> {
    KeySet::parse(&serde_json::from_str(text).ok()?).ok()
}

fn key_sets(json: &Value) {
    let Ok((set, _)) = KeySet::parse(json) else { return };
    assert!(matches!(set.keys().len(), 1..=64));
    for key in set.keys() {
        assert!(!matches!(key.material(), KeyMaterial::Hmac(_)), "a shared secret in a public set");
        assert!(!key.fits(Algorithm::HS256));
        let fitting: Vec<_> = Algorithm::ALL.into_iter().filter(|algorithm| key.fits(*algorithm)).collect();
        assert!(!fitting.is_empty(), "{key:?} is of no use");
        for algorithm in fitting {
            // a signature of any length is refused, not a reason to panic
            for length in [0, 1, 64, 96, 256] {
                assert!(!jwt::verify_pure(algorithm, key, b"message", &vec![0; length]));
            }
        }
    }
}

fn tokens(text: &str) {
    let rules = rules();
    for keys in [&*PUBLIC, &*SHARED] {
        assert!(jwt::verify(text, keys, &rules, NOW).is_err() || SIGNED.contains(&text), "forged: {text}");
    }
    let Ok(token) = Untrusted::parse(text) else { return };
    let (signing_input, signature) = text.rsplit_once('.').expect("a token has three parts");
    assert_eq!(token.signing_input(), signing_input.as_bytes());
    assert_eq!(Base64UrlUnpadded::encode_string(token.signature()), signature, "one spelling only");
    for keys in [&*PUBLIC, &*SHARED] {
        let Ok(candidates) = token.select(&rules, keys) else { continue };
        assert!(matches!(candidates.len(), 1..=4));
        for (algorithm, key) in candidates {
            assert!(key.fits(algorithm));
            assert_eq!(algorithm.is_symmetric(), matches!(key.material(), KeyMaterial::Hmac(_)));
        }
    }

    // what would be read if somebody trusted had signed it
    let rules = Rules { audience: Some(vec!["shop".into()]), ..rules };
    let Ok(claims) = token.trust(true).and_then(|token| token.claims(&rules, NOW)) else { return };
    let (_, payload) = signing_input.split_once('.').expect("a token has three parts");
    let payload = Base64UrlUnpadded::decode_vec(payload).expect("it was read");
    let payload: Map<String, Value> = serde_json::from_slice(&payload).expect("it was read");
    assert_eq!(*claims.all(), payload, "another reader sees other claims");
    assert!(claims.expires().is_some_and(|expires| expires > NOW));
    let issuers = rules.issuer.unwrap_or_default();
    assert!(claims.claim("iss").and_then(Value::as_str).is_some_and(|issuer| issuers.iter().any(|one| one == issuer)));
    assert!(claims.subject().is_some() || claims.claim("sub").is_none());
    assert!(claims.scopes().iter().all(|scope| !scope.is_empty() && claims.has_scope(scope)));
}
