//! What one instance asks of the store, and what it spends.

use super::*;
use crate::sim::{Sim, StoreFault, block_on};

const HOUR: Duration = Duration::from_secs(3_600);

/// 60 in an hour, at most `units` of them leased at once.
fn terms(units: u32, cost: u32) -> Terms {
    Terms { quota: Quota::new(60, HOUR, 60).unwrap(), cost, units, life: HOUR }
}

fn leases() -> Leases {
    Leases::new(100, 1)
}

fn take(leases: &Leases, sim: &Sim, terms: &Terms) -> Verdict {
    block_on(leases.take(sim, "key", terms)).unwrap()
}

/// The units that the store is asked for, one request after the other.
fn asked(leases: &Leases, sim: &Sim, terms: &Terms, requests: usize) -> Vec<u32> {
    let mut asked = Vec::new();
    for _ in 0..requests {
        let Step::Ask(ask) = leases.draw("key", terms, || sim.now()) else { continue };
        asked.push(ask.units);
        let answer = block_on(shared(sim, "key", &terms.quota, ask.units));
        let settled = leases.settle("key", terms, &ask, answer, || sim.now()).unwrap();
        assert!(matches!(settled, Step::Decided(verdict) if verdict.allowed), "{settled:?}");
    }
    asked
}

#[test]
fn a_lease_doubles_when_it_is_spent_and_begins_anew_when_it_is_not() {
    let (sim, leases) = (Sim::new(1), leases());
    assert_eq!(asked(&leases, &sim, &terms(10, 1), 28), [1, 2, 4, 8, 10, 10]);
    sim.advance(HOUR);
    assert_eq!(asked(&leases, &sim, &terms(10, 1), 3), [1, 2]);
    let (sim, leases) = (Sim::new(1), self::leases());
    assert_eq!(asked(&leases, &sim, &terms(10, 3), 8), [3, 6, 9, 9], "always whole requests");
}

#[test]
fn what_is_unspent_after_the_window_is_lost() {
    let (sim, leases, terms) = (Sim::new(1), leases(), terms(8, 1));
    assert_eq!(asked(&leases, &sim, &terms, 4), [1, 2, 4]);
    sim.set_store_down(true);
    sim.advance(HOUR - Duration::from_micros(1));
    assert!(take(&leases, &sim, &terms).allowed);
    sim.advance(Duration::from_micros(1));
    assert_eq!(block_on(leases.take(&sim, "key", &terms)), Err(StoreError), "two units were left");
}

#[test]
fn alone_and_at_once_it_passes_what_the_store_would_and_says_what_it_would() {
    for (units, cost) in [(2, 1), (7, 1), (60, 1), (4, 2), (9, 3), (40, 7)] {
        let (sim, leases, terms) = (Sim::new(1), leases(), terms(units, cost));
        let mut tat = None;
        for request in 0..70 {
            let (expected, next) = decide(tat, &terms.quota, sim.now(), cost);
            tat = Some(next);
            assert_eq!(take(&leases, &sim, &terms), expected, "request {request}, lease {units}, cost {cost}");
        }
    }
}

#[test]
fn what_must_be_denied_is_denied_without_asking() {
    let (sim, leases, terms) = (Sim::new(1), leases(), terms(4, 1));
    (0..60).for_each(|_| assert!(take(&leases, &sim, &terms).allowed));
    let denied = take(&leases, &sim, &terms);
    assert!(!denied.allowed);
    sim.set_store_down(true);
    assert_eq!(take(&leases, &sim, &terms), denied);
    sim.advance(denied.retry_after);
    assert_eq!(block_on(leases.take(&sim, "key", &terms)), Err(StoreError), "now it is worth asking");
    sim.set_store_down(false);
    assert!(take(&leases, &sim, &terms).allowed);
}

/// Sets the clock back.
fn back(sim: &Sim, by: Duration) {
    sim.set_now(Timestamp::from_micros(0) + sim.now().since(Timestamp::from_micros(0) + by));
}

