//! What a hit in the memory of the native server costs: finding a response of 1 KiB among many and holding it.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, StatusCode};
use portico_core::Timestamp;
use portico_core::cache::{Entry, Item, Lifetime};
use portico_native::cache::Responses;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const RESPONSES: u64 = 10_000;

fn memory(criterion: &mut Criterion) {
    let responses = Responses::new(64 << 20);
    let item = Item::Response(Entry {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: vec![b'x'; 1024].into(),
        requested: NOW,
        received: NOW,
        age: Duration::ZERO,
        lifetime: Lifetime::default(),
        url: "api.example.com/api/orders".into(),
        tags: Vec::new(),
    });
    // as long as those that a route makes
    let key = |number: u64| format!("cache/orders/{number:064x}");
    for number in 0..RESPONSES {
        responses.put(&key(number), &item, NOW + Duration::from_secs(60));
    }
    let (there, nowhere) = (key(RESPONSES / 2), key(RESPONSES));
    assert!(responses.get(&there, NOW).is_some() && responses.get(&nowhere, NOW).is_none());
    let mut group = criterion.benchmark_group("cache/memory");
    group.bench_function("hit of 1 KiB", |bencher| bencher.iter(|| responses.get(black_box(&there), NOW)));
    group.bench_function("miss", |bencher| bencher.iter(|| responses.get(black_box(&nowhere), NOW)));
    group.finish();
}

criterion_group!(benches, memory);
criterion_main!(benches);
