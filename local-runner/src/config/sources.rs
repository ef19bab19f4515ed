//! The files that a document was read from, and the way back from a pointer to a line.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portico_core::config::{Code, Part, Pointer, Segment};
use serde_json::Value;

use super::excerpt::Excerpt;
use super::note::Note;
use super::tree::{FileId, Kind, Node, Span};
use super::yaml::MAX_BYTES;

/// The files, in the order in which they were read, and where in them the document's parts are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sources {
    files: Vec<Arc<Source>>,
    root: Arc<Node>,
    watched: BTreeSet<PathBuf>,
}

/// A place in a file, with the line in question. It shows as `file:line:column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it is to be shown.
    pub file: String,
    /// Its line, from 1.
    pub line: u32,
    /// Its column, from 1, in characters.
    pub column: u32,
    /// The line with carets below what is meant; empty when it is too long to be shown.
    pub excerpt: String,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
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
    /// A document that stands in this one, at `pointer`; the same where there is none.
    pub fn part(&self, pointer: &Pointer) -> Self {
        let mut root = &self.root;
        for segment in pointer.segments() {
            let below = match segment {
                Segment::Key(name) => root.entry(name).map(|entry| &entry.value),
                Segment::Index(index) => root.items().get(*index),
            };
            root = below.unwrap_or(root);
        }
        Self { files: self.files.clone(), root: Arc::clone(root), watched: self.watched.clone() }
    }

    /// Where `pointer` points to, or the nearest thing around it that exists, to be shown; `None` when no file could be read.
    pub fn place(&self, pointer: &Pointer) -> Option<Place> {
        let span = self.locate(pointer, Part::Value)?;
        let source = self.file(span.file)?;
        let file = source.path.display().to_string();
        let mut excerpt = String::new();
        if let Some(lines) = Excerpt::around(span, &source.text, file.clone()) {
            lines.plain(&mut excerpt);
        }
        Some(Place { file, line: span.line, column: span.column, excerpt })
    }

    /// Where `pointer` points to, or the nearest thing around it that exists; `None` when no file could be read.
    pub fn locate(&self, pointer: &Pointer, part: Part) -> Option<Span> {
        let span = self.root.locate(pointer, part);
        self.file(span.file).map(|_| span)
    }

    /// The line and the column behind the last character of a place, both from 1.
    pub fn end(&self, span: Span) -> (u32, u32) {
        let range = span.offset as usize..span.end() as usize;
        let meant = self.file(span.file).and_then(|source| source.text.get(range)).unwrap_or_default();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (above, last) = meant.rsplit_once('\n').map_or((None, meant), |(above, last)| (Some(above), last));
        let column = number(last.chars().count());
        match above {
            None => (span.line, span.column.saturating_add(column)),
            Some(above) => (span.line.saturating_add(number(above.split('\n').count())), column.saturating_add(1)),
        }
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
            Note { span: from, ..Note::nowhere(Code::FileUnreadable, message) }
        })?;
        Ok(self.add(path, text))
    }

    /// Takes a file as read.
    pub(super) fn add(&mut self, path: &Path, text: String) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Arc::new(Source { path: path.to_owned(), text }));
        id
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
