//! The files that a document was read from, and the way back from a pointer to a line.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portico_core::config::{Part, Pointer, Severity};
use serde_json::Value;

use super::report::Note;
use super::tree::{FileId, Kind, Node, Span};
use super::yaml::MAX_BYTES;

/// The files, in the order in which they were read, and where in them the document's parts are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sources {
    files: Vec<Arc<Source>>,
    root: Arc<Node>,
    watched: BTreeSet<PathBuf>,
}

/// A file that was read.
#[derive(Debug)]
pub struct Source {
    /// Its path, as it is to be shown: relative if the first file's was.
    pub path: PathBuf,
    /// Its text, without a byte order mark.
    pub text: String,
}

impl Default for Sources {
    fn default() -> Self {
        let root = Node { span: Span::start_of(FileId(0)), kind: Kind::Scalar(Value::Null) };
        Self { files: Vec::new(), root: Arc::new(root), watched: BTreeSet::new() }
    }
}

impl Sources {
    /// Where `pointer` points to, or the nearest thing around it that exists; `None` when no file could be read.
    pub fn locate(&self, pointer: &Pointer, part: Part) -> Option<Span> {
        let span = self.root.locate(pointer, part);
        self.file(span.file).map(|_| span)
    }

    /// One of the files; `None` for a number from other sources.
    pub fn file(&self, id: FileId) -> Option<&Source> {
        self.files.get(id.0 as usize).map(|source| &**source)
    }

    /// The text of a file that was read.
    pub(super) fn text(&self, id: FileId) -> &str {
        self.file(id).map_or("", |source| &source.text)
    }

    /// `file:line:column`, for messages.
    pub(super) fn name(&self, span: Span) -> String {
        let path = self.file(span.file).map(|source| source.path.display().to_string());
        format!("{}:{}:{}", path.unwrap_or_default(), span.line, span.column)
    }

    /// All files that were read, in that order.
    pub fn files(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().map(|source| &**source)
    }

    /// What to watch for changes: every file that was read or is missing, and the directories (with all below them) in
    /// which a pattern may match something new. Also complete when reading failed.
    pub fn watched(&self) -> impl Iterator<Item = &Path> {
        self.watched.iter().map(PathBuf::as_path)
    }

    pub(super) fn watch(&mut self, path: &Path) {
        let here = path.as_os_str().is_empty();
        self.watched.insert(if here { PathBuf::from(".") } else { path.to_owned() });
    }

    pub(super) fn set_root(&mut self, root: Node) {
        self.root = Arc::new(root);
    }

    /// Reads a file. `from`: the place that asks for it.
    pub(super) fn read(&mut self, path: &Path, from: Option<Span>) -> Result<FileId, Note> {
        self.watch(path);
        let text = read_text(path).map_err(|trouble| {
            let message = format!("cannot read {}: {trouble}", path.display());
            Note { severity: Severity::Error, span: from, pointer: Pointer::root(), message, help: None }
        })?;
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Arc::new(Source { path: path.to_owned(), text }));
        Ok(id)
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_BYTES >> 20));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
            Err(format!("it is not UTF-8 (line {line})"))
        }
    }
}
