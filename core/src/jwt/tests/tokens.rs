//! Tokens as text, their headers, and the choice of keys.

use super::*;

fn parse(text: &str) -> Option<TokenError> {
    Untrusted::parse(text).err()
}

fn with_header(header: &str) -> Result<Claims, TokenError> {
    verify(&hmac_token(SECRET, header, "{}"), &secret_keys(), &lax(), 0)
}

#[test]
fn three_parts_and_no_other_number() {
    let token = token("{}");
    assert_eq!(parse(&token), None);
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    for text in [
        "".to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        header.to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{header}.{claims}.{signature}.{signature}"),
        // five parts are an encrypted token (RFC 7516 §7.1)
        format!("{header}.{claims}.{claims}.{claims}.{signature}"),
        json!({ "protected": header, "payload": claims, "signature": signature }).to_string(),
    ] {
        assert_eq!(parse(&text), Some(TokenError::Malformed), "{text}");
    }
}

#[test]
fn base64url_is_canonical() {
    // claims of four, five and six bytes, so that every kind of ending occurs
    for claims in [r#"{  }"#, r#"{   }"#, r#"{    }"#] {
        let token = token(claims);
        assert!(verify(&token, &secret_keys(), &lax(), 0).is_ok());
        for (place, part) in token.split('.').enumerate() {
            let replaced = |other: &str| {
                let mut parts: Vec<_> = token.split('.').collect();
                parts[place] = other;
                parts.join(".")
            };
            let middle = part.len() / 2;
            let inside = |text: &str| format!("{}{text}{}", &part[..middle], &part[middle..]);
            for text in ["=", "==", " ", "\n", "\t", "+", "/", "%", "\0", "é"] {
                assert_eq!(
                    parse(&replaced(&format!("{part}{text}"))),
                    Some(TokenError::Malformed),
                    "{text:?} at the end"
                );
                assert_eq!(
                    parse(&replaced(&format!("{text}{part}"))),
                    Some(TokenError::Malformed),
                    "{text:?} in front"
                );
                assert_eq!(parse(&replaced(&inside(text))), Some(TokenError::Malformed), "{text:?} inside");
            }
            // other characters at the end that decode to the same bytes in a careless decoder
            if part.len() % 4 != 0 {
                let stem = &part[..part.len() - 1];
                let others = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars();
                let accepted = others
                    .filter(|last| verify(&replaced(&format!("{stem}{last}")), &secret_keys(), &lax(), 0).is_ok())
                    .count();
                assert_eq!(accepted, 1);
            }
        }
    }
}

#[test]
fn the_size_is_bounded_exactly() {
    // of every size around the bound that base64url can make
    let mut seen = (false, false);
    for padding in 0..12 {
        for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"HS256" }"#, r#"{"alg":"HS256"  }"#] {
            let token = hmac_token(SECRET, header, json!({ "x": "y".repeat(6_080 + padding) }).to_string());
            let outcome = verify(&token, &secret_keys(), &lax(), 0);
            seen.0 |= token.len() == MAX_TOKEN_BYTES;
            seen.1 |= token.len() == MAX_TOKEN_BYTES + 1;
            match token.len() <= MAX_TOKEN_BYTES {
                true => assert!(outcome.is_ok(), "{} bytes: {outcome:?}", token.len()),
                false => assert_eq!(outcome, Err(TokenError::TooLarge)),
            }
        }
    }
    assert_eq!(seen, (true, true), "the bound was not met");
    // refused for its size before anything is decoded
    assert_eq!(parse(&"é".repeat(MAX_TOKEN_BYTES)), Some(TokenError::TooLarge));
}

