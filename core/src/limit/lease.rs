//! Leases: units of a limit that one instance takes from the shared store at once and then spends by itself, so that a hot key
//! costs one step of the store for many requests.
//!
//! A lease begins with one request's cost and doubles whenever it was spent within its life, up to what the configuration
//! permits: a caller who is heard of once costs what it asked for, and nothing is set aside for a key that is not hot. What is
//! unspent when a lease's life is over, when its key is forgotten or when the instance ends is lost to the caller: stricter,
//! never looser. A life is as long as the limit's window `per`, counted from before the store was asked.
//!
//! While one request asks for a lease, others of the same key take their own cost from the store: nobody waits for anybody
//! (a Workers request must not wait for another's), and never is more spent than was granted.
//!
//! No request is refused that the store would pass. When a lease is denied, the request's own cost is asked for. Only what must
//! be denied is denied without asking: a stored time never goes back, so until the moment that the last answer named the store's
//! own [`decide`] could say nothing else. A clock that goes back by more than [`SLACK`] makes the instance forget what it knew of
//! the key.
//!
//! # How much may pass
//!
//! With a store whose steps are exact, in any window of length `per` at most `burst + limit` units pass by the store's own
//! steps, and besides them what instances held when the window began. A lease is asked for when the one before is spent, and the
//! request that asks spends its own cost at once, so that an instance holds at most a lease less one request's cost:
//!
//! ```text
//! burst + limit + instances × (lease - cost)
//! ```
//!
//! As nothing is spent later than `per` after it was granted, all that passes in a window was granted in a time of twice its length,
//! so that however many instances there are, never more than `burst + 2 × limit` pass. [`Bound`] is this in numbers.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::memory::Seeded;
use super::{Draw, Quota, Rule, SLACK, Verdict, decide};
use crate::platform::{Platform, StoreError, Timestamp};

/// Whoever has been asking for longer may have been given up without a trace, as Workers do when a client is gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a limit is leased.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) quota: Quota,
    /// What one request takes.
    pub(crate) cost: u32,
    /// The most units that are taken at once.
    pub(crate) units: u32,
    /// How long they may be spent: `per`.
    pub(crate) life: Duration,
}

/// What a leased limit lets pass at most in any window of length `per`, in units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// What the store alone lets pass.
    pub shared: u64,
    /// What comes on top for each instance that holds a lease when the window begins.
    pub for_each_instance: u64,
    /// However many instances there are.
    pub altogether: u64,
}

impl Bound {
    /// Of a limit of so many units with this `burst`, where a request costs `cost` and at most `lease` units are taken at once.
    pub const fn new(limit: u32, burst: u32, cost: u32, lease: u32) -> Self {
        let shared = limit as u64 + burst as u64;
        let whole = match lease.checked_rem(cost) {
            Some(rest) => lease - rest,
            None => lease,
        };
        Self { shared, for_each_instance: whole.saturating_sub(cost) as u64, altogether: shared + limit as u64 }
    }
}

/// What this instance holds and knows of its keys, bounded, safe to share between threads.
#[derive(Debug)]
pub(super) struct Leases(Mutex<Keys>);

impl Leases {
    /// None yet, for at most `max_keys` keys (an entry takes around 150 bytes). `seed` must be unpredictable to clients.
    pub(super) fn new(max_keys: usize, seed: u128) -> Self {
        let none = || HashMap::with_hasher(Seeded(seed));
        Self(Mutex::new(Keys { young: none(), old: none(), generation: max_keys.div_ceil(2).max(1) }))
    }

    /// Takes one request's cost: from what is held, else from the store.
    pub(super) async fn take<P: Platform>(
        &self,
        platform: &P,
        key: &str,
        terms: &Terms,
    ) -> Result<Verdict, StoreError> {
        let mut step = self.draw(key, terms, || platform.now());
        loop {
            let ask = match step {
                Step::Decided(verdict) => return Ok(verdict),
                Step::Ask(ask) => ask,
            };
            let answer = shared(platform, key, &terms.quota, ask.units).await;
            step = self.settle(key, terms, &ask, answer, || platform.now())?;
        }
    }

    /// The clock is read under the lock: no thread comes with a time that another one's has overtaken.
    fn draw(&self, key: &str, terms: &Terms, clock: impl FnOnce() -> Timestamp) -> Step {
        self.lock().with(key, |held| held.draw(terms, clock()))
    }

    fn settle(
        &self,
        key: &str,
        terms: &Terms,
        ask: &Ask,
        answer: Result<Verdict, StoreError>,
        clock: impl FnOnce() -> Timestamp,
    ) -> Result<Step, StoreError> {
        self.lock().with(key, |held| held.settle(terms, ask, answer, clock()))
    }

