//! Findings for people, on a terminal and elsewhere, and for tools.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::IsTerminal;

use portico_core::config::{Code, Finding, Part, Severity, Waiver};
use serde_json::json;

use super::excerpt::{Excerpt, Shown};
use super::note::{Note, Waived};
use super::sarif;
use super::sources::Sources;
use super::tree::Span;

/// How a report looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With frames, for a terminal; in colour if that is wanted.
    Fancy {
        /// Whether to use colours.
        colour: bool,
    },
    /// `file:line:column: error: message [code]`, so that editors can jump.
    Plain,
    /// One array of objects with severity, code, file, line, column, end_line, end_column, pointer, message, help and waived
    /// (the reason); what is unknown is null.
    Json,
    /// SARIF 2.1.0, which code hosts and editors show beside the lines.
    Sarif,
}

impl Style {
    /// Fancy if `stream` is a terminal that can, plain otherwise. `NO_COLOR` (if not empty) keeps colours away.
    pub fn for_stream(stream: &impl IsTerminal) -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if stream.is_terminal() && !dumb { Self::Fancy { colour: !is_set("NO_COLOR") } } else { Self::Plain }
    }
}

/// Whether every finding that could have been made was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Some were not: a waiver without a finding may have its use all the same.
    Partial,
    /// All were: a waiver without a finding is of no use.
    Full,
}

/// All that is to be said about a configuration, in the order of its files and lines.
#[derive(Debug, Clone)]
pub struct Report {
    notes: Vec<Note>,
    waived: Vec<Waived>,
    /// Boxed, because every reading of a configuration returns room for a report.
    sources: Box<Sources>,
}

