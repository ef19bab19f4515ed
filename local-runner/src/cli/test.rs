//! `portico test`: cases against a gateway, offline or where it runs.

mod against;
mod human;
mod init;
mod json;
mod junit;
mod select;

use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use portico::case::Case;
use portico::case::offline::Offline;
use portico::case::run::Verdict;
use portico::case::subject::Subject;
use portico::case::suite::{self, Ran};
use portico::case::tally::{Counts, Tally};
use portico::config::{Report, Style};

use super::{Failure, note, print};

/// What `portico test` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A case is a YAML file: a gateway's configuration, what its upstreams answer, requests, and what must come of them. Nothing is sent
anywhere, unless with --against: upstreams, clock and stores are simulated. docs/cases.md describes the format; `portico schema --cases` is its
JSON Schema.

Examples:
  portico test
  portico test cases/orders.yaml --filter \"needs a token\"
  portico test --list
  portico test --format junit --output report.xml
  portico test --against http://127.0.0.1:8080
  portico test --init

Exit codes: 0 all cases passed or were skipped; 1 a case failed; 2 the command line or a case file is wrong, or there is no case.")]
pub(super) struct Options {
    /// Case files, and folders with case files in them [default: cases, or else tests/cases]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only cases whose name has this text in it, in which `*` stands for anything; may be given more than once
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Print the names of the cases, and run none
    #[arg(long)]
    list: bool,
    /// How the results are written
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    /// Write the results into a file instead of stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How many cases run at once [default: the number of processors]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    against: against::Against,
    #[command(flatten)]
    init: init::Init,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON document
    Json,
    /// JUnit's XML, which CI servers read
    Junit,
}

/// Everything that came of a run.
struct Results<'a> {
    subject: &'static str,
    cases: &'a [Case],
    /// In the order of the cases.
    ran: &'a [Ran],
    /// What is wrong with files that could not be read.
    malformed: &'a [Report],
    took: Duration,
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    if options.init.is_wanted() {
        return options.init.run(&options.paths);
    }
    let select::Selection { cases, malformed } = select::select(&options.paths, &options.filter)?;
    for report in &malformed {
        note(&report.render(Style::for_stream(&std::io::stderr())));
    }
    if options.list {
        print(&cases.iter().map(|case| format!("{}\n", case.name)).collect::<String>())?;
        return ended(malformed.is_empty(), true);
    }
    let live = options.against.live(&cases)?;
    let (subject, usual): (&dyn Subject, _) = match &live {
        // a gateway that runs has one store
        Some(live) => (live, None),
        None => (&Offline, std::thread::available_parallelism().ok()),
    };
    let started = Instant::now();
    let jobs = options.jobs.or(usual).unwrap_or(NonZeroUsize::MIN);
    let progress = Progress::new(cases.len());
    let ran = suite::run(&cases, subject, jobs, || progress.step());
    progress.end();
    let took = started.elapsed();
    let results = Results { subject: subject.name(), cases: &cases, ran: &ran, malformed: &malformed, took };
    write(options, &results)?;
    live.iter().for_each(against::notes);
    ended(malformed.is_empty(), results.tally().total(results.subject).failed == 0)
}

fn write(options: &Options, results: &Results<'_>) -> Result<(), Failure> {
    let text = match options.format {
        Format::Human => human::render(results, options.output.is_none()),
        Format::Json => json::render(results),
        Format::Junit => junit::render(results),
    };
    let Some(path) = &options.output else { return print(&text) };
    std::fs::write(path, text).map_err(|error| {
        let help = "name a file in a folder that exists with --output";
        Failure::runtime(format_args!("cannot write {}: {error}", path.display()), help)
    })
}

/// The results are told already; what is left is the exit code.
fn ended(read: bool, passed: bool) -> Result<(), Failure> {
    match (read, passed) {
        (false, _) => Err(Failure { code: 2, text: String::new() }),
        (true, false) => Err(Failure { code: 1, text: String::new() }),
        (true, true) => Ok(()),
    }
}

impl Results<'_> {
    /// Each case with what came of it.
    fn each(&self) -> impl Iterator<Item = (&Case, &Ran)> {
        self.cases.iter().zip(self.ran)
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (case, ran) in self.each() {
            tally.add(&case.name, self.subject, counts(ran));
        }
        tally
    }
}

fn counts(ran: &Ran) -> Counts {
    match ran.verdict {
        Verdict::Passed => Counts::PASSED,
        Verdict::Failed(_) => Counts::FAILED,
        Verdict::Skipped(_) => Counts::SKIPPED,
    }
}

/// Says how far it is, on a terminal, when it takes longer than people like to wait.
struct Progress {
    all: usize,
    done: AtomicUsize,
    started: Instant,
    terminal: bool,
}

impl Progress {
    fn new(all: usize) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { all, done: AtomicUsize::new(0), started: Instant::now(), terminal }
    }

    fn is_shown(&self) -> bool {
        self.terminal && self.started.elapsed() > Duration::from_secs(1)
    }

    fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.is_shown() {
            note(&format!("\r{done} of {} cases", self.all));
        }
    }

    fn end(&self) {
        if self.is_shown() {
            note("\r\x1b[K");
        }
    }
}
