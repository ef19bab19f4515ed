//! Request coalescing: of the requests that miss the same key at once, one goes upstream and the others wait for what it brings.
//!
//! Whoever waits looks again after a short sleep of its own, and nobody wakes anybody: on Workers a request must not be resumed by
//! another one's event, and one that was cut off there never says so. Therefore a flight has [`LONGEST`], and then the next may begin.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::chore::Variant;
use crate::cache::Item;
use crate::platform::Timestamp;

/// How often whoever waits looks.
pub(super) const STEP: Duration = Duration::from_millis(5);

/// How long nobody waits in vain: then each goes for itself.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a flight is believed to be under way that has not said how it ended.
const LONGEST: Duration = Duration::from_secs(60);

/// How long nobody waits for a key of which the last response could not be stored.
const PASS: Duration = Duration::from_secs(10);

/// The most keys of which something is known. Beyond it nobody waits for anybody.
const MOST: usize = 16_384;

/// After which time what is known of keys is looked through again for what is over.
const SWEEP: Duration = Duration::from_secs(1);

/// The flights of one gateway, by key.
#[derive(Debug, Default)]
pub(super) struct Flights(Arc<Mutex<Keys>>);

/// What is known of keys.
#[derive(Debug, Default)]
struct Keys {
    known: HashMap<Box<str>, Known>,
    /// When what was over was last taken out.
    swept: Timestamp,
}

/// What is known of a key.
#[derive(Debug)]
enum Known {
    /// A request is on its way.
    Flying(Arc<Flight>),
    /// Nobody waits until then.
    Pass(Timestamp),
}

/// One request that others may wait for.
#[derive(Debug)]
pub(super) struct Flight {
    since: Timestamp,
    stage: Mutex<Stage>,
}

/// How far a flight is.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// Under way.
    Flying,
    /// Over, and this was stored.
    Landed(Arc<Landing>),
    /// Over, and there is nothing that others could use.
    Released,
    /// Given up, maybe because its client went away: another may fly.
    Abandoned,
}

/// What a flight brought.
#[derive(Debug)]
pub(super) struct Landing {
    /// The response.
    pub(super) item: Arc<Item>,
    /// Which variant it is, if it varies.
    pub(super) variant: Option<Variant>,
}

/// What a request does that has missed.
#[derive(Debug)]
pub(super) enum Turn {
    /// It goes upstream, and others may wait for it.
    Lead(Lead),
    /// It waits for another one.
    Follow(Arc<Flight>),
    /// It goes upstream for itself.
    Alone,
}

/// The right to fly. Others are told how it ended, at the latest when it is dropped.
#[derive(Debug)]
pub(super) struct Lead {
    flights: Arc<Mutex<Keys>>,
    flight: Arc<Flight>,
    key: Box<str>,
}

impl Flights {
    /// What a request does that has missed `key`.
    pub(super) fn board(&self, key: &str, now: Timestamp) -> Turn {
        let mut keys = lock(&self.0);
        let Keys { known, swept } = &mut *keys;
        match known.get(key) {
            Some(Known::Flying(flight)) if now.is_within(LONGEST, flight.since) => {
                return Turn::Follow(Arc::clone(flight));
            }
            Some(Known::Pass(until)) if now < *until => return Turn::Alone,
            _ => {}
        }
        if known.len() >= MOST && !now.is_within(SWEEP, *swept) {
            *swept = now;
            known.retain(|_, known| match known {
                Known::Flying(flight) => now.is_within(LONGEST, flight.since),
                Known::Pass(until) => now < *until,
            });
        }
        if known.len() >= MOST {
            return Turn::Alone;
        }
        let flight = Arc::new(Flight { since: now, stage: Mutex::new(Stage::Flying) });
        known.insert(key.into(), Known::Flying(Arc::clone(&flight)));
        Turn::Lead(Lead { flights: Arc::clone(&self.0), flight, key: key.into() })
    }
}

