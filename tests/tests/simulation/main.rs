//! Seeded simulation: random traffic on the simulated platform while stores, upstreams and the clock misbehave, checked against a
//! model that is written independently of core.
//!
//! A failure names its seed; `PORTICO_SEED=17 cargo test -p portico-tests --test simulation` runs that one alone.

mod edge;
mod headers;
mod leases;
mod model;
mod play;
mod scene;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use portico_core::Timestamp;
use portico_core::decision::Outcome;
use portico_core::limit::{Draw, MemoryStore, Quota, Rule};
use portico_core::sim::{Random, SEED_VARIABLE, StoreFault, UpstreamFault, check_seeds};

use model::{Model, Promise};
use play::{Exchange, Weather, play};
use scene::{Limit, TIMEOUT};

/// Requests of one run.
const REQUESTS: usize = 80;

const ALL_FAULTS: Weather = Weather {
    store: &[
        (7, StoreFault::Throttled),
        (7, StoreFault::LostResponse),
        (7, StoreFault::Duplicate),
        (7, StoreFault::StaleRead(1)),
        (4, StoreFault::StaleRead(4)),
    ],
    upstreams: &[
        (5, UpstreamFault::Connect),
        (5, UpstreamFault::Delay(Duration::from_millis(700))),
        (3, UpstreamFault::Delay(TIMEOUT)),
        (3, UpstreamFault::Delay(Duration::from_secs(8))),
        (5, UpstreamFault::Timeout),
        (5, UpstreamFault::Reset),
        (5, UpstreamFault::ResetBody(4)),
    ],
    clock_goes_back: true,
};

/// Runs `property` for so many seeds, or for the one that the environment names. Says whether all ran, so that what only all of
/// them show can be asked for.
fn check(seeds: u64, property: impl Fn(u64)) -> bool {
    let replay = std::env::var(SEED_VARIABLE).ok();
    check_seeds(seeds, replay.as_deref(), property);
    replay.is_none()
}

fn as_the_model_says(run: &[Exchange]) {
    let mut model = Model::default();
    for (index, exchange) in run.iter().enumerate() {
        assert_eq!(exchange.seen, model.expect(exchange), "request {index}: {exchange:?}");
    }
}

#[test]
fn every_response_is_the_models_whatever_goes_wrong() {
    let (seen, back) = (RefCell::new(BTreeSet::new()), Cell::new(0));
    let all = check(80, |seed| {
        let run = play(seed, REQUESTS, ALL_FAULTS);
        as_the_model_says(&run);
        back.set(back.get() + run.windows(2).filter(|pair| pair[1].at < pair[0].at).count());
        seen.borrow_mut().extend(run.iter().map(|exchange| (exchange.seen.status, exchange.seen.body.clone())));
    });
    let expected = [
        (200, "hell…"),
        (200, "hello, world"),
        (401, "credentials_missing"),
        (401, "key_unknown"),
        (404, "no_route"),
        (413, "body_too_large"),
        (429, "rate_limited"),
        (499, "client_gone"),
        (502, "upstream_broken"),
        (502, "upstream_unreachable"),
        (503, "store_unavailable"),
        (504, "upstream_timeout"),
    ];
    let expected: BTreeSet<_> = expected.map(|(status, body)| (status, body.to_owned())).into();
    assert!(!all || *seen.borrow() == expected, "{seen:?}");
    assert!(!all || back.get() > 100, "the clock hardly ever went back: {back:?}");
}

#[test]
fn what_is_logged_is_what_the_client_saw() {
    check(40, |seed| {
        for exchange in play(seed, REQUESTS, ALL_FAULTS) {
            let (record, response) = (&exchange.record, &exchange.response);
            let denials = record.decisions.iter().filter(|decision| decision.outcome == Outcome::Deny);
            let denied: Vec<_> = denials.map(|decision| decision.reason.code()).collect();
            let told: &[&str] = if exchange.seen.status == 200 { &[] } else { &[&exchange.seen.body] };
            assert_eq!((record.status, denied.as_slice()), (response.status(), told), "{exchange:?}");
            assert_eq!(response.headers().get("x-request-id").unwrap(), record.id.as_str(), "{exchange:?}");
            assert_eq!(record.received, exchange.at, "{exchange:?}");
        }
    });
}

