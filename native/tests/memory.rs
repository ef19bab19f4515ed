//! What responses really take of the heap: never more than they may, while eight threads fill in ten times as much. A program of its
//! own, because it counts every allocation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use peak_alloc::PeakAlloc;
use portico_core::Timestamp;
use portico_core::cache::{Entry, Item, Lifetime};
use portico_core::sim::Random;
use portico_native::cache::Responses;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const CAPACITY: u64 = 16 << 20;
const THREADS: u64 = 8;
const NOW: Timestamp = Timestamp::from_secs(1_000);
const LATER: Timestamp = Timestamp::from_secs(2_000);

/// A response as hyper gives them: its fields are parts of the buffer that was read.
fn item(random: &Random) -> Item {
    let read = Bytes::from(vec![b'x'; 8192]);
    let fields = (0..random.below(30)).map(|field| {
        let start = random.below(8000) as usize;
        let value = read.slice(start..start + random.below(100) as usize);
        let name = HeaderName::from_bytes(format!("x-field-{field}").as_bytes()).unwrap();
        (name, HeaderValue::from_maybe_shared(value).unwrap())
    });
    Item::Response(Entry {
        status: StatusCode::OK,
        headers: fields.collect::<HeaderMap>(),
        body: vec![b'x'; random.below(1 << random.below(17)) as usize].into(),
        requested: NOW,
        received: NOW,
        age: Duration::ZERO,
        lifetime: Lifetime::default(),
        url: "shop.example/orders".into(),
        tags: Vec::new(),
    })
}

#[test]
fn the_bound_holds_while_eight_threads_fill_in_ten_times_as_much() {
    let responses = Responses::new(CAPACITY);
    let (filled, together) = (AtomicU64::new(0), Arc::new(Barrier::new(THREADS as usize)));
    let before = HEAP.current_usage() as u64;
    HEAP.reset_peak_usage();
    let most = thread::scope(|scope| {
        let fill = |thread| {
            let random = Random::new(thread);
            let (responses, filled, together) = (&responses, &filled, Arc::clone(&together));
            move || {
                let mut most = 0;
                together.wait();
                while filled.load(Ordering::Relaxed) < 10 * CAPACITY {
                    let item = item(&random);
                    filled.fetch_add(item.size() as u64, Ordering::Relaxed);
                    let key = format!("cache/orders/{}", random.below(100_000));
                    responses.put(&key, &item, LATER);
                    most = responses.size().max(most);
                    responses.get(&format!("cache/orders/{}", random.below(100_000)), NOW);
                }
                most
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(fill(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
    });
    assert!(most <= CAPACITY, "{most} bytes counted");
    assert!(most > CAPACITY * 9 / 10, "{most} bytes counted: it was not filled");
    // of each thread one that comes and one that goes, in both forms
    let on_the_way = THREADS * 4 * (1 << 17);
    let peak = HEAP.peak_usage() as u64 - before;
    assert!(peak <= CAPACITY + on_the_way, "{peak} bytes of the heap");
    let left = HEAP.current_usage() as u64 - before;
    assert!(left <= CAPACITY, "{left} bytes of the heap");
}
