//! Routing: building a table, with 10 to 100,000 routes, and making a path canonical. Finding a route is among the steps.
//!
//! The numbers to keep: 1,000 routes built far below 100 ms, found below 1 µs.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use portico_benches::steps::routes;
use portico_core::route::{Router, canonical};

const SIZES: [usize; 4] = [10, 1_000, 10_000, 100_000];

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

criterion_group!(benches, build, path);
criterion_main!(benches);