#[test]
fn headers_are_json_objects_without_repetition() {
    for header in [
        "",
        "{}",
        "[]",
        r#"["HS256"]"#,
        "null",
        r#""HS256""#,
        r#"{"alg":"HS256""#,
        r#"{"alg":"HS256"}x"#,
        r#"{"alg":"HS256"}{}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":null}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256","\u0061lg":"none"}"#,
        r#"{"alg":"HS256","kid":"a","kid":"a"}"#,
        r#"{"alg":"HS256","typ":"JWT","typ":"JWT"}"#,
        r#"{"alg":"HS256","x":1,"x":1}"#,
        r#"{"alg":"HS256","crit":["x"],"crit":["x"]}"#,
        r#"{"alg":"HS256","kid":1}"#,
        r#"{"alg":"HS256","typ":1}"#,
        r#"{"alg":"HS256","b64":"false"}"#,
        // a nested token
        r#"{"alg":"HS256","cty":"JWT"}"#,
    ] {
        assert_eq!(with_header(header), Err(TokenError::Malformed), "{header}");
    }
    assert!(with_header("\r\n {\"alg\" : \"HS256\"}\t").is_ok());
    // what is not understood is ignored (RFC 7515 §4), keys and addresses of keys above all
    let others =
        r#"{"alg":"HS256","jku":"https://evil.example","jwk":{"kty":"oct","k":"AA"},"x5c":["AA"],"y":{"z":[1]}}"#;
    assert!(with_header(others).is_ok());
}