#[test]
fn upstreams_are_blamed_for_their_own_faults_and_see_nothing_that_was_refused() {
    check(40, |seed| {
        for exchange in play(seed, REQUESTS, ALL_FAULTS) {
            let blame = match exchange.upstream[..] {
                [Some(UpstreamFault::Connect)] => Some("upstream_unreachable"),
                [Some(UpstreamFault::Reset)] => Some("upstream_broken"),
                [Some(UpstreamFault::Timeout)] => Some("upstream_timeout"),
                [Some(UpstreamFault::Delay(delay))] if delay > TIMEOUT => Some("upstream_timeout"),
                _ => None,
            };
            let seen = &exchange.seen;
            match seen.status {
                200 => assert_eq!(blame, None, "{exchange:?}"),
                // an upload that failed first
                413 | 499 => assert_eq!(seen.asked, 0, "{exchange:?}"),
                502 | 504 => assert_eq!(Some(seen.body.as_str()), blame, "{exchange:?}"),
                _ => assert!(exchange.upstream.is_empty() && seen.asked == 0, "{exchange:?}"),
            }
        }
    });
}

#[test]
fn while_the_store_is_well_exactly_what_was_promised_passes() {
    let denied = Cell::new(0);
    let all = check(80, |seed| {
        let mut promises = BTreeMap::<_, Promise>::new();
        for exchange in play(seed, REQUESTS, Weather { upstreams: ALL_FAULTS.upstreams, ..Weather::default() }) {
            let Some(limit) = drawn_from(&exchange) else { continue };
            let promise = promises.entry(exchange.bucket()).or_default();
            let permitted = promise.excess(limit, exchange.at) == 0;
            assert_eq!(exchange.admitted(), permitted, "{exchange:?}");
            if permitted {
                promise.pass(exchange.at);
            } else {
                denied.set(denied.get() + 1);
            }
        }
    });
    assert!(!all || denied.get() > 500, "limits were hardly ever reached: {denied:?}");
}

/// The limit that a request drew from.
fn drawn_from(exchange: &Exchange) -> Option<&Limit> {
    let route = exchange.send.route.as_ref()?;
    (!exchange.store.is_empty()).then_some(&route.limit)
}

/// How many of each bucket the store let pass after each exchange.
fn admitted(run: &[Exchange]) -> Vec<BTreeMap<String, u64>> {
    let mut admitted = BTreeMap::new();
    let after = run.iter().map(|exchange| {
        if exchange.admitted() {
            *admitted.entry(exchange.bucket().unwrap()).or_default() += 1;
        }
        admitted.clone()
    });
    after.collect()
}

#[test]
fn steps_whose_answer_is_lost_or_that_are_taken_twice_never_let_more_pass() {
    let fewer = Cell::new(0);
    let all = check(40, |seed| {
        let clock = Weather { clock_goes_back: true, ..Weather::default() };
        let store = &[(15, StoreFault::LostResponse), (15, StoreFault::Duplicate)];
        let well = admitted(&play(seed, REQUESTS, clock));
        let ill = admitted(&play(seed, REQUESTS, Weather { store, ..clock }));
        for (well, ill) in well.iter().zip(&ill) {
            for (bucket, passed) in ill {
                assert!(well.get(bucket) >= Some(passed), "{bucket}: {well:?}, with faults {ill:?}");
            }
        }
        fewer.set(fewer.get() + u64::from(well.last() != ill.last()));
    });
    assert!(!all || fewer.get() > 30, "the faults were hardly ever felt: {fewer:?}");
}

#[test]
fn a_store_that_throttles_refuses_or_passes_everything_as_the_route_says() {
    let (refused, passed) = (Cell::new(0), Cell::new(0));
    let all = check(30, |seed| {
        let store = &[(100, StoreFault::Throttled)];
        let run = play(seed, REQUESTS, Weather { store, clock_goes_back: true, ..Weather::default() });
        for exchange in run.iter().filter(|exchange| !exchange.store.is_empty()) {
            let seen = &exchange.seen;
            assert_eq!(seen.remaining, None, "{exchange:?}");
            if exchange.send.route.as_ref().is_some_and(|route| route.on_error_allow) {
                assert!(seen.status == 200 || seen.body == "client_gone", "{exchange:?}");
                passed.set(passed.get() + 1);
            } else {
                assert_eq!((seen.status, seen.body.as_str(), seen.asked), (503, "store_unavailable", 0));
                refused.set(refused.get() + 1);
            }
        }
    });
    assert!(!all || refused.get() > 100 && passed.get() > 100, "{refused:?} {passed:?}");
}

