//! Traffic played to a gateway on the simulated platform, and what comes of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use http::Response;
use portico_core::sim::{Random, Sim, SimStream, StoreFault, UpstreamFault, block_on};
use portico_core::{Body, Peer, Platform, Record, Timestamp, config};
use serde_json::Value;

use crate::scene::{ANSWER, By, Limit, Send, document, request, routes, send};

/// What befalls a run, and how often: in percent of the steps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    pub store: &'static [(u64, StoreFault)],
    pub upstreams: &'static [(u64, UpstreamFault)],
    pub clock_goes_back: bool,
}

/// One request, what went wrong beyond the gateway meanwhile, and what came of it. Its debug output is all of that.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub at: Timestamp,
    pub send: Send,
    /// One item for each step that the store was asked for.
    pub store: Vec<Option<StoreFault>>,
    /// One item for each request that the gateway tried to send upstream.
    pub upstream: Vec<Option<UpstreamFault>>,
    pub seen: Seen,
    pub response: Response<Body<SimStream>>,
    pub record: Record,
}

/// What a client and an upstream see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub status: u16,
    /// A problem's code or the text of the body, with `…` where it broke off.
    pub body: String,
    /// `X-RateLimit-Remaining`.
    pub remaining: Option<u64>,
    /// `Retry-After`.
    pub retry_after: Option<u64>,
    /// Whether a page of another origin may read it.
    pub cors: bool,
    /// How often an upstream was asked.
    pub asked: usize,
    /// How long it took by the platform's clock.
    pub took: Duration,
}

impl Exchange {
    /// Whether the store said yes.
    pub(crate) fn admitted(&self) -> bool {
        self.seen.remaining.is_some() && self.seen.body != "rate_limited"
    }

    /// Whose bucket on which route the request draws from.
    pub(crate) fn bucket(&self) -> Option<String> {
        let route = self.send.route.as_ref()?;
        let whose = match route.by {
            By::Nothing => return None,
            By::Ip => self.send.client.subscriber.to_owned(),
            By::Consumer => format!("{:?}", self.send.key),
            By::Route => String::new(),
        };
        Some(format!("{} {whose}", route.name))
    }
}

/// Plays `requests` requests to a gateway. The traffic depends on the seed alone, not on the weather.
pub(crate) fn play(seed: u64, requests: usize, weather: Weather) -> Vec<Exchange> {
    let random = Random::new(seed);
    let routes = routes(&random);
    let (gateway, _) = config::compile(&document(&routes)).unwrap();
    let sim = Sim::new(random.next());
    let asked = Rc::new(Cell::new(0));
    let upstream_faults = Log::default();
    for authority in ["one.internal", "two.internal"] {
        let asked = Rc::clone(&asked);
        sim.upstream(authority, move |_| {
            asked.set(asked.get() + 1);
            Response::new(Body::from(ANSWER.to_owned()))
        });
        sim.set_upstream_faults(authority, upstream_faults.keeping(sim.weather(weather.upstreams)));
    }
    let store_faults = Log::default();
    sim.set_store_faults(store_faults.keeping(sim.weather(weather.store)));

    // few routes at a time, so that their limits are reached
    let busy: Vec<_> = (0..3).filter_map(|_| random.pick(&routes)).collect();
    let exchanges = (0..requests).map(|_| {
        let send = send(&random, &busy);
        let at = sim.now();
        let peer = Peer::new(send.client.address.parse().unwrap(), true);
        let (response, after) = block_on(gateway.handle(&sim, &peer, request(&send)));
        let seen = Seen { asked: asked.take(), took: sim.now().since(at), ..seen(&response) };
        let (store, upstream, record) = (store_faults.take(), upstream_faults.take(), after.record);
        step_clock(&random, &sim, &send, weather.clock_goes_back);
        Exchange { at, send, store, upstream, seen, response, record }
    });
    exchanges.collect()
}

/// What a weather brought since somebody looked.
struct Log<F>(Rc<RefCell<Vec<F>>>);

impl<F> Default for Log<F> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<F: Clone + 'static> Log<F> {
    fn keeping(&self, weather: impl Iterator<Item = F> + 'static) -> impl Iterator<Item = F> + 'static {
        let log = Rc::clone(&self.0);
        weather.inspect(move |fault| log.borrow_mut().push(fault.clone()))
    }

    fn take(&self) -> Vec<F> {
        self.0.take()
    }
}

fn seen(response: &Response<Body<SimStream>>) -> Seen {
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
    let (bytes, breaks) = match response.body() {
        Body::Empty => (Vec::new(), false),
        Body::Full(bytes) => (bytes.to_vec(), false),
        Body::Stream(stream) => (stream.chunks.concat(), stream.breaks),
    };
    let mut body = String::from_utf8(bytes).unwrap();
    if header("content-type") == Some("application/problem+json") {
        body = serde_json::from_str::<Value>(&body).unwrap()["code"].as_str().unwrap().to_owned();
    }
    if breaks {
        body.push('…');
    }
    Seen {
        status: response.status().as_u16(),
        body,
        remaining: header("x-ratelimit-remaining").map(|value| value.parse().unwrap()),
        retry_after: header("retry-after").map(|value| value.parse().unwrap()),
        cors: header("access-control-allow-origin").is_some(),
        asked: 0,
        took: Duration::ZERO,
    }
}

/// Moves the clock, with a liking for the moments at which a limit's verdict changes.
fn step_clock(random: &Random, sim: &Sim, send: &Send, back: bool) {
    let limit = send.route.as_ref().map_or(Limit { limit: 1, per: 1, burst: 1, cost: 1 }, |route| route.limit);
    let (drip, window) = (limit.drip(), limit.drip() * limit.burst);
    let micros = match random.below(20) {
        0..=9 => 0,
        10..=12 => drip,
        13 => drip - 1,
        14 => drip + 1,
        15 => drip * limit.cost,
        16..=17 => random.below(drip),
        18 => random.below(2 * window),
        _ if back => {
            let now = sim.now().as_micros() - random.below(3 * window);
            return sim.set_now(Timestamp::from_micros(now));
        }
        _ => window,
    };
    sim.advance(Duration::from_micros(micros));
}
