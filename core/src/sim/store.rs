//! The simulated store of rate limits. It forgets nothing, so that a read can be stale.

use std::collections::BTreeMap;

use super::StoreFault;
use crate::limit::{Draw, Rule, State, Verdict, step};
use crate::platform::{StoreError, Timestamp};

/// Every state that each limit ever had, oldest first.
#[derive(Debug, Default)]
pub(super) struct Store(BTreeMap<String, Vec<State>>);

impl Store {
    /// One load-decide-save, and what `fault` makes of it.
    pub(super) fn rate_limit(
        &mut self,
        key: &str,
        rules: &[Rule],
        now: Timestamp,
        draw: Draw,
        fault: Option<StoreFault>,
    ) -> Result<Vec<Verdict>, StoreError> {
        let mut save = |age: usize| {
            let states = self.0.entry(key.to_owned()).or_default();
            let stored = states.iter().rev().nth(age).cloned().unwrap_or_default();
            let (verdicts, next) = step(rules, &stored, now, draw);
            states.push(next);
            verdicts
        };
        match fault {
            None => Ok(save(0)),
            Some(StoreFault::Throttled) => Err(StoreError),
            Some(StoreFault::LostResponse) => {
                save(0);
                Err(StoreError)
            }
            Some(StoreFault::Duplicate) => {
                save(0);
                Ok(save(0))
            }
            Some(StoreFault::StaleRead(age)) => Ok(save(age)),
        }
    }
}
