//! One key set from outside: what is held, when it was looked for, and who is fetching it. Pure: the time comes from outside.

use std::sync::Arc;
use std::time::Duration;

use super::fetch::Trouble;
use crate::context::Principal;
use crate::jwt::{Key, KeySet, Memory};
use crate::platform::Timestamp;

/// How long a fetch may take before another one may begin. More than all its timeouts together.
pub(super) const FLIGHT: Duration = Duration::from_secs(15);

/// What is known of one key set.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) held: Option<Held>,
    flight: Option<Flight>,
    /// How many fetches were begun.
    flights: u64,
    /// The last look at the place, and what went wrong with it.
    pub(super) looked: Option<(Timestamp, Option<Trouble>)>,
}

/// Keys that are held.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) keys: Arc<KeySet>,
    /// When they came from their issuer.
    pub(super) fetched: Timestamp,
}

/// A fetch under way, or soon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    number: u64,
    since: Timestamp,
    stage: Stage,
}

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is to follow a response. Who cannot wait for that may go first.
    Planned,
    /// It has begun.
    Begun,
}

impl State {
    /// How old the keys are. When the clock was set back they are new, and count from then.
    pub(super) fn age(&mut self, now: Timestamp) -> Option<Duration> {
        let held = self.held.as_mut()?;
        held.fetched = held.fetched.min(now);
        Some(now.since(held.fetched))
    }

    /// How far the fetch is that is under way, unless it is lost.
    pub(super) fn flight(&self, now: Timestamp) -> Option<Stage> {
        self.flight.filter(|flight| now.is_within(FLIGHT, flight.since)).map(|flight| flight.stage)
    }

    /// Lets a fetch be under way from now on.
    pub(super) fn plan(&mut self, stage: Stage, now: Timestamp) -> Flight {
        self.flights += 1;
        let flight = Flight { number: self.flights, since: now, stage };
        self.flight = Some(flight);
        flight
    }

    /// Begins what was planned, unless somebody went first.
    pub(super) fn begin(&mut self, planned: &Flight) -> Option<Flight> {
        let flight = self.flight.as_mut().filter(|flight| flight.number == planned.number)?;
        flight.stage = Stage::Begun;
        Some(*flight)
    }

    /// The fetch is over, unless another one took its place.
    pub(super) fn land(&mut self, landed: &Flight) {
        if self.flight.is_some_and(|flight| flight.number == landed.number) {
            self.flight = None;
        }
    }

    /// Holds these keys from now on, unless newer ones came in between. What was verified with a key that is gone is
    /// forgotten.
    pub(super) fn hold(&mut self, keys: Arc<KeySet>, fetched: Timestamp, verified: &Memory<Principal>) -> Arc<KeySet> {
        let keys = match &self.held {
            Some(held) if held.fetched > fetched => return Arc::clone(&held.keys),
            Some(held) if is_same(&held.keys, &keys) => Arc::clone(&held.keys),
            Some(held) => {
                let gone = held.keys.keys().iter().any(|key| !has(&keys, key));
                self.held = Some(Held { keys: Arc::clone(&keys), fetched });
                if gone {
                    verified.clear();
                }
                return keys;
            }
            None => keys,
        };
        self.held = Some(Held { keys: Arc::clone(&keys), fetched });
        keys
    }
}

fn has(set: &KeySet, key: &Key) -> bool {
    set.keys().iter().any(|other| other.is_same(key))
}

fn is_same(one: &KeySet, other: &KeySet) -> bool {
    one.keys().len() == other.keys().len() && one.keys().iter().all(|key| has(other, key))
}
