//! One configuration that decides recorded requests again: the gateway itself, on the simulated platform.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use http::{Response, StatusCode};
use portico_core::config;
use portico_core::sim::{Sim, block_on};
use portico_core::{Action, Body, FetchError, Gateway, Platform as _, Record, Timestamp};
use serde_json::Value;

use super::known_keys::secret_value;
use super::recorded::By;
use super::request::Again;
use crate::configuration::secret_names;
use crate::diff::side::Side;

/// One configuration, and the state that requests leave behind.
pub(super) struct Replay<'s> {
    pub(super) side: &'s Side,
    /// Decides requests whose callers were recreated.
    known: Gateway,
    sim: Sim,
    upstream: Rc<Upstream>,
}

/// All upstreams: each answers as was recorded.
struct Upstream {
    answer: Cell<Result<StatusCode, FetchError>>,
    /// The path and query of the last request.
    arrived: RefCell<Option<String>>,
}

/// What became of a request.
#[derive(Debug)]
pub(super) struct Became {
    pub(super) record: Record,
    /// The path and query that went upstream, if any did.
    pub(super) arrived: Option<String>,
}

impl<'s> Replay<'s> {
    /// `known`: the configuration with known keys. Secrets come from the environment; those that are not there are made up. The
    /// error says why there is no replay.
    pub(super) fn new(side: &'s Side, known: &Value) -> Result<Self, String> {
        let sim = Sim::new(0);
        // requests may be older than the day on which simulations begin
        sim.set_now(Timestamp::default());
        for name in secret_names(side.document()) {
            sim.set_secret(&name, &secret_value(&name));
        }
        let (known, _warnings) = config::compile(known).map_err(|findings| {
            let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
            format!("{} cannot be replayed: {}", side.name, findings.join("; "))
        })?;
        let upstream = Rc::new(Upstream { answer: Cell::new(Ok(StatusCode::OK)), arrived: RefCell::default() });
        for authority in known.routes().flat_map(|route| authorities(&route.action)) {
            let upstream = Rc::clone(&upstream);
            sim.faulty_upstream(authority, move |request| {
                *upstream.arrived.borrow_mut() = request.uri().path_and_query().map(ToString::to_string);
                let mut response = Response::new(Body::Empty);
                *response.status_mut() = upstream.answer.get()?;
                Ok(response)
            });
        }
        Ok(Self { side, known, sim, upstream })
    }

    /// Decides a request that was recorded at `time`. The clock never goes back.
    pub(super) fn decide(&self, again: Again, by: &By, time: Timestamp) -> Became {
        self.sim.set_now(time.max(self.sim.now()));
        self.upstream.answer.set(again.upstream);
        *self.upstream.arrived.borrow_mut() = None;
        let gateway = match by {
            By::Log(_) => &self.known,
            By::Browser(_) => self.side.gateway(),
        };
        let (_response, after) = block_on(gateway.handle(&self.sim, &again.peer, again.request));
        Became { record: after.record, arrived: self.upstream.arrived.take() }
    }
}

/// Where the targets of a route's upstream are.
fn authorities(action: &Action) -> impl Iterator<Item = &str> {
    let targets = match action {
        Action::Forward(upstream) => upstream.targets(),
        Action::Respond(_) | Action::Redirect(_) | Action::Purge => &[],
    };
    targets.iter().filter_map(|target| target.name().rsplit_once("://").map(|(_, authority)| authority))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::diff::traffic::recorded::Sent;

    #[test]
    fn the_clock_never_goes_back() {
        let side = Side::of("a.yaml", "portico: 1\nname: a\nroutes: [{ name: a, match: { path: /a }, respond: {} }]\n");
        let replay = Replay::new(&side, side.document()).unwrap();
        let by =
            By::Browser(Box::new(Sent { secure: false, headers: http::HeaderMap::new(), body: bytes::Bytes::new() }));
        let received = |second| {
            let request = Request::get("/a").body(Body::Empty).unwrap();
            let again = Again { request, peer: Sim::peer(), upstream: Ok(StatusCode::OK) };
            replay.decide(again, &by, Timestamp::from_secs(second)).record.received.as_secs()
        };
        assert_eq!([1_000, 1_030, 1_010, 1_040].map(received), [1_000, 1_030, 1_030, 1_040]);
    }
}
