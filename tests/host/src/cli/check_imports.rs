//! `portico-wasi-host check-imports`: would stock Spin 4 run this component?

use std::path::PathBuf;

use clap::Args;
use wasmtime::error::Context as _;
use wasmtime::{Result, bail};

use crate::{component, imports};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The component
    #[arg(value_name = "COMPONENT")]
    component: PathBuf,
}

/// Prints what is imported. Fails with the list of what Spin does not have.
pub(super) fn run(options: &Options) -> Result<()> {
    let engine = component::engine()?;
    let component = component::load(&engine, &options.component)?;
    let imports = imports::list(&engine, &component);
    for import in &imports {
        println!("{import}");
    }
    let foreign = imports::foreign(&imports);
    if !foreign.is_empty() {
        bail!("Spin 4 does not have {}\nhelp: leave the library out that asks for it", foreign.join(", "));
    }
    imports::check_types(&engine, &component).context("an import is not as its WIT package has it")
}
