//! Key sets from an issuer's URL or the store, one request after the other.

use std::time::Duration;

use super::*;
use crate::sim::UpstreamFault;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// The name of the copy in the store.
fn copy() -> String {
    format!("jwks/url/{}", crate::digest::sha256_hex(URL.as_bytes()))
}

#[test]
fn within_fresh_the_issuer_is_asked_once_and_then_after_a_response() {
    let (sim, gateway) = (Sim::new(1), remote());
    let issuer = Issuer::new(&sim, &[1]);
    for caller in ["a", "b", "a"] {
        assert_eq!(ask(&gateway, &sim, &token(1, caller)), "token_valid");
    }
    assert_eq!(issuer.asked(), 1);
    sim.advance(5 * MINUTE - Duration::from_secs(1));
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    assert_eq!(issuer.asked(), 0);
    // the key is withdrawn: the first request after `fresh` still passes, and has the keys fetched
    issuer.has(&[2]);
    sim.advance(Duration::from_secs(1));
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    assert_eq!(issuer.asked(), 1);
    for caller in ["a", "b", "c"] {
        assert_eq!(ask(&gateway, &sim, &token(1, caller)), "token_unknown_key", "{caller}");
    }
    assert_eq!(ask(&gateway, &sim, &token(2, "a")), "token_valid");
    assert_eq!(issuer.asked(), 0);
}

#[test]
fn tokens_stay_remembered_while_their_key_stays() {
    let (sim, gateway) = (Sim::new(1), remote());
    let issuer = Issuer::new(&sim, &[1]);
    let remembered = || match &gateway.routes().next().unwrap().policies.auth {
        Some(auth) => format!("{auth:?}").matches("Memory { len: 1").count(),
        None => 0,
    };
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    assert_eq!((remembered(), issuer.asked()), (1, 1));
    // a key more, the same keys
    for seeds in [[1, 2].as_slice(), &[1, 2], &[1, 2, 3]] {
        issuer.has(seeds);
        sim.advance(5 * MINUTE);
        assert_eq!(ask(&gateway, &sim, &token(9, "a")), "token_unknown_key");
        assert_eq!(issuer.asked(), 1);
        assert_eq!(remembered(), 1, "{seeds:?}");
    }
    issuer.has(&[1, 2]);
    sim.advance(5 * MINUTE);
    assert_eq!(ask(&gateway, &sim, &token(9, "a")), "token_unknown_key");
    assert_eq!(remembered(), 0, "a key is gone, and nobody knows whose tokens it signed");
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
}

#[test]
fn an_unknown_key_is_looked_for_once_in_thirty_seconds() {
    let (sim, gateway) = (Sim::new(1), remote());
    let issuer = Issuer::new(&sim, &[1]);
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    // the keys have just been looked at
    issuer.has(&[1, 2]);
    for seed in 2..100 {
        assert_eq!(ask(&gateway, &sim, &token(seed, "a")), "token_unknown_key");
    }
    assert_eq!(issuer.asked(), 1);
    sim.advance(Duration::from_secs(30));
    assert_eq!(ask(&gateway, &sim, &token(2, "a")), "token_valid");
    for seed in 3..100 {
        assert_eq!(ask(&gateway, &sim, &token(seed, "a")), "token_unknown_key");
    }
    assert_eq!(issuer.asked(), 1);
    sim.advance(Duration::from_secs(30));
    issuer.says(500, String::new());
    for seed in 3..100 {
        assert_eq!(ask(&gateway, &sim, &token(seed, "a")), "token_unknown_key");
    }
    assert_eq!(issuer.asked(), 1, "a failure counts as a look");
    assert_eq!(ask(&gateway, &sim, &token(1, "b")), "token_valid");
}

