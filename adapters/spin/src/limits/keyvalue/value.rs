//! What is in a cell.
//!
//! | numbers | meaning |
//! |---|---|
//! | 0 alone | nobody took anything in this span yet |
//! | those of a state; none for one of which everything is back | the state |
//! | the same, and the highest bit of the first is set | sealed: the state went to the next span |
//!
//! The numbers of a state are below 2^53, so that the bits above are free.

use portico_core::limit::{Rule, State};

/// Where numbers end.
const NUMBER: u64 = 1 << 53;

/// What is set in the first number of a sealed state.
const SEALED: u64 = 1 << 63;

/// What is added to a lone number to seal it, whatever it is by then. Hundreds may do so at once.
pub(super) const SEAL: i64 = i64::MIN / 512;

/// What a cell says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Nobody took anything yet.
    Nothing,
    /// What is taken.
    State(State),
    /// What was taken when the span was over.
    Sealed(State),
}

impl Value {
    /// What the numbers say of such rules, `None` if nothing.
    pub(super) fn read(words: &[u64], rules: &[Rule]) -> Option<Self> {
        let state = |numbers: &[u64]| State::read(rules, numbers);
        match words {
            [0] => Some(Self::Nothing),
            [first, rest @ ..] if is_sealed(words) => {
                let numbers = [&[first % NUMBER], rest].concat();
                state(if numbers == [0] { &[] } else { &numbers }).map(Self::Sealed)
            }
            _ => state(words).map(Self::State),
        }
    }

    /// What is taken, whoever may still take from it.
    pub(super) fn state(self) -> State {
        match self {
            Self::Nothing => State::default(),
            Self::State(state) | Self::Sealed(state) => state,
        }
    }
}

/// A state in numbers.
pub(super) fn written(state: &State) -> Vec<u64> {
    let words = state.write();
    // alone it would say that nobody ever took anything, and what is in the span before would be taken along once more
    if words == [0] { Vec::new() } else { words }
}

/// Whether numbers are sealed.
pub(super) fn is_sealed(words: &[u64]) -> bool {
    words.first().is_some_and(|first| *first >= SEALED)
}

/// Numbers, sealed.
pub(super) fn seal(mut words: Vec<u64>) -> Vec<u64> {
    match words.first_mut() {
        Some(first) => *first |= SEALED,
        None => words.push(SEALED),
    }
    words
}
