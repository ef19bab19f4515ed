//! Findings for people, on a terminal and elsewhere, and for tools.

use std::fmt::Write as _;
use std::io::IsTerminal;

use portico_core::config::{Finding, Pointer, Severity};
use serde_json::json;

use super::excerpt::{Excerpt, Shown};
use super::sources::Sources;
use super::tree::Span;

/// A finding that knows its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is; `None` when it is about no file that could be read.
    pub span: Option<Span>,
    /// Where it is in the document; the root when it is about a file rather than a document.
    pub pointer: Pointer,
    /// What is wrong.
    pub message: String,
    /// What to do about it, if that is known.
    pub help: Option<String>,
}

impl Note {
    /// About a place in a file.
    pub fn at(severity: Severity, span: Span, message: impl Into<String>) -> Self {
        Self { severity, span: Some(span), pointer: Pointer::root(), message: message.into(), help: None }
    }

    /// Adds what to do about it.
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Adds where it is in the document.
    pub fn with_pointer(self, pointer: Pointer) -> Self {
        Self { pointer, ..self }
    }
}

/// How a report looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With frames, for a terminal; in colour if that is wanted.
    Fancy {
        /// Whether to use colours.
        colour: bool,
    },
    /// `file:line:column: error: message`, so that editors can jump.
    Plain,
    /// One array of objects with severity, file, line, column, pointer, message and help; what is unknown is null.
    Json,
}

impl Style {
    /// Fancy if `stream` is a terminal that can, plain otherwise. `NO_COLOR` (if not empty) keeps colours away.
    pub fn for_stream(stream: &impl IsTerminal) -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if stream.is_terminal() && !dumb { Self::Fancy { colour: !is_set("NO_COLOR") } } else { Self::Plain }
    }
}

/// All that is to be said about a configuration, in the order of its files and lines.
#[derive(Debug, Clone)]
pub struct Report {
    notes: Vec<Note>,
    sources: Sources,
}

impl Report {
    /// Joins what was noted while reading with what core found.
    pub fn new<'a>(sources: &Sources, notes: &[Note], findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let placed = |finding: &Finding| Note {
            severity: finding.severity,
            span: sources.locate(&finding.pointer, finding.part),
            pointer: finding.pointer.clone(),
            message: finding.message.clone(),
            help: finding.help.clone(),
        };
        let mut notes: Vec<_> = notes.iter().cloned().chain(findings.into_iter().map(placed)).collect();
        notes.sort_by_key(|note| note.span.map(|span| (span.file, span.offset)));
        Self { notes, sources: sources.clone() }
    }

    /// What there is to say, by file and line; what has no place comes first.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Where it was read from: what to watch until it is mended.
    pub const fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Whether the configuration cannot be used.
    pub fn has_errors(&self) -> bool {
        self.notes.iter().any(|note| note.severity == Severity::Error)
    }

    /// `3 errors, 1 warning`; empty if there is nothing to say.
    pub fn summary(&self) -> String {
        let count = |severity: Severity| {
            let count = self.notes.iter().filter(|note| note.severity == severity).count();
            (count > 0).then(|| format!("{count} {severity}{}", if count == 1 { "" } else { "s" }))
        };
        let counts: Vec<_> = [Severity::Error, Severity::Warning].into_iter().filter_map(count).collect();
        counts.join(", ")
    }

    /// The whole report. Without findings it is empty, as JSON `[]`.
    pub fn render(&self, style: Style) -> String {
        let mut out = String::new();
        match style {
            Style::Json => return self.json(),
            Style::Fancy { colour } => self.notes.iter().for_each(|note| self.fancy(note, colour, &mut out)),
            Style::Plain => self.notes.iter().for_each(|note| self.plain(note, &mut out)),
        }
        if !self.notes.is_empty() {
            out.push_str(&self.summary());
            out.push('\n');
        }
        out
    }

    fn json(&self) -> String {
        let notes = self.notes.iter().map(|note| {
            json!({
                "severity": note.severity.to_string(),
                "file": note.span.map(|span| self.file_name(span)),
                "line": note.span.map(|span| span.line),
                "column": note.span.map(|span| span.column),
                "pointer": (!note.pointer.is_root()).then(|| note.pointer.to_string()),
                "message": note.message,
                "help": note.help,
            })
        });
        let mut out = format!("{:#}", serde_json::Value::Array(notes.collect()));
        out.push('\n');
        out
    }

    fn file_name(&self, span: Span) -> String {
        self.sources.file(span.file).map(|source| source.path.display().to_string()).unwrap_or_default()
    }

    /// `file:line:column: `, or nothing.
    fn place(&self, note: &Note) -> String {
        let place = |span: Span| format!("{}:{}:{}: ", self.file_name(span), span.line, span.column);
        note.span.map(place).unwrap_or_default()
    }

    fn excerpt(&self, note: &Note) -> Option<Excerpt> {
        let span = note.span?;
        Excerpt::around(span, &self.sources.file(span.file)?.text, self.file_name(span))
    }

    // Writing to a String does not fail.
    fn plain(&self, note: &Note, out: &mut String) {
        _ = writeln!(out, "{}{}: {}", self.place(note), note.severity, note.message);
        if let Some(excerpt) = self.excerpt(note) {
            excerpt.plain(out);
        }
        if let Some(help) = &note.help {
            _ = writeln!(out, "  help: {help}");
        }
        if !note.pointer.is_root() {
            _ = writeln!(out, "  at: {}", note.pointer);
        }
        out.push('\n');
    }

    fn fancy(&self, note: &Note, colour: bool, out: &mut String) {
        let excerpt = self.excerpt(note);
        let place = if excerpt.is_some() { String::new() } else { self.place(note) };
        let shown = Shown { note, message: format!("{place}{}", note.message), excerpt };
        if shown.render(colour, out).is_err() {
            self.plain(note, out);
        }
        out.push('\n');
    }
}

/// As [`Style::Plain`].
impl std::fmt::Display for Report {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.render(Style::Plain))
    }
}

impl std::error::Error for Report {}

#[cfg(test)]
mod tests;
