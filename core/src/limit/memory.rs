//! The in-memory store: exact within one process, gone with it.

mod id;
mod table;
mod windows;

use std::hash::{BuildHasher, DefaultHasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Draw, Rule, Verdict, decide, gcra, step};
use crate::platform::Timestamp;
use id::Id;
pub(super) use id::Seeded;
use table::Table;
use windows::Windows;

/// Shards, so that threads rarely wait for each other, and none for long.
const SHARDS: usize = 64;

/// Limits held in memory, bounded, safe to share between threads. Guarantee: `exact` within the process.
///
/// Idle keys are forgotten: the room of a key whose bucket is full again is another's when it is needed (forgetting such a key changes
/// nothing). It is given back when it is not: in each second in which anything is decided one of 64 shards gives back what it does
/// not need, each in its turn, so that an idle key takes no memory after 64 such seconds.
///
/// When a shard is full of keys that are not idle, those nearest to a full bucket go, so that a flood of new keys cannot buy an
/// exhausted key a new quota cheaply.
#[derive(Debug)]
pub struct MemoryStore {
    shards: Vec<Shard>,
    /// Has read the seed.
    hasher: DefaultHasher,
    /// The second in which a shard last gave back what it did not need.
    swept: AtomicU64,
    /// How often that was.
    sweeps: AtomicUsize,
}

/// Keys of limits that are one GCRA, and keys of all others.
#[derive(Debug)]
struct Shard {
    table: Mutex<Table>,
    windows: Mutex<Windows>,
}

impl MemoryStore {
    /// An empty store for at most about `max_keys` keys of limits that are one GCRA, and as many of others. An entry takes 21 to 32 bytes,
    /// however long its key; one with windows about 100, and 16 to 32 more for each slice that is in use. `seed` must be
    /// unpredictable to clients: keys hold what clients sent, and a known hash invites collisions.
    pub fn new(max_keys: usize, seed: u128) -> Self {
        let (max, hasher) = (max_keys.div_ceil(SHARDS), Seeded(seed));
        let shard = |_| Shard { table: Mutex::new(Table::new(max)), windows: Mutex::new(Windows::new(max, hasher)) };
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            hasher: hasher.build_hasher(),
            swept: AtomicU64::new(0),
            sweeps: AtomicUsize::new(0),
        }
    }

    /// One atomic load-step-save. The clock is read when it is the key's turn: no thread comes with a time that another one's has
    /// overtaken.
    pub fn step(&self, key: &str, rules: &[Rule], clock: impl FnOnce() -> Timestamp, draw: Draw) -> Vec<Verdict> {
        let id = Id::of(key, &self.hasher);
        // there are shards, and this is one of them
        let Some(shard) = self.shards.get(id.shard(SHARDS)) else { return Vec::new() };
        let (now, verdicts) = match rules {
            [Rule::Gcra(quota)] => {
                let mut table = lock(&shard.table);
                let now = clock();
                let verdict = table.update(id, now, |tat| match draw {
                    Draw::Take(cost) => decide(tat, quota, now, cost),
                    Draw::Charge(units) => decide(Some(gcra::charge(tat, quota, now, units)), quota, now, 0),
                    Draw::Return(units) => decide(Some(gcra::give_back(tat, quota, now, units)), quota, now, 0),
                });
                (now, vec![verdict])
            }
            _ => {
                let mut windows = lock(&shard.windows);
                let now = clock();
                (now, windows.update(id, now, |state| step(rules, state, now, draw)))
            }
        };
        self.sweep(now);
        verdicts
    }

    /// Keys held at this moment, among them idle ones that are not forgotten yet.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(&shard.table).len() + lock(&shard.windows).len()).sum()
    }

    /// Whether no key is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn sweep(&self, now: Timestamp) {
        let second = now.as_secs();
        if self.swept.load(Ordering::Relaxed) == second || self.swept.swap(second, Ordering::Relaxed) == second {
            return;
        }
        let turn = self.sweeps.fetch_add(1, Ordering::Relaxed) % SHARDS;
        if let Some(shard) = self.shards.get(turn) {
            lock(&shard.table).forget(now);
            lock(&shard.windows).forget(now);
        }
    }
}