impl Report {
    /// Joins what was noted while reading with what core found.
    pub fn new<'a>(sources: &Sources, notes: &[Note], findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let placed = findings.into_iter().map(|finding| Note::place(finding, sources));
        let notes = notes.iter().cloned().chain(placed).collect();
        let mut report = Self { notes, waived: Vec::new(), sources: Box::new(sources.clone()) };
        report.sort();
        report
    }

    /// Puts aside what is waived: a warning with the waiver's code, at the waiver's scope or below it. Of several waivers the
    /// nearest counts. After a full search those that waive nothing are warned of.
    pub fn waive(&mut self, waivers: &[Waiver<'_>], search: Search) {
        let mut used = BTreeSet::new();
        for note in std::mem::take(&mut self.notes) {
            let fits = |(_, waiver): &(usize, &Waiver<'_>)| {
                note.severity == Severity::Warning
                    && note.code.as_str() == waiver.code
                    && note.pointer.segments().starts_with(waiver.scope.segments())
            };
            let nearest = waivers.iter().enumerate().filter(fits);
            match nearest.max_by_key(|(_, waiver)| waiver.scope.segments().len()) {
                Some((index, waiver)) => {
                    used.insert(index);
                    self.waived.push(Waived { note, reason: waiver.reason.to_owned() });
                }
                None => self.notes.push(note),
            }
        }
        if search == Search::Full {
            let unused =
                waivers.iter().enumerate().filter(|(index, waiver)| !used.contains(index) && is_found_anywhere(waiver));
            self.notes.extend(unused.map(|(_, waiver)| Note {
                severity: Severity::Warning,
                code: Code::WaiverUnused,
                span: self.sources.locate(&waiver.at, Part::Key),
                pointer: waiver.at.clone(),
                message: format!("nothing is found here that `{}` would waive", waiver.code),
                help: Some("remove it, so that it does not hide what may come".to_owned()),
            }));
        }
        self.sort();
    }

    fn sort(&mut self) {
        let place = |note: &Note| note.span.map(|span| (span.file, span.offset));
        self.notes.sort_by_key(place);
        self.waived.sort_by_key(|waived| place(&waived.note));
    }

    /// What there is to say, by file and line; what has no place comes first. Without what is waived.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// What is waived, in the same order.
    pub fn waived(&self) -> &[Waived] {
        &self.waived
    }

    /// Where it was read from: what to watch until it is mended.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Whether the configuration cannot be used.
    pub fn has_errors(&self) -> bool {
        self.has(Severity::Error)
    }

    /// Whether there is something of this severity that is not waived.
    pub fn has(&self, severity: Severity) -> bool {
        self.notes.iter().any(|note| note.severity == severity)
    }

    /// `3 errors, 1 warning, 2 waived`; empty if there is nothing to say.
    pub fn summary(&self) -> String {
        let count = |severity: Severity| {
            let count = self.notes.iter().filter(|note| note.severity == severity).count();
            (count > 0).then(|| format!("{count} {severity}{}", if count == 1 { "" } else { "s" }))
        };
        let waived = (!self.waived.is_empty()).then(|| format!("{} waived", self.waived.len()));
        let severities = [Severity::Error, Severity::Warning, Severity::Note];
        let counts: Vec<_> = severities.into_iter().filter_map(count).chain(waived).collect();
        counts.join(", ")
    }

    /// The whole report. Of what is waived people see the number, tools everything. Without findings it is empty, as JSON
    /// `[]`.
    pub fn render(&self, style: Style) -> String {
        let mut out = String::new();
        match style {
            Style::Json => return self.json(),
            Style::Sarif => return sarif::render(self),
            Style::Fancy { colour } => self.notes.iter().for_each(|note| self.fancy(note, None, colour, &mut out)),
            Style::Plain => self.notes.iter().for_each(|note| self.plain(note, None, &mut out)),
        }
        if !self.notes.is_empty() || !self.waived.is_empty() {
            out.push_str(&self.summary());
            out.push('\n');
        }
        out
    }

    /// What is waived, for people, each with its reason.
    pub fn render_waived(&self, style: Style) -> String {
        let mut out = String::new();
        for Waived { note, reason } in &self.waived {
            match style {
                Style::Fancy { colour } => self.fancy(note, Some(reason), colour, &mut out),
                _ => self.plain(note, Some(reason), &mut out),
            }
        }
        out
    }

    fn json(&self) -> String {
        let mut out =
            format!("{:#}", self.all().map(|(note, waived)| self.object(note, waived)).collect::<serde_json::Value>());
        out.push('\n');
        out
    }

    fn object(&self, note: &Note, waived: Option<&str>) -> serde_json::Value {
        let end = note.span.map(|span| self.sources.end(span));
        json!({
            "severity": note.severity.to_string(),
            "code": note.code.as_str(),
            "file": note.span.map(|span| self.file_name(span)),
            "line": note.span.map(|span| span.line),
            "column": note.span.map(|span| span.column),
            "end_line": end.map(|(line, _)| line),
            "end_column": end.map(|(_, column)| column),
            "pointer": (!note.pointer.is_root()).then(|| note.pointer.to_string()),
            "message": note.message,
            "help": note.help,
            "waived": waived,
        })
    }

    /// Every note, with the reason if it is waived.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Note, Option<&str>)> {
        let waived = self.waived.iter().map(|waived| (&waived.note, Some(&*waived.reason)));
        self.notes.iter().map(|note| (note, None)).chain(waived)
    }

    pub(super) fn file_name(&self, span: Span) -> String {
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
    fn plain(&self, note: &Note, waived: Option<&str>, out: &mut String) {
        let severity = if waived.is_some() { "waived".to_owned() } else { note.severity.to_string() };
        _ = writeln!(out, "{}{severity}: {} [{}]", self.place(note), note.message, note.code);
        if let Some(excerpt) = self.excerpt(note) {
            excerpt.plain(out);
        }
        match (waived, &note.help) {
            (Some(reason), _) => _ = writeln!(out, "  reason: {reason}"),
            (None, Some(help)) => _ = writeln!(out, "  help: {help}"),
            (None, None) => {}
        }
        if !note.pointer.is_root() {
            _ = writeln!(out, "  at: {}", note.pointer);
        }
        out.push('\n');
    }

    fn fancy(&self, note: &Note, waived: Option<&str>, colour: bool, out: &mut String) {
        let excerpt = self.excerpt(note);
        let place = if excerpt.is_some() { String::new() } else { self.place(note) };
        let shown = Shown { note, message: format!("{place}{}", note.message), excerpt, waived };
        if shown.render(colour, out).is_err() {
            self.plain(note, waived, out);
        }
        out.push('\n');
    }
}

/// Which secrets are set depends on where the check runs: a waiver that has no use here may have one elsewhere.
fn is_found_anywhere(waiver: &Waiver<'_>) -> bool {
    waiver.code != Code::SecretUnset.as_str()
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
