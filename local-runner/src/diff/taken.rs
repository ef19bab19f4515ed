//! Requests that one route served and another one does now. A route can be taken from without being touched, and one that is gone
//! may leave its requests to another: so both gateways are asked.

use std::collections::BTreeMap;

use super::change::{Judgement, Place, What};
use super::effective::Route;
use super::probe::Probe;
use super::side::Side;

/// Which routes took requests from which others.
pub(super) struct Taken<'a, 'd> {
    before: &'a [Route<'d>],
    after: &'a [Route<'d>],
    /// A request, the route that served it, and the one that serves it now.
    requests: Vec<(String, String, String)>,
}

impl<'a, 'd> Taken<'a, 'd> {
    pub(super) fn new(
        before: &'a [Route<'d>],
        after: &'a [Route<'d>],
        pairs: &BTreeMap<&str, &str>,
        old: &Side,
        new: &Side,
    ) -> Self {
        let mut taken = Self { before, after, requests: Vec::new() };
        for matches in before.iter().chain(after).filter_map(|route| route.rest.get("match")) {
            for probe in Probe::of(matches) {
                let (was, is) = (probe.route(old.gateway()), probe.route(new.gateway()));
                let (Some(was), Some(is)) = (was, is) else { continue };
                let told = taken.requests.iter().any(|(_, from, by)| *from == was && *by == is);
                if pairs.get(&*was) != Some(&&*is) && !told {
                    taken.requests.push((format!("{} {}", probe.method, probe.target), was, is));
                }
            }
        }
        taken
    }

    /// Whether requests were taken from this route of the old configuration.
    pub(super) fn from(&self, name: &str) -> bool {
        self.requests.iter().any(|(_, from, _)| from == name)
    }

    /// Whether this route of the new configuration took requests.
    pub(super) fn by(&self, name: &str) -> bool {
        self.requests.iter().any(|(_, _, by)| by == name)
    }

    pub(super) fn told(&self) -> Vec<(Judgement, String, What, Place)> {
        let told = self.requests.iter().filter_map(|(request, from, by)| {
            let was = self.before.iter().find(|route| route.name == from)?;
            let is = self.after.iter().find(|route| route.name == by)?;
            let judgement = match (was.asks_for_credentials(), is.asks_for_credentials()) {
                (true, false) => Judgement::Looser,
                (false, true) => Judgement::Tighter,
                _ => Judgement::Changed,
            };
            let what = What::Taken { request: request.clone(), by: by.clone() };
            Some((judgement, from.clone(), what, Place::New(is.at.child_key("match"))))
        });
        told.collect()
    }
}
