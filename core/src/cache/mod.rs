//! RFC 9111 for a shared cache: what may be stored, for how long it is fresh, and how it answers. Pure: no platform, no clock.
//!
//! | question | answer | RFC 9111 |
//! |---|---|---|
//! | what does a request wish? | [`Wish::of`] | §5.2.1, §5.4 |
//! | may a response be stored, and how long is it fresh? | [`storable`] | §3, §4.2; RFC 5861, RFC 9213 |
//! | what is stored? | [`Entry::new`], as an [`Item`] | §3.1, §4.2.3 |
//! | which of a URL's responses is it? | [`varies`], [`variant`] | §4.1 |
//! | may it answer now? | [`Entry::reuse`], [`Purges::verdict`] | §4.2.4, §5.2 |
//! | what is the answer? | [`answer`], [`Status`] | §4.3.2, §5.1; RFC 9110 §13, §14; RFC 9211 |
//! | is it still current? | [`make_conditional`], [`Entry::freshened`], [`Entry::is_described_by`] | §4.3 |
//! | what is no longer to be served? | [`Purge`], [`Purges::add`] | §4.4 |
//!
//! A hit asks them in that order, from the wish to the status, and allocates little more than the response.

mod answer;
mod codec;
mod control;
mod date;
mod directive;
mod entry;
mod freshness;
mod purge;
mod purges;
mod status;
mod storable;
mod structured;
mod update;
mod validation;
mod vary;
mod wish;

use std::collections::BTreeMap;
use std::time::Duration;

pub use answer::answer;
pub use control::Control;
pub use date::{http_date, imf_fixdate};
pub(crate) use entry::take_tags;
pub use entry::{Entry, Item, Lifetime, Reuse, Variants};
pub use freshness::initial_age;
pub use purge::{Purge, Scope};
pub use purges::{Purged, Purges};
pub use status::{Forward, Status};
pub use storable::{NotStored, storable};
pub use validation::{is_conditional, make_conditional, remove_conditions};
pub use vary::{variant, varies};
pub use wish::Wish;

/// What a configuration says of responses that are kept.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long a response is fresh of which the origin does not say it; without `respect_origin`, whatever the origin says.
    pub ttl: Option<Duration>,
    /// Whether what the origin says of freshness outranks `ttl` and `negative`. `no-store` and `private` hold always.
    pub respect_origin: bool,
    /// How long responses with these statuses are fresh, where the origin does not say it.
    pub negative: BTreeMap<u16, Duration>,
    /// Whether a response that nobody knows a lifetime of is fresh for a tenth of the time since it was modified (§4.2.2), at most a day.
    pub heuristic: bool,
    /// How long a stale response may be served while it is revalidated, where the origin does not say it (RFC 5861 §3).
    pub stale_while_revalidate: Option<Duration>,
    /// How long a stale response may be served when the origin fails, where it does not say it (RFC 5861 §4).
    pub stale_if_error: Option<Duration>,
    /// Whether the key tells callers apart, or the configuration says that they may share: then §3.5 (`Authorization`) asks nothing more.
    pub identified: bool,
    /// Media types that are stored, such as `application/json` and `text/*`. Empty: all.
    pub content_types: Vec<String>,
    /// The largest body that is stored, in bytes.
    pub max_size: u64,
}

/// How far a cache reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// What the node has by itself.
    Local,
    /// The node's own, then the platform's store, which nodes share.
    Shared,
}