#[test]
fn when_a_clock_is_set_back_nothing_is_spent_or_denied_by_the_old_one() {
    let (sim, leases, terms) = (Sim::new(1), leases(), terms(4, 1));
    (0..2).for_each(|_| assert!(take(&leases, &sim, &terms).allowed));
    back(&sim, 2 * SLACK);
    sim.set_store_down(true);
    assert_eq!(block_on(leases.take(&sim, "key", &terms)), Err(StoreError), "one unit was left");
    sim.set_store_down(false);
    (0..60).for_each(|_| _ = take(&leases, &sim, &terms));
    assert!(!take(&leases, &sim, &terms).allowed);
    back(&sim, 2 * SLACK);
    sim.set_store_down(true);
    assert_eq!(block_on(leases.take(&sim, "key", &terms)), Err(StoreError), "the store may know better");
}

#[test]
fn when_a_clock_is_corrected_what_is_held_stays() {
    let (sim, leases, terms) = (Sim::new(1), leases(), terms(8, 1));
    assert_eq!(asked(&leases, &sim, &terms, 4), [1, 2, 4]);
    sim.set_store_down(true);
    back(&sim, Duration::from_micros(1));
    assert!(take(&leases, &sim, &terms).allowed);
    back(&sim, SLACK - Duration::from_micros(1));
    assert!(take(&leases, &sim, &terms).allowed);
    back(&sim, Duration::from_micros(1));
    assert_eq!(block_on(leases.take(&sim, "key", &terms)), Err(StoreError), "all together that is a clock set back");
}

#[test]
fn when_a_clock_is_corrected_what_is_held_of_an_empty_bucket_passes() {
    let (sim, leases, terms) = (Sim::new(1), leases(), terms(8, 1));
    assert_eq!(asked(&leases, &sim, &terms, 4), [1, 2, 4]);
    // others have drawn all that was left
    let Step::Ask(ask) = leases.draw("other", &terms, || sim.now()) else { panic!("nothing is held yet") };
    let answer = block_on(shared(&sim, "key", &terms.quota, 53)).unwrap();
    assert!(answer.allowed && answer.remaining == 0);
    let empty = Verdict { allowed: false, ..answer };
    leases.settle("key", &terms, &Ask { purpose: Purpose::Request, ..ask }, Ok(empty), || sim.now()).unwrap();
    sim.set_store_down(true);
    back(&sim, SLACK / 2);
    assert!((0..2).all(|_| take(&leases, &sim, &terms).allowed), "two of the last four are held");
    assert_eq!(take(&leases, &sim, &terms).retry_after, Duration::from_secs(60) + SLACK / 2);
}

#[test]
fn the_clock_is_read_where_no_thread_can_overtake() {
    let (sim, leases, terms) = (Sim::new(1), leases(), terms(4, 1));
    let clock = || {
        assert!(leases.0.try_lock().is_err(), "another thread may come between the time and its use");
        sim.now()
    };
    let Step::Ask(ask) = leases.draw("key", &terms, clock) else { panic!("nothing is held yet") };
    let answer = block_on(shared(&sim, "key", &terms.quota, ask.units));
    assert!(matches!(leases.settle("key", &terms, &ask, answer, clock), Ok(Step::Decided(_))));
}

/// The question that `leases` asks now.
fn ask(leases: &Leases, terms: &Terms, now: Timestamp) -> Ask {
    match leases.draw("key", terms, || now) {
        Step::Ask(ask) => ask,
        Step::Decided(verdict) => panic!("{verdict:?}"),
    }
}

#[test]
fn one_asks_for_a_lease_and_the_others_for_themselves() {
    let (sim, leases, terms) = (Sim::new(1), leases(), terms(4, 1));
    let answer = |ask: &Ask| block_on(shared(&sim, "key", &terms.quota, ask.units));
    assert_eq!(asked(&leases, &sim, &terms, 1), [1]);
    let (first, second) = (ask(&leases, &terms, sim.now()), ask(&leases, &terms, sim.now()));
    assert_eq!([first.units, second.units], [2, 1]);
    // the store has two units left: the lease takes them, and the other request takes its part of the lease
    _ = block_on(shared(&sim, "key", &terms.quota, 57));
    let (granted, denied) = (answer(&first), answer(&second));
    assert!(granted.unwrap().allowed && !denied.unwrap().allowed);
    for (ask, answer) in [(first, granted), (second, denied)] {
        let settled = leases.settle("key", &terms, &ask, answer, || sim.now()).unwrap();
        assert!(matches!(settled, Step::Decided(verdict) if verdict.allowed), "{settled:?}");
    }
}

