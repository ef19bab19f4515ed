//! A case: a gateway, what stands behind it, and the steps of a conversation with it; and what reads cases and runs them.
//!
//! ```text
//! cases/**.yaml ─▶ load ─▶ run ─▶ subject::Session ─▶ offline: core on its simulated platform
//!                           │                      └▶ whatever else can run a gateway, between http1 and origin
//!                           └──▶ compare: what was expected, what came, what was decided
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use portico_core::Peer;
use serde_json::Value;

use self::expect::{Expect, Refused};
use self::subject::Script;
use self::tokens::Token;
use crate::config::Sources;

pub mod compare;
pub mod expect;
mod expectations;
pub mod failure;
pub mod http1;
pub mod init;
pub mod live;
pub mod offline;
pub mod origin;
pub mod outside;
pub mod places;
pub mod problem;
mod read;
pub mod run;
pub mod subject;
pub mod suite;
pub mod tally;
pub mod tokens;
mod values;
mod wire;

pub use read::{load, parse};
pub use wire::schema;

/// One case, checked as far as it can be without running it.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name: its group, and the behaviour it is about.
    pub name: String,
    /// What it has in common with the others in its file: the file's path, without what ends it, below the folder that was asked for.
    pub group: String,
    /// Its file.
    pub file: PathBuf,
    /// The line on which it begins, from 1.
    pub line: u32,
    /// Why it is so, and where that is written.
    pub about: Option<String>,
    /// The gateway's configuration, includes resolved. Where keys were made for tokens, the public ones are in it.
    pub config: Value,
    /// Where the configuration is written.
    pub sources: Sources,
    /// The tokens that steps may send, by name.
    pub tokens: BTreeMap<String, Token>,
    /// The secrets that the platform has.
    pub secrets: BTreeMap<String, String>,
    /// What each upstream answers; one that is not here answers 200 and nothing else.
    pub upstreams: BTreeMap<String, Vec<Rule>>,
    /// What is answered at each URL at which the configuration looks for a key set.
    pub issuers: BTreeMap<String, Vec<Rule>>,
    /// What the key-value store holds at the beginning.
    pub values: BTreeMap<String, String>,
    /// Who connects, and what the platform knows of it. Unless the case says otherwise 127.0.0.1, which all runtimes have.
    pub peer: Peer,
    /// What a subject must be able to do for this case.
    pub needs: BTreeSet<Need>,
    /// What is done and what must come of it.
    pub plan: Plan,
}

impl Case {
    /// The behaviour that it is about: its name without its group.
    pub fn title(&self) -> &str {
        self.name.get(self.group.len() + 1..).unwrap_or(&self.name)
    }

    /// What the upstream of this name answers.
    pub fn script(&self, upstream: &str) -> Script {
        Script::new(self.upstreams.get(upstream).cloned())
    }

    /// What is answered at this URL of a key set.
    pub fn issuer(&self, url: &str) -> Script {
        Script::new(self.issuers.get(url).cloned())
    }
}

impl Case {
    /// Its steps; none where the configuration must be refused.
    pub fn steps(&self) -> &[Step] {
        match &self.plan {
            Plan::Steps(steps) => steps,
            Plan::Refused(_) => &[],
        }
    }

    /// What it does to the store, in order.
    pub fn faults(&self) -> impl Iterator<Item = Store> {
        self.steps().iter().filter_map(|step| match step.action {
            Action::Store(store) => Some(store),
            Action::Exchange { .. } | Action::Advance(_) | Action::Values(_) => None,
        })
    }

    /// What must come of each request that it sends.
    pub fn expectations(&self) -> impl Iterator<Item = &Expect> {
        self.steps().iter().filter_map(|step| match &step.action {
            Action::Exchange { expect, .. } => Some(&**expect),
            Action::Advance(_) | Action::Store(_) | Action::Values(_) => None,
        })
    }
}

/// What a case does.
#[derive(Debug, Clone)]
pub enum Plan {
    /// A conversation with the gateway.
    Steps(Vec<Step>),
    /// The configuration must be refused, for exactly these reasons.
    Refused(Vec<Refused>),
}

