//! What clients do in a run, and what happens to those who keep the limit: all of it from a seed.
//!
//! Nobody waits on purpose: the windows of the limits are short, so that several pass while the requests of a plan are sent. Some keys are
//! hot, and each of these rests while another is.

use portico_core::sim::Random;

use crate::history::{Algorithm, Limit};
use crate::store::Store;

/// Clients at once.
pub(crate) const CLIENTS: usize = 64;

/// Keys of which none is hot.
const KEYS: u64 = 40;

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Gcra, Algorithm::SlidingWindow, Algorithm::FixedWindow];

/// What happens during a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nothing.
    Calm,
    /// Instances lease units.
    Leases,
    /// A node is ended in the middle, whatever it is doing, and another starts in its place.
    Restart,
    /// The store does what it is asked to, and its answers get lost for a third of the run.
    LostAnswers,
    /// The store refuses much of what it is asked to for a third of the run, as one does of which too much is asked.
    Throttled,
    /// Whatever is asked of the store arrives twice for a third of the run, once right after the other.
    Duplicated,
    /// Each node has a clock of its own.
    Skewed,
}

/// The most by which a node's clock is off, in milliseconds: any two are less than `limit::SLACK` apart. Windows are only as long as clocks
/// agree that they are, and are to last.
const fn skew(algorithm: Algorithm) -> u64 {
    match algorithm {
        Algorithm::Gcra => 400,
        Algorithm::SlidingWindow | Algorithm::FixedWindow => 50,
    }
}

/// A run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) weather: Weather,
    pub(crate) limit: Limit,
    /// By how many microseconds the clock of each node is ahead; none for those that have the machine's.
    pub(crate) clocks: Vec<i64>,
    /// What each client sends, one after the other: the key, and to which node.
    pub(crate) clients: Vec<Vec<(String, usize)>>,
}

impl Plan {
    /// That of a seed.
    pub(crate) fn draw(seed: u64, store: Store) -> Self {
        let random = Random::new(seed);
        let draw = |from: u64, to: u64| from + random.below(to + 1 - from.min(to));
        let weathers = store.weathers();
        let (weather, algorithm) = weathers[(seed % weathers.len() as u64) as usize];
        let algorithm = match seed / weathers.len() as u64 {
            0 => algorithm,
            // windows are not leased
            _ if weather == Weather::Leases => Algorithm::Gcra,
            _ => ALGORITHMS[random.below(3) as usize],
        };
        let per = draw(200, 900);
        // a hot key gets half of what clients offer: from a twentieth to a third of that passes
        let pace = store.pace(weather);
        let limit = (pace * per * draw(5, 33) / 200_000).max(8);
        let per = match weather {
            // what is forgotten shows if it would not have come back while a node starts
            Weather::Restart => 12 * per,
            // who waits for answers that do not come asks for less meanwhile
            Weather::LostAnswers | Weather::Throttled => 3 * per,
            Weather::Calm | Weather::Leases | Weather::Duplicated | Weather::Skewed => per,
        };
        let cost = draw(1, 3).min(draw(1, 3));
        let burst = match algorithm {
            Algorithm::Gcra => draw(2 * cost, 4 * cost + limit / 2),
            Algorithm::SlidingWindow | Algorithm::FixedWindow => limit,
        };
        let lease = (weather == Weather::Leases).then(|| draw(2 * cost, burst));
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let clocks: Vec<i64> = match weather {
            Weather::Skewed => {
                let skew = skew(algorithm);
                (0..store.nodes()).map(|_| (draw(0, 2 * skew) as i64 - skew as i64) * 1_000).collect()
            }
            _ => Vec::new(),
        };
        let limit = Limit {
            algorithm,
            limit: small(limit),
            per: per * 1_000,
            burst: small(burst),
            cost: small(cost),
            lease: lease.map(small),
            instances: store.instances(),
            reads_clock_first: store.reads_clock_first(),
            ahead: if store.nodes_have_the_clock() { clocks.clone() } else { Vec::new() },
            slack: store.slack(),
        };
        // for about a second and a half
        let each = usize::try_from(pace).unwrap_or(0) * 3 / 2 / CLIENTS;
        let client =
            |_| (0..each).map(|index| (key(&random, index * 3 / each), random.below(store.nodes() as u64) as usize));
        let clients = (0..CLIENTS).map(|number| client(number).collect()).collect();
        Self { weather, limit, clocks, clients }
    }

    /// All requests.
    pub(crate) fn requests(&self) -> usize {
        self.clients.iter().map(Vec::len).sum()
    }
}

/// The key of a request in a third of the run.
fn key(random: &Random, third: usize) -> String {
    match random.below(2) {
        0 => format!("hot-{}", third % 2),
        // some are asked for more often than others
        _ => format!("key-{}", random.below(random.below(KEYS) + 1)),
    }
}

/// So many are run: the first ones, of which each store says what happens to which algorithm.
pub(crate) const fn seeds(store: Store) -> u64 {
    store.weathers().len() as u64
}

fn occurs(store: Store, weather: Option<Weather>, algorithm: Algorithm) -> bool {
    let mut plans = (0..seeds(store)).map(|seed| Plan::draw(seed, store));
    plans.any(|plan| {
        let leased = plan.limit.lease.is_some();
        !leased && plan.limit.algorithm == algorithm && weather.is_none_or(|weather| plan.weather == weather)
    })
}

#[test]
fn each_algorithm_occurs_on_each_store() {
    for store in Store::ALL {
        for algorithm in ALGORITHMS {
            assert!(occurs(store, None, algorithm), "{store:?}: {algorithm:?}");
        }
    }
}

#[test]
fn what_can_fail_occurs() {
    use Weather::{Calm, Duplicated, LostAnswers, Restart, Skewed};

    // its nodes say when windows of a calendar end, and nothing else by their clocks
    assert!(occurs(Store::Cluster, Some(Skewed), Algorithm::FixedWindow));
    // a lone GCRA and all else are written in two ways
    for weather in [Calm, Restart, LostAnswers, Duplicated, Skewed] {
        assert!(occurs(Store::Table, Some(weather), Algorithm::Gcra), "{weather:?}");
    }
    let windows = |store, weather| ALGORITHMS[1..].iter().any(|algorithm| occurs(store, Some(weather), *algorithm));
    for weather in [LostAnswers, Skewed] {
        assert!(windows(Store::Table, weather), "{weather:?}");
    }
    assert!(occurs(Store::Redis, Some(LostAnswers), Algorithm::Gcra));
    assert!(windows(Store::KeyValue, LostAnswers));
}

#[test]
fn later_seeds_have_any_algorithm_but_leases_of_windows() {
    for store in Store::ALL {
        for (index, (weather, _)) in (0..).zip(store.weathers()) {
            let later = |turn| Plan::draw(index + turn * seeds(store), store);
            let has = |algorithm| (1..50).any(|turn| later(turn).limit.algorithm == algorithm);
            assert!((1..50).all(|turn| later(turn).weather == *weather));
            assert_eq!(ALGORITHMS.map(has), [true, *weather != Weather::Leases, *weather != Weather::Leases]);
        }
    }
}

#[test]
fn a_plan_is_its_seed_and_no_two_are_alike() {
    let written = |seed| format!("{:?}", Plan::draw(seed, Store::Memory));
    assert_eq!(written(3), written(3));
    assert_ne!(written(3), written(3 + seeds(Store::Memory)));
}
