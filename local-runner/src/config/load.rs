//! From a path to one document: the file, the files that it includes, and the key sets that they name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use portico_core::config::{Finding, Severity};
use serde_json::Value;

use super::include;
use super::key_sets;
use super::merge::merge;
use super::report::{Note, Report};
use super::sources::Sources;
use super::tree::{Node, Span};
use super::yaml::parse;

/// A document, and where its parts come from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What all the files say together, without `include`.
    pub document: Value,
    /// The files.
    pub sources: Sources,
    /// Warnings about the files.
    pub notes: Vec<Note>,
}

impl Loaded {
    /// What is to be said about the files, and what core found in the document.
    pub fn report<'a>(&self, findings: impl IntoIterator<Item = &'a Finding>) -> Report {
        Report::new(&self.sources, &self.notes, findings)
    }
}

/// Reads a configuration.
///
/// - `include` lists files and patterns, relative to the file at `path`. Each pattern's files are read in the order of their
///   paths, each file once, hidden ones only if named. A pattern that matches nothing is a warning; a file that is named and
///   is not there, an error.
/// - An included file may hold `routes`, which are put behind those that are there, and `upstreams` and `identities`, whose
///   names must be new.
/// - A `jwks` of a JWT identity that is text, and no http(s) URL, is the path of a JSON file, relative to the file in which
///   it is written. Its content takes its place.
///
/// The report of a failure holds all errors in all files, and what to watch until they are mended.
pub fn load(path: impl AsRef<Path>) -> Result<Loaded, Report> {
    let mut loader = Loader { sources: Sources::default(), notes: Vec::new() };
    let root = loader.load(path.as_ref());
    let Loader { mut sources, notes } = loader;
    match root {
        Some(root) if notes.iter().all(|note| note.severity != Severity::Error) => {
            let document = root.to_value();
            sources.set_root(root);
            Ok(Loaded { document, sources, notes })
        }
        _ => Err(Report::new(&sources, &notes, &[])),
    }
}

struct Loader {
    sources: Sources,
    notes: Vec<Note>,
}

impl Loader {
    /// The whole document. What could not be read is noted and left out.
    fn load(&mut self, path: &Path) -> Option<Node> {
        let mut root = self.file(path, None)?;
        let mut seen = HashSet::from([identity(path)]);
        for include in include::take(&mut root) {
            let found = include.find(directory_of(path), &mut self.sources);
            for found in found.unwrap_or_else(|note| self.note(note)) {
                if seen.insert(identity(&found))
                    && let Some(included) = self.file(&found, Some(include.span()))
                {
                    self.notes.extend(merge(&mut root, &included, path, &self.sources));
                }
            }
        }
        Some(root)
    }

    /// One file, with its key sets; `None` when it is not there or cannot be read.
    fn file(&mut self, path: &Path, from: Option<Span>) -> Option<Node> {
        let read = self.sources.read(path, from).map_err(|note| vec![note]);
        let parsed = read.and_then(|id| parse(self.sources.text(id), id));
        let mut root = parsed.map_err(|notes| self.notes.extend(notes)).ok()?;
        for reference in key_sets::references(&root) {
            match reference.read(directory_of(path), &mut self.sources) {
                Ok(set) => reference.replace(&mut root, set),
                Err(notes) => self.notes.extend(notes),
            }
        }
        Some(root)
    }

    fn note<T: Default>(&mut self, note: Note) -> T {
        self.notes.push(note);
        T::default()
    }
}

fn directory_of(file: &Path) -> &Path {
    file.parent().unwrap_or_else(|| Path::new(""))
}

/// The same for all names of a file. A file that is not there has one name only.
fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests;
