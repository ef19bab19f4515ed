//! Limits on every store, under load: what 64 clients see at once is checked against a single limiter.
//!
//! A plan says what clients send and what goes wrong, from a seed ([`plan`]); a run sends it to gateways that were started for real and writes
//! down who was told what and when ([`run`]); the checker looks for what no limiter does ([`checker`]). The seed makes the plan again, not
//! the order in which a machine happens to serve it: so a history that fails is kept as a file, and can be checked again.
//!
//! `PORTICO_SEED=17` runs one plan; `PORTICO_SOAK=60` runs new ones for so many seconds, as `scripts/soak` does;
//! `PORTICO_HISTORY=FILE` checks a file again.
//!
//! Nodes may have clocks that differ. What needs one that can be set is not here: one that goes back is in the simulation
//! (`tests/simulation/`).

mod bucket;
mod checker;
mod client;
mod fleet;
mod history;
mod measure;
mod plan;
mod run;
mod schedule;
mod store;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use portico_core::sim::{SEED_VARIABLE, check_seeds};

use self::checker::{Tally, check};
use self::history::History;
use self::plan::{Plan, seeds};
use self::run::run;
use self::store::Store;

/// Runs the plan of a seed, and checks what came of it.
fn holds(store: Store, seed: u64) -> Tally {
    let plan = Plan::draw(seed, store);
    let history = run(store, &plan).unwrap_or_else(|error| panic!("{error}"));
    let tally = check(&history).unwrap_or_else(|violation| panic!("{violation}\n{}", kept(&history, store, seed)));
    println!("{}: seed {seed}, {:?}, {:?}: {tally}", store.name(), plan.weather, plan.limit.algorithm);
    tally
}

/// Writes a history down, and says how to check it again.
fn kept(history: &History, store: Store, seed: u64) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("limits-{}-{seed}.jsonl", store.name()));
    match std::fs::write(&path, history.written()) {
        Ok(()) => format!(
            "the history is in {path}\nhelp: check it again with PORTICO_HISTORY={path} cargo test -p portico-tests --test limits -- --exact a_recorded_history_holds",
            path = path.display()
        ),
        Err(error) => format!("the history could not be written to {}: {error}", path.display()),
    }
}

/// A plan of each weather; the one that the environment names; or new ones until the time is over that it names.
fn hold(store: Store) {
    let replay = std::env::var(SEED_VARIABLE).ok();
    let Some(soak) = std::env::var("PORTICO_SOAK").ok().filter(|_| replay.is_none()) else {
        check_seeds(seeds(store), replay.as_deref(), |seed| {
            let tally = holds(store, seed);
            assert!(tally.denied > 0, "nothing was limited: {tally}");
        });
        return;
    };
    let time = soak.parse().map(Duration::from_secs);
    let time = time.unwrap_or_else(|_| panic!("PORTICO_SOAK={soak}: expected a whole number of seconds"));
    let all = Cell::new(Tally::default());
    let holds = |seed| all.set(all.get() + holds(store, seed));
    let started = Instant::now();
    let first = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() * 1_000;
    for (done, seed) in (1..).zip(first..).take_while(|_| started.elapsed() < time) {
        check_seeds(0, Some(&seed.to_string()), holds);
        println!("{}: {done} seeds: {}, no violation", store.name(), all.get());
    }
}

#[test]
fn native() {
    hold(Store::Memory);
}

#[test]
fn native_redis() {
    hold(Store::Cluster);
}

#[test]
fn cloudflare() {
    hold(Store::Objects);
}

#[test]
fn spin() {
    hold(Store::KeyValue);
}

#[test]
fn spin_redis() {
    hold(Store::Redis);
}

#[test]
fn lambda() {
    hold(Store::Table);
}

/// The file that the environment names, or else a part of one that a Redis made.
#[test]
fn a_recorded_history_holds() {
    let path = std::env::var_os("PORTICO_HISTORY").map_or_else(|| recorded("sound.jsonl"), PathBuf::from);
    let history = History::load(&path).unwrap_or_else(|error| panic!("{error}"));
    match check(&history) {
        Ok(tally) => println!("{}: {tally}", path.display()),
        Err(violation) => panic!("{violation}"),
    }
}

/// What functions did while those whose time was a tenth of a second old cut the state of a table down to that.
#[test]
fn a_recorded_defect_is_found() {
    let violation = check(&History::load(&recorded("cut_down.jsonl")).unwrap()).unwrap_err().to_string();
    assert!(violation.contains("18 requests of 1 passed within 410579 µs: the limit alone permits 17"), "{violation}");
}

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/limits/recorded").join(name)
}
