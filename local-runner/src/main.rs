//! The binary `portico`. `portico help` says what it can do; `docs/command-line.md` says it at length.

#![forbid(unsafe_code)]

mod cache_option;
mod check;
mod cli;
mod configuration;
mod diff;
mod explain;
mod log;
mod reload;
mod secrets;
mod signals;
mod store;
mod watch;

fn main() -> std::process::ExitCode {
    cli::run()
}
