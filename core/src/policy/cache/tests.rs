//! What several requests, or several nodes, make of one cache.

use std::time::Duration;

use http::Request;
use serde_json::json;

use super::flight::{PATIENCE, STEP, Turn};
use crate::body::Body;
use crate::context::Context;
use crate::platform::Platform as _;
use crate::sim::{Sim, block_on};
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
