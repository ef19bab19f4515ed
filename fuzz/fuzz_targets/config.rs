//! Configurations: either errors, all in places that exist, or a gateway that serves.
#![no_main]

use http::{Request, StatusCode};
use libfuzzer_sys::fuzz_target;
use portico_core::config::{self, Bundle, Findings, Segment};
use portico_core::sim::{Sim, block_on};
use portico_core::{Body, Gateway, HEALTH_PATH};
use serde_json::Value;

fuzz_target!(|text: &str| {
    let Ok(document) = serde_json::from_str::<Value>(text) else { return };
    let bundle = Bundle::new(document.clone());
    assert_eq!(Bundle::parse(&bundle.to_string()), Ok(bundle.clone()), "a bundle reads back");

    match config::compile(&document) {
        Ok((gateway, warnings)) => {
            assert!(!warnings.has_errors(), "{warnings:?}");
            assert_eq!(gateway.hash(), bundle.hash);
            points_into(&document, &warnings);
            serves(&gateway);
        }
        Err(findings) => {
            assert!(findings.has_errors());
            points_into(&document, &findings);
            assert_eq!(config::compile(&document).err(), Some(findings), "the same errors again");
        }
    }
});

/// The last step of a pointer may name what is missing; what leads there may not.
fn points_into(document: &Value, findings: &Findings) {
    for finding in findings.iter() {
        let mut place = Some(document);
        for segment in finding.pointer.segments() {
            let value = place.unwrap_or_else(|| panic!("{finding} points to nowhere"));
            place = match segment {
                Segment::Key(key) => value.get(key),
                Segment::Index(index) => value.get(index),
            };
        }
    }
}

fn serves(gateway: &Gateway) {
    let sim = Sim::new(1);
    for (method, target) in [
        ("GET", HEALTH_PATH),
        ("GET", "/"),
        ("OPTIONS", "/a"),
        ("POST", "/api/orders/7?page=2"),
        ("GET", "/old/%41.png"),
    ] {
        let request = Request::builder().method(method).uri(format!("http://api.example.com{target}"));
        let request = request.header("origin", "https://shop.example").header("x-api-version", "v2").body(Body::Empty);
        let (response, after) = block_on(gateway.handle(&sim, &Sim::peer(), request.expect("a request")));
        assert_eq!(after.record.status, response.status());
        assert_eq!(response.headers().get_all("x-request-id").iter().count(), 1);
        assert!(target != HEALTH_PATH || response.status() == StatusCode::OK);
    }
}
