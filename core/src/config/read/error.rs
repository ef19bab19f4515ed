//! What serde complains about, kept in parts, with the way to where it happened.

use std::fmt;

use serde::de::{Expected, Unexpected};

use super::words;
use crate::config::{Code, Finding, Part, Pointer, Segment, Severity};

/// A complaint. Boxed, because every value that is read returns room for one.
#[derive(Debug)]
pub(super) struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    what: What,
    part: Part,
    /// From the place of the error outwards: each level adds its step as the error passes.
    way: Vec<Segment>,
}

/// What is wrong.
#[derive(Debug)]
pub(super) enum What {
    /// A key that the type does not have.
    UnknownKey { key: String, known: &'static [&'static str] },
    /// Text, or the only key of a map, that is none of an enum's variants.
    UnknownValue { value: String, known: &'static [&'static str] },
    /// A key that must be there.
    MissingKey(&'static str),
    /// A value of the wrong kind, or out of range.
    Wrong { message: String, help: Option<String> },
    /// A list that is too short or too long. It may be so only because an element was skipped.
    WrongLength(String),
    /// What a visitor of ours or of a library said.
    Said(String),
    /// There is nothing plausible to put where a key is missing.
    NoStandIn,
}

impl Error {
    pub(super) fn new(what: What) -> Self {
        Self(Box::new(Inner { what, part: Part::Value, way: Vec::new() }))
    }

    /// A value of the wrong kind.
    pub(super) fn wrong(message: String, help: Option<String>) -> Self {
        Self::new(What::Wrong { message, help })
    }

    /// The error happened below `step`.
    pub(super) fn below(mut self, step: Segment) -> Self {
        self.0.way.push(step);
        self
    }

    /// The error is about the key `key` of the map that is being read.
    pub(super) fn on_key(mut self, key: &str) -> Self {
        self.0.part = Part::Key;
        self.below(Segment::Key(key.to_owned()))
    }

    /// The only key of a map was read as a variant: to its author it is a key like any other.
    pub(super) fn variant_as_key(mut self) -> Self {
        if let What::UnknownValue { value, known } = self.0.what {
            self.0.what = What::UnknownKey { key: value, known };
        }
        self
    }

    /// The steps from where reading began, and what is wrong there.
    pub(super) fn into_parts(self) -> (Vec<Segment>, What, Part) {
        let Inner { what, part, mut way } = *self.0;
        way.reverse();
        (way, what, part)
    }
}

/// Puts it in the words of whoever wrote the document.
pub(super) fn finding(what: What, part: Part, pointer: Pointer) -> Finding {
    let (code, (message, help)) = match what {
        What::UnknownKey { key, known } => {
            (Code::UnknownKey, (format!("unknown key {key:?}"), words::did_you_mean(&key, known)))
        }
        What::UnknownValue { value, known } => (Code::UnknownValue, words::unknown_value(&value, known)),
        What::MissingKey(key) => (Code::MissingKey, (format!("missing key `{key}`"), None)),
        What::Wrong { message, help } => (Code::WrongType, (message, help)),
        What::WrongLength(message) => (Code::WrongType, (message, None)),
        What::Said(message) => (Code::InvalidValue, (message, None)),
        What::NoStandIn => (Code::InvalidValue, ("this cannot be read".to_owned(), None)),
    };
    Finding { severity: Severity::Error, code, pointer, part, message, help }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        // serde's derive for untagged enums names the Rust type, and knows no more than this.
        let untagged = message.starts_with("data did not match any variant of untagged enum");
        Self::new(What::Said(if untagged {
            "this has none of the forms that are known here".to_owned()
        } else {
            message
        }))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let (message, help) = words::mismatch(&found, &expected.to_string());
        Self::wrong(message, help)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let expected = words::expected(&expected.to_string());
        Self::new(What::WrongLength(format!("expected {expected}, found {length}")))
    }

    fn unknown_variant(value: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownValue { value: value.to_owned(), known })
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownKey { key: key.to_owned(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(What::MissingKey(key))
    }

    fn duplicate_field(key: &'static str) -> Self {
        Self::wrong(format!("`{key}` is given twice"), None)
    }
}

/// For [`serde::de::Error`]'s sake: what is shown to people is a [`Finding`].
impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0.what)
    }
}

impl std::error::Error for Error {}
