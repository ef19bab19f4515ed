//! Routing: building a table and finding a route in it, with 10, 1,000 and 10,000 routes.
//!
//! A quarter of the routes are static, half have a parameter, a quarter end in a catch-all; every tenth has a host,
//! every fifth a method, every twentieth a header. The numbers to keep: 1,000 routes built far below 100 ms, found below 1 µs.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, Method};
use portico_core::route::{Found, Lookup, Match, Router, canonical};

const SIZES: [usize; 3] = [10, 1_000, 10_000];

fn routes(count: usize) -> Vec<Match> {
    (0..count)
        .map(|i| {
            let service = i / 4;
            let path = match i % 4 {
                0 => format!("/api/service-{service}/status"),
                1 => format!("/api/service-{service}/orders/{{id}}"),
                2 => format!("/api/service-{service}/orders/{{id}}/items/{{item}}"),
                _ => format!("/api/service-{service}/{{*rest}}"),
            };
            let host = (i % 10 == 9).then(|| format!("tenant-{}.example.com", i % 70));
            let methods = if i % 5 == 2 { vec![Method::GET, Method::POST] } else { Vec::new() };
            let headers =
                if i % 20 == 11 { vec![(HeaderName::from_static("x-version"), "v2".into())] } else { Vec::new() };
            Match { host, path, methods, headers, query: Vec::new() }
        })
        .collect()
}

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route/build");
    group.sample_size(20);
    for size in SIZES {
        let routes = routes(size);
        group.bench_with_input(BenchmarkId::from_parameter(size), &routes, |bencher, routes| {
            bencher.iter(|| Router::build(black_box(routes)).expect("these routes are valid"));
        });
    }
    group.finish();
}

fn find(criterion: &mut Criterion) {
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", "bench".parse().expect("a header value"));
    headers.insert("accept", "*/*".parse().expect("a header value"));
    for size in SIZES {
        let router = Router::build(&routes(size)).expect("these routes are valid");
        let service = size / 8;
        let mut group = criterion.benchmark_group(format!("route/find/{size}"));
        for (name, hit, path) in [
            ("static", true, format!("/api/service-{service}/status")),
            ("params", true, format!("/api/service-{service}/orders/4711/items/42")),
            ("catch-all", true, format!("/api/service-{service}/a/b/c")),
            ("miss", false, "/api/service-x/orders/4711".to_owned()),
        ] {
            let lookup = Lookup {
                host: Some("api.example.com:8443"),
                path: &path,
                method: &Method::GET,
                headers: &headers,
                announced: &[],
                query: Some("page=2"),
            };
            assert_eq!(matches!(router.find(&lookup), Found::Route { .. }), hit, "{name}: {path}");
            group.bench_function(name, |bencher| bencher.iter(|| router.find(black_box(&lookup))));
        }
        group.finish();
    }
}

fn path(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route/canonical");
    for (name, path) in [
        ("canonical", "/api/service-7/orders/4711/items/42"),
        ("encoded", "/api/service-7/caf%C3%A9/a%20b"),
        ("rewritten", "/api/./service-7/%6frders/../caf%c3%a9"),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| canonical(black_box(path))));
    }
    group.finish();
}

criterion_group!(benches, build, find, path);
criterion_main!(benches);
