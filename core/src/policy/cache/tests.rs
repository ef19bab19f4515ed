//! What several requests, or several nodes, make of one cache.

use std::time::Duration;

use http::Request;
use serde_json::json;

use super::flight::{PATIENCE, STEP, Turn};
use super::room::UNKNOWN;
use crate::body::Body;
use crate::context::Context;
use crate::platform::Platform as _;
use crate::sim::{Sim, SimStream, ValueFault, block_on};
use crate::{Gateway, config};

const HIT: &str = "portico; hit; ttl=3600";

fn gateway(timeout: &str) -> Gateway {
    let document = json!({
        "portico": 1, "name": "cached",
        "upstreams": { "app": { "targets": [{ "url": "http://app.internal" }], "timeout": timeout } },
        "routes": [{
            "name": "all", "match": { "path": "/x" }, "upstream": "app",
            "policies": { "cache": { "store": "shared", "ttl": "1h" } },
        }]
    });
    config::compile(&document).unwrap().0
}

/// With an upstream whose responses vary.
fn sim() -> Sim {
    let sim = Sim::new(1);
    sim.upstream("app.internal", |_| http::Response::builder().header("vary", "x-kind").body(Body::Empty).unwrap());
    sim
}

fn request(method: &str, kind: &str) -> http::request::Builder {
    Request::builder().method(method).uri("/x").header("host", "a").header("x-kind", kind)
}

/// What the cache says it did.
fn ask(gateway: &Gateway, sim: &Sim, method: &str, kind: &str) -> String {
    let request = request(method, kind).body(Body::Empty).unwrap();
    let (response, after) = block_on(gateway.handle(sim, &Sim::peer(), request));
    block_on(after.follow_up.run(gateway, sim));
    response.headers()["cache-status"].to_str().unwrap().to_owned()
}

fn stored(why: &str) -> String {
    format!("portico; fwd={why}; fwd-status=200; stored")
}

#[test]
fn what_is_changed_is_removed_for_other_nodes_in_all_its_variants() {
    let (first, second, sim) = (gateway("30s"), gateway("30s"), sim());
    assert_eq!(ask(&first, &sim, "GET", "a"), stored("uri-miss"));
    assert_eq!(ask(&first, &sim, "GET", "b"), stored("vary-miss"));
    assert_eq!(ask(&second, &sim, "GET", "a"), HIT);
    assert_eq!(ask(&second, &sim, "GET", "b"), HIT);
    assert_eq!(ask(&first, &sim, "POST", "a"), "portico; fwd=method");
    sim.advance(Duration::from_secs(1));
    assert_eq!(ask(&second, &sim, "GET", "a"), stored("uri-miss"));
    assert_eq!(ask(&second, &sim, "GET", "b"), stored("vary-miss"), "it is not found again by way of another");
    assert_eq!(ask(&second, &sim, "GET", "b"), HIT);
}

#[test]
fn what_tells_variants_apart_is_not_begun_anew_by_who_knew_it_before_a_change() {
    let (first, second, sim) = (gateway("30s"), gateway("30s"), sim());
    for kind in ["a", "b"] {
        ask(&first, &sim, "GET", kind);
    }
    // it has looked, and its response comes after the change
    let late = request("GET", "c").body(Body::Empty).unwrap();
    let (_, late) = block_on(first.handle(&sim, &Sim::peer(), late));
    sim.advance(Duration::from_secs(1));
    ask(&second, &sim, "POST", "a");
    block_on(late.follow_up.run(&first, &sim));
    let third = gateway("30s");
    for kind in ["a", "b"] {
        assert!(!ask(&third, &sim, "GET", kind).contains("hit"), "{kind}");
    }
}

#[test]
fn where_variants_cannot_be_looked_for_none_is_begun() {
    let (gateway, sim) = (gateway("30s"), sim());
    ask(&gateway, &sim, "GET", "a");
    sim.set_cache_faults([Some(ValueFault::Throttled)]);
    assert_eq!(ask(&gateway, &sim, "GET", "b"), "portico; fwd=miss; fwd-status=200; detail=store-unavailable");
    assert_eq!(ask(&gateway, &sim, "GET", "a"), HIT);
}

#[test]
fn what_the_key_says_of_fields_that_went_upstream_is_removed_by_a_change() {
    let document = json!({
        "portico": 1, "name": "cached", "upstreams": { "app": { "targets": [{ "url": "http://app.internal" }] } },
        "routes": [{
            "name": "kinds", "match": { "path": "/x", "headers": { "x-kind": "a" } }, "upstream": "app",
            "policies": { "cache": { "store": "shared", "ttl": "1h", "key": { "headers": ["x-kind"] } } },
        }, { "name": "others", "match": { "path": "/x" }, "upstream": "app" }]
    });
    let node = || config::compile(&document).unwrap().0;
    let (first, second, sim) = (node(), node(), sim());
    assert_eq!(ask(&first, &sim, "GET", "a"), stored("uri-miss"));
    ask(&first, &sim, "POST", "a");
    assert_eq!(ask(&second, &sim, "GET", "a"), stored("uri-miss"));
}

#[test]
fn what_there_is_no_room_for_passes() {
    let (gateway, sim) = (gateway("30s"), Sim::new(1));
    sim.upstream("app.internal", |_| http::Response::new(Body::Stream(SimStream::of(["a part"]))));
    let mut taken = Vec::new();
    while let Some(room) = gateway.responses.rooms.take(UNKNOWN, sim.now()) {
        taken.push(room);
    }
    assert_eq!(ask(&gateway, &sim, "GET", "a"), "portico; fwd=uri-miss; fwd-status=200; detail=busy");
    drop(taken.pop());
    assert_eq!(ask(&gateway, &sim, "GET", "a"), stored("uri-miss"));
}

#[test]
fn nobody_waits_for_longer_than_the_upstream_may_take_or_five_seconds() {
    for (timeout, longest) in [("30s", PATIENCE), ("2s", Duration::from_secs(2))] {
        let (gateway, sim) = (gateway(timeout), sim());
        let (head, ()) = request("GET", "a").body(()).unwrap().into_parts();
        let mut context = Context::new(&sim, &Sim::peer(), &[], head);
        let cache = gateway.again(&mut context).unwrap().policies.cache.as_ref().unwrap();
        let (key, start) = (cache.key.of(&context), sim.now());
        let flights = &gateway.responses.flights;
        let Turn::Lead(_never_lands) = flights.board(&key, start) else { panic!() };
        assert_eq!(ask(&gateway, &sim, "GET", "a"), stored("uri-miss"));
        let waited = sim.now().since(start);
        assert!(waited >= longest && waited <= longest + STEP, "{waited:?}");
        assert!(matches!(flights.board(&key, sim.now()), Turn::Follow(_)), "it ended another one's flight");
    }
}
