//! `portico schema`: the configuration's JSON Schema.

use portico_core::config::wire;

use super::{Failure, print};

/// What `portico schema` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Editors with a YAML language server complete, check and explain the configuration when its first line is
  # yaml-language-server: $schema=portico.schema.json

Example:
  portico schema > portico.schema.json")]
pub(super) struct Options {}

/// Runs the command.
pub(super) fn run(_: &Options) -> Result<(), Failure> {
    let mut schema = schemars::schema_for!(wire::Gateway);
    schema.insert("title".to_owned(), "Portico gateway".into());
    print(&format!("{:#}\n", schema.as_value()))
}