/// What not every subject can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Time that stands still until it is moved.
    Clock,
    /// A client at an address that is not on loopback.
    Peer,
    /// A platform that knows more of a client than its address: its country, its autonomous system, its certificate.
    Client,
    /// A client on loopback over IPv6.
    Ipv6,
    /// A connection that is encrypted.
    Tls,
    /// A platform that has bindings.
    Binding,
    /// Stores that fail on demand.
    Store,
    /// A configuration of the case's own, and all that it has from outside: keys were made for it, or issuers and values are the
    /// case's. Whatever runs elsewhere has others.
    Keys,
}

/// What an upstream answers to which request. The first rule that matches does.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What the request must be like.
    pub when: When,
    /// How many requests it answers; `None`: all.
    pub times: Option<u32>,
    /// What comes of it.
    pub outcome: Outcome,
}

/// What a request must be like; what is `None` may be anything.
#[derive(Debug, Clone, Default)]
pub struct When {
    /// The method.
    pub method: Option<String>,
    /// The path as sent.
    pub path: Option<String>,
    /// The query as sent, without the question mark; empty for none.
    pub query: Option<String>,
    /// Header fields, lower-case, with the value of one of their lines.
    pub headers: BTreeMap<String, String>,
}

/// What comes of a request to an upstream.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A response.
    Respond(Respond),
    /// No connection. The only rule of its upstream: what is not there reads no requests.
    ConnectError,
    /// No response, ever.
    Timeout,
    /// The connection ends without a response.
    Reset,
}

/// An upstream's response.
#[derive(Debug, Clone)]
pub struct Respond {
    /// The status.
    pub status: u16,
    /// Header fields, one entry a line.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Payload,
    /// How late its head comes; the clock moves on. Later than the gateway waits is no response.
    pub delay: Option<Duration>,
    /// After how many bytes of the body the connection breaks.
    pub break_after: Option<usize>,
}

/// A message body, and how it is framed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// None at all.
    None,
    /// All at once, with its length.
    Sized(Vec<u8>),
    /// Bit by bit, without its length.
    Chunked(Vec<Vec<u8>>),
}

impl Payload {
    /// The bytes, whatever the framing.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Sized(bytes) => bytes.clone(),
            Self::Chunked(chunks) => chunks.concat(),
        }
    }
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// The line on which it begins, from 1.
    pub line: u32,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Sends a request, `repeat` times; each must be answered as expected.
    Exchange {
        /// What is sent.
        send: Send,
        /// What must come of it.
        expect: Box<Expect>,
        /// How often.
        repeat: u32,
    },
    /// Moves the clock on.
    Advance(Duration),
    /// Lets the stores fail, or work again.
    Store(Store),
    /// Changes values in the key-value store; `None` takes one away.
    Values(BTreeMap<String, Option<String>>),
}

impl Action {
    /// What a subject must be able to do for this.
    pub const fn need(&self) -> Option<Need> {
        match self {
            Self::Exchange { .. } | Self::Values(_) => None,
            Self::Advance(_) => Some(Need::Clock),
            Self::Store(_) => Some(Need::Store),
        }
    }
}

/// The state of the stores, of rate limits and of values: what becomes of all their steps from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// They are taken, once each.
    Up,
    /// They are refused, and nothing is changed.
    Down,
    /// They are taken, and their answers get lost.
    LostResponse,
    /// Those of rate limits are taken twice each.
    Duplicate,
    /// Those of rate limits are decided on the state before the last, which they overwrite; values are read as they were before they
    /// were last written.
    StaleRead,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Send {
    /// The method, as it stands in the request line.
    pub method: String,
    /// The request target, as it stands in the request line.
    pub target: String,
    /// Header fields, one entry a line, `Host` among them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Payload,
}

impl fmt::Display for Send {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.target)
    }
}

/// All case files below `directory`, sorted by path: those that end in `.yaml` or `.yml`.
pub fn files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
