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

/// A request takes and gives back a hundred pieces of memory: half the time of the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
