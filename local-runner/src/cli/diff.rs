//! `portico diff`: what a change of the configuration changes.

use std::io::{IsTerminal as _, stderr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Failure, note, print};
use crate::diff::{self, Change, Judgement, Side, Unread, is_stdin};
use crate::log::{self, Readable};

/// What `portico diff` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is compared is the meaning: defaults joined, `1m` read as `60s`, the order of keys and routes left aside. Differences
that let something pass that did not are `looser`, and come first.

With --traffic, recorded requests are decided again by both configurations, without any network: files are access logs of
`portico serve` or HAR (HTTP Archive); several are joined by time. What a log does not hold, such as credentials, is put back
as far as OLD demanded it. docs/command-line.md says what that can show and what not.

Exit codes: 0 no difference; 1 there are differences; 2 the command line, a configuration or a file of requests is wrong.
With --traffic only requests that would be decided differently count, with --deny looser only such differences, with both
either of them.

Examples:
  portico diff old.yaml gateway.yaml
  git show main:gateway.yaml | portico diff - gateway.yaml
  portico diff <(git show main:gateway.yaml) gateway.yaml --deny looser
  portico diff old.yaml gateway.yaml --traffic access.log --traffic browser.har")]
pub(super) struct Options {
    /// The configuration from before: a YAML file, a bundle, or - for stdin
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The configuration to come
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Recorded requests: an access log or a HAR, or - for stdin; may be given more than once
    #[arg(long, value_name = "FILE")]
    traffic: Vec<PathBuf>,
    /// End with 1 if there is such a difference
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
    /// For people
    Human,
    /// For tools
    Json,
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let Options { old, new, traffic, deny, format } = options;
    if [old, new].into_iter().chain(traffic).filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::usage("only one of the files can be stdin", "give the others by their names"));
    }
    let (old, new) = (Side::read(old, new).map_err(unread)?, Side::read(new, old).map_err(unread)?);
    let changes = diff::changes(&old, &new);
    let traffic = match traffic.as_slice() {
        [] => None,
        files => Some(
            diff::replay(&old, &new, files, progress())
                .map_err(|why| Failure::usage(why, "--traffic takes access logs of `portico serve`, and HAR files"))?,
        ),
    };
    print(&match format {
        Format::Human => {
            let style = Readable { colour: log::colour(&std::io::stdout()) };
            let mut text = diff::report::human(&changes, &old, &new, style);
            if let Some(traffic) = &traffic {
                text.push_str(&format!("\n{}", traffic.human(style)));
            }
            text
        }
        Format::Json => {
            let mut report = json!({ "changes": diff::report::json(&changes, &old, &new) });
            if let (Some(traffic), Some(report)) = (&traffic, report.as_object_mut()) {
                report.insert("traffic".to_owned(), traffic.json());
            }
            format!("{report:#}\n")
        }
    })?;
    let looser = |change: &Change| change.judgement == Judgement::Looser;
    let differs = match (&traffic, deny) {
        (None, None) => !changes.is_empty(),
        (traffic, deny) => {
            let denied = *deny == Some(Deny::Looser) && changes.iter().any(looser);
            denied || traffic.as_ref().is_some_and(|traffic| traffic.differs())
        }
    };
    if differs { Err(Failure { code: 1, text: String::new() }) } else { Ok(()) }
}

fn unread(why: Unread) -> Failure {
    match why {
        Unread::Missing(message) => Failure::usage(message, "name a configuration file, or - for stdin"),
        Unread::Wrong(report) => Failure::configuration(&report),
    }
}

/// Tells on a terminal how many requests were replayed, now and then.
fn progress() -> impl FnMut(usize) {
    let mut progress = Progress { last: Instant::now(), told: false };
    let shown = stderr().is_terminal();
    move |requests| {
        // looking at the clock costs more than it tells
        if shown && requests.is_multiple_of(1_000) {
            progress.tell(requests);
        }
    }
}

struct Progress {
    last: Instant,
    told: bool,
}

impl Progress {
    fn tell(&mut self, requests: usize) {
        if self.last.elapsed() > Duration::from_secs(1) {
            *self = Self { last: Instant::now(), told: true };
            note(&format!("\r{requests} requests"));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.told {
            note("\r\x1b[K");
        }
    }
}
