//! What this instance knows of the limits asked for last, so that the update tried first is mostly the one that holds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use portico_core::limit::State;

/// Keys whose last state is known.
const KEYS: usize = 4_096;

/// The states of items as they were seen last, by the items' ids. Others may have changed them since.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<String, State>>);

impl Seen {
    pub(super) fn get(&self, id: &str) -> Option<State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(super) fn note(&self, id: String, state: State) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= KEYS && !seen.contains_key(&id) {
            seen.clear();
        }
        seen.insert(id, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_that_is_new_takes_the_room_of_others() {
        let seen = Seen::default();
        let id = |number: usize| number.to_string();
        for number in (0..KEYS).chain([0]) {
            seen.note(id(number), State::default());
        }
        assert!((0..KEYS).all(|number| seen.get(&id(number)).is_some()));
        seen.note(id(KEYS), State::default());
        assert!(seen.get(&id(0)).is_none() && seen.get(&id(KEYS)).is_some());
    }
}
