//! Leases: several instances that share one exact store, with requests under way at the same time.
//!
//! What may pass is asked of `Promise`, which knows nothing of leases: what the store grants is told to it, and what passes is
//! measured against the bound that core states and `portico check` prints.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use portico_core::sim::{Random, Sim};
use portico_core::{Gateway, Timestamp};

use crate::check;
use crate::edge::{Edge, Ledger, Setup, serve};
use crate::scene::Limit;

type UnderWay<'f> = Pin<Box<dyn Future<Output = Option<Timestamp>> + 'f>>;

/// The most that pass in any stretch of time that is as long as the window, both ends included.
fn most_in_a_window(setup: &Setup, passed: &mut [Timestamp]) -> u64 {
    passed.sort_unstable();
    let (mut window, mut most) = (VecDeque::new(), 0);
    for at in passed {
        window.push_back(*at);
        while window.front().is_some_and(|first| at.since(*first) > Duration::from_secs(setup.limit.per)) {
            window.pop_front();
        }
        most = most.max(window.len() as u64 * setup.limit.cost);
    }
    most
}

/// How time goes by.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// Not at all: a rush.
    Still,
    /// So slowly that requests come faster than units come back.
    Drip,
    /// So fast that units come back faster than requests come: leases grow.
    Calm,
    /// By a part of the window, now and then.
    Leaps,
}

/// Random requests on all instances, many at a time, some of which are broken off. Returns what passed in the fullest window beyond
/// the store's own limit and burst, in units.
fn run(seed: u64) -> u64 {
    let random = Random::new(seed);
    let setup = Setup::draw(&random);
    let (sim, ledger) = (Sim::new(random.next()), RefCell::default());
    let gateways: Vec<_> = (0..setup.instances).map(|_| setup.gateway()).collect();
    let mut under_way: Vec<UnderWay<'_>> = Vec::new();
    let mut passed = Vec::new();
    let (drip, window) = (setup.limit.drip(), setup.limit.per * 1_000_000);
    let refill = (drip * setup.limit.burst).min(window - 1);
    let mut pace = Pace::Calm;
    for turn in 0..5_200 {
        match turn % 2_600 {
            // what is held when the bucket is full again comes on top of all that it lets pass
            0 => pace = Pace::Calm,
            600 => {
                pace = Pace::Drip;
                sim.advance(Duration::from_micros(*random.pick(&[refill, refill / 2, 0]).unwrap()));
            }
            2_400 => pace = *random.pick(&[Pace::Still, Pace::Leaps]).unwrap(),
            _ => {}
        }
        match random.below(60) {
            0..=14 => {
                let edge = Edge::new(&sim, &ledger, setup);
                under_way.push(Box::pin(serve(edge, random.pick(&gateways).unwrap())));
            }
            15..=19 => {
                let micros = match pace {
                    Pace::Still => 0,
                    Pace::Drip => *random.pick(&[1, drip - 1, drip, random.below(drip)]).unwrap(),
                    Pace::Calm => 4 * drip * setup.limit.cost,
                    Pace::Leaps => *random.pick(&[drip, refill, window - 1, window, random.below(window)]).unwrap(),
                };
                sim.advance(Duration::from_micros(micros));
            }
            20 if !under_way.is_empty() => {
                drop(under_way.swap_remove(random.below(under_way.len() as u64) as usize));
            }
            _ if under_way.is_empty() => {}
            _ => {
                let index = random.below(under_way.len() as u64) as usize;
                let polled = under_way[index].as_mut().poll(&mut Context::from_waker(Waker::noop()));
                if let Poll::Ready(outcome) = polled {
                    drop(under_way.swap_remove(index));
                    passed.extend(outcome);
                }
            }
        }
        let spent = passed.len() as u64 * setup.limit.cost;
        assert!(spent <= ledger.borrow().granted, "{spent} spent of {}: {setup:?}", ledger.borrow().granted);
    }
    let most = most_in_a_window(&setup, &mut passed);
    assert!(most <= setup.most(), "{most} passed in one window, at most {} may: {setup:?}", setup.most());
    most.saturating_sub(setup.bound().shared)
}

#[test]
fn no_more_passes_than_the_bound_says_and_nothing_is_refused_that_the_store_would_pass() {
    let beyond = Cell::new(0);
    let all = check(100, |seed| beyond.set(beyond.get() + u64::from(run(seed) > 0)));
    assert!(!all || beyond.get() > 8, "limit and burst were hardly ever exceeded: {beyond:?}");
}

/// Instances that are asked one after the other, with nothing under way meanwhile.
struct Calm {
    setup: Setup,
    sim: Sim,
    ledger: RefCell<Ledger>,
    gateways: Vec<Gateway>,
}

impl Calm {
    fn new(setup: Setup) -> Self {
        let gateways = (0..setup.instances).map(|_| setup.gateway()).collect();
        Self { setup, sim: Sim::new(1), ledger: RefCell::default(), gateways }
    }

    /// How many of so many requests to an instance pass now.
    fn pass(&self, instance: usize, requests: usize) -> usize {
        let passes = |_: &usize| {
            let Self { setup, sim, ledger, gateways } = self;
            let mut serving = Box::pin(serve(Edge::new(sim, ledger, *setup), &gateways[instance]));
            let passed = loop {
                if let Poll::Ready(passed) = serving.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    break passed;
                }
            };
            passed.is_some()
        };
        (0..requests).filter(passes).count()
    }
}

#[test]
fn the_bound_is_reached() {
    let limit = Limit { limit: 100, per: 100, burst: 60, cost: 1 };
    let calm = Calm::new(Setup { limit, lease: 10, instances: 3 });
    for instance in 0..3 {
        // leases of 1, 2, 4 and 8 are spent, and of 10 the first
        assert_eq!(calm.pass(instance, 16), 16);
        calm.sim.advance(Duration::from_secs(25));
    }
    // the bucket is full again, and each instance holds nine
    let mut passed: usize = (0..3).map(|instance| calm.pass(instance, 9)).sum();
    passed += calm.pass(0, 80);
    for _ in 0..100 {
        calm.sim.advance(calm.setup.drip());
        passed += calm.pass(0, 3);
    }
    assert_eq!((passed, calm.setup.most()), (187, 187), "60 + 100 + 3 × 9");
}

#[test]
fn however_many_instances_there_are_no_more_passes_than_twice_the_limit_and_the_burst() {
    let limit = Limit { limit: 40, per: 40, burst: 2, cost: 1 };
    let calm = Calm::new(Setup { limit, lease: 2, instances: 200 });
    for instance in 0..200 {
        // it takes one unit, and then two of which it keeps one
        for _ in 0..2 {
            assert_eq!(calm.pass(instance, 1), 1);
            calm.sim.advance(calm.setup.drip());
        }
        calm.sim.advance(calm.setup.drip());
    }
    let mut passed: usize = (0..200).map(|instance| calm.pass(instance, 1)).sum();
    for _ in 0..40 {
        calm.sim.advance(calm.setup.drip());
        passed += calm.pass(0, 3);
    }
    assert_eq!(calm.setup.most(), 82);
    assert!((50..=82).contains(&passed), "{passed}");
}

#[test]
fn a_hot_key_costs_one_step_for_as_many_requests_as_a_lease_has() {
    let limit = Limit { limit: 10_000, per: 60, burst: 10_000, cost: 1 };
    let calm = Calm::new(Setup { limit, lease: 50, instances: 1 });
    assert_eq!(calm.pass(0, 5_063), 5_063);
    // 1, 2, 4, 8, 16, 32, and from then on 50
    assert_eq!(calm.ledger.borrow().steps, 6 + 100);
}
