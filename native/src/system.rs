//! Clock and randomness, as the system has them.

use std::cell::RefCell;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use portico_core::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};

/// The time since the Unix epoch; zero before it.
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
}

/// 128 bits of the system's randomness, fetched for 256 calls at a time: a request needs a few, and a system call each
/// would cost more than the rest of its decisions.
pub fn random() -> u128 {
    thread_local! {
        static DRAWN: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
    }
    DRAWN.with_borrow_mut(|drawn| {
        if drawn.is_empty() {
            let mut bytes = [0; 4096];
            if SystemRandom::new().fill(&mut bytes).is_err() {
                return fallback();
            }
            drawn.extend(bytes.as_chunks().0.iter().map(|chunk| u128::from_ne_bytes(*chunk)));
        }
        drawn.pop().unwrap_or_else(fallback)
    })
}

/// The system has no randomness to give, which no Linux of this decade does: std's hash keys are still unpredictable.
fn fallback() -> u128 {
    let state = RandomState::new();
    u128::from(state.hash_one(0)) << 64 | u128::from(state.hash_one(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_do_not_repeat() {
        let mut numbers: Vec<_> = (0..1_000).map(|_| random()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 1_000);
    }
}
