//! What `portico explain` is made of: a request as curl would send it, the gateway that decides it on a simulated platform or
//! far away, and what is said about it, without what must not be shown.
//!
//! ```text
//! curl ─▶ Asked ─┬▶ simulate ──▶ what would go upstream, the response ─┐
//!                └▶ live ──────▶ the response, its X-Portico-Trace ────┴▶ Told ─▶ human, json
//! ```

pub(crate) mod client;
pub(crate) mod curl;
mod diff;
mod human;
mod json;
pub(crate) mod live;
mod mask;
mod near;
mod simulate;
mod told;

pub(crate) use human::human;
pub(crate) use json::json;
pub(crate) use live::Silence;
pub(crate) use simulate::{Setting, simulate};
