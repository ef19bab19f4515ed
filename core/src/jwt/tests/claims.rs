//! Claims against rules, to the second.

use super::*;

const NOW: u64 = 1_700_000_000;

fn outcome(claims: Value, rules: &Rules) -> Result<(), TokenError> {
    check(&claims, rules, NOW).map(|_| ())
}

#[test]
fn exp_to_the_second() {
    for leeway in [0, 1, 60] {
        let rules = Rules { leeway, ..lax() };
        let exp = NOW - leeway;
        // RFC 7519 §4.1.4: at the very second it is over
        assert_eq!(outcome(json!({ "exp": exp }), &rules), Err(TokenError::Expired), "leeway {leeway}");
        assert_eq!(outcome(json!({ "exp": exp - 1 }), &rules), Err(TokenError::Expired));
        assert_eq!(outcome(json!({ "exp": exp + 1 }), &rules), Ok(()));
        // without the leeway
        assert_eq!(check(&json!({ "exp": exp + 1 }), &rules, NOW).unwrap().expires(), Some(exp + 1));
    }
}

#[test]
fn nbf_to_the_second() {
    for leeway in [0, 1, 60] {
        let rules = Rules { leeway, ..lax() };
        let nbf = NOW + leeway;
        assert_eq!(outcome(json!({ "nbf": nbf }), &rules), Ok(()), "leeway {leeway}");
        assert_eq!(outcome(json!({ "nbf": nbf + 1 }), &rules), Err(TokenError::NotYetValid));
        assert_eq!(outcome(json!({ "nbf": 0 }), &rules), Ok(()));
    }
}

#[test]
fn fractions_of_a_second_go_to_the_strict_side() {
    let now = NOW as f64;
    assert_eq!(outcome(json!({ "exp": now + 0.5 }), &lax()), Err(TokenError::Expired));
    assert_eq!(outcome(json!({ "exp": now + 1.0 }), &lax()), Ok(()));
    assert_eq!(outcome(json!({ "exp": now + 1.5 }), &lax()), Ok(()));
    assert_eq!(outcome(json!({ "nbf": now + 0.5 }), &lax()), Err(TokenError::NotYetValid));
    assert_eq!(outcome(json!({ "nbf": now }), &lax()), Ok(()));
    assert_eq!(outcome(json!({ "nbf": now - 0.5 }), &lax()), Ok(()));
}

