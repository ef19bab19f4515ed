//! One difference in meaning.

use std::fmt;

use portico_core::config::Pointer;
use serde_json::Value;

use super::value::Canonical;

/// What a difference does to those who call. The first is what a reviewer looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Judgement {
    /// Something passes that did not.
    Looser,
    /// Something does not pass that did.
    Tighter,
    /// Something else, or it depends.
    Changed,
}

impl Judgement {
    pub(super) const ALL: [Self; 3] = [Self::Looser, Self::Tighter, Self::Changed];

    pub(super) const fn opposite(self) -> Self {
        match self {
            Self::Looser => Self::Tighter,
            Self::Tighter => Self::Looser,
            Self::Changed => Self::Changed,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Looser => "looser",
            Self::Tighter => "tighter",
            Self::Changed => "changed",
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// One difference in meaning.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) judgement: Judgement,
    /// What it is about: one thing, or several routes that differ in the same way for the same reason.
    pub(super) subjects: Vec<Subject>,
    pub(super) what: What,
    pub(super) place: Place,
}

/// What a difference is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Gateway,
    /// Requests that no route serves.
    Unrouted,
    Upstream(String),
    Identity(String),
    Plan(String),
    Route(String),
}

/// What differs.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// The subject, or one of its keys, is there and was not.
    Added { key: Pointer, says: String },
    /// The subject, or one of its keys, is not there any more.
    Removed { key: Pointer, said: String },
    /// The subject has another name.
    Renamed { to: String },
    /// A key has another value; `None` for none at all.
    Value { key: Pointer, old: Option<Told>, new: Option<Told> },
    /// A set has other elements.
    Elements { key: Pointer, added: Vec<String>, removed: Vec<String> },
    /// Requests that the subject served are served by another route.
    Taken { request: String, by: String },
}

/// A value, as it is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    /// To people.
    pub(super) text: String,
    /// To tools.
    pub(super) json: Value,
}

/// Where a difference is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    New(Pointer),
    /// It is only in the old configuration.
    Old(Pointer),
}

impl Told {
    pub(super) fn new(value: &Canonical) -> Self {
        Self { text: value.shown(), json: value.to_json() }
    }
}

impl What {
    /// For people: `rate_limit.limit 100 → 50`.
    pub(super) fn text(&self) -> String {
        let value = |value: &Option<Told>| value.as_ref().map_or("not set".to_owned(), |told| told.text.clone());
        match self {
            Self::Added { key, says } if key.is_root() => format!("added: {says}"),
            Self::Added { key, says } => format!("{key} added: {says}"),
            Self::Removed { key, said } if key.is_root() => format!("removed; it was: {said}"),
            Self::Removed { key, said } => format!("{key} removed; it was: {said}"),
            Self::Renamed { to } => format!("is now called {to}; its rate limits count anew"),
            Self::Value { key, old, new } => format!("{key} {} → {}", value(old), value(new)),
            Self::Elements { key, added, removed } => {
                let list = |what: &str, elements: &[String]| match elements {
                    [] => None,
                    elements => Some(format!("{what} {}", elements.join(", "))),
                };
                let parts: Vec<_> = [list("without", removed), list("with", added)].into_iter().flatten().collect();
                format!("{key} now {}", parts.join(" and "))
            }
            Self::Taken { request, by } => format!("{request} is now served by route {by}"),
        }
    }

    /// The key that differs; the root for the subject itself.
    pub(super) fn key(&self) -> Pointer {
        match self {
            Self::Added { key, .. }
            | Self::Removed { key, .. }
            | Self::Value { key, .. }
            | Self::Elements { key, .. } => key.clone(),
            Self::Renamed { .. } => Pointer::root().child_key("name"),
            Self::Taken { .. } => Pointer::root().child_key("match"),
        }
    }
}
