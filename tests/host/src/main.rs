//! A host for components that serve HTTP, for tests: what Spin 4 gives them, and how Spin keeps them, without Spin.
//!
//! It runs what exports `wasi:http/handler` 0.3 and gives it WASI, `spin:key-value`, `wasi:keyvalue`, `spin:redis` and
//! `spin:variables`. Where Spin does something peculiar this host does the same; each module says where Spin does it. See
//! `README.md` for the command line.
//!
//! Out of scope: TLS, any network but loopback, several components, every other interface of Spin.

mod app;
mod bindings;
mod cli;
mod component;
mod control;
mod faults;
mod headers;
mod imports;
mod instances;
mod keyvalue;
mod outbound;
mod server;
mod spin;
mod store;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
