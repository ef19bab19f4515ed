//! A finding that knows its place.

use portico_core::config::{Code, Finding, Pointer, Severity};

use super::sources::Sources;
use super::tree::Span;

/// A finding that knows its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of finding it is.
    pub code: Code,
    /// Where it is; `None` when it is about no file that could be read.
    pub span: Option<Span>,
    /// Where it is in the document; the root when it is about a file rather than a document.
    pub pointer: Pointer,
    /// What is wrong.
    pub message: String,
    /// What to do about it, if that is known.
    pub help: Option<String>,
}

/// A note that somebody accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waived {
    /// What was found.
    pub note: Note,
    /// Why it is accepted.
    pub reason: String,
}

impl Note {
    /// About a place in a file.
    pub fn at(severity: Severity, code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { severity, code, span: Some(span), pointer: Pointer::root(), message: message.into(), help: None }
    }

    /// An error about no file that could be read.
    pub fn nowhere(code: Code, message: impl Into<String>) -> Self {
        let (severity, message) = (Severity::Error, message.into());
        Self { severity, code, span: None, pointer: Pointer::root(), message, help: None }
    }

    /// A finding of core, with its place.
    pub(super) fn place(finding: &Finding, sources: &Sources) -> Self {
        Self {
            severity: finding.severity,
            code: finding.code,
            span: sources.locate(&finding.pointer, finding.part),
            pointer: finding.pointer.clone(),
            message: finding.message.clone(),
            help: finding.help.clone(),
        }
    }

    /// The same, as another kind of finding.
    pub fn with_code(self, code: Code) -> Self {
        Self { code, ..self }
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
