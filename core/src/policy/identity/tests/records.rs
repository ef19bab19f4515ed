//! API keys whose records are in the store.

use std::time::Duration;

use super::*;
use crate::sim::ValueFault;

const SECOND: Duration = Duration::from_secs(1);

fn stored(store: &Value) -> Gateway {
    gateway(&json!({ "api_key": { "store": store } }))
}

fn name(key: &str) -> String {
    format!("keys/{}", crate::digest::sha256_hex(key.as_bytes()))
}

/// What becomes of a request with this key, and the detail of that.
fn key(gateway: &Gateway, sim: &Sim, key: &str) -> (String, String) {
    let (code, detail, follow_up) = block_on(call(gateway, sim, "x-api-key", key));
    assert!(follow_up.is_empty());
    (code, detail)
}

fn code(gateway: &Gateway, sim: &Sim, text: &str) -> String {
    key(gateway, sim, text).0
}

#[test]
fn what_the_store_says_holds_for_fresh() {
    let (sim, gateway) = (Sim::new(1), stored(&json!({ "fresh": "30s" })));
    assert_eq!(code(&gateway, &sim, "one"), "key_unknown");
    sim.set_value(&name("one"), r#"{"consumer":"acme"}"#);
    sim.advance(29 * SECOND);
    assert_eq!(code(&gateway, &sim, "one"), "key_unknown", "a miss is remembered");
    sim.advance(SECOND);
    assert_eq!(code(&gateway, &sim, "one"), "key_valid");
    sim.remove_value(&name("one"));
    sim.advance(29 * SECOND);
    assert_eq!(code(&gateway, &sim, "one"), "key_valid");
    sim.advance(SECOND);
    assert_eq!(code(&gateway, &sim, "one"), "key_unknown", "revoked");
}

#[test]
fn a_key_that_was_taken_away_does_not_come_back_with_an_outage() {
    let (sim, gateway) = (Sim::new(1), stored(&json!({})));
    sim.set_value(&name("one"), r#"{"consumer":"acme"}"#);
    assert_eq!(code(&gateway, &sim, "one"), "key_valid");
    sim.remove_value(&name("one"));
    sim.advance(60 * SECOND);
    assert_eq!(code(&gateway, &sim, "one"), "key_unknown");
    sim.set_values_down(true);
    sim.advance(60 * SECOND);
    assert_eq!(code(&gateway, &sim, "one"), "store_unavailable");
}

#[test]
fn records_serve_until_stale_while_the_store_is_down() {
    let (sim, gateway) = (Sim::new(1), stored(&json!({ "fresh": "1m", "stale": "5m" })));
    sim.set_value(&name("one"), r#"{"consumer":"acme"}"#);
    assert_eq!(code(&gateway, &sim, "one"), "key_valid");
    sim.set_values_down(true);
    assert_eq!(code(&gateway, &sim, "two"), "store_unavailable");
    sim.advance(299 * SECOND);
    let said = "the store of keys is unavailable: decided with what it said before";
    assert_eq!(key(&gateway, &sim, "one"), ("key_valid".to_owned(), said.to_owned()));
    sim.advance(SECOND);
    assert_eq!(
        key(&gateway, &sim, "one"),
        ("store_unavailable".to_owned(), "the store of keys is unavailable".to_owned())
    );
    sim.set_values_down(false);
    assert_eq!(key(&gateway, &sim, "one"), ("key_valid".to_owned(), String::new()));
}

#[test]
fn a_store_that_just_failed_is_not_asked_for_keys_that_are_known() {
    let (sim, gateway) = (Sim::new(1), stored(&json!({})));
    sim.set_value(&name("one"), r#"{"consumer":"acme"}"#);
    assert_eq!(code(&gateway, &sim, "one"), "key_valid");
    sim.advance(60 * SECOND);
    // the next read fails, and the one after it would not
    sim.set_value_faults([Some(ValueFault::Throttled)]);
    assert!(key(&gateway, &sim, "one").1.starts_with("the store"));
    sim.advance(4 * SECOND);
    assert!(key(&gateway, &sim, "one").1.starts_with("the store"));
    sim.advance(SECOND);
    assert_eq!(key(&gateway, &sim, "one").1, "");
}

#[test]
fn a_record_says_who_calls_and_until_when() {
    let (sim, gateway) = (Sim::new(1), stored(&json!({})));
    let last = sim.now().as_secs() + 10;
    sim.set_value(&name("one"), json!({ "consumer": "acme", "scopes": ["a", "b"], "not_after": last }).to_string());
    let request = Request::get("/hello").header("host", "a").header("x-api-key", "one").body(Body::Empty).unwrap();
    let (_, after) = block_on(gateway.handle(&sim, &Sim::peer(), request));
    let principal = after.record.principal.unwrap();
    assert_eq!((&*principal.consumer, &*principal.identity), ("acme", "callers"));
    assert_eq!(principal.scopes, ["a", "b"]);
    sim.advance(10 * SECOND);
    assert_eq!(code(&gateway, &sim, "one"), "key_valid");
    sim.advance(SECOND);
    assert_eq!(code(&gateway, &sim, "one"), "key_expired", "although its record is still fresh");
    sim.advance(3_600 * SECOND);
    assert_eq!(code(&gateway, &sim, "one"), "key_expired");
}

#[test]
fn a_record_that_cannot_be_read_is_refused_and_told() {
    let (sim, gateway) = (Sim::new(1), stored(&json!({})));
    for record in [
        "",
        "acme",
        "{}",
        r#"{"consumer":""}"#,
        r#"{"consumer":7}"#,
        r#"{"consumer":"a","scope":"b"}"#,
        "\u{0}",
        "[[[[",
    ] {
        sim.set_value(&name("one"), record);
        let (code, detail) = key(&gateway, &sim, "one");
        assert_eq!(code, "key_record_malformed", "{record}");
        assert!(detail.starts_with(&format!("the record {} is not what it should be: ", name("one"))), "{detail}");
    }
    // a good one that is overwritten by such a one is not used any more
    sim.set_value(&name("one"), r#"{"consumer":"acme"}"#);
    assert_eq!(code(&gateway, &sim, "one"), "key_valid");
    sim.set_value(&name("one"), "{");
    sim.advance(60 * SECOND);
    assert_eq!(code(&gateway, &sim, "one"), "key_record_malformed");
    sim.set_values_down(true);
    assert_eq!(code(&gateway, &sim, "one"), "store_unavailable");
}

#[test]
fn a_flood_of_keys_pushes_out_no_good_one() {
    let (sim, gateway) = (Sim::new(1), stored(&json!({})));
    for number in 0..100 {
        sim.set_value(&name(&format!("good{number}")), r#"{"consumer":"acme"}"#);
        assert_eq!(code(&gateway, &sim, &format!("good{number}")), "key_valid");
    }
    for number in 0..6_000 {
        assert_eq!(code(&gateway, &sim, &format!("wrong{number}")), "key_unknown");
    }
    // none of them is asked for any more
    sim.set_values_down(true);
    for number in 0..100 {
        assert_eq!(key(&gateway, &sim, &format!("good{number}")), ("key_valid".to_owned(), String::new()));
    }
}

#[test]
fn a_clock_that_is_set_back_lengthens_nothing() {
    let (sim, gateway) = (Sim::new(1), stored(&json!({})));
    let start = sim.now();
    sim.advance(1_000_000 * SECOND);
    sim.set_value(&name("one"), r#"{"consumer":"acme"}"#);
    assert_eq!(code(&gateway, &sim, "one"), "key_valid");
    assert_eq!(code(&gateway, &sim, "two"), "key_unknown");
    sim.set_now(start);
    sim.remove_value(&name("one"));
    sim.set_value(&name("two"), r#"{"consumer":"acme"}"#);
    assert_eq!(code(&gateway, &sim, "one"), "key_unknown");
    assert_eq!(code(&gateway, &sim, "two"), "key_valid");
}

#[test]
fn keys_of_the_configuration_come_first() {
    let sha256 = crate::digest::sha256_hex(b"static");
    let gateway = gateway(&json!({ "api_key": { "keys": { "ours": { "sha256": sha256 } }, "store": {} } }));
    let sim = Sim::new(1);
    sim.set_values_down(true);
    assert_eq!(code(&gateway, &sim, "static"), "key_valid");
    assert_eq!(code(&gateway, &sim, "other"), "store_unavailable");
}