    /// A poisoned lock only means that another thread panicked, and nothing in here can halfway.
    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes units from the store.
async fn shared<P: Platform>(platform: &P, key: &str, quota: &Quota, units: u32) -> Result<Verdict, StoreError> {
    let verdicts = platform.rate_limit(key, &[Rule::Gcra(*quota)], Draw::Take(units)).await?;
    verdicts.first().copied().ok_or(StoreError)
}

/// Two generations: what was asked for since the younger began is kept when the older goes.
#[derive(Debug)]
struct Keys {
    young: HashMap<Box<str>, Held, Seeded>,
    old: HashMap<Box<str>, Held, Seeded>,
    /// Keys of one generation.
    generation: usize,
}

impl Keys {
    fn with<R>(&mut self, key: &str, act: impl FnOnce(&mut Held) -> R) -> R {
        if let Some(held) = self.young.get_mut(key) {
            return act(held);
        }
        let known = self.old.remove(key);
        if self.young.len() >= self.generation {
            let none = HashMap::with_hasher(*self.young.hasher());
            self.old = std::mem::replace(&mut self.young, none);
        }
        act(self.young.entry(key.into()).or_insert_with(|| known.unwrap_or_default()))
    }
}

/// What is to be done for a request.
#[derive(Debug)]
enum Step {
    /// It is decided.
    Decided(Verdict),
    /// The store must be asked.
    Ask(Ask),
}

/// One question to the store.
#[derive(Debug, Clone, Copy)]
struct Ask {
    units: u32,
    /// When it was asked.
    at: Timestamp,
    /// What the units are for.
    purpose: Purpose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// For this request and those to come.
    Lease,
    /// For this request alone.
    Request,
}

/// What is held and known of one key.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    /// Units that may be spent.
    left: u32,
    /// Until when.
    expires: Timestamp,
    /// Units to ask for when these are spent.
    next: u32,
    /// Since when somebody asks for a lease.
    asking: Option<Timestamp>,
    /// The bucket in the store is not full again before this moment.
    full_at: Timestamp,
    /// The latest time at which the key was seen.
    seen: Timestamp,
}

impl Held {
    fn draw(&mut self, terms: &Terms, now: Timestamp) -> Step {
        if now + SLACK < self.seen {
            // everything here was timed by a clock that is no more
            *self = Self::default();
        }
        self.seen = self.seen.max(now);
        if let Some(verdict) = self.spend(terms, now) {
            return Step::Decided(verdict);
        }
        if now >= self.expires {
            self.next = 0;
        }
        let Terms { quota, cost, units, .. } = terms;
        let (verdict, _) = decide(Some(self.full_at), quota, now, *cost);
        if !verdict.allowed {
            return Step::Decided(verdict);
        }
        if self.asking.is_some_and(|since| now < since + PATIENCE) {
            return Step::Ask(Ask { units: *cost, at: now, purpose: Purpose::Request });
        }
        self.asking = Some(now);
        // more than there may be would be denied for sure
        let requests = self.next.min(*units).min(verdict.remaining.saturating_add(*cost)).checked_div(*cost);
        let units = requests.unwrap_or(1).max(1).saturating_mul(*cost);
        Step::Ask(Ask { units, at: now, purpose: Purpose::Lease })
    }

    fn settle(
        &mut self,
        terms: &Terms,
        ask: &Ask,
        answer: Result<Verdict, StoreError>,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        // who was given up on, or asked before the key was forgotten, gets no lease: another may have one since
        let leases = ask.purpose == Purpose::Lease && self.asking == Some(ask.at);
        if leases {
            (self.asking, self.next) = (None, 0);
        }
        let verdict = answer?;
        if ask.at <= self.seen {
            self.full_at = self.full_at.max(ask.at + verdict.reset);
        }
        if verdict.allowed {
            if !leases {
                return Ok(Step::Decided(verdict));
            }
            self.left = ask.units.saturating_sub(terms.cost);
            self.expires = ask.at + terms.life;
            self.next = ask.units.saturating_mul(2);
            return Ok(Step::Decided(self.standing(terms, now)));
        }
        // what another has leased meanwhile is why there is nothing left
        if let Some(verdict) = self.spend(terms, now) {
            return Ok(Step::Decided(verdict));
        }
        let (alone, _) = decide(Some(ask.at + verdict.reset), &terms.quota, ask.at, terms.cost);
        if alone.allowed && ask.units > terms.cost {
            return Ok(Step::Ask(Ask { units: terms.cost, at: now, purpose: Purpose::Request }));
        }
        Ok(Step::Decided(if ask.units > terms.cost { alone } else { verdict }))
    }

    /// Takes one request's cost from what is held.
    fn spend(&mut self, terms: &Terms, now: Timestamp) -> Option<Verdict> {
        if now >= self.expires {
            self.left = 0;
        }
        self.left = self.left.checked_sub(terms.cost)?;
        Some(self.standing(terms, now))
    }

    /// How the caller stands, as if what is held were still in the bucket. For one instance alone that is what the store would say
    /// without leases; of what other instances took since the store was last asked it knows nothing.
    fn standing(&self, terms: &Terms, now: Timestamp) -> Verdict {
        let held = terms.quota.interval_micros().saturating_mul(u64::from(self.left));
        let full_at = Timestamp::from_micros(self.full_at.as_micros().saturating_sub(held));
        // what it asked for is paid for, even if the store's clock is ahead
        Verdict { allowed: true, retry_after: Duration::ZERO, ..decide(Some(full_at), &terms.quota, now, 0).0 }
    }
}

#[cfg(test)]
mod tests;
