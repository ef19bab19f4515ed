//! `portico-wasi-host check-imports`: would stock Spin 4 run this component, or any host of WASI?

use std::path::PathBuf;

use clap::Args;
use wasmtime::error::Context as _;
use wasmtime::{Result, bail};

use crate::app::Kind;
use crate::{component, imports};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The component
    #[arg(value_name = "COMPONENT")]
    component: PathBuf,

    /// Ask for a host that has WASI and nothing of Spin's
    #[arg(long)]
    plain: bool,
}

/// Prints what is imported. Fails with the list of what the host does not have.
pub(super) fn run(options: &Options) -> Result<()> {
    let engine = component::engine()?;
    let component = component::load(&engine, &options.component)?;
    let imports = imports::list(&engine, &component);
    for import in &imports {
        println!("{import}");
    }
    let kind = Kind::new(options.plain);
    let foreign = imports::foreign(&imports, kind);
    if !foreign.is_empty() {
        let host = match kind {
            Kind::Spin => "Spin 4",
            Kind::Plain => "WASI alone",
        };
        bail!("{host} does not have {}\nhelp: leave the library out that asks for it", foreign.join(", "));
    }
    imports::check_types(&engine, &component, kind).context("an import is not as its WIT package has it")
}
