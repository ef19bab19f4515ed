//! `portico test --against`: cases on a gateway that runs already.

use portico::case::Case;
use portico::case::live::{Given, Live};

use crate::cli::{Failure, note};

/// What it takes.
#[derive(Debug, clap::Args)]
pub(super) struct Against {
    /// Run the cases on the gateway that runs at this URL, one after the other, with stubs in the place of its upstreams
    #[arg(long, value_name = "URL", conflicts_with = "jobs")]
    against: Option<String>,
    /// Where the stub for an upstream listens: NAME=ADDRESS:PORT, or ADDRESS:PORT for all that have none; may be given more than
    /// once [default: where the configuration's targets are, if that is on loopback]
    #[arg(long, value_name = "[NAME=]ADDRESS:PORT", requires = "against")]
    origin: Vec<Given>,
    /// The environment variable with the secret of the gateway's `debug`: without it decisions cannot be compared there
    #[arg(long, value_name = "VARIABLE", requires = "against")]
    debug_secret_env: Option<String>,
}

impl Against {
    /// The gateway, if cases are to run on one, with all the stubs that `cases` need.
    pub(super) fn live(&self, cases: &[Case]) -> Result<Option<Live>, Failure> {
        let Some(url) = &self.against else { return Ok(None) };
        let secret = self.debug_secret_env.as_deref().map(secret).transpose()?;
        let live = Live::new(url, &self.origin, secret.as_deref(), cases);
        live.map(Some).map_err(|problem| Failure::usage(problem.message, problem.help))
    }
}

/// What is worth knowing about a run besides its results.
pub(super) fn notes(live: &Live) {
    live.notes().iter().for_each(|text| note(&format!("note: {text}\n")));
}

/// The name is not repeated: it may be the secret itself, given in its place.
fn secret(variable: &str) -> Result<String, Failure> {
    std::env::var(variable).map_err(|_| {
        let help = "set it to the secret that the gateway's `debug` names, and give its name: --debug-secret-env PORTICO_DEBUG";
        Failure::usage("the environment variable of --debug-secret-env is not set, or is no text", help)
    })
}
