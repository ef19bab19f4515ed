//! Rate limits and quotas: three algorithms as pure functions, and what the stores have in common.
//!
//! | algorithm | state of a key | promise |
//! |---|---|---|
//! | [GCRA](gcra) | one number | `limit + burst` in any window |
//! | [sliding window](window) | at most 2 numbers for each of 61 slices | never more than `limit` in any window |
//! | [fixed window](window) | 2 numbers | `limit` in each window of the calendar |
//!
//! A limit has one [`Rule`], or several that are decided together: a request takes its units of all of them or of none. [`step`] takes the
//! [`State`] of a key, the rules and the time, and returns a verdict for each rule and the new state. Each store performs load, step and
//! save in one atomic step of its own; nothing here knows how. With leases a [`Bound`] says how much more may pass.

mod calendar;
pub mod gcra;
mod in_flight;
mod instance;
mod lease;
mod memory;
mod rules;
pub mod script;
pub mod window;

use std::time::Duration;

pub use calendar::{Calendar, Unit, Zone, ZoneError};
pub use gcra::{Quota, QuotaError, decide};
pub use in_flight::Slot;
pub(crate) use instance::Instance;
pub use lease::Bound;
pub(crate) use lease::Terms;
pub use memory::MemoryStore;
pub use rules::{Rule, State, step};
pub use window::Window;

/// What a store promises, and what a limit asks for.
pub use crate::config::wire::Guarantee;

/// Clocks are closer to each other than that, and a time that was read is used sooner. A stored time that is ahead of a full window by no
/// more is believed; one that is ahead by more is of a larger quota, or of a clock that has gone back since.
pub const SLACK: Duration = Duration::from_secs(1);

/// What is done to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// So many units are taken of every rule, or of none if one has not enough.
    Take(u32),
    /// So many units are taken, or of each rule what is left: what a request cost beyond what was known of it before. It is never denied.
    Charge(u32),
    /// So many units that were taken are given back, the ones first that would be back first. It is never denied.
    Return(u32),
}

impl Draw {
    /// The draw in numbers: 0 to take, 1 to charge, 2 to return; and so many units.
    pub const fn write(self) -> (u8, u32) {
        match self {
            Self::Take(units) => (0, units),
            Self::Charge(units) => (1, units),
            Self::Return(units) => (2, units),
        }
    }

    /// What was [written](Self::write), `None` for other numbers.
    pub const fn read(kind: u8, units: u32) -> Option<Self> {
        match kind {
            0 => Some(Self::Take(units)),
            1 => Some(Self::Charge(units)),
            2 => Some(Self::Return(units)),
            _ => None,
        }
    }

    /// Whether it may be asked for again when its answer was lost: what is taken twice is stricter, what is given back twice is not.
    pub const fn may_be_repeated(self) -> bool {
        !matches!(self, Self::Return(_))
    }
}

/// What a rule says to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the rule permits it. The units were taken if all rules of the limit do.
    pub allowed: bool,
    /// Whole units left at this moment.
    pub remaining: u32,
    /// Until nothing of what was taken is missing any more: a bucket is full again, a window empty.
    pub reset: Duration,
    /// Until the same request would pass; zero when the rule permits it, [`Duration::MAX`] when it costs more than there ever is.
    pub retry_after: Duration,
}
