//! From a path to one document: the file, the files that it includes, and the key sets that they name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use portico_core::config::{Finding, Severity};
use serde_json::Value;

use super::include;
use super::key_sets;
use super::merge::merge;
use super::note::Note;
use super::report::Report;
use super::sources::Sources;
use super::tree::{FileId, Node, Span};
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
    let path = path.as_ref();
    Loader::default().whole(path, directory_of(path), |loader| loader.file(path, None))
}

/// The same for a text that comes through a pipe: it is called `name`, and what it names is looked for in `directory`.
pub fn load_text(text: String, name: &Path, directory: &Path) -> Result<Loaded, Report> {
    Loader::default().whole(name, directory, |loader| {
        let id = loader.sources.add(name, text);
        loader.parsed(id, directory)
    })
}

/// Reads a document that is no configuration and so includes nothing: a file of cases.
pub fn load_plain(path: &Path) -> Result<Loaded, Report> {
    let mut sources = Sources::default();
    let read = sources.read(path, None).map_err(|note| vec![note]);
    plain(sources, read)
}

/// The same for a text that stands, or will stand, in the file at `path`.
pub fn parse_plain(text: &str, path: &Path) -> Result<Loaded, Report> {
    let mut sources = Sources::default();
    let id = sources.add(path, text.to_owned());
    plain(sources, Ok(id))
}

fn plain(mut sources: Sources, read: Result<FileId, Vec<Note>>) -> Result<Loaded, Report> {
    match read.and_then(|id| parse(sources.text(id), id)) {
        Ok(root) => {
            let document = root.to_value();
            sources.set_root(root);
            Ok(Loaded { document, sources, notes: Vec::new() })
        }
        Err(notes) => Err(Report::new(&sources, &notes, &[])),
    }
}

#[derive(Default)]
struct Loader {
    sources: Sources,
    notes: Vec<Note>,
}

impl Loader {
    /// What begins with the file called `name`, whose includes are in `directory`.
    fn whole(
        mut self,
        name: &Path,
        directory: &Path,
        first: impl FnOnce(&mut Self) -> Option<Node>,
    ) -> Result<Loaded, Report> {
        let root = first(&mut self).map(|root| self.with_includes(root, name, directory));
        let Self { mut sources, notes } = self;
        match root {
            Some(root) if notes.iter().all(|note| note.severity != Severity::Error) => {
                let document = root.to_value();
                sources.set_root(root);
                Ok(Loaded { document, sources, notes })
            }
            _ => Err(Report::new(&sources, &notes, &[])),
        }
    }

    /// The whole document. What could not be read is noted and left out.
    fn with_includes(&mut self, mut root: Node, name: &Path, directory: &Path) -> Node {
        let mut seen = HashSet::from([identity(name)]);
        for include in include::take(&mut root) {
            let found = include.find(directory, &mut self.sources);
            for found in found.unwrap_or_else(|note| self.note(note)) {
                if seen.insert(identity(&found))
                    && let Some(included) = self.file(&found, Some(include.span()))
                {
                    self.notes.extend(merge(&mut root, &included, name, &self.sources));
                }
            }
        }
        root
    }

    /// One file, with its key sets; `None` when it is not there or cannot be read.
    fn file(&mut self, path: &Path, from: Option<Span>) -> Option<Node> {
        let id = self.sources.read(path, from).map_err(|note| self.notes.push(note)).ok()?;
        self.parsed(id, directory_of(path))
    }

    /// A file that was read, with the key sets that it names in `directory`.
    fn parsed(&mut self, id: FileId, directory: &Path) -> Option<Node> {
        let parsed = parse(self.sources.text(id), id);
        let mut root = parsed.map_err(|notes| self.notes.extend(notes)).ok()?;
        for reference in key_sets::references(&root) {
            match reference.read(directory, &mut self.sources) {
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
