//! Signatures: the standards' vectors, and everything that must not pass for one.

use crypto_bigint::BoxedUint;

use super::*;

/// The key and the parts of a vector.
fn parts(jwk: &Value, token: &str) -> (KeySet, Vec<u8>, Vec<u8>) {
    let (input, signature) = token.rsplit_once('.').unwrap();
    (set(json!([jwk])), input.as_bytes().to_vec(), unb64(signature))
}

fn is_valid(algorithm: Algorithm, keys: &KeySet, input: &[u8], signature: &[u8]) -> bool {
    verify_pure(algorithm, &keys.keys()[0], input, signature)
}

#[test]
fn rfc_7515_a1_hs256() {
    let keys = KeySet::from_secret(&unb64(A1_SECRET)).unwrap();
    let claims = verify(A1, &keys, &Rules::new(vec![Algorithm::HS256]), THEN).unwrap();
    assert_eq!(
        Value::Object(claims.all().clone()),
        json!({"iss": "joe", "exp": 1300819380, "http://example.com/is_root": true})
    );
    assert_eq!(claims.expires(), Some(1_300_819_380));
    let token = Untrusted::parse(A1).unwrap();
    assert_eq!(token.signature(), unb64("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    assert_eq!(token.signing_input(), A1.rsplit_once('.').unwrap().0.as_bytes());
}

#[test]
fn every_asymmetric_vector_verifies() {
    for (algorithm, jwk, token) in asymmetric() {
        let (keys, input, signature) = parts(&jwk, token);
        assert!(is_valid(algorithm, &keys, &input, &signature), "{algorithm}");
        let outcome = verify(token, &keys, &Rules::new(vec![algorithm]), THEN);
        match algorithm {
            // its payload is a sentence: the signature was fine, the claims are not
            Algorithm::EdDSA => assert_eq!(outcome, Err(TokenError::Malformed)),
            _ => assert!(outcome.is_ok(), "{algorithm}: {outcome:?}"),
        }
    }
}

#[test]
fn eddsa_under_both_its_names() {
    let mut seed = [0; 32];
    seed.copy_from_slice(&unb64(EDDSA_SEED));
    let key = ed25519_dalek::SigningKey::from_bytes(&seed);
    for name in ["EdDSA", "Ed25519"] {
        let input = format!("{}.{}", b64(json!({ "alg": name }).to_string()), b64(r#"{"sub":"u"}"#));
        let token = format!("{input}.{}", b64(key.sign(input.as_bytes()).to_bytes()));
        let rules = Rules { algorithms: vec![Algorithm::EdDSA], ..lax() };
        assert_eq!(verify(&token, &set(json!([eddsa_jwk()])), &rules, 0).unwrap().subject(), Some("u"), "{name}");
    }
}

#[test]
fn a_change_anywhere_is_noticed() {
    let mut cases = vec![(Algorithm::HS256, KeySet::from_secret(&unb64(A1_SECRET)).unwrap(), A1)];
    cases.extend(asymmetric().into_iter().map(|(algorithm, jwk, token)| (algorithm, set(json!([jwk])), token)));
    for (algorithm, keys, token) in cases {
        let rules = Rules::new(vec![algorithm]);
        // every character where that is cheap, else some of every part
        let step = if algorithm == Algorithm::HS256 { 1 } else { token.len() / 40 };
        let last = token.len() - 1;
        for place in (0..token.len()).step_by(step).chain([last]) {
            for flip in [1u8, 4] {
                let mut changed = token.as_bytes().to_vec();
                changed[place] = flipped(changed[place], flip);
                let changed = String::from_utf8(changed).unwrap();
                let outcome = verify(&changed, &keys, &rules, THEN);
                assert!(outcome.is_err(), "{algorithm}: {changed}");
                let in_signature = place > token.rfind('.').unwrap();
                if in_signature && place != last {
                    assert_eq!(outcome, Err(TokenError::Signature), "{algorithm}");
                }
            }
        }
    }
}

/// The base64url character whose value differs in these bits; a period stays none.
fn flipped(character: u8, bits: u8) -> u8 {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    match ALPHABET.iter().position(|other| *other == character) {
        Some(value) => ALPHABET[value ^ usize::from(bits)],
        None => b'A',
    }
}

#[test]
fn every_bit_of_an_hmac_counts() {
    let keys = KeySet::from_secret(&unb64(A1_SECRET)).unwrap();
    let (input, signature) = A1.rsplit_once('.').unwrap();
    let signature = unb64(signature);
    for bit in 0..256 {
        let mut signature = signature.clone();
        signature[bit / 8] ^= 1 << (bit % 8);
        assert!(!is_valid(Algorithm::HS256, &keys, input.as_bytes(), &signature), "bit {bit}");
    }
}

#[test]
fn only_the_exact_length_verifies() {
    let mut cases: Vec<_> = asymmetric()
        .into_iter()
        .map(|(algorithm, jwk, token)| {
            let (keys, input, signature) = parts(&jwk, token);
            (algorithm, keys, input, signature)
        })
        .collect();
    let (input, signature) = A1.rsplit_once('.').unwrap();
    cases.push((
        Algorithm::HS256,
        KeySet::from_secret(&unb64(A1_SECRET)).unwrap(),
        input.as_bytes().to_vec(),
        unb64(signature),
    ));
    for (algorithm, keys, input, signature) in cases {
        assert!(is_valid(algorithm, &keys, &input, &signature));
        for length in [0, 1, 31, 32, 63, 64, 65, 95, 96, 255, 256, 257, signature.len() - 1, signature.len() + 1] {
            if length != signature.len() {
                let mut wrong = signature.clone();
                wrong.resize(length, 0);
                assert!(!is_valid(algorithm, &keys, &input, &wrong), "{algorithm} of {length} bytes");
            }
        }
        // the same number with a zero in front
        let longer = [&[0], signature.as_slice()].concat();
        assert!(!is_valid(algorithm, &keys, &input, &longer), "{algorithm} with a leading zero");
    }
}

#[test]
fn a_key_checks_its_own_algorithm_only() {
    let mut keys: Vec<_> = asymmetric().into_iter().map(|(_, jwk, _)| set(json!([jwk]))).collect();
    keys.push(KeySet::from_secret(&unb64(A1_SECRET)).unwrap());
    let mut tokens: Vec<_> = asymmetric().into_iter().map(|(algorithm, _, token)| (algorithm, token)).collect();
    tokens.push((Algorithm::HS256, A1));
    for (of_key, keys) in keys.iter().enumerate() {
        for (of_token, (_, token)) in tokens.iter().enumerate() {
            let (input, signature) = token.rsplit_once('.').unwrap();
            for algorithm in Algorithm::ALL {
                let valid = is_valid(algorithm, keys, input.as_bytes(), &unb64(signature));
                let expected = of_key == of_token && tokens[of_token].0 == algorithm;
                assert_eq!(valid, expected, "key {of_key}, token {of_token}, {algorithm}");
            }
        }
    }
}

#[test]
fn the_algorithm_of_a_key_is_honoured() {
    let (_, input, signature) = parts(&rsa_jwk(PS256_N), PS256);
    for (name, valid) in [("PS256", true), ("RS256", false)] {
        let mut jwk = rsa_jwk(PS256_N);
        jwk["alg"] = name.into();
        let keys = set(json!([jwk]));
        assert_eq!(is_valid(Algorithm::PS256, &keys, &input, &signature), valid);
        assert_eq!(verify(PS256, &keys, &Rules::new(vec![Algorithm::PS256]), THEN).is_ok(), valid);
    }
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    // RFC 8725 §2.1: what an attacker knows of the public key, used as a secret
    let jwk = rsa_jwk(A2_N);
    let guesses = [unb64(A2_N), A2_N.as_bytes().to_vec(), jwk.to_string().into_bytes()];
    for guess in guesses {
        for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"HS256","kid":"k"}"#, r#"{"alg":"RS256"}"#] {
            let token = hmac_token(&guess, header, r#"{"exp":2000000000}"#);
            let (input, signature) = token.rsplit_once('.').unwrap();
            let mut jwk = jwk.clone();
            jwk["kid"] = "k".into();
            let keys = set(json!([jwk]));
            assert!(!is_valid(Algorithm::HS256, &keys, input.as_bytes(), &unb64(signature)));
            for algorithms in [vec![Algorithm::RS256], vec![Algorithm::HS256, Algorithm::RS256], vec![Algorithm::HS256]]
            {
                assert!(verify(&token, &keys, &Rules::new(algorithms), THEN).is_err());
            }
        }
    }
}

#[test]
fn ecdsa_signatures_in_der_are_refused() {
    let (keys, input, _) = parts(&es384_jwk(), ES384);
    let der = unb64(ES384_DER.rsplit_once('.').unwrap().1);
    assert!(!is_valid(Algorithm::ES384, &keys, &input, &der));
    assert_eq!(verify(ES384_DER, &keys, &Rules::new(vec![Algorithm::ES384]), THEN), Err(TokenError::Signature));
    let (keys, input, signature) = parts(&a3_jwk(), A3);
    let der = p256::ecdsa::Signature::from_slice(&signature).unwrap().to_der();
    assert!(!is_valid(Algorithm::ES256, &keys, &input, der.as_bytes()));
}

#[test]
fn ecdsa_numbers_out_of_range_are_refused() {
    // the order of P-256
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let cases = [(Algorithm::ES256, a3_jwk(), A3), (Algorithm::ES384, es384_jwk(), ES384)];
    for (algorithm, jwk, token) in cases {
        let (keys, input, signature) = parts(&jwk, token);
        let half = signature.len() / 2;
        for bad in [vec![0; half], vec![0xff; half], order.to_vec()] {
            if bad.len() != half {
                continue;
            }
            for place in [0..half, half..2 * half, 0..2 * half] {
                let mut wrong = signature.clone();
                for (byte, bad) in wrong[place].iter_mut().zip(bad.iter().cycle()) {
                    *byte = *bad;
                }
                assert!(!is_valid(algorithm, &keys, &input, &wrong), "{algorithm}");
            }
        }
    }
}

#[test]
fn eddsa_malleated_is_refused() {
    let (keys, input, signature) = parts(&eddsa_jwk(), EDDSA);
    // S + L, little-endian (RFC 8032 §5.1.7 demands S < L)
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let mut carry = 0u16;
    let mut wrong = signature.clone();
    for place in 0..32 {
        let digit = u16::from_str_radix(&order[2 * place..2 * place + 2], 16).unwrap();
        let sum = u16::from(signature[32 + place]) + digit + carry;
        wrong[32 + place] = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    assert!(!is_valid(Algorithm::EdDSA, &keys, &input, &wrong));
    assert!(!is_valid(Algorithm::EdDSA, &keys, &input, &[0; 64]));
}

#[test]
fn rsa_variants_are_refused() {
    let (keys, input, _) = parts(&rsa_jwk(PS256_N), PS256);
    let (_, _, short_salt) = parts(&rsa_jwk(PS256_N), PS256_SALT_20);
    assert!(!is_valid(Algorithm::PS256, &keys, &input, &short_salt), "RFC 7518 §3.5: 32 bytes of salt");
    let (keys, input, signature) = parts(&rsa_jwk(A2_N), A2);
    let modulus = unb64(A2_N);
    let mut one = vec![0; 256];
    one[255] = 1;
    for wrong in [vec![0; 256], one, vec![0xff; 256], modulus.clone()] {
        for algorithm in [Algorithm::RS256, Algorithm::PS256] {
            assert!(!is_valid(algorithm, &keys, &input, &wrong));
        }
    }
    // s + n is the same number modulo n, where it still fits into 256 bytes
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, 2112).unwrap();
    let sum = number(&signature).wrapping_add(number(&modulus)).to_be_bytes_trimmed_vartime();
    assert!(!is_valid(Algorithm::RS256, &keys, &input, &sum), "{} bytes", sum.len());
}

#[test]
fn rsa_keys_need_not_fill_their_bytes() {
    let keys = set(json!([rsa_jwk(N_2049)]));
    for (algorithm, signature) in [(Algorithm::RS256, unb64(RS256_2049)), (Algorithm::PS256, unb64(PS256_2049))] {
        assert_eq!(signature.len(), 257);
        assert!(is_valid(algorithm, &keys, b"portico", &signature), "{algorithm}");
        assert!(!is_valid(algorithm, &keys, b"Portico", &signature), "{algorithm}");
    }
}

#[test]
fn nothing_panics_on_noise() {
    let keys: Vec<_> = asymmetric().into_iter().map(|(_, jwk, _)| set(json!([jwk]))).chain([secret_keys()]).collect();
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    for round in 0..60 {
        let length = [0, 1, 32, 64, 96, 256, 300][round % 7];
        let noise: Vec<u8> = (0..length).map(|_| random()).collect();
        for keys in &keys {
            for algorithm in Algorithm::ALL {
                assert!(!is_valid(algorithm, keys, &noise, &noise));
            }
        }
    }
}