/// A poisoned lock only means that another thread panicked, and no step of a shard can halfway.
fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use super::*;
    use crate::limit::window::ends;
    use crate::limit::{Quota, Window};
    use crate::sim::Random;

    const START: Timestamp = Timestamp::from_secs(1_700_000_000);

    #[test]
    fn many_threads_pass_exactly_the_limit() {
        let store = MemoryStore::new(1_000, 1);
        let quota = Quota::new(100, Duration::from_secs(3_600), 100).unwrap();
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..50).filter(|_| store.take("one", &quota, || START, 1).allowed).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 100);
    }

    #[test]
    fn it_stays_bounded_and_keeps_the_most_exhausted_keys() {
        let store = MemoryStore::new(SHARDS * 32, 7);
        let quota = Quota::new(10, Duration::from_secs(60), 10).unwrap();
        let greedy: Vec<_> = (0..100).map(|index| format!("greedy-{index}")).collect();
        assert!(greedy.iter().all(|key| store.take(key, &quota, || START, 10).allowed));
        for index in 0..10_000 {
            store.take(&format!("new-{index}"), &quota, || START, 1);
        }
        assert!(store.len() <= SHARDS * 32);
        let passed = greedy.iter().filter(|key| store.take(key, &quota, || START, 1).allowed).count();
        assert_eq!(passed, 0, "a flood of keys gave them new quotas");
    }

    #[test]
    fn a_flood_of_keys_buys_no_new_window() {
        let store = MemoryStore::new(SHARDS * 32, 7);
        let hour = Duration::from_secs(3_600);
        let sliding = Rule::Window(Window::sliding(10, hour).unwrap());
        let fixed = |now| Rule::Window(Window::fixed(10, ends(hour, now)));
        let take = |kind: &str, index: usize, rule: Rule, now, cost| {
            let verdicts = store.step(&format!("{kind}-{index}"), &[rule], || now, Draw::Take(cost));
            verdicts.iter().all(|verdict| verdict.allowed)
        };
        assert!((0..50).all(|index| take("sliding", index, sliding, START, 10)));
        assert!((0..50).all(|index| take("fixed", index, fixed(START), START, 10)));
        let later = START + Duration::from_secs(60);
        (0..10_000).for_each(|index| assert!(take("new", index, sliding, later, 1)));
        assert!(store.len() <= SHARDS * 32);
        assert!(
            !(0..50).any(|index| take("sliding", index, sliding, later, 1)),
            "a flood of keys gave them new windows"
        );
        assert!(!(0..50).any(|index| take("fixed", index, fixed(later), later, 1)));
    }

    #[test]
    fn no_key_goes_before_a_shard_is_full() {
        let store = MemoryStore::new(SHARDS * 2_350, 7);
        let quota = Quota::new(1, Duration::from_secs(60), 1).unwrap();
        let keys: Vec<_> = (0..SHARDS * 2_150).map(|index| index.to_string()).collect();
        assert!(keys.iter().all(|key| store.take(key, &quota, || START, 1).allowed));
        assert!(!keys.iter().any(|key| store.take(key, &quota, || START, 1).allowed));
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let store = MemoryStore::new(1, 3);
        let quota = Quota::new(1, Duration::from_secs(1), 1).unwrap();
        for index in 0..500 {
            store.take(&index.to_string(), &quota, || START + Duration::from_secs(index * 2), 1);
        }
        assert!(store.len() <= SHARDS);
    }

    #[test]
    fn idle_keys_are_forgotten_and_their_memory_is_given_back() {
        let store = MemoryStore::new(100_000, 5);
        let short = Quota::new(1, Duration::from_secs(1), 1).unwrap();
        let long = Quota::new(1, Duration::from_secs(3_600), 1).unwrap();
        assert!(store.take("in use", &long, || START, 1).allowed);
        for index in 0..50_000 {
            store.take(&index.to_string(), &short, || START, 1);
        }
        let (held, memory) = (store.len(), store.slots());
        assert_eq!(held, 50_001, "none is idle yet");
        for second in 1..=SHARDS as u64 {
            assert!(!store.take("in use", &long, || START + Duration::from_secs(second), 1).allowed, "it is not idle");
        }
        assert_eq!(store.len(), 1);
        assert!(store.slots() <= SHARDS * 8 && memory >= held, "{} of {memory} slots are left", store.slots());
    }

    #[test]
    fn a_clock_that_goes_back_does_not_keep_idle_keys() {
        let store = MemoryStore::new(1_000, 5);
        let quota = Quota::new(1, Duration::from_secs(1), 1).unwrap();
        store.take("now", &quota, || START + Duration::from_secs(86_400), 0);
        store.take("idle", &quota, || START, 1);
        for second in 1..=SHARDS as u64 {
            store.take("another", &quota, || START + Duration::from_secs(second), 0);
        }
        assert!(store.is_empty());
    }

    /// However keys come, go and come back, each is decided as if it had a number of its own.
    #[test]
    fn it_decides_as_one_number_for_each_key_would() {
        for seed in 0..20 {
            let random = Random::new(seed);
            let store = MemoryStore::new(1 << 20, u128::from(random.next()));
            let mut model: HashMap<u64, Timestamp> = HashMap::new();
            let quotas = [(1, 1, 1), (5, 10, 5), (100, 60, 3)]
                .map(|(limit, per, burst)| Quota::new(limit, Duration::from_secs(per), burst).unwrap());
            let (keys, mut now) = (1 + random.below(3_000), START);
            for _ in 0..20_000 {
                now = now + Duration::from_micros(random.below(5_000));
                let (key, cost) = (random.below(keys), random.below(3) as u32);
                let quota = &quotas[key as usize % quotas.len()];
                let (expected, next) = decide(model.get(&key).copied(), quota, now, cost);
                model.insert(key, next);
                assert_eq!(store.take(&key.to_string(), quota, || now, cost), expected, "{key} of seed {seed}");
            }
        }
    }

    impl MemoryStore {
        fn take(&self, key: &str, quota: &Quota, clock: impl FnOnce() -> Timestamp, cost: u32) -> Verdict {
            self.step(key, &[Rule::Gcra(*quota)], clock, Draw::Take(cost))[0]
        }

        fn slots(&self) -> usize {
            self.shards.iter().map(|shard| lock(&shard.table).slots()).sum()
        }
    }
}
