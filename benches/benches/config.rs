//! What a configuration costs: the time from a parsed document to a gateway, and from a bundle's text to one that is ready for its
//! first request.

use criterion::{Criterion, criterion_group, criterion_main};
use portico_core::config::{self, Bundle};
use serde_json::{Value, json};

fn document(routes: usize) -> Value {
    let route = |index: usize| {
        json!({
            "name": format!("route-{index}"),
            "match": { "host": "api.example.com", "path": format!("/team-{}/service-{index}/{{id}}", index % 50), "methods": ["GET", "POST"] },
            "upstream": "orders",
            "policies": {
                "auth": { "any_of": ["partners"], "scopes": ["orders:read"] },
                "rate_limit": { "limit": 1000, "per": "1m", "by": "consumer" },
                "request": { "path": "/v1/${path.id}", "headers": { "set": { "X-Consumer": "${consumer}" } } },
                "body_limit": "1MiB",
            },
        })
    };
    json!({
        "portico": 1, "name": "shop",
        "upstreams": { "orders": { "targets": [{ "url": "http://orders.internal" }] } },
        "identities": { "partners": { "api_key": { "keys": { "acme": { "sha256": "0".repeat(64) } } } } },
        "defaults": { "cors": { "origins": ["https://shop.example"] }, "security_headers": {} },
        "routes": (0..routes).map(route).collect::<Vec<_>>(),
    })
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(20);
    for routes in [10, 1_000, 10_000] {
        let document = document(routes);
        group.bench_function(format!("{routes} routes"), |bencher| {
            bencher.iter(|| config::compile(&document).expect("the bench's configuration is valid"));
        });
    }
}

fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    group.sample_size(20);
    for routes in [10, 1_000, 10_000] {
        let text = Bundle::new(document(routes)).to_string();
        group.bench_function(format!("{routes} routes"), |bencher| {
            bencher.iter(|| Bundle::open(&text).expect("the bench's configuration is valid"));
        });
    }
}

criterion_group!(benches, compile, open);
criterion_main!(benches);
