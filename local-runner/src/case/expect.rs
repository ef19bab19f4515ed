//! What must come of a request.

use std::collections::BTreeMap;

use portico_core::decision::{Outcome, Policy, Reason};
use regex_lite::Regex;
use serde_json::Value;

/// What must come of a request. What is `None` or empty is not looked at.
#[derive(Debug, Clone)]
pub struct Expect {
    /// The response's status.
    pub status: u16,
    /// The response is the problem document of this reason.
    pub problem: Option<Reason>,
    /// Whether the response breaks off before its end.
    pub breaks: bool,
    /// The response's header fields, lower-case.
    pub headers: Vec<(String, Matcher)>,
    /// The response's body as JSON: objects may have more members, lists must be equal.
    pub json: Option<Value>,
    /// The response's body as text.
    pub body: Option<Matcher>,
    /// What has reached each upstream since the step began, in order. Upstreams that are not named: nothing.
    pub upstream: Option<BTreeMap<String, Vec<Seen>>>,
    /// What policies decided.
    pub decisions: Vec<Decided>,
}

/// A text that must be as it should.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// Exactly these lines, in order; a body and most header fields have one.
    Lines(Vec<String>),
    /// One line, which matches.
    Matches(Regex),
    /// There is at least one line, or none.
    Present(bool),
    /// One of the members of a comma-separated list; letter case does not matter.
    Contains(String),
    /// No line has this text in it.
    Lacks(String),
}

/// A request as an upstream must see it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The method.
    pub method: Option<String>,
    /// The path as sent.
    pub path: Option<String>,
    /// The query as sent; empty for none.
    pub query: Option<String>,
    /// Header fields, lower-case.
    pub headers: Vec<(String, Matcher)>,
    /// The body as JSON.
    pub json: Option<Value>,
    /// The body as text.
    pub body: Option<Matcher>,
    /// The body's size.
    pub body_bytes: Option<usize>,
}

/// What a policy must have decided.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The policy.
    pub policy: Policy,
    /// The outcome; `None`: it decided nothing.
    pub outcome: Option<Outcome>,
    /// The reason, if it matters.
    pub reason: Option<Reason>,
}

/// An error of a configuration.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Where, as in reports: `routes[0].match.path`.
    pub at: String,
    /// A part of the message.
    pub says: String,
}
