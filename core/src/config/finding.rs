//! What is wrong with a document, or looks wrong, and where.

use std::fmt;

use super::{Code, Pointer};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The document cannot be used.
    Error,
    /// The document can be used, and its author should look at this.
    Warning,
    /// All is well, and this is what it comes to.
    Note,
}

/// Which part of a place a finding is about; where an editor puts the cursor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Part {
    /// The value (of a map or a list: where it begins).
    #[default]
    Value,
    /// The key itself: it is unknown, or stands where it must not.
    Key,
}

/// One thing that is wrong with a document, or looks wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of finding it is.
    pub code: Code,
    /// Where it is. The root when it is about the document as a whole.
    pub pointer: Pointer,
    /// Whether it is about the key at that place or about its value.
    pub part: Part,
    /// What is wrong, as one phrase without a full stop: `unknown key "tll"`.
    pub message: String,
    /// What to do about it, if that is known: `did you mean "ttl"?`.
    pub help: Option<String>,
}

impl Finding {
    /// Says what kind of finding it is.
    pub const fn code(&mut self, code: Code) -> &mut Self {
        self.code = code;
        self
    }

    /// Adds what to do about it.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Makes it a finding about the key, not its value.
    pub const fn on_key(&mut self) -> &mut Self {
        self.part = Part::Key;
        self
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// One line: `error: routes[3].policies.cache.tll: unknown key "tll" (did you mean "ttl"?)`.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.severity)?;
        if !self.pointer.is_root() {
            write!(formatter, "{}: ", self.pointer)?;
        }
        formatter.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(formatter, " ({help})"),
            None => Ok(()),
        }
    }
}

/// Collects findings, so that all of them are reported at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// None yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an error; what it returns takes the help: `findings.error(&at, "…").help("…")`. Its code is
    /// [`Code::InvalidValue`] unless `.code(…)` says otherwise.
    pub fn error(&mut self, pointer: impl Into<Pointer>, message: impl Into<String>) -> &mut Finding {
        self.add(Severity::Error, Code::InvalidValue, pointer.into(), message.into())
    }

    /// Adds a warning; what it returns takes the help.
    pub fn warning(&mut self, code: Code, pointer: impl Into<Pointer>, message: impl Into<String>) -> &mut Finding {
        self.add(Severity::Warning, code, pointer.into(), message.into())
    }

    /// Adds a note; what it returns takes the help.
    pub fn note(&mut self, code: Code, pointer: impl Into<Pointer>, message: impl Into<String>) -> &mut Finding {
        self.add(Severity::Note, code, pointer.into(), message.into())
    }

    /// A policy of the defaults is compiled for each route that takes it over; what is wrong with it is said once.
    fn add(&mut self, severity: Severity, code: Code, pointer: Pointer, message: String) -> &mut Finding {
        let same = |found: &Finding| found.pointer == pointer && found.message == message && found.severity == severity;
        if let Some(known) = self.0.iter().position(same) {
            return &mut self.0[known];
        }
        self.0.push_mut(Finding { severity, code, pointer, part: Part::Value, message, help: None })
    }

    /// Whether the document cannot be used.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are, of whatever severity.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// In the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// In the order in which they were found, which is that of the document where its reader kept it.
    pub fn into_vec(self) -> Vec<Finding> {
        self.0
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Extend<Finding> for Findings {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        self.0.extend(findings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collects_and_shows() {
        let mut findings = Findings::new();
        assert!(findings.is_empty() && !findings.has_errors());
        findings.warning(Code::NoRoutes, Pointer::root(), "no routes");
        assert!(!findings.has_errors());
        let at = Pointer::root().child_key("cache").child_key("tll");
        findings.error(&at, "unknown key \"tll\"").help("did you mean \"ttl\"?").on_key();
        assert!(findings.has_errors());
        let shown: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["warning: no routes", "error: cache.tll: unknown key \"tll\" (did you mean \"ttl\"?)"]);
        findings.error(&at, "too long").code(Code::TooLarge);
        let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::NoRoutes, Code::InvalidValue, Code::TooLarge]);
        assert_eq!(findings.into_vec().get(1).map(|finding| finding.part), Some(Part::Key));
    }
}
