//! The files that `include` names.

use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};
use portico_core::config::{Code, Pointer, Severity};

use super::note::Note;
use super::sources::Sources;
use super::tree::{Kind, Node, Span};

/// One item of `include`: the path of a file, or a pattern with `*`, `?`, `[a-z]` or `**`.
#[derive(Debug)]
pub(super) struct Include {
    pattern: String,
    span: Span,
    pointer: Pointer,
}

/// Takes `include` out of a document. If it is no list of texts it stays, and core says so.
pub(super) fn take(root: &mut Node) -> Vec<Include> {
    let Some(entry) = root.entry("include") else { return Vec::new() };
    let Kind::List(items) = &entry.value.resolved().kind else { return Vec::new() };
    let include = |(index, item): (usize, &std::sync::Arc<Node>)| {
        let pointer = Pointer::root().child_key("include").child_index(index);
        Some(Include { pattern: item.text()?.to_owned(), span: item.span(), pointer })
    };
    let Some(includes) = items.iter().enumerate().map(include).collect::<Option<Vec<_>>>() else { return Vec::new() };
    if let Some(entries) = root.entries_mut() {
        entries.retain(|entry| entry.key != "include");
    }
    includes
}

impl Include {
    /// Where it is written.
    pub(super) const fn span(&self) -> Span {
        self.span
    }

    /// The files that it names, by path. The path of a file stands for itself, whether or not there is such a file.
    pub(super) fn find(&self, directory: &Path, sources: &mut Sources) -> Result<Vec<PathBuf>, Note> {
        if !is_pattern(&self.pattern) {
            return Ok(vec![directory.join(&self.pattern)]);
        }
        sources.watch(&fixed_part(&directory.join(&self.pattern), directory));
        let Some(name) = directory.to_str() else {
            let message = format!("patterns do not work in {}: its name is not UTF-8", directory.display());
            return Err(self.error(Code::FileUnreadable, message));
        };
        // The directory's own name is no pattern, whatever is in it. An absolute pattern replaces it.
        let pattern = Path::new(&Pattern::escape(name)).join(&self.pattern);
        let options =
            MatchOptions { require_literal_separator: true, require_literal_leading_dot: true, ..MatchOptions::new() };
        let found = glob::glob_with(&pattern.to_string_lossy(), options).map_err(|error| {
            self.error(Code::InvalidValue, format!("{:?} is no pattern: {}", self.pattern, error.msg))
        })?;
        let mut paths = Vec::new();
        for path in found {
            let unreadable = |error: glob::GlobError| {
                let message = format!("cannot read {}: {}", error.path().display(), error.error());
                self.error(Code::FileUnreadable, message)
            };
            let path = path.map_err(unreadable)?;
            if path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        if paths.is_empty() {
            let message = format!("no file matches {:?}", self.pattern);
            return Err(self.note(Severity::Warning, Code::IncludeEmpty, message));
        }
        Ok(paths)
    }

    fn error(&self, code: Code, message: String) -> Note {
        self.note(Severity::Error, code, message)
    }

    fn note(&self, severity: Severity, code: Code, message: String) -> Note {
        Note::at(severity, code, self.span, message).with_pointer(self.pointer.clone())
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The directory below which a pattern looks.
fn fixed_part(path: &Path, directory: &Path) -> PathBuf {
    let fixed = directory.components().count();
    let parts = path.components().enumerate();
    let is_fixed = |(index, part): &(usize, Component<'_>)| {
        *index < fixed || part.as_os_str().to_str().is_some_and(|part| !is_pattern(part))
    };
    parts.take_while(is_fixed).map(|(_, part)| part).collect()
}
