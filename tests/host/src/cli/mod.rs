//! The command line: one file per command.

mod check_imports;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Serves a component as Spin 4 does, or as any host of WASI, for tests.
#[derive(Debug, Parser)]
#[command(name = "portico-wasi-host", after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  portico-wasi-host serve portico.wasm --mount files --variable portico_access_log=json
  portico-wasi-host serve portico.wasm --listen 127.0.0.1:3000 --store sqlite:values.db
  portico-wasi-host serve portico.wasm --plain --env PORTICO_BUNDLE=/bundle.json --mount files
  portico-wasi-host check-imports portico.wasm

Exit codes: 0 all is well; 1 something failed, or the component imports what the host does not have; 2 the command line is wrong.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a component that exports wasi:http/handler 0.3
    Serve(Box<serve::Options>),
    /// Say what a component imports that stock Spin 4, or a host of WASI alone, does not have
    CheckImports(check_imports::Options),
}

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(options) => serve::run(*options),
        Command::CheckImports(options) => check_imports::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::FAILURE
        }
    }
}
