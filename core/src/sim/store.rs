//! The simulated store of rate limits. It forgets nothing, so that a read can be stale.

use std::collections::BTreeMap;

use super::StoreFault;
use crate::limit::{Quota, Verdict, decide};
use crate::platform::{StoreError, Timestamp};

/// Every state that each limit ever had, oldest first.
#[derive(Debug, Default)]
pub(super) struct Store(BTreeMap<String, Vec<Timestamp>>);

impl Store {
    /// One load-decide-save, and what `fault` makes of it.
    pub(super) fn rate_limit(
        &mut self,
        key: &str,
        quota: &Quota,
        now: Timestamp,
        cost: u32,
        fault: Option<StoreFault>,
    ) -> Result<Verdict, StoreError> {
        let mut step = |age: usize| {
            let states = self.0.entry(key.to_owned()).or_default();
            let stored = states.iter().rev().nth(age).copied();
            let (verdict, next) = decide(stored, quota, now, cost);
            states.push(next);
            verdict
        };
        match fault {
            None => Ok(step(0)),
            Some(StoreFault::Throttled) => Err(StoreError),
            Some(StoreFault::LostResponse) => {
                step(0);
                Err(StoreError)
            }
            Some(StoreFault::Duplicate) => {
                step(0);
                Ok(step(0))
            }
            Some(StoreFault::StaleRead(age)) => Ok(step(age)),
        }
    }
}
