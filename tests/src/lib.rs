//! The conformance suite: one behaviour is written once, as a case, and holds on every runtime.
//!
//! A case says what a gateway is configured with, what stands behind it, what is sent, and what must come of it
//! (`tests/cases/README.md` is the reference). Here is what reads cases and what runs them:
//!
//! ```text
//! cases/**.yaml ─▶ case ─▶ run ─▶ subject::Session ─▶ offline: core on its simulated platform
//!                           │                      └▶ native: the `portico` binary, between a raw client and real origins
//!                           └──▶ compare: what was expected, what came, what was decided
//! ```
//!
//! Out of scope: how long things take. Streaming, WebSockets, TLS and shutdown are tested beside the server.

#![forbid(unsafe_code)]

pub mod case;
pub mod compare;
pub mod expect;
mod http1;
pub mod native;
pub mod offline;
mod origin;
pub mod run;
pub mod skips;
pub mod subject;
