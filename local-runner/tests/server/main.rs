//! The native server over real sockets: streaming, connections, limits, and ends of every kind.
//!
//! Nothing here sleeps or measures time. Where an order matters, one side goes on only after the other confirmed.

mod bodies;
mod cache;
mod connections;
mod in_flight;
mod protocols;
mod refusals;
mod streaming;
#[path = "../support/mod.rs"]
mod support;
