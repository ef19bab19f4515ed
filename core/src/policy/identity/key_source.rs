//! Where an issuer's keys come from when they are not part of the configuration: its own URL, or the platform's store.
//!
//! They are remembered here, in the instance. The first request waits for them. From `fresh` to `stale` requests go on with
//! the old ones, and one fetch follows a response. A fetch that fails changes nothing, until `stale`. What an issuer sent is
//! also kept in the store, so that the next instance need not ask and survives the issuer's outage.
//!
//! At most one fetch is under way. Whoever needs the keys meanwhile looks again after a short sleep of its own, and nobody
//! wakes anybody: on Workers a request must not be resumed by another one's event, and one that was cut off there never says so.
//! Therefore whoever fetches has [`FLIGHT`] for it, and then the next one may.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fetch::{self, Copy, Place, Trouble};
use super::key_state::{FLIGHT, Flight, Stage, State};
use crate::context::Principal;
use crate::jwt::{KeySet, Memory};
use crate::platform::{Platform, Timestamp};

/// How long after a failure nobody is asked again.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

/// How long a set must have been looked at before a key that it lacks is reason to look again.
const COOLDOWN: Duration = Duration::from_secs(30);

/// How often somebody who waits looks again,
const STEP: Duration = Duration::from_millis(20);

/// and how many times.
const STEPS: u32 = 1_000;

/// One key set from outside.
#[derive(Debug)]
pub(super) struct KeySource {
    place: Place,
    fresh: Duration,
    stale: Duration,
    /// Until when nothing is to be decided, in microseconds since the Unix epoch: what a request looks at before all else.
    settled: AtomicU64,
    state: Mutex<State>,
}

/// What is to be done about the keys.
#[derive(Debug)]
enum Turn {
    /// Use these.
    Use(Keys),
    /// Fetch them.
    Fetch(Flight),
    /// Somebody else does: look again.
    Wait,
    /// Give up.
    Fail(Trouble),
}

/// Keys that may be used.
#[derive(Debug)]
pub(super) struct Keys {
    /// The keys.
    pub(super) set: Arc<KeySet>,
    /// What is to be done after the response.
    pub(super) chore: Option<Chore>,
    /// What went wrong when they were last looked for.
    pub(super) trouble: Option<Trouble>,
}

impl Keys {
    fn plain(set: Arc<KeySet>) -> Self {
        Self { set, chore: None, trouble: None }
    }
}

/// What is to be done about keys after a response.
#[derive(Debug)]
pub(super) enum Chore {
    /// They are to be fetched anew.
    Refresh(Flight),
    /// They are to be kept in the store.
    Keep(Copy),
}

impl KeySource {
    /// `fresh` is at most `stale`.
    pub(super) fn new(place: Place, fresh: Duration, stale: Duration) -> Self {
        Self { place, fresh, stale, settled: AtomicU64::new(0), state: Mutex::default() }
    }

    /// Whether there is nothing to decide: the keys are good, and so is whatever was verified with them.
    pub(super) fn is_settled(&self, now: Timestamp) -> bool {
        let left = self.settled.load(Ordering::Acquire).saturating_sub(now.as_micros());
        // more than that is left when the clock was set back
        0 < left && left <= micros(self.fresh.max(FLIGHT))
    }

    /// The keys, fetched if there are none. `verified` is what was verified with them.
    pub(super) async fn keys<P: Platform>(&self, platform: &P, verified: &Memory<Principal>) -> Result<Keys, Trouble> {
        self.wait(platform, verified, self.fresh, |state, now| self.turn(state, now)).await
    }

    /// The keys, fetched anew if a key that is not in `set` may be among them by now.
    pub(super) async fn newer<P: Platform>(
        &self,
        platform: &P,
        verified: &Memory<Principal>,
        set: &Arc<KeySet>,
    ) -> Result<Keys, Trouble> {
        self.wait(platform, verified, COOLDOWN, |state, now| self.turn_for_more(state, now, set)).await
    }

    async fn wait<P: Platform>(
        &self,
        platform: &P,
        verified: &Memory<Principal>,
        young: Duration,
        turn: impl Fn(&mut State, Timestamp) -> Turn,
    ) -> Result<Keys, Trouble> {
        for _ in 0..STEPS {
            let now = platform.now();
            let turn = turn(&mut self.state(), now);
            match turn {
                Turn::Use(keys) => return Ok(keys),
                Turn::Fetch(flight) => return self.fetch(platform, verified, young, flight).await,
                Turn::Wait => platform.sleep(STEP).await,
                Turn::Fail(trouble) => return Err(trouble),
            }
        }
        Err(Trouble::Waited)
    }

