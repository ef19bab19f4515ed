//! The in-memory store of rate limits with a million keys: decisions in a second on one core, and what the keys take of the
//! process's memory.
//!
//! Before each run the process says how much larger it became by the keys. The numbers to keep: 5 million decisions a second,
//! 200 MB.

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use portico_core::Timestamp;
use portico_core::limit::{Draw, MemoryStore, Quota, Rule};
use portico_core::sim::Random;

const KEYS: u64 = 1_000_000;
/// Decisions of one run.
const DECISIONS: u64 = 1_000_000;
const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Keys one after another as requests bring them: close together and in order, so that what is measured is the store and not the
/// way to the key's text.
struct Sequence {
    text: String,
    lengths: Vec<u8>,
}

impl Sequence {
    fn new(count: u64, mut next: impl FnMut(u64) -> u64) -> Self {
        let (mut text, mut lengths) = (String::new(), Vec::new());
        for index in 0..count {
            let [_, a, b, c] = (next(index) as u32).to_be_bytes();
            let key = format!("orders:ip:10.{a}.{b}.{c}");
            text.push_str(&key);
            lengths.push(key.len() as u8);
        }
        Self { text, lengths }
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.text.as_str();
        self.lengths.iter().map(move |&length| {
            let (key, others) = rest.split_at(length.into());
            rest = others;
            key
        })
    }
}

/// All memory of the process that is not swapped out, in bytes; `None` where there is no /proc.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    // pages of 4 KiB: what the machines have that this is run on
    Some(pages.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

/// A store in which every key has used half of its quota, so that none is idle, and most that comes passes.
fn filled(quota: &Quota) -> MemoryStore {
    let all = Sequence::new(KEYS, |index| index);
    let before = resident();
    let store = MemoryStore::new(2 * KEYS as usize, 1);
    for key in all.keys() {
        store.step(key, &[Rule::Gcra(*quota)], || START, Draw::Take(quota.burst() / 2));
    }
    assert_eq!(store.len() as u64, KEYS);
    if let Some((before, after)) = before.zip(resident()) {
        let megabytes = after.saturating_sub(before) / 1_000_000;
        println!("limit/memory: {KEYS} keys take {megabytes} MB");
    }
    store
}

fn memory(criterion: &mut Criterion) {
    let quota = Quota::new(1_000, Duration::from_secs(3_600), 1_000).expect("the bench's quota is valid");
    let rules = [Rule::Gcra(quota)];
    let random = Random::new(1);
    let uniform = Sequence::new(DECISIONS, |_| random.below(KEYS));
    // each doubling of the rank comes as often as the one before it
    let zipf = Sequence::new(DECISIONS, |_| {
        let rank = (KEYS as f64).powf(random.next() as f64 / u64::MAX as f64) as u64;
        // whoever comes often has an address like any other
        rank.wrapping_mul(514_229) % KEYS
    });
    let mut group = criterion.benchmark_group("limit/memory");
    group.throughput(Throughput::Elements(DECISIONS)).sample_size(10);
    for (name, sequence) in [("uniform", &uniform), ("zipf", &zipf)] {
        let store = filled(&quota);
        let mut now = START;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut allowed = 0_u64;
                for key in sequence.keys() {
                    now = now + Duration::from_micros(1);
                    allowed +=
                        u64::from(store.step(key, &rules, || now, Draw::Take(1)).iter().all(|verdict| verdict.allowed));
                }
                allowed
            });
        });
    }
    let fresh = Sequence::new(DECISIONS, |index| index);
    group.bench_function("new keys, half of them too many", |bencher| {
        bencher.iter_batched(
            || MemoryStore::new(KEYS as usize / 2, 1),
            |store| {
                for key in fresh.keys() {
                    store.step(key, &rules, || START, Draw::Take(1));
                }
                store
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, memory);
criterion_main!(benches);
