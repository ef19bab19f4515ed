//! `portico test --init`: a first case for each route of a gateway.

use std::path::PathBuf;

use portico::case::init::{Made, init};
use portico_core::config::compile;

use super::select;
use crate::cli::{Failure, note, print};

/// What it takes.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// Write a first case for each route of a gateway into the folder PATH; files that are there stay as they are
    #[arg(long, conflicts_with_all = ["against", "filter", "format", "jobs", "list", "output"])]
    init: bool,
    /// The gateway that --init writes cases for
    #[arg(short = 'c', long, value_name = "FILE", default_value = "gateway.yaml", requires = "init")]
    config: PathBuf,
}

impl Init {
    /// Whether cases are to be written.
    pub(super) fn is_wanted(&self) -> bool {
        self.init
    }

    /// Writes them.
    pub(super) fn run(&self, paths: &[PathBuf]) -> Result<(), Failure> {
        let folder = match paths {
            [] => &select::home(),
            [folder] => folder,
            _ => return Err(Failure::usage("--init writes into one folder", "name one, or none for `cases`")),
        };
        let loaded = portico::config::load(&self.config).map_err(|report| Failure::configuration(&report))?;
        if loaded.document.get("bundle").is_some() {
            let message = format!("{} is a bundle, and cases refer to what is written", self.config.display());
            return Err(Failure::usage(message, "name the YAML that it was built from with --config FILE"));
        }
        let compiled = compile(&loaded.document);
        let (gateway, _) = compiled.map_err(|findings| Failure::configuration(&loaded.report(&findings)))?;
        let made = init(&self.config, &loaded.document, &gateway, folder);
        let mut failed = Vec::new();
        for made in made.map_err(|problem| Failure::usage(problem.message, problem.help))? {
            match made {
                Made::Written(path) => print(&format!("wrote {}\n", path.display()))?,
                Made::Kept(path) => note(&format!("kept {}, which was there\n", path.display())),
                Made::Unreached(route) => note(&format!(
                    "no case for the route {route:?}: other routes served every request that was tried; write one by hand\n"
                )),
                Made::Failed(route, why) => failed.push(format!("the route {route:?}: {why}")),
            }
        }
        note(&format!("run them: portico test {}\n", folder.display()));
        if failed.is_empty() {
            return Ok(());
        }
        let help =
            "if the configuration is not to blame, please report this with the routes: it is a defect of portico";
        Err(Failure::runtime(format_args!("no case could be written for {}", failed.join("\n")), help))
    }
}
