//! `portico diff`: what a change of the configuration changes.

use std::path::PathBuf;

use serde_json::json;

use super::{Failure, print};
use crate::diff::{self, Change, Judgement, Side, Unread};
use crate::log::{self, Readable};

/// What `portico diff` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is compared is the meaning: defaults joined, `1m` read as `60s`, the order of keys and routes left aside. Differences
that let something pass that did not are `looser`, and come first.

Exit codes: 0 no difference; 1 there are differences; 2 the command line or a configuration is wrong.

Examples:
  portico diff old.yaml gateway.yaml
  git show main:gateway.yaml | portico diff - gateway.yaml
  portico diff <(git show main:gateway.yaml) gateway.yaml --deny looser")]
pub(super) struct Options {
    /// The configuration from before: a YAML file, a bundle, or - for stdin
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The configuration to come
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// End with 1 only if there is such a difference
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
    /// How differences are told
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Deny {
    /// A difference that lets something pass that did not
    Looser,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Human,
    Json,
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let Options { old, new, deny, format } = options;
    if [old, new].iter().filter(|path| diff::is_stdin(path)).count() > 1 {
        return Err(Failure::usage("only one can come from stdin", "give the other as a file"));
    }
    let (old, new) = (Side::read(old, new).map_err(unread)?, Side::read(new, old).map_err(unread)?);
    let changes = diff::changes(&old, &new);
    print(&match format {
        Format::Human => {
            let style = Readable { colour: log::colour(&std::io::stdout()) };
            diff::report::human(&changes, &old, &new, style)
        }
        Format::Json => {
            let report = json!({ "changes": diff::report::json(&changes, &old, &new) });
            format!("{report:#}\n")
        }
    })?;
    let counts = |change: &Change| *deny != Some(Deny::Looser) || change.judgement == Judgement::Looser;
    if changes.iter().any(counts) { Err(Failure { code: 1, text: String::new() }) } else { Ok(()) }
}

fn unread(why: Unread) -> Failure {
    match why {
        Unread::Missing(message) => Failure::usage(message, "name a configuration file, or - for stdin"),
        Unread::Wrong(report) => Failure::configuration(&report),
    }
}