#[test]
fn a_token_that_is_refused_for_something_else_has_no_keys_looked_for() {
    let (sim, gateway) = (Sim::new(1), remote());
    let issuer = Issuer::new(&sim, &[1]);
    for garbage in ["", "a", "a.b.c", "a.b.c.d.e"] {
        assert_eq!(ask(&gateway, &sim, garbage), "token_malformed");
    }
    assert_eq!(issuer.asked(), 0);
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    sim.advance(MINUTE);
    // HS256 is not accepted, whatever its kid
    let hs256 = format!("{}.e30.AAAA", Base64UrlUnpadded::encode_string(br#"{"alg":"HS256","kid":"k9"}"#));
    assert_eq!(ask(&gateway, &sim, &hs256), "token_algorithm");
    assert_eq!(issuer.asked(), 1);
}

#[test]
fn the_last_good_keys_serve_until_stale_while_the_issuer_is_down() {
    let (sim, gateway) = (Sim::new(1), remote());
    let issuer = Issuer::new(&sim, &[1]);
    sim.set_values_down(true);
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    issuer.says(503, String::new());
    sim.advance(23 * HOUR + 59 * MINUTE);
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    assert_eq!(issuer.asked(), 2);
    // after a failure nobody is asked for a moment
    assert_eq!(ask(&gateway, &sim, &token(1, "b")), "token_valid");
    assert_eq!(issuer.asked(), 0);
    sim.advance(Duration::from_secs(5));
    let (code, detail, _) = block_on(call(&gateway, &sim, "authorization", &format!("Bearer {}", token(1, "a"))));
    assert_eq!(
        (code.as_str(), detail.as_str()),
        ("token_valid", "decided with older keys, as of https://id.example/keys: answered 503")
    );
    sim.advance(MINUTE);
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "keys_unavailable", "remembered tokens do not outlive their keys");
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "keys_unavailable");
    issuer.has(&[1]);
    assert_eq!(issuer.asked(), 1);
    sim.advance(Duration::from_secs(5));
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
}

#[test]
fn every_failure_of_an_issuer_is_told() {
    let private = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "d": "AAAA", "x": "AAAA" }] }).to_string();
    for (status, body, says) in [
        (404, set(&[1]), "answered 404"),
        (302, set(&[1]), "answered 302"),
        (200, "<html>".to_owned(), "what is there is no JWK Set"),
        (200, String::new(), "what is there is no JWK Set"),
        (200, "[".repeat(100_000), "what is there is no JWK Set"),
        (200, jwk(1).to_string(), "what is there is no JWK Set"),
        (200, r#"{"keys":[]}"#.to_owned(), "no key of the set there can be used"),
        (
            200,
            r#"{"keys":[1,{"kty":"EC"},{"kty":"RSA","n":"AA","e":"AA"}]}"#.to_owned(),
            "no key of the set there can be used",
        ),
        (200, private, "the set there holds a private or secret key"),
        (
            200,
            format!("{}{}", set(&[1]), " ".repeat(512 << 10)),
            "an answer that could not be read: the body is too large",
        ),
    ] {
        let (sim, gateway) = (Sim::new(1), remote());
        let issuer = Issuer::new(&sim, &[1]);
        issuer.says(status, body);
        let (code, detail, _) = block_on(call(&gateway, &sim, "authorization", &format!("Bearer {}", token(1, "a"))));
        assert_eq!(code, "keys_unavailable");
        assert_eq!(detail, format!("the keys cannot be had: https://id.example/keys: {says}"));
        // a set that was good stays, whatever comes after it
        let answer = issuer.answer.replace((200, set(&[1])));
        sim.advance(Duration::from_secs(5));
        assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
        *issuer.answer.borrow_mut() = answer;
        sim.advance(HOUR);
        assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
        assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    }
    for (fault, says) in [
        (UpstreamFault::Connect, "no answer: the upstream could not be reached"),
        (UpstreamFault::Timeout, "no answer: the upstream did not answer in time"),
        (UpstreamFault::ResetBody(3), "an answer that could not be read: the body broke off"),
    ] {
        let (sim, gateway) = (Sim::new(1), remote());
        let _issuer = Issuer::new(&sim, &[1]);
        sim.set_upstream_faults("id.example", [Some(fault)]);
        let (code, detail, _) = block_on(call(&gateway, &sim, "authorization", &format!("Bearer {}", token(1, "a"))));
        assert_eq!(code, "keys_unavailable");
        assert_eq!(detail, format!("the keys cannot be had: https://id.example/keys: {says}"));
    }
}

