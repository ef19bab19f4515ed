use http::{HeaderName, HeaderValue, Request};
use serde_json::json;

use super::*;
use crate::body::Body;
use crate::config::compile;
use crate::sim::{Sim, block_on};

fn gateway() -> Gateway {
    let document = json!({
        "portico": 1,
        "name": "explained",
        "trusted_proxies": ["192.0.2.0/24"],
        "upstreams": { "orders": { "targets": [{ "url": "http://orders.internal" }] } },
        "identities": { "partners": { "api_key": { "keys": {
            // the SHA-256 of "k"
            "acme": { "sha256": "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a" },
        } } } },
        "defaults": { "cors": { "origins": ["https://a.example"] }, "security_headers": {} },
        "routes": [
            {
                "name": "orders", "match": { "path": "/orders/{*rest}" }, "upstream": "orders",
                "policies": {
                    "auth": { "any_of": ["partners"] },
                    "rate_limit": { "limit": 1, "per": "1m", "by": "consumer" },
                },
            },
            { "name": "plain", "match": { "path": "/plain", "methods": ["GET"] }, "respond": {}, "policies": {
                "cors": "off", "rate_limit": { "limit": 1, "per": "1m" },
            } },
        ],
    });
    compile(&document).unwrap().0
}

fn record(gateway: &Gateway, path: &str, headers: &[(&'static str, &str)]) -> Record {
    let sim = Sim::new(1);
    sim.upstream("orders.internal", |_| http::Response::new(Body::Empty));
    let mut request = Request::get(path).body(Body::Empty).unwrap();
    request.headers_mut().insert("host", HeaderValue::from_static("gateway.test"));
    for (name, value) in headers {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    block_on(gateway.handle(&sim, &Sim::peer(), request)).1.record
}

/// The steps as `step outcome place`.
fn told(path: &str, headers: &[(&'static str, &str)]) -> Vec<String> {
    let gateway = gateway();
    let record = record(&gateway, path, headers);
    let line = |step: &Step<'_>| format!("{} {} {}", step.step.as_str(), step.outcome.as_str(), step.place);
    Explanation::new(&gateway, &record).steps.iter().map(|step| line(step).trim_end().to_owned()).collect()
}

#[test]
fn every_step_is_told_in_its_order() {
    assert_eq!(
        told("/orders/7", &[("x-api-key", "k")]),
        [
            "path done",
            "identify done",
            "route allow routes[0].match",
            "cors not_applicable",
            "ip not_configured",
            "body_limit not_configured",
            "quota not_configured",
            "in_flight not_configured",
            "auth allow routes[0].policies.auth",
            "plan not_configured",
            "rate_limit allow routes[0].policies.rate_limit",
            "cache not_configured",
            "request not_configured",
            "forward allow routes[0].upstream",
            "response not_configured",
            "security_headers done",
            "after done",
        ]
    );
}

#[test]
fn what_a_refusal_kept_from_happening_was_not_reached() {
    let steps = told("/orders/7", &[]);
    assert_eq!(
        steps[8..14],
        [
            "auth deny routes[0].policies.auth",
            "plan not_configured",
            "rate_limit not_reached",
            "cache not_configured",
            "request not_configured",
            "forward not_reached",
        ]
    );
    let steps = told("/orders//7", &[("x-api-key", "k")]);
    assert_eq!(steps[0], "path deny routes[0].match.ambiguous_path");
    assert_eq!(steps[2..5], ["route not_reached", "cors not_reached", "ip not_configured"]);
    let steps = told("/nowhere", &[("origin", "https://a.example")]);
    assert_eq!(steps[2..5], ["route deny routes", "cors allow defaults.cors.origins", "ip not_reached"]);
    assert_eq!(steps[15], "security_headers not_reached");
}

#[test]
fn a_limit_by_address_comes_before_authentication() {
    let steps = told("/plain", &[]);
    assert_eq!(
        steps[3..10],
        [
            "cors not_configured",
            "ip not_configured",
            "body_limit not_configured",
            "rate_limit allow routes[1].policies.rate_limit",
            "quota not_configured",
            "in_flight not_configured",
            "auth not_configured",
        ]
    );
    assert_eq!(steps[13], "forward respond routes[1].respond");
}

#[test]
fn what_was_found_out_is_told_with_its_source() {
    let gateway = gateway();
    let headers = [("x-api-key", "k"), ("x-forwarded-for", "198.51.100.7"), ("x-request-id", "mine")];
    let told = record(&gateway, "/x/../orders/7?token=s3cret", &headers);
    let told = serde_json::to_value(Explanation::new(&gateway, &told)).unwrap();
    let facts = &told["request"];
    assert_eq!(facts["path"], "/x/../orders/7");
    assert_eq!(facts["canonical_path"], "/orders/7");
    assert_eq!([&facts["client"], &facts["client_from"]], ["198.51.100.7", "x-forwarded-for"]);
    assert_eq!([&facts["id"], &facts["id_kept"]], [&json!("mine"), &json!(true)]);
    assert_eq!(facts["trace_continued"], false);
    assert_eq!(told["caller"], json!({ "identity": "partners", "consumer": "acme" }));
    assert_eq!(told["upstream"], "orders http://orders.internal");
    assert_eq!(told["config"], gateway.hash().to_string());
    assert!(!told.to_string().contains("s3cret"), "{told}");
}

#[test]
fn a_trace_that_is_too_long_is_shortened() {
    let gateway = gateway();
    let (mut long, short) = (record(&gateway, "/orders/7", &[]), record(&gateway, "/orders/7", &[]));
    let detail = "é\"\u{7f}\u{1}🦀".repeat(2_000);
    let decision = |policy| Decision {
        policy,
        outcome: Outcome::WouldDeny,
        reason: Reason::RouteMatched,
        detail: detail.clone().into(),
    };
    long.decisions = Policy::ALL.map(decision).into();
    long.canonical = Some(detail.clone());
    let text = Explanation::new(&gateway, &long).to_ascii(5 * 1024);
    assert!(text.len() <= 5 * 1024 && text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{text}");
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["shortened"], true);
    let detail = told["steps"][2]["detail"].as_str().unwrap();
    assert!(detail.starts_with("é\"\u{7f}\u{1}🦀é") && detail.ends_with('…'), "{detail}");
    assert_eq!(told["config"], gateway.hash().to_string(), "whole: it is compared");

    let whole = Explanation::new(&gateway, &short);
    assert_eq!(whole.to_ascii(5 * 1024), serde_json::to_string(&whole).unwrap());
}
