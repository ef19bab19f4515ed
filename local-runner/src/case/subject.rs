//! What a case runs against.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portico_core::Timestamp;
use portico_core::decision::{Decision, Outcome, Policy, Reason};

use super::{Case, Need, Rule, Send, Store, When};

/// One way to run a gateway.
pub trait Subject: Sync {
    /// The name in test names and in `skips.toml`.
    fn name(&self) -> &'static str;

    /// Why it cannot run a case, whatever that needs; `None` when it can.
    fn declines(&self, _: &Case) -> Option<String> {
        None
    }

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

    /// Moves the clock on. Only asked of subjects that do not lack [`Need::Clock`].
    fn advance(&mut self, _: Duration) -> Result<(), String> {
        Err("a real clock cannot be moved".to_owned())
    }

    /// Changes the state of the stores. Only asked of subjects that do not lack [`Need::Store`].
    fn set_store(&mut self, _: Store) -> Result<(), String> {
        Err("the store does not fail on demand".to_owned())
    }

    /// Puts a value into the key-value store, or takes it away. Only asked of subjects that do not lack [`Need::Keys`].
    fn set_value(&mut self, _: &str, _: Option<&str>) -> Result<(), String> {
        Err("the values are not the case's".to_owned())
    }

    /// The gateway's clock.
    fn now(&self) -> Timestamp {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(u64::try_from(now.as_micros()).unwrap_or(u64::MAX))
    }
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
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    /// The response's status.
    pub status: u16,
    /// Its header fields, names in lower case, one entry a line.
    pub headers: Vec<(String, String)>,
    /// Its body, as far as it came.
    pub body: Vec<u8>,
    /// Whether the body broke off before its end.
    pub broke: bool,
    /// What reached the upstreams, in order, by their names.
    pub upstream: BTreeMap<String, Vec<Received>>,
    /// The route that served it; `None` when there was none, or when it cannot be observed.
    pub route: Option<String>,
    /// What was decided; `None` when it cannot be observed.
    pub decisions: Option<Vec<Decision>>,
}

/// A request as it reached an upstream.
#[derive(Debug, Clone, Default, PartialEq)]
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

/// A decision from its names, as logs and traces write them; `None` for names that are not known.
pub fn decision(policy: &str, outcome: &str, reason: &str, detail: &str) -> Option<Decision> {
    Some(Decision {
        policy: Policy::ALL.into_iter().find(|known| known.as_str() == policy)?,
        outcome: Outcome::ALL.into_iter().find(|known| known.as_str() == outcome)?,
        reason: Reason::ALL.iter().copied().find(|known| known.code() == reason)?,
        detail: detail.to_owned().into(),
    })
}

/// The rules of one upstream, and how often each has answered. All its targets share them.
#[derive(Debug, Default)]
pub struct Script {
    rules: Option<Vec<Rule>>,
    used: Mutex<Vec<u32>>,
}

impl Script {
    /// Without rules an upstream answers 200 and nothing else.
    pub fn new(rules: Option<Vec<Rule>>) -> Self {
        let used = Mutex::new(vec![0; rules.as_ref().map_or(0, Vec::len)]);
        Self { rules, used }
    }

    /// What comes of a request: the outcome of the first rule that matches and is not used up. `None` where there are no rules, and
    /// where none answers, which is noted on the request.
    pub fn answer(&self, received: &mut Received) -> Option<super::Outcome> {
        let rules = self.rules.as_ref()?;
        // a poisoned lock only means that another thread panicked, which fails the case elsewhere
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = rules.iter().zip(used.iter_mut());
        let found = open.find(|(rule, used)| rule.times.is_none_or(|times| **used < times) && received.is(&rule.when));
        received.unexpected = found.is_none();
        let (rule, used) = found?;
        *used += 1;
        Some(rule.outcome.clone())
    }

    /// Whether nobody is there: no connection comes about.
    pub fn is_gone(&self) -> bool {
        self.rules.iter().flatten().any(|rule| matches!(rule.outcome, super::Outcome::ConnectError))
    }
}

impl Received {
    fn is(&self, when: &When) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&when.method, &self.method)
            && is(&when.path, &self.path)
            && is(&when.query, &self.query)
            && when.headers.iter().all(|(name, value)| {
                self.headers.iter().any(|(found, line)| found == name && (line == value || value == "*"))
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
