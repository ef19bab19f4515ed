//! The stores, and what is known of who counts in them.

use crate::history::Algorithm;
use crate::plan::Weather;

/// Where limits are counted, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// The memory of a native server.
    Memory,
    /// A Redis that native servers share.
    Cluster,
    /// Cloudflare's Durable Objects.
    Objects,
    /// Spin's key-value store.
    KeyValue,
    /// A Redis that hosts of Spin share.
    Redis,
    /// A table of DynamoDB that functions share.
    Table,
}

impl Store {
    pub(crate) const ALL: [Self; 6] =
        [Self::Memory, Self::Cluster, Self::Objects, Self::KeyValue, Self::Redis, Self::Table];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "native",
            Self::Cluster => "native_redis",
            Self::Objects => "cloudflare",
            Self::KeyValue => "spin",
            Self::Redis => "spin_redis",
            Self::Table => "lambda",
        }
    }

    pub(crate) const fn nodes(self) -> usize {
        match self {
            Self::Memory | Self::Objects | Self::KeyValue => 1,
            Self::Cluster | Self::Redis => 2,
            Self::Table => 6,
        }
    }

    /// What can happen there, and to which algorithm it happens in any case: one plan each.
    pub(crate) const fn weathers(self) -> &'static [(Weather, Algorithm)] {
        use Algorithm::{FixedWindow, Gcra, SlidingWindow};
        use Weather::{Calm, Duplicated, Leases, LostAnswers, Restart, Skewed, Throttled};
        match self {
            Self::Memory => &[(Calm, SlidingWindow), (Calm, FixedWindow), (Leases, Gcra), (Restart, Gcra)],
            // how its nodes take lost answers is tested beside them (tests/redis/)
            Self::Cluster => &[
                (Calm, Gcra),
                (Leases, Gcra),
                (Restart, SlidingWindow),
                (Throttled, Gcra),
                // a Redis decides by its own clock, but for when windows of a calendar end
                (Skewed, FixedWindow),
            ],
            // it does not fail on demand
            Self::Objects => &[(Calm, Gcra), (Calm, FixedWindow), (Leases, Gcra), (Restart, SlidingWindow)],
            Self::KeyValue => {
                &[(Calm, FixedWindow), (Leases, Gcra), (Restart, Gcra), (LostAnswers, SlidingWindow), (Throttled, Gcra)]
            }
            Self::Redis => &[
                (Calm, FixedWindow),
                (Leases, Gcra),
                (Restart, SlidingWindow),
                (LostAnswers, Gcra),
                (Throttled, SlidingWindow),
            ],
            // what goes to a Redis goes by a connection, and arrives once; a lone GCRA has updates of its own here
            Self::Table => &[
                (Calm, Gcra),
                (Leases, Gcra),
                (Restart, Gcra),
                (LostAnswers, Gcra),
                (LostAnswers, FixedWindow),
                (Throttled, SlidingWindow),
                (Duplicated, Gcra),
                (Skewed, Gcra),
                (Skewed, SlidingWindow),
            ],
        }
    }

    /// About how many requests a second are served on a machine with two cores that does something else, too.
    pub(crate) const fn pace(self, weather: Weather) -> u64 {
        match (self, weather) {
            (Self::Memory, _) => 4_000,
            // a file, which is written through
            (Self::KeyValue, Weather::Restart) => 100,
            (Self::Cluster | Self::KeyValue | Self::Redis, _) => 1_000,
            (Self::Objects, _) => 400,
            (Self::Table, _) => 160,
        }
    }

    /// Instances that hold leases at the same time. Spin makes and ends them as it likes.
    pub(crate) const fn instances(self) -> Option<u32> {
        match self {
            Self::Memory | Self::Cluster | Self::Objects | Self::Table => Some(self.nodes() as u32),
            Self::KeyValue | Self::Redis => None,
        }
    }

    /// Whether the clock is read before the step is taken.
    pub(crate) const fn reads_clock_first(self) -> bool {
        matches!(self, Self::Memory | Self::Table)
    }

    /// Whether nodes decide by their own clocks, and not by the store's.
    pub(crate) const fn nodes_have_the_clock(self) -> bool {
        match self {
            Self::Memory | Self::KeyValue | Self::Table => true,
            Self::Cluster | Self::Objects | Self::Redis => false,
        }
    }

    /// Microseconds by which its clock may be behind: Workers have whole milliseconds.
    pub(crate) const fn slack(self) -> u64 {
        match self {
            Self::Objects => 1_000,
            Self::Memory | Self::Cluster | Self::KeyValue | Self::Redis | Self::Table => 0,
        }
    }

    /// Microseconds after which a step may have been tried once more.
    pub(crate) const fn patience(self) -> u64 {
        match self {
            // all attempts of one request are over after a second
            Self::Table | Self::Cluster | Self::Redis => 400_000,
            Self::Memory | Self::Objects | Self::KeyValue => u64::MAX,
        }
    }
}
