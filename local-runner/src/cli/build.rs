//! `portico build`: what is deployed.

use std::path::{Path, PathBuf};

use portico::config::Style;
use portico_core::config::Bundle;

use super::{ConfigOption, Failure, note, print};
use crate::check::Target;
use crate::configuration::{self, Purpose};
use crate::secrets::Secrets;

/// What `portico build` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A bundle is one line of JSON: the configuration with its includes and key sets in canonical form, and the SHA-256 of that.
The same meaning gives the same bytes, whatever comments, order of keys or YAML style were. Secrets are not in it, only
their names. `portico serve --config gateway.json` runs it.

Examples:
  portico build > gateway.json
  portico build --out dist/gateway.json
  portico build --target cloudflare --out bundle.json

Exit codes: 0 it is built; 1 the file could not be written; 2 the configuration cannot be used, or not on that platform.")]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// Write the bundle to a file, replaced in one step, instead of stdout
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Refuse what this platform cannot keep, and demo upstreams
    #[arg(long, value_enum, value_name = "PLATFORM")]
    target: Option<Target>,
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let path = &options.config.path;
    let read = configuration::read(path, Purpose::Build(options.target), &Secrets::environment())
        .map_err(|refused| Failure::configuration(&refused.report))?;
    note(&read.report.render(Style::for_stream(&std::io::stderr())));
    let bundle = Bundle::new(read.document);
    let text = format!("{bundle}\n");
    match &options.out {
        None => print(&text)?,
        Some(out) => replace(out, &text).map_err(|error| {
            let help = "choose another file with --out, or write it to stdout without --out";
            Failure::runtime(format_args!("{} could not be written: {error}", out.display()), help)
        })?,
    }
    note(&format!("{}: {}\n", path.display(), bundle.hash));
    Ok(())
}

/// Writes beside the file and renames: whoever reads it meanwhile reads the old one or the new one.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // it may never have been made
        drop(std::fs::remove_file(&beside));
    }
    written
}
