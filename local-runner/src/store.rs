//! The key-value store of the servers: `--values DIR`, else the Redis of `state`, and what becomes of a configuration that needs one
//! without it.

use std::path::PathBuf;

use portico::config::Report;
use portico::values::Values;
use portico_core::config::{Code, Findings, Pointer};
use serde_json::Value;

use crate::configuration::{Configuration, Purpose, Refused};

/// The option of a command that serves.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct StoreOption {
    /// The key-value store: a directory in which the file keys/4f… holds the value under keys/4f…
    #[arg(long, value_name = "DIR")]
    values: Option<PathBuf>,
}

impl StoreOption {
    /// Opens the store, if there is to be one. The error tells the directory.
    pub(crate) fn open(&self) -> Result<Option<Values>, String> {
        let open = |path: &PathBuf| Values::open(path).map_err(|error| format!("{}: {error}", path.display()));
        self.values.as_ref().map(open).transpose()
    }
}

/// The configuration, if it needs no store, `values` is one or it has one of its own that the server uses.
pub(crate) fn provided(
    configuration: Configuration,
    values: Option<&Values>,
    purpose: Purpose,
) -> Result<Configuration, Refused> {
    let has_store = values.is_some() || purpose == Purpose::Serve && configuration.gateway.redis().is_some();
    let mut findings = Findings::new();
    for at in needs(&configuration.document).into_iter().filter(|_| !has_store) {
        findings
            .error(&at, "this server has no key-value store")
            .code(Code::StoreMissing)
            .help("start it with --values DIR, a directory that holds the values; `portico serve` also takes them from the Redis of `state`");
    }
    if findings.is_empty() {
        return Ok(configuration);
    }
    let Configuration { report, watched, .. } = configuration;
    Err(Refused { report: Report::new(report.sources(), &[], &findings), watched })
}

/// Where a document names what only a store has.
pub(crate) fn needs(document: &Value) -> Vec<Pointer> {
    let root = Pointer::root().child_key("identities");
    let identities = document.get("identities").and_then(Value::as_object);
    let mut found = Vec::new();
    for (name, identity) in identities.into_iter().flatten() {
        for path in [["api_key", "store"].as_slice(), &["jwt", "jwks", "store"]] {
            let at = path.iter().fold(root.child_key(name), |at, key| at.child_key(*key));
            let value = path.iter().try_fold(identity, |value, key| value.get(*key));
            found.extend(value.map(|_| at));
        }
    }
    found
}
