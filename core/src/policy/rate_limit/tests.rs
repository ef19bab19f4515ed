//! What the access log tells of limits without their store.

use std::fmt::Write;

use super::*;
use crate::sim::{Sim, block_on};
use crate::{Body, Gateway, config};
use serde_json::{Value, json};

/// A gateway with a route at `/NAME` for each limit.
fn gateway(limits: &[(&str, Value)]) -> Gateway {
    let route = |(name, limit): &(&str, Value)| {
        json!({
            "name": name, "match": { "path": format!("/{name}") }, "respond": {}, "policies": { "rate_limit": limit },
        })
    };
    let routes: Vec<_> = limits.iter().map(route).collect();
    config::compile(&json!({ "portico": 1, "name": "shop", "routes": routes })).unwrap().0
}

/// The line of the access log about one request.
fn logged(gateway: &Gateway, sim: &Sim, path: &str) -> String {
    let request = http::Request::get(format!("http://a{path}")).body(Body::Empty).unwrap();
    let (_, after) = block_on(gateway.handle(sim, &Sim::peer(), request));
    after.record.to_json(sim.now())
}

#[test]
fn the_log_says_that_an_instance_counted_by_itself() {
    let limit = json!({ "limit": 1, "per": "1m", "on_error": "local" });
    let (gateway, sim) = (gateway(&[("a", limit)]), Sim::new(1));
    sim.set_store_down(true);
    for detail in ["on_error: local", "Try again in 60 s. on_error: local"] {
        let line = logged(&gateway, &sim, "/a");
        assert!(line.contains(&format!(r#""detail":"{detail}""#)), "{line}");
    }
}

/// By the words of docs/reasons.md.
#[test]
fn degraded_decisions_can_be_counted_in_the_access_log() {
    let limit = |on_error: &str| json!({ "limit": 2, "per": "1m", "on_error": on_error });
    let gateway = gateway(&[("allow", limit("allow")), ("deny", limit("deny")), ("local", limit("local"))]);
    let sim = Sim::new(1);
    let count = |down: bool| {
        sim.set_store_down(down);
        let mut log = String::new();
        for path in ["/allow", "/deny", "/local"].repeat(3) {
            writeln!(log, "{}", logged(&gateway, &sim, path)).unwrap();
        }
        let degraded = |decision: &Value| {
            let detail = decision["detail"].as_str().unwrap_or_default();
            decision["policy"] == "rate_limit"
                && (decision["reason"] == "store_unavailable" || detail.ends_with("on_error: local"))
        };
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["decisions"].as_array().unwrap().iter().any(degraded)).count()
    };
    assert_eq!((count(false), count(true), count(false)), (0, 9, 0));
}

#[test]
fn seconds_round_up() {
    assert_eq!(seconds(Duration::ZERO), 0);
    assert_eq!(seconds(Duration::from_micros(1)), 1);
    assert_eq!(seconds(Duration::from_secs(2)), 2);
}