#[test]
fn times_out_of_the_ordinary() {
    let text = |claims: &str| verify(&token(claims), &secret_keys(), &lax(), NOW);
    for exp in ["-1", "-1.5", "-9223372036854775808", "0", "-0.0", "-1e300", "1e-300"] {
        assert_eq!(text(&format!(r#"{{"exp":{exp}}}"#)), Err(TokenError::Expired), "{exp}");
    }
    for exp in ["9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e300"] {
        assert!(text(&format!(r#"{{"exp":{exp}}}"#)).is_ok(), "{exp}");
        assert_eq!(text(&format!(r#"{{"nbf":{exp}}}"#)), Err(TokenError::NotYetValid), "{exp}");
    }
    let long = Rules { leeway: u64::MAX, ..lax() };
    assert!(check(&json!({ "exp": u64::MAX, "nbf": u64::MAX }), &long, NOW).is_ok());
    assert_eq!(check(&json!({ "exp": 1 }), &lax(), u64::MAX), Err(TokenError::Expired));
    for name in ["exp", "nbf", "iat"] {
        for value in [json!("1800000000"), json!(null), json!(true), json!([1_800_000_000]), json!({})] {
            assert_eq!(outcome(json!({ name: value }), &lax()), Err(TokenError::Claim(name)), "{name} {value}");
        }
    }
    // more than a double holds is no number at all
    assert_eq!(text(r#"{"exp":1e400}"#), Err(TokenError::Malformed));
    // the age is nobody's business
    assert_eq!(outcome(json!({ "iat": NOW + 1_000_000 }), &lax()), Ok(()));
}

#[test]
fn exp_is_demanded_unless_the_rules_say_otherwise() {
    let strict = Rules::new(vec![Algorithm::HS256]);
    assert_eq!(outcome(json!({}), &strict), Err(TokenError::Claim("exp")));
    assert_eq!(outcome(json!({ "EXP": NOW + 1 }), &strict), Err(TokenError::Claim("exp")));
    assert_eq!(outcome(json!({ "exp": NOW + 1 }), &strict), Ok(()));
    assert_eq!(check(&json!({}), &lax(), NOW).unwrap().expires(), None);
    assert_eq!(outcome(json!({ "exp": NOW }), &lax()), Err(TokenError::Expired), "not demanded, yet checked");
}

#[test]
fn issuers_are_compared_exactly() {
    let rules = Rules { issuer: Some(vec!["https://a.example/".into(), "https://b.example".into()]), ..lax() };
    for issuer in ["https://a.example/", "https://b.example"] {
        assert_eq!(outcome(json!({ "iss": issuer }), &rules), Ok(()));
    }
    for issuer in [
        json!("https://a.example"),
        json!("https://A.example/"),
        json!("https://b.example/"),
        json!(""),
        json!(null),
        json!(["https://a.example/"]),
    ] {
        assert_eq!(outcome(json!({ "iss": issuer }), &rules), Err(TokenError::Issuer), "{issuer}");
    }
    assert_eq!(outcome(json!({}), &rules), Err(TokenError::Issuer));
    assert_eq!(outcome(json!({ "iss": "x" }), &Rules { issuer: Some(vec![]), ..lax() }), Err(TokenError::Issuer));
    assert_eq!(outcome(json!({ "iss": 7 }), &lax()), Ok(()));
}

#[test]
fn one_audience_must_be_ours() {
    let rules = Rules { audience: Some(vec!["shop".into(), "api".into()]), ..lax() };
    for audience in [json!("shop"), json!("api"), json!(["other", "api"]), json!(["shop"])] {
        assert_eq!(outcome(json!({ "aud": audience }), &rules), Ok(()), "{audience}");
    }
    for audience in [
        json!("Shop"),
        json!("shop api"),
        json!("shops"),
        json!([]),
        json!(["other"]),
        json!([["shop"]]),
        json!(["shop", 1]),
        json!({ "shop": true }),
        json!(null),
    ] {
        assert_eq!(outcome(json!({ "aud": audience }), &rules), Err(TokenError::Audience), "{audience}");
    }
    assert_eq!(outcome(json!({}), &rules), Err(TokenError::Audience));
    assert_eq!(outcome(json!({ "aud": "x" }), &Rules { audience: Some(vec![]), ..lax() }), Err(TokenError::Audience));
}

#[test]
fn types_are_media_types() {
    let rules = Rules { types: Some(vec!["at+jwt".into()]), ..lax() };
    let typed = |kind: &str| {
        let header = format!(r#"{{"alg":"HS256","typ":{kind}}}"#);
        verify(&hmac_token(SECRET, &header, "{}"), &secret_keys(), &rules, NOW).map(|_| ())
    };
    for kind in [r#""at+jwt""#, r#""AT+JWT""#, r#""application/at+jwt""#, r#""Application/AT+jwt""#] {
        assert_eq!(typed(kind), Ok(()), "{kind}");
    }
    for kind in [r#""JWT""#, r#""""#, r#""at+jwt ""#, r#""text/at+jwt""#, r#""application/application/at+jwt""#, "null"]
    {
        assert_eq!(typed(kind), Err(TokenError::Type), "{kind}");
    }
    assert_eq!(outcome(json!({}), &rules), Err(TokenError::Type));
}

#[test]
fn claims_are_one_object_without_repetition() {
    for claims in [
        "",
        "[]",
        "null",
        "\"x\"",
        "7",
        "{",
        "{}x",
        "{}{}",
        r#"{"a":1,}"#,
        r#"{"exp":1800000000,"exp":1800000000}"#,
        r#"{"sub":"a","\u0073ub":"b"}"#,
        r#"{"a":{"b":1,"b":1}}"#,
        r#"{"a":[{"b":1,"b":2}]}"#,
        r#"{"a":"\ud800"}"#,
    ] {
        assert_eq!(verify(&token(claims), &secret_keys(), &lax(), NOW), Err(TokenError::Malformed), "{claims}");
    }
    assert_eq!(verify(&token(b"{\"a\":\"\xff\"}"), &secret_keys(), &lax(), NOW), Err(TokenError::Malformed));
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(3_000), "]".repeat(3_000));
    assert_eq!(verify(&token(deep), &secret_keys(), &lax(), NOW), Err(TokenError::Malformed));
    let all = json!({ "a": [1, -1, 0.5, true, null, "é", { "b": {} }], "c": "" });
    assert_eq!(Value::Object(check(&all, &lax(), NOW).unwrap().all().clone()), all);
}

#[test]
fn subjects_are_strings() {
    assert_eq!(check(&json!({ "sub": "u-1" }), &lax(), NOW).unwrap().subject(), Some("u-1"));
    assert_eq!(check(&json!({}), &lax(), NOW).unwrap().subject(), None);
    assert_eq!(outcome(json!({ "sub": 7 }), &lax()), Err(TokenError::Claim("sub")));
}

#[test]
fn scopes_in_every_spelling() {
    let scopes = |claims: Value| check(&claims, &lax(), NOW).unwrap().scopes().to_vec();
    assert_eq!(scopes(json!({ "scope": "orders:read  orders:write" })), ["orders:read", "orders:write"]);
    assert_eq!(scopes(json!({ "scp": "a b" })), ["a", "b"]);
    assert_eq!(scopes(json!({ "scp": ["a", "b", 7, ""] })), ["a", "b"]);
    assert_eq!(scopes(json!({ "scope": ["a"], "scp": "b a" })), ["a", "b"]);
    // a scope has no spaces: an array's entry is one name, not several
    assert_eq!(scopes(json!({ "scp": ["a b"] })), ["a b"]);
    for nothing in
        [json!({}), json!({ "scope": "" }), json!({ "scope": 7, "scp": { "a": true } }), json!({ "scope": null })]
    {
        assert_eq!(scopes(nothing), [""; 0]);
    }
    let claims = check(&json!({ "scope": "orders:read" }), &lax(), NOW).unwrap();
    assert!(claims.has_scope("orders:read") && !claims.has_scope("orders") && !claims.has_scope("orders:read "));
}

#[test]
fn claims_by_name_and_by_path() {
    let claims = check(
        &json!({
            "plain": 1,
            "realm_access": { "roles": ["admin"], "a.b": 2 },
            "https://shop.example/role": "x",
            "https://shop.example/meta": { "plan": { "name": "gold" } },
            "a": { "b": { "c": "by path" } },
            "a.b": "by name",
            "list": [{ "x": 1 }],
        }),
        &lax(),
        NOW,
    )
    .unwrap();
    assert_eq!(claims.claim("plain"), Some(&json!(1)));
    assert_eq!(claims.claim("realm_access.roles"), Some(&json!(["admin"])));
    assert_eq!(claims.claim("realm_access.a.b"), Some(&json!(2)));
    assert_eq!(claims.claim("https://shop.example/role"), Some(&json!("x")));
    assert_eq!(claims.claim("https://shop.example/meta.plan.name"), Some(&json!("gold")));
    assert_eq!(claims.claim("a.b"), Some(&json!("by name")), "the exact name comes first");
    assert_eq!(claims.claim("a.b.c"), Some(&json!("by path")), "a string cannot be gone into");
    for absent in ["", ".", "..", "plain.", ".plain", "plain.x", "realm_access.", "list.0", "nothing", "a..b"] {
        assert_eq!(claims.claim(absent), None, "{absent:?}");
    }
}

#[test]
fn the_weight_grows_with_what_is_held() {
    let weight = |claims: Value| check(&claims, &lax(), NOW).unwrap().weight();
    let empty = weight(json!({}));
    assert!(weight(json!({ "a": "x".repeat(1_000) })) >= empty + 1_000);
    assert!(weight(json!({ "a": vec![0; 1_000] })) >= empty + 1_000 * size_of::<Value>());
    // small objects are dear: each has a tree node of its own
    assert!(weight(json!({ "a": vec![json!({ "a": 0 }); 100] })) >= empty + 100 * 500);
}
