//! What limits let pass over time, and what a hot key costs, measured on every store: for docs/rate-limits.md. Nothing is asserted here;
//! what must hold is what the other tests check. `scripts/measure-limits` runs it and draws the plot.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Connection;
use crate::fleet::{Fleet, request};
use crate::history::{Algorithm, Limit};
use crate::plan::{Plan, Weather};
use crate::store::Store;

const STORES: [Store; 6] = [Store::Memory, Store::Cluster, Store::Objects, Store::KeyValue, Store::Redis, Store::Table];

const ALGORITHMS: [(Algorithm, &str); 3] =
    [(Algorithm::Gcra, "gcra"), (Algorithm::SlidingWindow, "sliding_window"), (Algorithm::FixedWindow, "fixed_window")];

/// Requests a second that pass.
const LIMIT: u32 = 40;

/// Requests a second that clients offer, and for how long.
const OFFERED: [(u32, Duration); 3] =
    [(20, Duration::from_secs(3)), (120, Duration::from_secs(6)), (20, Duration::from_secs(3))];

/// Of these the plot has one point each.
const BIN: Duration = Duration::from_millis(250);

/// Units that an instance leases of a hot key.
const LEASE: u32 = 100;

/// How long a hot key is asked for.
const HOT: Duration = Duration::from_secs(4);

/// The clients of a hot key.
const CLIENTS: usize = 64;

fn limit(algorithm: Algorithm, limit: u32, lease: Option<u32>) -> Limit {
    Limit {
        algorithm,
        limit,
        per: 1_000_000,
        burst: limit,
        cost: 1,
        lease,
        instances: None,
        reads_clock_first: false,
        ahead: Vec::new(),
        slack: 0,
    }
}

fn fleet(store: Store, limit: Limit) -> Fleet {
    // nobody restarts anything: but what is to outlast a restart is on disk, as it is where it is deployed
    let plan = Plan { weather: Weather::Restart, limit, clocks: Vec::new(), clients: Vec::new() };
    Fleet::start(store, &plan).unwrap_or_else(|error| panic!("{}: {error}", store.name()))
}

/// The folder that the environment names, for the tables.
fn folder() -> PathBuf {
    std::env::var_os("PORTICO_MEASURED").map(PathBuf::from).expect("scripts/measure-limits says where to write")
}

#[test]
#[ignore = "measures for minutes; scripts/measure-limits runs it"]
fn admitted_over_time() {
    let mut table = "store,algorithm,second,offered,admitted\n".to_owned();
    for store in STORES {
        for (algorithm, name) in ALGORITHMS {
            let bins = admitted(store, algorithm);
            let rate = |count: u32| f64::from(count) / BIN.as_secs_f64();
            for (index, (offered, admitted)) in bins.iter().enumerate() {
                let second = BIN.as_secs_f64() * index as f64;
                _ = writeln!(table, "{},{name},{second},{},{}", store.name(), rate(*offered), rate(*admitted));
            }
            let sum = |of: fn(&(u32, u32)) -> u32| bins.iter().map(of).sum::<u32>();
            println!("{} {name}: {} offered, {} admitted", store.name(), sum(|bin| bin.0), sum(|bin| bin.1));
        }
    }
    std::fs::write(folder().join("admitted.csv"), table).unwrap();
}

/// What was offered in each bin and what passed, by when it was answered: of one key.
fn admitted(store: Store, algorithm: Algorithm) -> Vec<(u32, u32)> {
    let mut moments = Vec::new();
    let mut begins = Duration::ZERO;
    for (rate, length) in OFFERED {
        let count = rate * length.as_secs() as u32;
        moments.extend((0..count).map(|index| begins + Duration::from_secs(1) / rate * index));
        begins += length;
    }
    let fleet = fleet(store, limit(algorithm, LIMIT, None));
    // what is slow is answered when nothing is offered any more
    let last = begins + Duration::from_secs(3);
    let bins = Mutex::new(vec![(0, 0); last.div_duration_f64(BIN) as usize]);
    let count = |at: Duration, add: fn(&mut (u32, u32))| {
        let mut bins = bins.lock().unwrap_or_else(PoisonError::into_inner);
        bins.get_mut(at.div_duration_f64(BIN) as usize).map(add);
    };
    let (next, started) = (AtomicUsize::new(0), Instant::now() + Duration::from_millis(100));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = Connection::default();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(moment) = moments.get(index) else { return };
                    thread::sleep((started + *moment).saturating_duration_since(Instant::now()));
                    let (to, _) = fleet.locate(index % store.nodes()).unwrap();
                    let status = to.ask(&mut connection, &request("one"), || {}).map(|response| response.status);
                    count(*moment, |(offered, _)| *offered += 1);
                    if status == Ok(200) {
                        count(started.elapsed(), |(_, admitted)| *admitted += 1);
                    }
                }
            });
        }
    });
    bins.into_inner().unwrap()
}

#[test]
#[ignore = "measures for minutes; scripts/measure-limits runs it"]
fn a_hot_key() {
    let mut table = "store,what,requests_a_second,median_ms,p99_ms\n".to_owned();
    for store in STORES {
        for (what, algorithm, lease) in [
            ("gcra", Algorithm::Gcra, None),
            ("gcra, lease 100", Algorithm::Gcra, Some(LEASE)),
            ("sliding_window", Algorithm::SlidingWindow, None),
            ("fixed_window", Algorithm::FixedWindow, None),
        ] {
            // enough for all
            let mut times = hot(store, limit(algorithm, 1_000_000, lease));
            times.sort_unstable();
            let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
            let rate = times.len() as f64 / HOT.as_secs_f64();
            let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
            let line = format!("{},\"{what}\",{rate:.0},{:.2},{:.2}", store.name(), millis(at(0.5)), millis(at(0.99)));
            println!("{line}");
            table.push_str(&line);
            table.push('\n');
        }
    }
    std::fs::write(folder().join("hot.csv"), table).unwrap();
}

/// How long each request of one key took that passed, while all clients ask as fast as they can.
fn hot(store: Store, limit: Limit) -> Vec<Duration> {
    let fleet = fleet(store, limit);
    let (times, started) = (Mutex::new(Vec::new()), Instant::now());
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (fleet, times) = (&fleet, &times);
            scope.spawn(move || {
                let (mut connection, mut own) = (Connection::default(), Vec::new());
                let (to, _) = fleet.locate(client % store.nodes()).unwrap();
                while started.elapsed() < HOT {
                    let asked = Instant::now();
                    let response = to.ask(&mut connection, &request("hot"), || {});
                    if response.is_ok_and(|response| response.status == 200) {
                        own.push(asked.elapsed());
                    }
                }
                times.lock().unwrap().extend(own);
            });
        }
    });
    times.into_inner().unwrap()
}
