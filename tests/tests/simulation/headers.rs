//! `RateLimit`, `X-RateLimit-*` and `Retry-After` taken at their word, by one client that does again what it did and then goes on as
//! the last response said.

use std::cell::Cell;
use std::time::Duration;

use http::StatusCode;
use portico_core::sim::{Random, Sim, block_on};
use portico_core::{Body, Gateway, config};
use serde_json::{Value, json};

use super::check;

/// A limit, and how one client used it: how long it waited before each request.
#[derive(Debug)]
struct History {
    burst: u64,
    cost: u64,
    leased: bool,
    routes: [(&'static str, Value); 2],
    waits: Vec<Duration>,
}

/// What the last response said.
#[derive(Debug)]
struct Told {
    status: StatusCode,
    remaining: u64,
    reset: u64,
    retry_after: Option<u64>,
}

impl History {
    fn draw(random: &Random) -> Self {
        let limit = 1 + random.below(30);
        let per = [1, 7, 60, 3_600].into_iter().nth(random.below(4) as usize).unwrap();
        let burst = if random.below(2) == 0 { limit } else { 1 + random.below(30) };
        let cost = 1 + random.below(burst.min(4));
        let lease = (random.below(2) == 0 && 2 * cost <= burst).then(|| 2 * cost + random.below(burst - 2 * cost + 1));
        let mut wire = json!({ "limit": limit, "per": format!("{per}s"), "burst": burst, "by": "global" });
        let single = wire.clone();
        wire["cost"] = cost.into();
        if let Some(lease) = lease {
            wire["lease"] = lease.into();
        }
        // at once mostly, so that there is little left at the end
        let wait = |_| match random.below(3) {
            0 => Duration::from_micros(random.below(2 * per * 1_000_000 / limit)),
            _ => Duration::ZERO,
        };
        let waits = (0..=random.below(2 * burst / cost + 2)).map(wait).collect();
        Self { burst, cost, leased: lease.is_some(), routes: [("a", wire), ("single", single)], waits }
    }

    fn gateway(&self) -> Gateway {
        let route = |(name, limit): &(&str, Value)| {
            json!({
                "name": name, "match": { "path": format!("/{name}") }, "respond": {}, "policies": { "rate_limit": limit },
            })
        };
        let routes: Vec<_> = self.routes.iter().map(route).collect();
        config::compile(&json!({ "portico": 1, "name": "shop", "routes": routes })).unwrap().0
    }

    /// Does it all again up to the last response, and returns what that said; then it can go on from there.
    fn play(&self) -> (Told, Probe) {
        let probe = Probe { gateway: self.gateway(), sim: Sim::new(1) };
        let mut told = None;
        for wait in &self.waits {
            probe.sim.advance(*wait);
            told = Some(probe.ask("/a"));
        }
        (told.unwrap(), probe)
    }

    /// How many requests pass at once, `after` the last one; no more than `most` are sent.
    fn pass(&self, path: &str, after: Duration, most: u64) -> u64 {
        let (_, probe) = self.play();
        probe.sim.advance(after);
        (0..most).take_while(|_| probe.ask(path).status == StatusCode::OK).count() as u64
    }
}

/// A gateway in the middle of things.
struct Probe {
    gateway: Gateway,
    sim: Sim,
}

impl Probe {
    fn ask(&self, path: &str) -> Told {
        let request = http::Request::get(format!("http://a{path}")).body(Body::Empty).unwrap();
        let (response, _) = block_on(self.gateway.handle(&self.sim, &Sim::peer(), request));
        let number =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().parse::<u64>().unwrap());
        let told = Told {
            status: response.status(),
            remaining: number("x-ratelimit-remaining").unwrap(),
            reset: number("x-ratelimit-reset").unwrap(),
            retry_after: number("retry-after"),
        };
        let short = format!(";r={};t={}", told.remaining, told.reset);
        let long = response.headers()["ratelimit"].to_str().unwrap();
        assert!(long.ends_with(&short), "{long} is not {short}");
        told
    }
}

/// Whatever the quota, the cost and the times: who waits as long as is told passes, and is not kept waiting a second longer;
/// what is said to be left passes at once, and no more; and when the time to the reset is over the bucket is full, and not a second
/// before. So it is with leases where nobody else is, but for what a lease may lose when its life is over: the reset.
#[test]
fn headers_never_lie() {
    let (denied, leased) = (Cell::new(0), Cell::new(0));
    let all = check(200, |seed| {
        let history = History::draw(&Random::new(seed));
        let told = history.play().0;
        leased.set(leased.get() + usize::from(history.leased));
        let context = || format!("{told:?} after {history:?}");

        assert_eq!(told.retry_after.is_some(), told.status == StatusCode::TOO_MANY_REQUESTS, "{}", context());
        if let Some(wait) = told.retry_after {
            denied.set(denied.get() + 1);
            assert_eq!(history.pass("/a", Duration::from_secs(wait), 1), 1, "too early: {}", context());
            assert_eq!(history.pass("/a", Duration::from_secs(wait - 1), 1), 0, "too late: {}", context());
        }

        let (now, requests) = (Duration::ZERO, told.remaining / history.cost);
        assert_eq!(history.pass("/a", now, requests + 1), requests, "remaining: {}", context());
        if history.leased {
            return;
        }
        assert_eq!(history.pass("/single", now, told.remaining + 1), told.remaining, "remaining: {}", context());
        let (full, reset) = (history.burst, Duration::from_secs(told.reset));
        assert_eq!(history.pass("/single", reset, full + 1), full, "reset: {}", context());
        if let Some(before) = reset.checked_sub(Duration::from_secs(1)) {
            assert!(history.pass("/single", before, full) < full, "full before the reset: {}", context());
        }
    });
    assert!(!all || denied.get() > 50 && leased.get() > 25, "{denied:?} denied, {leased:?} leased");
}
