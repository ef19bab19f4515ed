//! A case: a gateway, what stands behind it, and the steps of a conversation with it; and what reads cases and runs them.
//!
//! ```text
//! cases/**.yaml ─▶ load ─▶ run ─▶ subject::Session ─▶ offline: core on its simulated platform
//!                           │                      └▶ whatever else can run a gateway, between http1 and origin
//!                           └──▶ compare: what was expected, what came, what was decided
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use portico_core::config::Pointer;
use serde_json::Value;

use self::expect::{Expect, Refused};

pub mod compare;
pub mod expect;
pub mod http1;
pub mod offline;
pub mod origin;
mod read;
pub mod run;
pub mod subject;
mod values;
mod wire;

pub use read::{load, parse};

/// One case, checked as far as it can be without running it.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name: the file's path below `cases/`, and the behaviour it is about.
    pub name: String,
    /// Why it is so, and where that is written.
    pub about: Option<String>,
    /// The gateway's configuration, includes resolved.
    pub config: Value,
    /// The secrets that the platform has.
    pub secrets: BTreeMap<String, String>,
    /// What each upstream answers; one that is not here answers 200 and nothing else.
    pub upstreams: BTreeMap<String, Vec<Rule>>,
    /// Who connects.
    pub peer: Peer,
    /// What a subject must be able to do for this case.
    pub needs: BTreeSet<Need>,
    /// What is done and what must come of it.
    pub plan: Plan,
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
    /// A client on loopback over IPv6.
    Ipv6,
    /// A connection that is encrypted.
    Tls,
    /// A rate-limit store that fails on demand.
    Store,
}

/// Who connects: a client, or a proxy in front of the gateway. Default: 127.0.0.1, as that is what all runtimes have.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The address.
    pub address: IpAddr,
    /// Whether the connection is encrypted.
    pub secure: bool,
}

impl Default for Peer {
    fn default() -> Self {
        Self { address: Ipv4Addr::LOCALHOST.into(), secure: false }
    }
}

/// What an upstream answers to which request. The first rule that matches does.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What the request must be like.
    pub when: When,
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
    /// `file:line`, for whoever has to look at it.
    pub place: String,
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
    /// Lets the rate-limit store fail, or work again.
    StoreDown(bool),
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

/// One thing that is wrong with a case file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// `file:line:column`.
    pub place: String,
    /// Where in the document.
    pub pointer: Pointer,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)?;
        if self.pointer.is_root() { Ok(()) } else { write!(formatter, "\n  at: {}", self.pointer) }
    }
}

/// All case files below `directory`, sorted by path.
pub fn files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
