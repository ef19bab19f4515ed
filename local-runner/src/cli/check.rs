//! `portico check`: all that is wrong with a configuration, and what may go wrong with it.

use std::fmt::Write as _;

use portico::config::{Report, Style, entry};
use portico_core::config::{Code, Severity};

use super::{ConfigOption, Failure, note, print, routes};
use crate::check::Target;
use crate::configuration::{self, Purpose};
use crate::log::{self, Readable};
use crate::secrets::Secrets;

/// What `portico check` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Errors and warnings go to stderr as file:line:column; as JSON and SARIF they go to stdout. Every finding has a code.
`portico check --explain CODE` says what can go wrong and how to mend it. A warning that is acceptable is waived in the
configuration, with the reason: waive: { CODE: \"reason\" } on a route, an upstream, an identity or the whole gateway.

Exit codes: 0 the configuration can be used; 1 it can, and there are warnings that --deny denies; 2 it cannot.

Examples:
  portico check
  portico check --production --deny warnings --config shop/gateway.yaml
  portico check --target cloudflare
  portico check --format json | jq -r '.[].message'
  portico check --format sarif > portico.sarif
  portico check --explain route_shadowed")]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// Check it as `portico serve` would: no demo upstreams, no dev.env
    #[arg(long)]
    production: bool,
    /// Check whether this platform can keep what the configuration asks for
    #[arg(long, value_enum, value_name = "PLATFORM")]
    target: Option<Target>,
    /// End with exit code 1 when there are warnings that are not waived
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Option<Denied>,
    /// How to print what is found
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// List what is waived, too, with the reasons
    #[arg(long)]
    show_waived: bool,
    /// Print what the documentation says about a code, or a list of all codes
    #[arg(long, value_name = "CODE", num_args = 0..=1, value_parser = code, exclusive = true)]
    explain: Option<Option<Code>>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Denied {
    /// Warnings that are not waived
    Warnings,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Format {
    /// For people, on stderr, with the table of routes on stdout
    #[default]
    Human,
    /// An array of objects
    Json,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
}

fn code(text: &str) -> Result<Code, String> {
    text.parse().map_err(|_| "there is no such code; `portico check --explain` lists them all".to_owned())
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    match options.explain {
        Some(Some(code)) => return print(&format!("{code}\n\n{}\n", entry(code))),
        Some(None) => return print(&codes()),
        None => {}
    }
    let path = &options.config.path;
    let (purpose, secrets) = if options.production {
        (Purpose::Serve, Secrets::environment())
    } else {
        let help = "it holds lines of KEY=VALUE, see docs/command-line.md";
        (Purpose::Develop, Secrets::beside(path).map_err(|error| Failure::usage(error, help))?)
    };
    let read = configuration::check(path, purpose, &secrets, options.target);
    let report = match &read {
        Ok(configuration) => &configuration.report,
        Err(refused) => &refused.report,
    };
    match options.format {
        Format::Json => print(&report.render(Style::Json))?,
        Format::Sarif => print(&report.render(Style::Sarif))?,
        Format::Human => {
            let style = Style::for_stream(&std::io::stderr());
            if options.show_waived {
                note(&report.render_waived(style));
            }
            note(&report.render(style));
        }
    }
    let ended = |code| Failure { code, text: String::new() };
    let Ok(configuration) = &read else { return Err(ended(2)) };
    if let Format::Human = options.format {
        let style = Readable { colour: log::colour(&std::io::stdout()) };
        let (shown, hash) = (path.display(), configuration.gateway.hash());
        let table = routes::table(&configuration.gateway, &configuration.document, style);
        print(&format!("{table}{shown} can be used ({hash:.12})\n"))?;
    }
    match options.deny {
        Some(Denied::Warnings) if report.has(Severity::Warning) => Err(denied(report, options.format)),
        _ => Ok(()),
    }
}

fn denied(report: &Report, format: Format) -> Failure {
    let help = "mend them, or waive those that are acceptable, with the reason: docs/checks.md";
    let told = Failure::runtime(format_args!("warnings are denied: {}", report.summary()), help);
    match format {
        Format::Human => told,
        Format::Json | Format::Sarif => Failure { text: String::new(), ..told },
    }
}

/// One line for each code.
fn codes() -> String {
    let width = Code::ALL.iter().map(|code| code.as_str().len()).max().unwrap_or_default();
    let mut table = String::new();
    for code in Code::ALL {
        // writing to a String does not fail
        _ = writeln!(table, "{:<width$}  {:<7}  {}", code.as_str(), code.severity().to_string(), code.title());
    }
    table
}
