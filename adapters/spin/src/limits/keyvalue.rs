//! Limits in a store that compares and swaps, and that forgets nothing.
//!
//! A limit's state (`portico_core::limit`) is one value, which is compared and swapped as a whole: the value of a *cell* ([`cells`]). That of a
//! lone GCRA has one number at all times, any other as many as it takes.
//!
//! # How it is cleaned up
//!
//! Deleting is not comparing: whoever deletes a state that is over deletes the one that was put there since. So the name of a limit
//! carries a span of time at least as long as anything in a state can last, and after the next span nobody comes back to it: it can be
//! deleted whenever somebody gets round to it. A limit that is used first in a new span takes its state along from the span before,
//! and seals that one, so that nobody who is late still takes from it ([`value`] says how both are written).
//!
//! One who comes first into a span looks back: at what is there to take along. One who is late and comes first into a span looks
//! ahead: there may be a next one already. Each makes what has the limit's name before it looks, so at least one of the two sees the other.
//!
//! # What it costs
//!
//! Of a lone GCRA that is there: one read for a request that is denied, one read and one swap for one that passes; of others one read
//! more. Only a swap can come too late, because of another instance: then its request waits a little, each time longer, and begins
//! anew, until its deadline. A lone number is sealed by adding to it, whatever it is by then, which never comes too late.

mod span;
mod value;

use portico_core::limit::{Draw, Rule, State, Verdict};
use portico_core::{StoreError, Timestamp, within};

pub(crate) use self::span::is_over;
use self::span::{hours, name};
use self::value::{SEAL, Value, is_sealed, seal};
use crate::cells::{self, Cell, HOUR, Store, Swapped};

/// One step of the limit of `key`. One whom others overtake is given up at the deadline.
pub(super) async fn step(
    store: &impl Store,
    key: &str,
    rules: &[Rule],
    draw: Draw,
    now: impl Fn() -> Timestamp,
    deadline: impl Future<Output = ()>,
) -> Result<Vec<Verdict>, StoreError> {
    let limit = Limit { store, key, rules, hours: hours(rules) };
    within(deadline, limit.step(draw, now)).await.unwrap_or_else(|| {
        eprintln!("key-value store: others overtook one request until its time was up");
        Err(StoreError)
    })
}

/// A limit in its store. Where something is `None`, somebody else was faster: it is to be begun anew.
struct Limit<'a, S> {
    store: &'a S,
    key: &'a str,
    rules: &'a [Rule],
    /// How long a span is.
    hours: u64,
}

impl<S: Store> Limit<'_, S> {
    /// Tries until it succeeds.
    async fn step(&self, draw: Draw, now: impl Fn() -> Timestamp) -> Result<Vec<Verdict>, StoreError> {
        let mut span = now().as_micros() / (self.hours * HOUR);
        let mut late = 0;
        loop {
            if let Some(verdicts) = self.attempt(&mut span, draw, &now)? {
                return Ok(verdicts);
            }
            self.store.wait(late).await;
            late += 1;
        }
    }

    fn attempt(
        &self,
        span: &mut u64,
        draw: Draw,
        now: impl Fn() -> Timestamp,
    ) -> Result<Option<Vec<Verdict>>, StoreError> {
        let (read, known, written) = loop {
            let name = self.name(*span);
            let Some((read, words)) = self.cell(&name)? else { return Ok(None) };
            match self.understood(&name, &words)? {
                Value::State(state) => break (read, state, true),
                Value::Nothing if self.store.value(&self.name(*span + 1))?.is_none() => {
                    let Some(state) = self.taken_along(span.saturating_sub(1))? else { return Ok(None) };
                    break (read, state, false);
                }
                Value::Nothing | Value::Sealed(_) => *span += 1,
            }
        };
        let now = now();
        let (verdicts, next) = portico_core::limit::step(self.rules, &known, now, draw);
        let unchanged = written && next.same_from(&known, now);
        let done = unchanged || self.store.swap(read, &value::written(&next))? == Swapped::Done;
        Ok(done.then_some(verdicts))
    }

    /// The state of a span that is over, which nobody takes from afterwards.
    fn taken_along(&self, span: u64) -> Result<Option<State>, StoreError> {
        let name = self.name(span);
        let Some(words) = self.store.value(&name)? else { return Ok(Some(State::default())) };
        if self.has_one_number() {
            let sealed = if is_sealed(&words) { words } else { vec![self.store.add(&name, SEAL)?.cast_unsigned()] };
            return self.understood(&name, &sealed).map(|value| Some(value.state()));
        }
        let Some((read, words)) = self.cell(&name)? else { return Ok(None) };
        let state = self.understood(&name, &words)?.state();
        let sealed = is_sealed(&words) || self.store.swap(read, &seal(words))? == Swapped::Done;
        Ok(sealed.then_some(state))
    }

    /// The cell of the limit of this name, made if it is not there.
    fn cell(&self, name: &str) -> Result<Option<Cell<S>>, StoreError> {
        if self.has_one_number() { cells::made(self.store, name).map(Some) } else { cells::cell(self.store, name) }
    }

    fn has_one_number(&self) -> bool {
        matches!(self.rules, [Rule::Gcra(_)])
    }

    fn understood(&self, name: &str, words: &[u64]) -> Result<Value, StoreError> {
        Value::read(words, self.rules).ok_or_else(|| unreadable(name))
    }

    fn name(&self, span: u64) -> String {
        name(self.hours, span, self.key)
    }
}

fn unreadable(name: &str) -> StoreError {
    eprintln!("key-value store: what is under {name} is no state of its limit\nhelp: delete the key");
    StoreError
}

#[cfg(test)]
mod tests;