    /// What a request does that needs the keys.
    fn turn(&self, state: &mut State, now: Timestamp) -> Turn {
        let flight = state.flight(now);
        let failed = match state.looked {
            Some((at, trouble)) if now.is_within(PAUSE, at) => trouble,
            _ => None,
        };
        let Some(age) = state.age(now).filter(|age| *age < self.stale) else {
            return match (flight, failed) {
                (Some(Stage::Begun), _) => Turn::Wait,
                (_, Some(trouble)) => Turn::Fail(trouble),
                (_, None) => Turn::Fetch(state.plan(Stage::Begun, now)),
            };
        };
        let due = age >= self.fresh && flight.is_none() && failed.is_none();
        let trouble = state.looked.and_then(|(_, trouble)| trouble).filter(|_| age >= self.fresh);
        let chore = due.then(|| Chore::Refresh(state.plan(Stage::Planned, now)));
        let until = if age < self.fresh {
            now + (self.fresh - age)
        } else {
            // nothing before the fetch has ended, or the pause
            let pause = if failed.is_some() { PAUSE } else { FLIGHT };
            now + pause.min(self.stale - age)
        };
        self.settle(until);
        match &state.held {
            Some(held) => Turn::Use(Keys { set: Arc::clone(&held.keys), chore, trouble }),
            None => Turn::Fail(Trouble::Waited),
        }
    }

    /// What a request does that needs a key which `set` lacks.
    fn turn_for_more(&self, state: &mut State, now: Timestamp, set: &Arc<KeySet>) -> Turn {
        let usable = state.age(now).is_some_and(|age| age < self.stale);
        match &state.held {
            Some(held) if usable && !Arc::ptr_eq(&held.keys, set) => {
                return Turn::Use(Keys::plain(Arc::clone(&held.keys)));
            }
            _ => {}
        }
        if state.flight(now) == Some(Stage::Begun) {
            return Turn::Wait;
        }
        let looked = state.looked.map(|(at, _)| at).into_iter().chain(state.held.as_ref().map(|held| held.fetched));
        if looked.max().is_some_and(|at| now.is_within(COOLDOWN, at)) {
            return Turn::Use(Keys::plain(Arc::clone(set)));
        }
        Turn::Fetch(state.plan(Stage::Begun, now))
    }

    /// Fetches the keys anew after a response, as planned. `None` when somebody went first, or nothing came of it.
    pub(super) async fn refresh<P: Platform>(
        &self,
        platform: &P,
        verified: &Memory<Principal>,
        flight: &Flight,
    ) -> Option<Keys> {
        let flight = self.state().begin(flight)?;
        self.fetch(platform, verified, self.fresh, flight).await.ok()
    }

    /// Fetches the keys anew, in a flight that has begun. A copy in the store will do if it is younger than `young`, and so than
    /// what is held.
    async fn fetch<P: Platform>(
        &self,
        platform: &P,
        verified: &Memory<Principal>,
        young: Duration,
        flight: Flight,
    ) -> Result<Keys, Trouble> {
        // whoever fetches may be cut off at any await: then this ends the flight
        let landing = Landing { source: self, flight };
        let found = fetch::key_set(platform, &self.place, young).await;
        let now = platform.now();
        let mut state = self.state();
        let landed = match found {
            Ok(found) if now.since(found.fetched) < self.stale => {
                state.looked = Some((now, found.trouble));
                let set = state.hold(Arc::new(found.keys), found.fetched, verified);
                let chore = found.copy.map(Chore::Keep);
                Ok(Keys { set, chore, trouble: found.trouble })
            }
            Ok(found) => Err(found.trouble.unwrap_or(Trouble::Waited)),
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = &landed {
            state.looked = Some((now, Some(*trouble)));
        }
        drop(state);
        drop(landing);
        // whether they settle anything is decided by the next request
        self.settle(Timestamp::from_micros(0));
        landed
    }

    /// How long a copy of the keys is of use to others.
    pub(super) fn keep(&self) -> Duration {
        self.stale
    }

    /// Where the keys are, for logs.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    fn settle(&self, until: Timestamp) {
        self.settled.store(until.as_micros(), Ordering::Release);
    }

    /// A poisoned lock only means that another thread panicked; nothing in here can while the state is half written.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a flight when it is dropped, however that comes about.
struct Landing<'s> {
    source: &'s KeySource,
    flight: Flight,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.source.state().land(&self.flight);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
