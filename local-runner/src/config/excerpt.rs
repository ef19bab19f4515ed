//! The lines around a place, to be shown with it.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};
use portico_core::config::Severity;

use super::note::Note;
use super::tree::Span;

/// Longer lines are not shown: a JSON file may be one line of megabytes.
const MAX_LINE: usize = 300;
/// Columns of a terminal.
const WIDTH: usize = 100;

/// A line and its neighbours, in which nothing steers a terminal.
#[derive(Debug)]
pub(super) struct Excerpt {
    name: String,
    text: String,
    /// The number of the first line, from 1.
    first: u32,
    /// The line that is meant, in bytes of `text`.
    line: std::ops::Range<usize>,
    /// What in it is meant, in bytes of `text`.
    offset: usize,
    length: usize,
    span: Span,
}

impl Excerpt {
    /// `None` when the line is too long to be shown, or not there.
    pub(super) fn around(span: Span, file: &str, name: String) -> Option<Self> {
        let offset = span.offset as usize;
        let start = file.get(..offset)?.rfind('\n').map_or(0, |end| end + 1);
        let line = file.get(start..)?.split('\n').next()?;
        let short = |line: &&str| line.len() <= MAX_LINE;
        let above = match start.checked_sub(1).and_then(|end| file.get(..end)) {
            Some(above) => above.rsplit('\n').next().filter(short),
            None => None,
        };
        let below = file.get(start + line.len()..)?.split('\n').nth(1).filter(short);
        let line = Some(line).filter(short)?;

        let mut text = String::new();
        if let Some(above) = above {
            text.push_str(&harmless(above));
            text.push('\n');
        }
        let begin = text.len();
        text.push_str(&harmless(line));
        let end = text.len();
        if let Some(below) = below.filter(|below| !below.trim().is_empty()) {
            text.push('\n');
            text.push_str(&harmless(below));
        }
        text.push('\n');
        let length = (span.length as usize).min((start + line.trim_end().len()).saturating_sub(offset));
        let first = span.line.saturating_sub(u32::from(above.is_some())).max(1);
        Some(Self { name, text, first, line: begin..end, offset: begin + offset - start, length, span })
    }

    /// The line that is meant, with carets below.
    pub(super) fn plain(&self, out: &mut String) {
        let number = self.span.line.to_string();
        let margin = " ".repeat(number.len());
        let line = self.text.get(self.line.clone()).unwrap_or_default().trim_end();
        let before = self.text.get(self.line.start..self.offset).unwrap_or_default();
        let meant = self.text.get(self.offset..self.offset + self.length).unwrap_or_default();
        // Tabs stay tabs, so that the carets stand below what they mean.
        let indent: String = before.chars().map(|c| if c == '\t' { c } else { ' ' }).collect();
        let carets = "^".repeat(meant.chars().count().max(1));
        for part in [" ", &number, " | ", line, "\n ", &margin, " | ", &indent, &carets, "\n"] {
            out.push_str(part);
        }
    }
}

/// The same length in bytes, so that offsets stay right.
fn harmless(line: &str) -> String {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let safe = |c: char| match c {
        '\t' => c,
        c if c.is_ascii_control() => '?',
        c if c.is_control() => '¿',
        // They reorder what stands around them.
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c => c,
    };
    line.chars().map(safe).collect()
}

impl SourceCode for Excerpt {
    /// All of it, whatever is asked for. Line and column are those of the label where no lines around it are wanted, since
    /// miette then wants them for its heading.
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (line, column) = if before + after == 0 { (self.span.line, self.span.column) } else { (self.first, 1) };
        let whole = (0, self.text.len()).into();
        let from_zero = |number: u32| number.saturating_sub(1) as usize;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            self.text.as_bytes(),
            whole,
            from_zero(line),
            from_zero(column),
            self.text.lines().count(),
        )))
    }
}

/// A note as miette sees it.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) note: &'a Note,
    pub(super) message: String,
    pub(super) excerpt: Option<Excerpt>,
    /// Why it is accepted; `None` when it is not.
    pub(super) waived: Option<&'a str>,
}

impl Shown<'_> {
    pub(super) fn render(&self, colour: bool, out: &mut String) -> fmt::Result {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
        handler.render_report(out, self)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.note.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match (self.waived, self.note.severity) {
            (Some(_), _) | (None, Severity::Note) => miette::Severity::Advice,
            (None, Severity::Error) => miette::Severity::Error,
            (None, Severity::Warning) => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match (self.waived, &self.note.help) {
            (Some(reason), _) => Some(Box::new(format!("waived: {reason}"))),
            (None, Some(help)) => Some(Box::new(help)),
            (None, None) => None,
        }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| -> &dyn SourceCode { excerpt })
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let excerpt = self.excerpt.as_ref()?;
        let pointer = (!self.note.pointer.is_root()).then(|| self.note.pointer.to_string());
        let label = LabeledSpan::new_primary_with_span(pointer, (excerpt.offset, excerpt.length));
        Some(Box::new(std::iter::once(label)))
    }
}
