//! `portico schema`: the JSON Schemas of configurations and of cases.

use portico::case;
use portico_core::config::wire;

use super::{Failure, print};

/// What `portico schema` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Editors with a YAML language server complete, check and explain a file when its first line is
  # yaml-language-server: $schema=portico.schema.json

Examples:
  portico schema > portico.schema.json
  portico schema --cases > cases.schema.json")]
pub(super) struct Options {
    /// The schema of case files, for `portico test`
    #[arg(long)]
    cases: bool,
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let schema = if options.cases {
        case::schema()
    } else {
        let mut schema = schemars::schema_for!(wire::Gateway);
        schema.insert("title".to_owned(), "Portico gateway".into());
        schema
    };
    print(&format!("{:#}\n", schema.as_value()))
}