#[test]
fn whoever_does_not_come_back_is_given_up_and_brings_no_lease_later() {
    let (sim, leases, terms) = (Sim::new(1), leases(), terms(4, 1));
    let answer = |ask: &Ask| block_on(shared(&sim, "key", &terms.quota, ask.units));
    assert_eq!(asked(&leases, &sim, &terms, 3), [1, 2]);
    let lost = ask(&leases, &terms, sim.now());
    let late = answer(&lost);
    sim.advance(PATIENCE - Duration::from_micros(1));
    assert_eq!(ask(&leases, &terms, sim.now()).purpose, Purpose::Request);
    sim.advance(Duration::from_micros(1));
    let next = ask(&leases, &terms, sim.now());
    assert_eq!((lost.units, next.units), (4, 4));
    leases.settle("key", &terms, &next, answer(&next), || sim.now()).unwrap();
    leases.settle("key", &terms, &lost, late, || sim.now()).unwrap();
    sim.set_store_down(true);
    (0..3).for_each(|_| assert!(take(&leases, &sim, &terms).allowed));
    assert_eq!(block_on(leases.take(&sim, "key", &terms)), Err(StoreError));
}

#[test]
fn a_lease_that_is_denied_or_lost_begins_anew_with_what_the_request_costs() {
    let (sim, leases, terms) = (Sim::new(1), leases(), terms(8, 1));
    assert_eq!(asked(&leases, &sim, &terms, 3), [1, 2]);
    // others have left two units, and nobody told
    _ = block_on(shared(&sim, "key", &terms.quota, 55));
    assert!(take(&leases, &sim, &terms).allowed);
    assert_eq!(asked(&leases, &sim, &terms, 1), [1]);
    assert!(!take(&leases, &sim, &terms).allowed);

    let (sim, leases) = (Sim::new(1), self::leases());
    assert_eq!(asked(&leases, &sim, &terms, 7), [1, 2, 4]);
    sim.set_store_faults([Some(StoreFault::LostResponse)]);
    assert_eq!(block_on(leases.take(&sim, "key", &terms)), Err(StoreError));
    assert_eq!(asked(&leases, &sim, &terms, 1), [1]);
}

#[test]
fn memory_is_bounded_and_keeps_the_keys_that_are_used() {
    let (sim, leases, terms) = (Sim::new(1), Leases::new(20, 1), terms(8, 1));
    assert_eq!(asked(&leases, &sim, &terms, 4), [1, 2, 4]);
    for index in 0..1_000 {
        let _ = leases.draw(&format!("new-{index}"), &terms, || sim.now());
        let keys = leases.lock();
        assert!(keys.young.len() + keys.old.len() <= 20);
        drop(keys);
        if index % 9 == 0 {
            leases.lock().with("key", |held| assert_eq!(held.left, 3));
        }
    }
    (0..20).for_each(|index| _ = leases.draw(&format!("newer-{index}"), &terms, || sim.now()));
    leases.lock().with("key", |held| assert_eq!(held.left, 0, "forgotten, and its units lost"));
}

#[test]
fn threads_spend_no_more_than_was_granted() {
    let store = crate::limit::MemoryStore::new(100, 1);
    let (leases, terms) = (leases(), terms(8, 1));
    let now = Timestamp::from_secs(1_700_000_000);
    let pass = || {
        let mut step = leases.draw("key", &terms, || now);
        loop {
            match step {
                Step::Decided(verdict) => return verdict.allowed,
                Step::Ask(ask) => {
                    let rules = [Rule::Gcra(terms.quota)];
                    let answer = Ok(store.step("key", &rules, || now, Draw::Take(ask.units))[0]);
                    step = leases.settle("key", &terms, &ask, answer, || now).unwrap();
                }
            }
        }
    };
    let passed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| (0..50).filter(|_| pass()).count())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(passed, 60);
}

#[test]
fn bounds_in_numbers() {
    let bound = |limit, burst, cost, lease| {
        let Bound { shared, for_each_instance, altogether } = Bound::new(limit, burst, cost, lease);
        [shared, for_each_instance, altogether]
    };
    assert_eq!(bound(1000, 1000, 1, 20), [2000, 19, 3000]);
    assert_eq!(bound(10, 30, 3, 10), [40, 6, 50], "nine at once, three of which are spent at once");
    assert_eq!(bound(u32::MAX, u32::MAX, 1, u32::MAX)[2], 3 * u64::from(u32::MAX));
}
