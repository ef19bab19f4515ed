//! A program that drives a whole gateway, so that all of core is linked and whatever it would import shows.

use std::hint::black_box;

use http::Request;
use portico_core::sim::{Sim, block_on};
use portico_core::{Body, config};

/// Compiles a configuration and serves a request; returns the response's status.
#[unsafe(no_mangle)]
pub extern "C" fn run() -> u16 {
    // The optimiser cannot look into these: everything that any document and any request can reach stays linked.
    let document = black_box(
        r#"{
            "portico": 1,
            "name": "shop",
            "upstreams": { "orders": { "targets": [{ "url": "http://orders.internal" }] } },
            "routes": [{ "name": "orders", "match": { "path": "/api/{*rest}" }, "upstream": "orders" }]
        }"#,
    );
    let uri = black_box("http://api.example.com/api/orders/7");

    let Ok(document) = serde_json::from_str(document) else { return 0 };
    let Ok((gateway, _)) = config::compile(&document) else { return 0 };
    let Ok(request) = Request::get(uri).body(Body::Empty) else { return 0 };
    let (response, after) = block_on(gateway.handle(&Sim::new(black_box(1)), &Sim::peer(), request));
    let _ = black_box(after);
    response.status().as_u16()
}
