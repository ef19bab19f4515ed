//! One of the two configurations, wherever it comes from.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use portico::config::{MAX_BYTES, Place, Report};
use portico_core::Gateway;
use portico_core::config::Pointer;
use serde_json::Value;

use crate::configuration::{self, Configuration, Purpose};
use crate::secrets::Secrets;

/// One of the two configurations.
#[derive(Debug)]
pub(crate) struct Side {
    /// What it is called: its path as it was given.
    pub(crate) name: String,
    configuration: Configuration,
}

/// Why a configuration could not be read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// There is nothing to read.
    Missing(String),
    /// It is wrong.
    Wrong(Report),
}

impl Side {
    /// Reads a configuration: a YAML file, a bundle, or either of them through a pipe or stdin (`-`). The files that a piped
    /// one names are looked for beside `other`, the configuration it is compared with.
    pub(crate) fn read(path: &Path, other: &Path) -> Result<Self, Unread> {
        let name = if is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() };
        let missing = |error: io::Error| Unread::Missing(format!("cannot read {name}: {error}"));
        let read = if is_stdin(path) {
            configuration::read_text(text(io::stdin()).map_err(missing)?, Path::new("stdin"), &directory(other))
        } else if std::fs::metadata(path).map_err(missing)?.is_file() {
            configuration::read(path, Purpose::Build(None), &Secrets::environment())
        } else {
            // a pipe can be read only once
            let text = File::open(path).and_then(text).map_err(missing)?;
            configuration::read_text(text, path, &directory(other))
        };
        let configuration = read.map_err(|refused| Unread::Wrong(refused.report))?;
        Ok(Self { name, configuration })
    }

    /// A configuration that is written in a test.
    #[cfg(test)]
    pub(super) fn of(name: &str, text: &str) -> Self {
        match configuration::read_text(text.to_owned(), Path::new(name), Path::new("")) {
            Ok(configuration) => Self { name: name.to_owned(), configuration },
            Err(refused) => panic!("{}", refused.report),
        }
    }

    /// What its files say together.
    pub(super) fn document(&self) -> &Value {
        &self.configuration.document
    }

    /// What it compiles to.
    pub(super) fn gateway(&self) -> &Gateway {
        &self.configuration.gateway
    }

    /// Where something is written, or the nearest thing around it; `None` for a bundle, which has no lines.
    pub(super) fn place(&self, pointer: &Pointer) -> Option<Place> {
        self.configuration.report.sources().place(pointer)
    }
}

/// Whether a path means stdin.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn directory(of: &Path) -> PathBuf {
    let file = std::fs::metadata(of).is_ok_and(|of| of.is_file());
    of.parent().filter(|_| file).unwrap_or_else(|| Path::new("")).to_owned()
}

fn text(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(MAX_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
