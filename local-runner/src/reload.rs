//! Reloading: a new configuration takes the place of the one that serves, or a report says why not.

use std::path::PathBuf;
use std::sync::Arc;

use portico::config::Report;
use portico::server::Current;
use portico::values::Values;
use portico_core::config::{Code, Findings, Hash, Pointer};

use crate::configuration::{self, Configuration, Purpose, Refused};
use crate::secrets::Secrets;
use crate::store;

/// Everything that it takes to read the configuration again.
#[derive(Debug)]
pub(crate) struct Reloader {
    pub(crate) path: PathBuf,
    pub(crate) purpose: Purpose,
    pub(crate) secrets: Secrets,
    pub(crate) values: Option<Values>,
    /// The gateway that serves. Requests under way keep the one they began with; streams and WebSockets go on.
    pub(crate) current: Current,
}

/// What became of a reload.
#[derive(Debug)]
pub(crate) enum Reloaded {
    /// The files say what they said before: nothing was done.
    Unchanged(Hash),
    /// Requests that come from now on are served by the new configuration.
    Replaced {
        /// The old configuration.
        before: Hash,
        /// The new one.
        now: Hash,
        /// How many routes it has.
        routes: usize,
        /// Its warnings.
        report: Report,
    },
    /// The new configuration is wrong; the old one keeps serving.
    Refused {
        /// The old configuration.
        kept: Hash,
        /// What is wrong.
        report: Report,
    },
}

impl Reloader {
    /// Reads the configuration again. Also returns the files and directories that it depends on now.
    pub(crate) fn reload(&self) -> (Reloaded, Vec<PathBuf>) {
        let before = self.current.load().hash();
        let read = configuration::read(&self.path, self.purpose, &self.secrets);
        let read = read.and_then(|read| store::provided(read, self.values.as_ref(), self.purpose));
        match read.and_then(|read| self.where_it_was(read)) {
            Err(refused) => (Reloaded::Refused { kept: before, report: refused.report }, refused.watched),
            Ok(new) if new.gateway.hash() == before => (Reloaded::Unchanged(before), new.watched),
            Ok(new) => {
                let (now, routes) = (new.gateway.hash(), new.gateway.routes().count());
                self.current.store(Arc::new(new.gateway.following(&self.current.load())));
                (Reloaded::Replaced { before, now, routes, report: new.report }, new.watched)
            }
        }
    }

    /// The configuration, unless it would count elsewhere: limits go on where they are as long as the server runs.
    fn where_it_was(&self, new: Configuration) -> Result<Configuration, Refused> {
        if self.purpose != Purpose::Serve || new.gateway.redis() == self.current.load().redis() {
            return Ok(new);
        }
        let mut findings = Findings::new();
        findings
            .error(Pointer::root().child_key("state"), "`state` cannot change while the server runs")
            .code(Code::Unsupported)
            .help("restart the server");
        let Configuration { report, watched, .. } = new;
        Err(Refused { report: Report::new(report.sources(), &[], &findings), watched })
    }
}
