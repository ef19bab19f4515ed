//! One shard of the store: the states that are more than one number.

use std::collections::HashMap;

use super::id::{Id, Seeded};
use crate::limit::State;
use crate::platform::Timestamp;

/// At most so many keys and their states.
#[derive(Debug)]
pub(super) struct Windows {
    states: HashMap<Id, State, Seeded>,
    max: usize,
}

impl Windows {
    /// None yet, and at least one at most.
    pub(super) fn new(max: usize, hasher: Seeded) -> Self {
        Self { states: HashMap::with_hasher(hasher), max: max.max(1) }
    }

    /// Puts the state in the place of a key's that `step` makes of it.
    pub(super) fn update<R>(&mut self, id: Id, now: Timestamp, step: impl FnOnce(&State) -> (R, State)) -> R {
        if let Some(state) = self.states.get_mut(&id) {
            let (answer, next) = step(state);
            *state = next;
            return answer;
        }
        let (answer, next) = step(&State::default());
        if next.idle_at() > now {
            if self.states.len() >= self.max {
                self.make_room(now);
            }
            self.states.insert(id, next);
        }
        answer
    }

    /// Keys that are held, among them idle ones.
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Gives back what keys take that are as if they had never been seen.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.states.retain(|_, state| state.idle_at() > now);
        if self.states.capacity() > 4 * self.states.len() {
            self.states.shrink_to_fit();
        }
    }

    /// Drops idle keys, and if that is not enough those of which the fewest units are taken: an eighth of the room, so that a flood of new keys pays for one
    /// walk in many insertions.
    fn make_room(&mut self, now: Timestamp) {
        self.forget(now);
        let most = self.max - self.max.div_ceil(8);
        let Some(last) = self.states.len().checked_sub(most + 1) else { return };
        let order = |state: &State| (state.units(now), state.idle_at());
        let mut orders: Vec<_> = self.states.values().map(order).collect();
        let nearest = *orders.select_nth_unstable(last).1;
        let mut too_many = last + 1;
        self.states.retain(|_, state| {
            let goes = too_many > 0 && order(state) <= nearest;
            too_many -= usize::from(goes);
            !goes
        });
    }
}