#[test]
fn extensions_are_refused() {
    for header in [
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":true}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"crit":"alg","alg":"HS256"}"#,
        r#"{"alg":"HS256","b64":false}"#,
        r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#,
    ] {
        assert_eq!(with_header(header), Err(TokenError::Critical), "{header}");
    }
    assert!(with_header(r#"{"alg":"HS256","b64":true}"#).is_ok());
}

#[test]
fn none_is_no_algorithm_in_any_spelling() {
    let input = |name: &str| format!("{}.{}", b64(json!({ "alg": name }).to_string()), b64("{}"));
    for bits in 0..16u32 {
        let name: String = "none"
            .chars()
            .enumerate()
            .map(|(place, letter)| if bits >> place & 1 == 1 { letter.to_ascii_uppercase() } else { letter })
            .collect();
        for rules in
            [lax(), Rules { algorithms: Algorithm::ALL.to_vec(), ..lax() }, Rules { algorithms: vec![], ..lax() }]
        {
            let unsigned = format!("{}.", input(&name));
            assert_eq!(verify(&unsigned, &secret_keys(), &rules, 0), Err(TokenError::Malformed));
            let signed = hmac_token(SECRET, &json!({ "alg": name }).to_string(), "{}");
            assert_eq!(verify(&signed, &secret_keys(), &rules, 0), Err(TokenError::Algorithm), "{name}");
        }
    }
    for name in ["", "hs256", "HS256 ", "HS384", "HS512"] {
        let signed = hmac_token(SECRET, &json!({ "alg": name }).to_string(), "{}");
        let rules = Rules { algorithms: Algorithm::ALL.to_vec(), ..lax() };
        assert_eq!(verify(&signed, &secret_keys(), &rules, 0), Err(TokenError::Algorithm), "{name:?}");
    }
}

#[test]
fn the_rules_decide_which_algorithms_are_accepted() {
    for algorithms in [vec![], vec![Algorithm::RS256], vec![Algorithm::ES256, Algorithm::EdDSA]] {
        let rules = Rules { algorithms, ..lax() };
        assert_eq!(verify(&token("{}"), &secret_keys(), &rules, 0), Err(TokenError::Algorithm));
    }
    let all = Rules { algorithms: Algorithm::ALL.to_vec(), ..lax() };
    assert!(verify(&token("{}"), &secret_keys(), &all, 0).is_ok());
    // accepted, but no key is of that kind: newer keys may help
    assert_eq!(verify(A2, &set(json!([a3_jwk()])), &all, THEN), Err(TokenError::UnknownKey));
}

#[test]
fn a_kid_selects_its_key() {
    let with_id = |seed, id: &str| {
        let (key, mut jwk) = p256_key(seed);
        jwk["kid"] = id.into();
        (key, jwk)
    };
    let ((one, one_jwk), (two, two_jwk)) = (with_id(1, "one"), with_id(2, "two"));
    let keys = set(json!([one_jwk, two_jwk]));
    let rules = Rules { algorithms: vec![Algorithm::ES256, Algorithm::RS256], ..lax() };
    let outcome = |token: &str, keys: &KeySet| verify(token, keys, &rules, 0).map(|_| ());

    assert_eq!(outcome(&es256_token(&two, r#"{"alg":"ES256","kid":"two"}"#, "{}"), &keys), Ok(()));
    assert_eq!(outcome(&es256_token(&two, r#"{"alg":"ES256"}"#, "{}"), &keys), Ok(()));
    // signed with a known key, but under the other's name
    let other = es256_token(&two, r#"{"alg":"ES256","kid":"one"}"#, "{}");
    assert_eq!(outcome(&other, &keys), Err(TokenError::Signature));
    for kid in ["three", "", "ONE", "one "] {
        let header = json!({ "alg": "ES256", "kid": kid }).to_string();
        assert_eq!(outcome(&es256_token(&one, &header, "{}"), &keys), Err(TokenError::UnknownKey), "{kid:?}");
    }
    // a known kid, but a key of another kind
    let wrong_kind = es256_token(&one, r#"{"alg":"RS256","kid":"one"}"#, "{}");
    assert_eq!(outcome(&wrong_kind, &keys), Err(TokenError::Algorithm));

    // one kid, two keys (RFC 7517 §4.5): both are tried
    let (_, same_id) = with_id(3, "two");
    let keys = set(json!([same_id, one_jwk, two_jwk]));
    assert_eq!(outcome(&es256_token(&two, r#"{"alg":"ES256","kid":"two"}"#, "{}"), &keys), Ok(()));

    // a key without an id may be meant, but only when no key has that id
    let (three, no_id) = p256_key(4);
    let keys = set(json!([no_id, one_jwk]));
    assert_eq!(outcome(&es256_token(&three, r#"{"alg":"ES256","kid":"three"}"#, "{}"), &keys), Ok(()));
    assert_eq!(
        outcome(&es256_token(&three, r#"{"alg":"ES256","kid":"one"}"#, "{}"), &keys),
        Err(TokenError::Signature)
    );
}

#[test]
fn a_shared_secret_fits_any_kid() {
    assert!(with_header(r#"{"alg":"HS256","kid":"whatever"}"#).is_ok());
}

#[test]
fn without_a_kid_at_most_four_keys_are_tried() {
    let (signers, jwks): (Vec<_>, Vec<_>) = (1..=6).map(p256_key).unzip();
    // keys that do not fit do not count
    let mut all = vec![rsa_jwk(A2_N), es384_jwk()];
    all.extend(jwks);
    let keys = set(Value::Array(all));
    let rules = Rules { algorithms: vec![Algorithm::ES256], ..lax() };
    for (place, signer) in signers.iter().enumerate() {
        let text = es256_token(signer, r#"{"alg":"ES256"}"#, "{}");
        let candidates = Untrusted::parse(&text).unwrap().select(&rules, &keys).unwrap();
        assert_eq!(candidates.len(), 4);
        let expected = if place < 4 { Ok(()) } else { Err(TokenError::Signature) };
        assert_eq!(verify(&text, &keys, &rules, 0).map(|_| ()), expected, "key {place}");
    }
}

#[test]
fn claims_cannot_be_had_without_a_signature() {
    let text = token("{}");
    let untrusted = || Untrusted::parse(&text).unwrap();
    assert_eq!(untrusted().trust(false).err(), Some(TokenError::Signature));
    assert!(untrusted().trust(true).is_ok());
}

#[test]
fn reason_codes_are_distinct() {
    let errors = [
        TokenError::TooLarge,
        TokenError::Malformed,
        TokenError::Critical,
        TokenError::Algorithm,
        TokenError::UnknownKey,
        TokenError::Signature,
        TokenError::Type,
        TokenError::Issuer,
        TokenError::Audience,
        TokenError::Expired,
        TokenError::NotYetValid,
        TokenError::Claim("exp"),
    ];
    let codes: std::collections::BTreeSet<_> = errors.iter().map(|error| error.code()).collect();
    assert_eq!(codes.len(), errors.len());
    assert!(codes.iter().all(|code| code.starts_with("token_")));
}
