//! Project Wycheproof's vectors: what implementations of these algorithms have got wrong. Every verdict is met, by keys that were
//! read from a JWK and with signatures as they stand in a token.

use ::wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use super::*;

/// How many vectors there were of each kind.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    valid: usize,
    invalid: usize,
    /// Valid to some and not to others. Portico refuses them all.
    acceptable: usize,
}

impl Tally {
    fn check(
        &mut self,
        algorithm: Algorithm,
        key: &Key,
        message: &[u8],
        signature: &[u8],
        expected: TestResult,
        what: &str,
    ) {
        let kind = match expected {
            TestResult::Valid => &mut self.valid,
            TestResult::Invalid => &mut self.invalid,
            TestResult::Acceptable => &mut self.acceptable,
        };
        *kind += 1;
        let verdict = verify_pure(algorithm, key, message, signature);
        assert_eq!(verdict, expected == TestResult::Valid, "{algorithm}: {what}");
    }
}

fn rsa_set(n: &[u8], e: &[u8]) -> KeySet {
    set(json!([{ "kty": "RSA", "n": b64(n), "e": b64(e) }]))
}

fn pkcs1v15(name: rsa_pkcs1_verify::TestName) -> Tally {
    let mut tally = Tally::default();
    for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
        let keys = rsa_set(&group.key.n, &group.key.e);
        for test in group.tests {
            let what = format!("{name:?} {} {} {:?}", test.tc_id, test.comment, test.flags);
            tally.check(Algorithm::RS256, &keys.keys()[0], &test.msg, &test.sig, test.result, &what);
        }
    }
    tally
}

fn pss(name: rsa_pss_verify::TestName) -> Tally {
    let mut tally = Tally::default();
    for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
        let keys = rsa_set(&group.key.n, &group.key.e);
        for test in group.tests {
            let what = format!("{name:?} {} {} {:?}", test.tc_id, test.comment, test.flags);
            tally.check(Algorithm::PS256, &keys.keys()[0], &test.msg, &test.sig, test.result, &what);
        }
    }
    tally
}

fn elliptic(name: ecdsa::TestName, algorithm: Algorithm, curve: &str) -> Tally {
    let mut tally = Tally::default();
    for group in ecdsa::TestSet::load(name).unwrap().test_groups {
        let (x, y) = group.key.key[1..].split_at((group.key.key.len() - 1) / 2);
        let keys = set(json!([{ "kty": "EC", "crv": curve, "x": b64(x), "y": b64(y) }]));
        for test in group.tests {
            let what = format!("{name:?} {} {} {:?}", test.tc_id, test.comment, test.flags);
            tally.check(algorithm, &keys.keys()[0], &test.msg, &test.sig, test.result, &what);
        }
    }
    tally
}

#[test]
fn rs256() {
    use rsa_pkcs1_verify::TestName;
    // acceptable: the hash's name without its NULL. RFC 8017 §9.2 lets a verifier take that; nobody writes it, and to compare
    // the encoding as a whole is safer than to parse it
    for (name, valid, invalid) in [
        (TestName::Rsa2048Sha256, 9, 249),
        (TestName::Rsa3072Sha256, 8, 250),
        (TestName::Rsa4096Sha256, 7, 250),
        (TestName::Rsa8192Sha256, 7, 250),
    ] {
        assert_eq!(pkcs1v15(name), Tally { valid, invalid, acceptable: 1 }, "{name:?}");
    }
}

#[test]
fn ps256() {
    use rsa_pss_verify::TestName;
    for (name, valid, invalid) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen32, 63, 45),
        (TestName::RsaPss3072Sha256Mgf1SaltLen32, 63, 45),
        (TestName::RsaPss4096Sha256Mgf1SaltLen32, 63, 45),
    ] {
        assert_eq!(pss(name), Tally { valid, invalid, acceptable: 0 }, "{name:?}");
    }
}

#[test]
fn ps256_with_another_salt() {
    use rsa_pss_verify::TestName;
    // sound elsewhere: RFC 7518 §3.5 demands a salt of 32 bytes, and MGF1 with the same hash
    for name in [TestName::RsaPss2048Sha256Mgf1SaltLen0, TestName::RsaPss2048Sha256Mgf1Sha1_20] {
        let mut sound = 0;
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let keys = rsa_set(&group.key.n, &group.key.e);
            for test in group.tests.into_iter().filter(|test| test.result == TestResult::Valid) {
                assert!(
                    !verify_pure(Algorithm::PS256, &keys.keys()[0], &test.msg, &test.sig),
                    "{name:?} {}",
                    test.tc_id
                );
                sound += 1;
            }
        }
        assert!(sound > 40, "{name:?}: {sound}");
    }
}

#[test]
fn es256() {
    let tally = elliptic(ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Algorithm::ES256, "P-256");
    assert_eq!(tally, Tally { valid: 173, invalid: 89, acceptable: 0 });
}

#[test]
fn es384() {
    let tally = elliptic(ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Algorithm::ES384, "P-384");
    assert_eq!(tally, Tally { valid: 193, invalid: 87, acceptable: 0 });
}

#[test]
fn ed25519() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let keys = set(json!([{ "kty": "OKP", "crv": "Ed25519", "x": b64(&group.key.pk) }]));
        for test in group.tests {
            let what = format!("{} {} {:?}", test.tc_id, test.comment, test.flags);
            tally.check(Algorithm::EdDSA, &keys.keys()[0], &test.msg, &test.sig, test.result, &what);
        }
    }
    assert_eq!(tally, Tally { valid: 88, invalid: 63, acceptable: 0 });
}
