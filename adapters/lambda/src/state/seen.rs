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
        if seen.len() >= KEYS {
            seen.clear();
        }
        seen.insert(id, state);
    }
}