/// Why reading and then writing is a defect: it breaks the promise. Each stale step undoes at most as many steps as it is behind,
/// for those are what it does not build upon; all others build upon each other and keep the promise.
#[test]
fn stale_reads_break_the_promise_by_no_more_than_they_undo() {
    let broken = Cell::new(0);
    let all = check(40, |seed| {
        let store = &[(20, StoreFault::StaleRead(1)), (10, StoreFault::StaleRead(3))];
        let mut buckets = BTreeMap::<_, (Promise, u64)>::new();
        for exchange in play(seed, REQUESTS, Weather { store, ..Weather::default() }) {
            let Some(limit) = drawn_from(&exchange) else { continue };
            let (promise, undone) = buckets.entry(exchange.bucket()).or_default();
            if let [Some(StoreFault::StaleRead(age))] = exchange.store[..] {
                *undone += limit.cost * age as u64;
            }
            if exchange.admitted() {
                let excess = promise.excess(limit, exchange.at);
                assert!(excess <= *undone, "{excess} in excess, {undone} undone: {exchange:?}");
                broken.set(broken.get() + u64::from(excess > 0));
                promise.pass(exchange.at);
            }
        }
    });
    assert!(!all || broken.get() > 100, "the promise was hardly ever broken: {broken:?}");
}

#[test]
fn the_store_in_memory_keeps_the_promise() {
    check(100, |seed| {
        let random = Random::new(seed);
        let store = MemoryStore::new(1_000, u128::from(random.next()));
        let limits = [1, 2, 3].map(|burst| Limit { limit: 1 + random.below(9), per: 10, burst, cost: 1 });
        let mut promises = [(); 3].map(|()| Promise::default());
        let mut now = Timestamp::from_secs(1_000);
        for _ in 0..200 {
            let key = random.below(3) as usize;
            let (limit, promise) = (&limits[key], &mut promises[key]);
            let quota = Quota::new(limit.limit as u32, Duration::from_secs(limit.per), limit.burst as u32).unwrap();
            let permitted = promise.excess(limit, now) == 0;
            assert_eq!(store.step(&key.to_string(), &[Rule::Gcra(quota)], || now, Draw::Take(1))[0].allowed, permitted);
            if permitted {
                promise.pass(now);
            }
            let (drip, part) = (limit.drip(), random.below(limit.drip()));
            now = now + Duration::from_micros(*random.pick(&[0, 1, drip - 1, drip, part]).unwrap());
        }
    });
}

#[test]
fn a_run_is_its_seed() {
    let record = |seed| format!("{:?}", play(seed, REQUESTS, ALL_FAULTS));
    let records = RefCell::new(BTreeSet::new());
    let all = check(20, |seed| {
        let first = record(seed);
        assert_eq!(first, record(seed));
        records.borrow_mut().insert(first);
    });
    assert!(!all || records.borrow().len() == 20, "different seeds make different runs");
}

/// The simulation finds a store that reads and then writes, says which seed shows it, and shows it again.
#[test]
fn a_defect_is_found_and_shown_again_by_its_seed() {
    let fails = |replay: Option<&str>| {
        let failure = catch_unwind(AssertUnwindSafe(|| {
            check_seeds(50, replay, |seed| {
                let store = &[(5, StoreFault::StaleRead(1))];
                let mut run = play(seed, REQUESTS, Weather { store, ..Weather::default() });
                // nobody tells the model
                run.iter_mut().flat_map(|exchange| &mut exchange.store).for_each(|fault| *fault = None);
                as_the_model_says(&run);
            });
        }));
        *failure.expect_err("the defect is found").downcast::<String>().unwrap()
    };
    let told = fails(None);
    let seed = told.strip_prefix("seed ").and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(told.contains(&format!("{SEED_VARIABLE}={seed} runs it alone")), "{told}");
    assert_eq!(fails(Some(seed)), told);
}
