//! The command line: one file per command, and what they share.

mod build;
mod check;
mod dev;
mod diff;
mod explain;
mod key;
mod listen;
mod routes;
mod schema;
mod serve;
mod test;
mod token;

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use portico::cache::folder::Folder;
use portico::config::{Report, Style};
use portico::values::Values;

use crate::cache_option::CacheOption;
use crate::configuration::{self, Configuration, Purpose};
use crate::secrets::Secrets;
use crate::store::StoreOption;

/// An API gateway in one small program and one file, gateway.yaml.
///
/// Without a command it is `portico dev`: it serves gateway.yaml on 127.0.0.1:8080 and reloads it when it changes.
#[derive(Debug, Parser)]
#[command(name = "portico", version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    dev: dev::Options,
}

const EXAMPLES: &str = "\
Examples:
  portico                                        serve gateway.yaml while you work on it
  portico --listen 127.0.0.1:8081                … on another port
  portico check                                  all that is wrong with gateway.yaml, with line and column
  portico build > gateway.json                   what is deployed: one canonical file with its hash
  portico serve --config gateway.json --listen 0.0.0.0:8080
  curl -H \"Authorization: Bearer $(portico token --sub alice)\" http://127.0.0.1:8080/

Exit codes: 0 all is well; 1 something failed while running; 2 the command line or the configuration is wrong.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve while developing: reloads on every change, readable log with decisions, demo upstreams (the default)
    Dev(dev::Options),
    /// Serve in production: access log as JSON, TLS, reload on SIGHUP, graceful end on SIGTERM
    Serve(serve::Options),
    /// Say all that is wrong with a configuration, without starting anything
    Check(check::Options),
    /// Turn a configuration and all that it includes into one canonical file with its hash
    Build(build::Options),
    /// Run cases against a gateway, offline
    Test(test::Options),
    /// Say what a change of the configuration changes: for whom it lets more pass, and for whom less
    Diff(diff::Options),
    /// Say what becomes of a request, step by step, and why
    Explain(explain::Options),
    /// Print the JSON Schema of the configuration, for editors
    Schema(schema::Options),
    /// Sign a token that the gateway accepts, for development only
    Token(token::Options),
    /// Make an API key, its record and the command that stores it
    Key(key::Options),
}

/// Which configuration a command is about.
#[derive(Debug, Args)]
struct ConfigOption {
    /// The configuration: a YAML file, or a bundle made by `portico build`
    #[arg(short = 'c', long = "config", value_name = "FILE", default_value = "gateway.yaml")]
    path: PathBuf,
}

impl ConfigOption {
    /// Reads it as `portico dev` does, with the secrets beside it.
    fn read_for_development(&self) -> Result<(Configuration, Secrets), Failure> {
        let help = "it holds lines of KEY=VALUE, see docs/command-line.md";
        let secrets = Secrets::beside(&self.path).map_err(|error| Failure::usage(error, help))?;
        let read = configuration::read(&self.path, Purpose::Develop, &secrets);
        read.map(|read| (read, secrets)).map_err(|refused| Failure::configuration(&refused.report))
    }
}

/// Opens the directory of cached responses that a server is to have.
fn cache_folder(option: &CacheOption) -> Result<Option<Folder>, Failure> {
    let help = "--cache-dir takes a directory that no other server uses; make an empty one with mkdir";
    option.open().map_err(|error| Failure::usage(error, help))
}

/// Opens the key-value store that a server is to have.
fn values(option: &StoreOption) -> Result<Option<Values>, Failure> {
    let help = "--values takes a directory; make an empty one with mkdir";
    option.open().map_err(|error| Failure::usage(error, help))
}

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command.unwrap_or(Command::Dev(cli.dev)) {
        Command::Dev(options) => dev::run(options),
        Command::Serve(options) => serve::run(options),
        Command::Check(options) => check::run(&options),
        Command::Build(options) => build::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Diff(options) => diff::run(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Schema(options) => schema::run(&options),
        Command::Token(options) => token::run(&options),
        Command::Key(options) => key::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // nobody is left to tell when this fails too
            _ = write!(io::stderr(), "{failure}");
            ExitCode::from(failure.code)
        }
    }
}

/// Why a command ends early, as it is told to whoever started it.
#[derive(Debug)]
struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// The command line or the configuration is wrong. `help` is the way out.
    fn usage(message: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self { code: 2, text: format!("error: {message}\n  help: {help}\n") }
    }

    /// Something failed while running.
    fn runtime(message: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self { code: 1, text: format!("error: {message}\n  help: {help}\n") }
    }

    /// The configuration is wrong; the report says where.
    fn configuration(report: &Report) -> Self {
        Self { code: 2, text: report.render(Style::for_stream(&io::stderr())) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Writes a command's result. Whoever reads it may stop early (`portico schema | head`).
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::runtime(format_args!("the result could not be written: {error}"), "look at where it goes to"))
        }
        _ => Ok(()),
    }
}

/// Writes what is worth knowing besides the result.
fn note(text: &str) {
    // a note that cannot be written is no reason to fail
    _ = io::stderr().write_all(text.as_bytes());
}

/// The runtime that servers run on, with as many threads as the machine has processors unless `workers` says otherwise.
fn runtime(workers: Option<usize>) -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers {
        builder.worker_threads(workers);
    }
    let help = "look at the limits of this process (ulimit -a)";
    builder
        .enable_all()
        .thread_name("portico")
        .build()
        .map_err(|error| Failure::runtime(format_args!("the threads could not be started: {error}"), help))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_is_dev() {
        let cli = Cli::try_parse_from(["portico", "--listen", "127.0.0.1:8081"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.dev.listen.port(), 8081);
        assert!(Cli::try_parse_from(["portico", "--lisen", "127.0.0.1:8081"]).is_err());
        assert!(Cli::try_parse_from(["portico", "--listen", "127.0.0.1:8081", "check"]).is_err());
    }

    #[test]
    fn there_are_as_many_threads_as_asked_for_or_as_processors() {
        let threads = |workers| runtime(workers).unwrap().metrics().num_workers();
        assert_eq!(threads(Some(3)), 3);
        assert_eq!(threads(None), std::thread::available_parallelism().unwrap().get());
    }
}
