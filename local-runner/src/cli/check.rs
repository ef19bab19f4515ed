//! `portico check`: all that is wrong with a configuration.

use portico::config::Style;

use super::{ConfigOption, Failure, note, print, routes};
use crate::configuration::{self, Purpose};
use crate::log::{self, Readable};
use crate::secrets::Secrets;

/// What `portico check` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Errors and warnings go to stderr as file:line:column; with --json they go to stdout. The exit code is 0 when the
configuration can be used, warnings or not, and 2 when it cannot.

Examples:
  portico check
  portico check --production --config shop/gateway.yaml
  portico check --json | jq -r '.[].message'")]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// Check it as `portico serve` would: no demo upstreams, no dev.env
    #[arg(long)]
    production: bool,
    /// Print what is found as a JSON array, for tools
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let path = &options.config.path;
    let (purpose, secrets) = if options.production {
        (Purpose::Serve, Secrets::environment())
    } else {
        let help = "it holds lines of KEY=VALUE, see docs/command-line.md";
        (Purpose::Develop, Secrets::beside(path).map_err(|error| Failure::usage(error, help))?)
    };
    let read = configuration::read(path, purpose, &secrets);
    if options.json {
        let report = match &read {
            Ok(configuration) => &configuration.report,
            Err(refused) => &refused.report,
        };
        print(&report.render(Style::Json))?;
        return read.map(drop).map_err(|_| Failure { code: 2, text: String::new() });
    }
    let read = read.map_err(|refused| Failure::configuration(&refused.report))?;
    note(&read.report.render(Style::for_stream(&std::io::stderr())));
    let style = Readable { colour: log::colour(&std::io::stdout()) };
    let (shown, hash) = (path.display(), read.gateway.hash());
    print(&format!("{}{shown} can be used ({hash:.12})\n", routes::table(&read.gateway, &read.document, style)))
}