impl Flight {
    /// How far it is at `now`.
    pub(super) fn stage(&self, now: Timestamp) -> Stage {
        let stage = lock(&self.stage).clone();
        match stage {
            Stage::Flying if !now.is_within(LONGEST, self.since) => Stage::Abandoned,
            stage => stage,
        }
    }
}

impl Lead {
    /// Others may use what it brought, from now on and until this is dropped: when it is stored.
    pub(super) fn land(&self, landing: Landing) {
        *lock(&self.flight.stage) = Stage::Landed(Arc::new(landing));
    }

    /// There is nothing that others could use, this time. Nothing to tell where nobody flew for others.
    pub(super) fn release(lead: Option<Self>) {
        if let Some(lead) = lead {
            lead.end(Stage::Released, None);
        }
    }

    /// What comes back cannot be stored, and likely not the next time either.
    pub(super) fn pass(lead: Option<Self>, now: Timestamp) {
        if let Some(lead) = lead {
            lead.end(Stage::Released, Some(Known::Pass(now + PASS)));
        }
    }

    fn end(&self, stage: Stage, then: Option<Known>) {
        let mut keys = lock(&self.flights);
        let known = &mut keys.known;
        // another one may fly by now
        if matches!(known.get(&self.key), Some(Known::Flying(flight)) if Arc::ptr_eq(flight, &self.flight)) {
            match then {
                Some(then) => drop(known.insert(self.key.clone(), then)),
                None => drop(known.remove(&self.key)),
            }
        }
        drop(keys);
        let mut current = lock(&self.flight.stage);
        if matches!(*current, Stage::Flying) {
            *current = stage;
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.end(Stage::Abandoned, None);
    }
}

/// A poisoned lock only means that another thread panicked, and nothing here can halfway.
fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn lead(flights: &Flights, now: Timestamp) -> Lead {
        match flights.board("key", now) {
            Turn::Lead(lead) => lead,
            turn => panic!("{turn:?}"),
        }
    }

    fn follow(flights: &Flights, now: Timestamp) -> Arc<Flight> {
        match flights.board("key", now) {
            Turn::Follow(flight) => flight,
            turn => panic!("{turn:?}"),
        }
    }

    #[test]
    fn one_flies_and_the_others_follow() {
        let flights = Flights::default();
        let first = lead(&flights, START);
        let second = follow(&flights, START);
        assert!(matches!(flights.board("another", START), Turn::Lead(_)));
        assert!(matches!(second.stage(START), Stage::Flying));
        Lead::release(Some(first));
        assert!(matches!(second.stage(START), Stage::Released));
        drop(lead(&flights, START));
    }

    #[test]
    fn who_is_given_up_lets_another_fly() {
        let flights = Flights::default();
        let first = lead(&flights, START);
        let second = follow(&flights, START);
        drop(first);
        assert!(matches!(second.stage(START), Stage::Abandoned));
        drop(lead(&flights, START));
    }

    #[test]
    fn who_never_says_how_it_ended_is_not_believed_for_ever() {
        let flights = Flights::default();
        let first = lead(&flights, START);
        let second = follow(&flights, START);
        let later = START + LONGEST;
        assert!(matches!(second.stage(later), Stage::Abandoned));
        let third = lead(&flights, later);
        let fourth = follow(&flights, later);
        drop(first);
        assert!(matches!(fourth.stage(later), Stage::Flying), "the first one ends its own flight only");
        drop(third);
    }

    #[test]
    fn nobody_waits_for_what_cannot_be_stored() {
        let flights = Flights::default();
        Lead::pass(Some(lead(&flights, START)), START);
        assert!(matches!(flights.board("key", START + PASS / 2), Turn::Alone));
        drop(lead(&flights, START + PASS));
    }

    #[test]
    fn what_is_known_is_bounded() {
        let flights = Flights::default();
        for index in 0..MOST {
            match flights.board(&index.to_string(), START) {
                Turn::Lead(lead) => Lead::pass(Some(lead), START),
                turn => panic!("{turn:?}"),
            }
        }
        assert!(matches!(flights.board("key", START), Turn::Alone));
        drop(lead(&flights, START + PASS));
    }
}
