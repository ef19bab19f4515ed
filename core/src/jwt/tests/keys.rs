//! JWK Sets: what is read, skipped and refused.

use super::*;

fn flaw(jwk: Value) -> KeyFlaw {
    // beside a sound key, so that the set itself is usable
    let (keys, warnings) = KeySet::parse(&json!({ "keys": [a3_jwk(), jwk] })).unwrap();
    assert_eq!(keys.keys().len(), 1, "the key was not skipped");
    assert_eq!((warnings.len(), warnings[0].index), (1, 1));
    warnings[0].flaw
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

#[test]
fn every_kind_of_key_is_read_with_its_bytes() {
    let (keys, warnings) = KeySet::parse(&json!({
        "keys": [rsa_jwk(A2_N), a3_jwk(), es384_jwk(), eddsa_jwk()], "more": 1
    }))
    .unwrap();
    assert_eq!(warnings, []);
    let [rsa, p256, p384, ed25519] = keys.keys() else { panic!() };
    let KeyMaterial::Rsa(rsa) = rsa.material() else { panic!() };
    assert_eq!((rsa.modulus(), rsa.exponent()), (unb64(A2_N).as_slice(), [1, 0, 1].as_slice()));
    let KeyMaterial::P256(p256) = p256.material() else { panic!() };
    assert_eq!(p256.point().as_slice(), [vec![4], unb64(A3_X), unb64(A3_Y)].concat());
    let KeyMaterial::P384(p384) = p384.material() else { panic!() };
    assert_eq!(p384.point().as_slice(), [vec![4], unb64(ES384_X), unb64(ES384_Y)].concat());
    let KeyMaterial::Ed25519(ed25519) = ed25519.material() else { panic!() };
    assert_eq!(ed25519.bytes().as_slice(), unb64(EDDSA_X));
}

#[test]
fn thumbprints() {
    // RFC 7638 §3.1, RFC 8037 appendix A.3
    let thumbprint = |jwk| b64(set(json!([jwk])).keys()[0].thumbprint());
    let rsa = with(with(rsa_jwk(RFC7638_N), "alg", "RS256".into()), "kid", "2011-04-29".into());
    assert_eq!(thumbprint(rsa), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(thumbprint(eddsa_jwk()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    // of the key in RFC 7515 appendix A.3, by Python's hashlib over the canonical JSON
    assert_eq!(thumbprint(a3_jwk()), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
}

#[test]
fn keys_for_something_else_are_skipped() {
    let other = || with(p256_key(1).1, "kid", "other".into());
    assert_eq!(flaw(with(other(), "use", "enc".into())), KeyFlaw::OtherUse);
    assert_eq!(flaw(with(other(), "key_ops", json!(["sign"]))), KeyFlaw::OtherUse);
    assert_eq!(flaw(with(other(), "key_ops", json!([]))), KeyFlaw::OtherUse);
    assert_eq!(flaw(with(other(), "key_ops", json!("verify"))), KeyFlaw::Member("key_ops"));
    assert_eq!(flaw(with(other(), "alg", "RS256".into())), KeyFlaw::OtherAlgorithm);
    assert_eq!(flaw(with(other(), "alg", "ES384".into())), KeyFlaw::OtherAlgorithm);
    assert_eq!(flaw(with(other(), "alg", "ECDH-ES".into())), KeyFlaw::OtherAlgorithm);
    assert_eq!(flaw(with(other(), "alg", "none".into())), KeyFlaw::OtherAlgorithm);
    assert_eq!(flaw(with(other(), "alg", "HS256".into())), KeyFlaw::OtherAlgorithm);
    assert_eq!(flaw(with(other(), "crv", "P-521".into())), KeyFlaw::UnknownCurve);
    assert_eq!(flaw(with(other(), "crv", "secp256k1".into())), KeyFlaw::UnknownCurve);
    assert_eq!(flaw(with(eddsa_jwk(), "crv", "X25519".into())), KeyFlaw::UnknownCurve);
    assert_eq!(flaw(with(other(), "kty", "AKP".into())), KeyFlaw::UnknownType);
    assert_eq!(flaw(with(other(), "kty", "ec".into())), KeyFlaw::UnknownType);
    assert_eq!(flaw(with(other(), "kid", 7.into())), KeyFlaw::Member("kid"));
    assert_eq!(flaw("key".into()), KeyFlaw::NotAnObject);
    let fine = with(with(with(other(), "use", "sig".into()), "key_ops", json!(["verify"])), "alg", "ES256".into());
    assert_eq!(set(json!([fine])).keys()[0].id(), Some("other"));
}

#[test]
fn unsound_keys_are_skipped() {
    let sizes = [(N_2040.to_owned(), 2040), (b64([&[1], unb64(N_8192).as_slice()].concat()), 8193)];
    for (n, bits) in sizes {
        assert_eq!(flaw(rsa_jwk(&n)), KeyFlaw::RsaSize { bits });
    }
    assert_eq!(flaw(rsa_jwk("")), KeyFlaw::RsaSize { bits: 0 });
    let mut even = unb64(A2_N);
    even[255] ^= 1;
    assert_eq!(flaw(rsa_jwk(&b64(even))), KeyFlaw::RsaNumbers);
    for exponent in [vec![], vec![0], vec![1], vec![2], vec![1, 0, 0], vec![2, 0, 0, 0, 1], vec![0xff; 256]] {
        assert_eq!(flaw(with(rsa_jwk(A2_N), "e", b64(&exponent).into())), KeyFlaw::RsaNumbers, "{exponent:?}");
    }
    assert_eq!(flaw(with(a3_jwk(), "y", A3_X.into())), KeyFlaw::Point);
    assert_eq!(flaw(with(es384_jwk(), "y", ES384_X.into())), KeyFlaw::Point);
    assert_eq!(flaw(with(with(a3_jwk(), "x", b64([0; 32]).into()), "y", b64([0; 32]).into())), KeyFlaw::Point);
    assert_eq!(flaw(with(a3_jwk(), "x", b64([0xff; 32]).into())), KeyFlaw::Point);
    // of order 1 and 8, not canonical, not on the curve
    let mut identity = [0; 32];
    identity[0] = 1;
    let of_order_8 = unb64("xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o");
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    for point in [identity.to_vec(), of_order_8, vec![0; 32], vec![0xff; 32], off_curve.to_vec()] {
        assert_eq!(flaw(with(eddsa_jwk(), "x", b64(&point).into())), KeyFlaw::Point, "{point:?}");
    }
}

#[test]
fn malformed_members_are_noticed() {
    for (jwk, name) in
        [(rsa_jwk(A2_N), "n"), (rsa_jwk(A2_N), "e"), (a3_jwk(), "x"), (a3_jwk(), "y"), (eddsa_jwk(), "x")]
    {
        for value in
            [Value::Null, json!(1), json!("AQ=="), json!("A Q"), json!("+/8"), json!("AR"), json!("A".repeat(9000))]
        {
            assert_eq!(flaw(with(jwk.clone(), name, value.clone())), KeyFlaw::Member(name), "{value}");
        }
        let mut missing = jwk.clone();
        missing.as_object_mut().unwrap().remove(name);
        assert_eq!(flaw(missing), KeyFlaw::Member(name));
    }
    // too short, too long, and with a zero in front
    for x in [b64(&unb64(A3_X)[1..]), b64([unb64(A3_X), vec![0]].concat()), b64([vec![0], unb64(A3_X)].concat())] {
        assert_eq!(flaw(with(a3_jwk(), "x", x.into())), KeyFlaw::Member("x"));
    }
    assert_eq!(flaw(with(eddsa_jwk(), "x", b64([1; 31]).into())), KeyFlaw::Member("x"));
    for name in ["kty", "crv"] {
        let mut missing = a3_jwk();
        missing.as_object_mut().unwrap().remove(name);
        assert_eq!(flaw(missing), KeyFlaw::Member(name));
    }
}

#[test]
fn the_bounds_on_rsa_are_inclusive() {
    assert_eq!(set(json!([rsa_jwk(A2_N), rsa_jwk(N_8192)])).keys().len(), 2);
    // a zero in front, as some libraries write it, makes no other key: ring for one would refuse it
    let zero = set(json!([rsa_jwk(&b64([vec![0], unb64(A2_N)].concat()))]));
    let plain = set(json!([rsa_jwk(A2_N)]));
    let KeyMaterial::Rsa(key) = zero.keys()[0].material() else { panic!() };
    assert_eq!(key.modulus(), unb64(A2_N));
    assert_eq!(zero.keys()[0].thumbprint(), plain.keys()[0].thumbprint());
    assert!(verify(A2, &zero, &Rules::new(vec![Algorithm::RS256]), THEN).is_ok());
}

#[test]
fn private_keys_and_secrets_are_refused() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"] {
        let json = json!({ "keys": [rsa_jwk(A2_N), with(rsa_jwk(PS256_N), name, "AQAB".into())] });
        let error = KeySet::parse(&json).unwrap_err();
        assert_eq!(error, KeyError::PrivateKey { index: 1 });
        assert!(error.to_string().contains("private key"));
    }
    let oct = json!({ "kty": "oct", "k": A1_SECRET });
    assert_eq!(KeySet::parse(&json!({ "keys": [oct] })).unwrap_err(), KeyError::SharedSecret { index: 0 });
    // also far behind the keys that are read
    let mut many: Vec<_> = (1..=70).map(|seed| p256_key(seed).1).collect();
    many.push(with(a3_jwk(), "d", "AQAB".into()));
    assert_eq!(KeySet::parse(&json!({ "keys": many })).unwrap_err(), KeyError::PrivateKey { index: 70 });
}

#[test]
fn sets_without_use_are_errors() {
    for json in [json!(null), json!([]), json!({}), json!({ "keys": {} })] {
        assert_eq!(KeySet::parse(&json).unwrap_err(), KeyError::NotASet, "{json}");
    }
    assert_eq!(KeySet::parse(&a3_jwk()).unwrap_err(), KeyError::SingleKey);
    let empty = KeySet::parse(&json!({ "keys": [] })).unwrap_err();
    assert_eq!(empty.to_string(), "no key of the set can be used");
    let unusable = json!({ "keys": [{ "kty": "AKP", "kid": "a" }, rsa_jwk(N_2040)] });
    assert_eq!(
        KeySet::parse(&unusable).unwrap_err().to_string(),
        "no key of the set can be used: key 0 (\"a\"): of an unknown type (`kty`); \
         key 1: 2040 bits long, RSA keys must have 2048 to 8192"
    );
}

#[test]
fn repeated_keys_and_ids() {
    let (one, two) = (with(p256_key(1).1, "kid", "k".into()), with(p256_key(2).1, "kid", "k".into()));
    let (keys, warnings) = KeySet::parse(&json!({ "keys": [one, one, two] })).unwrap();
    assert_eq!(keys.keys().len(), 2);
    let flaws: Vec<_> = warnings.iter().map(|warning| (warning.index, warning.id.as_deref(), warning.flaw)).collect();
    assert_eq!(flaws, [(1, Some("k"), KeyFlaw::Repeated), (2, Some("k"), KeyFlaw::SharedId)]);
}

#[test]
fn a_set_is_bounded() {
    let many: Vec<_> = (1..=70).map(|seed| p256_key(seed).1).collect();
    let (keys, warnings) = KeySet::parse(&json!({ "keys": many })).unwrap();
    assert_eq!(keys.keys().len(), 64);
    assert_eq!(warnings, [KeyWarning { index: 64, id: None, flaw: KeyFlaw::TooMany }]);
}

#[test]
fn secrets_have_32_bytes_and_stay_hidden() {
    assert_eq!(KeySet::from_secret(&[b'x'; 31]).unwrap_err(), KeyError::SecretTooShort { bytes: 31 });
    let keys = KeySet::from_secret(&[b'x'; 32]).unwrap();
    assert!(!format!("{keys:?}").contains("xx") && !format!("{keys:?}").contains("120, 120"));
    let KeyMaterial::Hmac(key) = keys.keys()[0].material() else { panic!() };
    assert_eq!(key.secret(), [b'x'; 32]);
    assert_eq!(format!("{:?}", keys.keys()[0].material()), "Hmac(HmacKey(..))");
}

#[test]
fn algorithms_by_name() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        assert_eq!(serde_json::from_value::<Algorithm>(json!(algorithm.as_str())).unwrap(), algorithm);
        assert_eq!(algorithm.is_symmetric(), algorithm == Algorithm::HS256);
    }
    for name in
        ["none", "None", "NONE", "nOnE", "", "hs256", "RS256 ", "HS384", "RS512", "ES512", "ES256K", "eddsa", "Ed448"]
    {
        assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm), "{name:?}");
        assert!(serde_json::from_value::<Algorithm>(json!(name)).is_err());
    }
}
