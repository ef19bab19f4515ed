//! The cache of responses: what is stored under which key, and what is made of it. What RFC 9111 says about it is in
//! [`cache`](crate::cache), what holds the responses is the platform's.

mod change;
mod chore;
mod compile;
mod fetch;
mod flight;
mod keep;
mod key;
mod leaks;
mod node;
mod purging;
mod query;
mod room;
mod serve;

use crate::cache::{Reach, Rules};
pub(crate) use change::note_change;
pub(crate) use chore::{Chore, Spot};
pub(crate) use fetch::{Ask, unstorable};
pub(crate) use key::Key;
pub(crate) use node::Node;
pub(crate) use purging::purge;
pub(crate) use room::Room;
pub(crate) use serve::serve;

/// A compiled cache.
#[derive(Debug)]
pub struct Cache {
    /// What is stored, and for how long.
    pub(crate) rules: Rules,
    /// What it is stored under.
    pub(crate) key: Key,
    /// Where it is stored.
    pub(crate) reach: Reach,
    /// Whether requests that miss the same response wait for one of them.
    pub(crate) coalesce: bool,
    /// Whether `Cache-Control` of requests counts.
    pub(crate) obeys_client: bool,
}

#[cfg(test)]
mod tests;
