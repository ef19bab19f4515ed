//! What a case runs against.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Case, Need, Send};

/// One way to run a gateway.
pub trait Subject: Sync {
    /// The name in test names and in `skips.toml`.
    fn name(&self) -> &'static str;

    /// Why it cannot do what a case needs; `None` when it can.
    fn lacks(&self, case: &Case, need: Need) -> Option<String>;

    /// Starts a gateway for a case, with the case's upstreams behind it and fresh stores.
    fn start(&self, case: &Case) -> Result<Box<dyn Session>, String>;

    /// Tries to start a gateway with a configuration that should be refused.
    fn refuse(&self, case: &Case) -> Result<Refusal, String>;
}

/// A gateway that runs. It ends when it is dropped.
pub trait Session {
    /// Sends one request and waits for its response, and for what it left behind.
    fn exchange(&mut self, send: &Send) -> Result<Answer, String>;

    /// Moves the clock on.
    fn advance(&mut self, duration: Duration) -> Result<(), String>;

    /// Lets the rate-limit store fail, or work again.
    fn set_store_down(&mut self, down: bool) -> Result<(), String>;
}

/// What came of a configuration that should be refused.
#[derive(Debug)]
pub enum Refusal {
    /// It was taken.
    Taken,
    /// These errors, each with its place.
    Errors(Vec<String>),
    /// It was refused with this text, in which errors cannot be told apart.
    Text(String),
}

/// What came of a request.
#[derive(Debug, Default)]
pub struct Answer {
    /// The response's status.
    pub status: u16,
    /// Its header fields, names in lower case, one entry a line.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// What reached the upstreams, in order, by their names.
    pub upstream: BTreeMap<String, Vec<Received>>,
    /// What was decided; `None` when it cannot be observed.
    pub decisions: Option<Vec<Decided>>,
}

/// A request as it reached an upstream.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, without its question mark; empty for none.
    pub query: String,
    /// Header fields, names in lower case, one entry a line. `host` is the target's, as the configuration names it.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether no rule of the case answers such a request.
    pub unexpected: bool,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The policy.
    pub policy: String,
    /// The outcome.
    pub outcome: String,
    /// The reason's code.
    pub reason: String,
    /// Particulars.
    pub detail: String,
}

impl Received {
    /// The rule of a case that answers this request.
    pub fn rule<'r>(&self, rules: &'r [super::Rule]) -> Option<&'r super::Rule> {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        rules.iter().find(|rule| {
            let when = &rule.when;
            is(&when.method, &self.method)
                && is(&when.path, &self.path)
                && is(&when.query, &self.query)
                && when.headers.iter().all(|(name, value)| {
                    self.headers.iter().any(|(found, line)| found == name && (line == value || value == "*"))
                })
        })
    }
}

/// The targets of a configuration's upstreams: the upstream's name, the target's place in its list, its authority.
pub fn targets(config: &serde_json::Value) -> Result<Vec<(String, usize, String)>, String> {
    let mut targets = Vec::new();
    let upstreams = config.get("upstreams").and_then(|upstreams| upstreams.as_object());
    for (name, upstream) in upstreams.into_iter().flatten() {
        let list = upstream.get("targets").and_then(|targets| targets.as_array());
        for (index, target) in list.into_iter().flatten().enumerate() {
            let url = target.get("url").and_then(|url| url.as_str()).unwrap_or_default();
            let uri: http::Uri = url.parse().map_err(|_| format!("upstream {name}: {url:?} is no URL"))?;
            let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
            if targets.iter().any(|(_, _, other)| *other == authority) {
                return Err(format!("two targets are called {authority}: their requests could not be told apart"));
            }
            targets.push((name.clone(), index, authority));
        }
    }
    Ok(targets)
}
