//! The conformance suite: one behaviour is written once, as a case, and holds on every runtime.
//!
//! Cases (`docs/cases.md`), and what reads and runs them offline (`portico::case`), are part of the product: users test
//! their gateways with them, by `portico test`. Here is what starts a runtime for real and talks to it as a black box, and what
//! each runtime is known not to do.
//!
//! Out of scope: how long things take. Streaming, WebSockets, TLS and shutdown are tested beside the server.

#![forbid(unsafe_code)]

mod access_log;
mod alone;
mod bundle;
mod child;
mod client;
pub mod clock;
pub mod cloudflare;
pub mod dynamodb;
mod joined;
pub mod lambda;
pub mod native;
mod origins;
pub mod redis;
pub mod skips;
pub mod spin;