#[test]
fn what_an_issuer_sent_serves_other_instances() {
    let sim = Sim::new(1);
    let issuer = Issuer::new(&sim, &[1]);
    assert_eq!(ask(&remote(), &sim, &token(1, "a")), "token_valid");
    assert_eq!(issuer.asked(), 1);
    sim.advance(4 * MINUTE);
    // another instance: the copy is fresh
    let second = remote();
    assert_eq!(ask(&second, &sim, &token(1, "a")), "token_valid");
    assert_eq!(issuer.asked(), 0);
    // and ages with it
    issuer.has(&[2]);
    sim.advance(MINUTE);
    assert_eq!(ask(&second, &sim, &token(1, "a")), "token_valid");
    assert_eq!(issuer.asked(), 1);
    assert_eq!(ask(&second, &sim, &token(1, "a")), "token_unknown_key");
    // an old copy serves a cold start when the issuer is down, a fresh one from elsewhere all the others
    issuer.says(500, String::new());
    sim.advance(23 * HOUR);
    let third = remote();
    assert_eq!(ask(&third, &sim, &token(2, "a")), "token_valid");
    assert_eq!(issuer.asked(), 1);
    assert_eq!(ask(&third, &sim, &token(2, "b")), "token_valid");
    assert_eq!(issuer.asked(), 0, "not again at once");
    sim.advance(HOUR);
    assert_eq!(ask(&third, &sim, &token(2, "a")), "keys_unavailable");
    assert_eq!(ask(&remote(), &sim, &token(2, "a")), "keys_unavailable");
}

#[test]
fn a_copy_that_cannot_be_used_is_none() {
    let copied = |fetched: u64| format!(r#"{{"fetched":{fetched},"jwks":{}}}"#, set(&[2]));
    let now = Sim::new(1).now().as_secs();
    for (stored, seed, asked) in [
        ("", 1, 1),
        ("{}", 1, 1),
        (r#"{"fetched":"now","jwks":{"keys":[]}}"#, 1, 1),
        (r#"{"fetched":1767225600,"jwks":{"keys":[]}}"#, 1, 1),
        // machines whose clocks are ahead
        (&copied(now + 61), 1, 1),
        (&copied(now + 60), 2, 0),
    ] {
        let (sim, gateway) = (Sim::new(1), remote());
        let issuer = Issuer::new(&sim, &[1]);
        sim.set_value(&copy(), stored.to_owned());
        assert_eq!(ask(&gateway, &sim, &token(seed, "a")), "token_valid", "{stored}");
        assert_eq!(issuer.asked(), asked, "{stored}");
    }
}

#[test]
fn a_clock_that_is_set_back_lengthens_nothing() {
    let (sim, gateway) = (Sim::new(1), remote());
    let start = sim.now();
    let issuer = Issuer::new(&sim, &[1]);
    sim.advance(1_000 * HOUR);
    for _ in 0..2 {
        assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    }
    sim.set_now(start);
    issuer.has(&[2]);
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    sim.advance(5 * MINUTE);
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_unknown_key");
}

#[test]
fn a_set_in_the_store_is_read_like_one_at_a_url() {
    let identity =
        json!({ "jwt": { "jwks": { "store": "staff", "fresh": "1m", "stale": "1h" }, "algorithms": ["EdDSA"] } });
    let (sim, gateway) = (Sim::new(1), gateway(&identity));
    let (code, detail, _) = block_on(call(&gateway, &sim, "authorization", &format!("Bearer {}", token(1, "a"))));
    assert_eq!(
        (code.as_str(), detail.as_str()),
        ("keys_unavailable", "the keys cannot be had: jwks/staff in the store: nothing is there")
    );
    sim.set_value("jwks/staff", set(&[1]));
    sim.advance(Duration::from_secs(5));
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    sim.set_value("jwks/staff", set(&[2]));
    sim.advance(Duration::from_secs(30));
    assert_eq!(ask(&gateway, &sim, &token(2, "a")), "token_valid");
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_unknown_key");
    sim.set_values_down(true);
    sim.advance(59 * MINUTE);
    assert_eq!(ask(&gateway, &sim, &token(2, "a")), "token_valid");
    sim.advance(MINUTE);
    assert_eq!(ask(&gateway, &sim, &token(2, "a")), "keys_unavailable");
}

#[test]
fn an_older_copy_never_takes_the_place_of_newer_keys() {
    let (sim, gateway) = (Sim::new(1), remote());
    let issuer = Issuer::new(&sim, &[1]);
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    // the next set does not get into the store
    sim.set_values_down(true);
    issuer.has(&[2]);
    sim.advance(5 * MINUTE);
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_valid");
    assert_eq!(ask(&gateway, &sim, &token(2, "a")), "token_valid");
    sim.set_values_down(false);
    issuer.says(500, String::new());
    sim.advance(5 * MINUTE);
    assert_eq!(ask(&gateway, &sim, &token(2, "a")), "token_valid");
    assert_eq!(issuer.asked(), 3);
    assert_eq!(ask(&gateway, &sim, &token(1, "a")), "token_unknown_key");
    assert_eq!(ask(&gateway, &sim, &token(2, "a")), "token_valid");
}
