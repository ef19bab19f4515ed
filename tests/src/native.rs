//! The second subject: the `portico` binary, started for real with `portico serve`, between a raw client and real origins.
//!
//! Decisions are read from its access log. Each case has a process of its own, so that its limits are fresh.

mod process;
mod tls;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use self::process::{Process, Started};
use self::tls::Certificate;
use portico::case::http1;
use portico::case::origin::{Inbox, Origin, Part, lock};
use portico::case::subject::{Answer, Refusal, Session, Subject, decision, targets};
use portico::case::{Case, Need, Peer, Send};
use portico_core::decision::Decision;

/// Nothing takes this long. A net under a gateway that hangs; what passes never waits for it.
const HANGS: Duration = Duration::from_secs(60);

/// The native server.
#[derive(Debug)]
pub struct Native {
    ipv6: bool,
}

impl Default for Native {
    /// Looks whether this machine has IPv6.
    fn default() -> Self {
        Self { ipv6: TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() }
    }
}

struct Running {
    // in the order in which they have to end
    process: Process,
    _origins: Vec<Origin>,
    inbox: Inbox,
    peer: Peer,
    certificate: Option<Certificate>,
}

impl Subject for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn lacks(&self, _: &Case, need: Need) -> Option<String> {
        match need {
            Need::Clock => Some("a real clock cannot be moved".to_owned()),
            Need::Peer => Some("all clients are on loopback".to_owned()),
            Need::Store => Some("the store is inside the process and does not fail".to_owned()),
            Need::Ipv6 if !self.ipv6 => Some("this machine has no IPv6".to_owned()),
            Need::Ipv6 | Need::Tls | Need::Keys => None,
        }
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Session>, String> {
        let inbox = Inbox::default();
        let mut config = case.config.clone();
        let mut origins = Vec::new();
        let mut scripts = BTreeMap::new();
        for (upstream, index, authority) in targets(&case.config)? {
            let script =
                Arc::clone(scripts.entry(upstream.clone()).or_insert_with(|| Arc::new(case.script(&upstream))));
            let part = Part { upstream: upstream.clone(), authority, script };
            let origin = Origin::start(part, Arc::clone(&inbox))
                .map_err(|error| format!("no origin could be started: {error}"))?;
            redirect(&mut config, &upstream, index, origin.address());
            origins.push(origin);
        }
        let certificate = case.peer.secure.then(Certificate::new).transpose()?;
        let listen: IpAddr = match case.peer.address {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        match Process::start(&config, &case.secrets, listen, certificate.as_ref())? {
            Started::Serving(process) => {
                Ok(Box::new(Running { process, _origins: origins, inbox, peer: case.peer, certificate }))
            }
            Started::Ended(said) => Err(format!("`portico serve` ended and said:\n{said}")),
        }
    }

    fn refuse(&self, case: &Case) -> Result<Refusal, String> {
        match Process::start(&case.config, &case.secrets, Ipv4Addr::LOCALHOST.into(), None)? {
            Started::Serving(_) => Ok(Refusal::Taken),
            Started::Ended(said) => Ok(Refusal::Text(said)),
        }
    }
}

/// Puts the address of an origin in place of a target's, and leaves the target's path.
fn redirect(config: &mut Value, upstream: &str, index: usize, address: SocketAddr) {
    let url = config
        .get_mut("upstreams")
        .and_then(|upstreams| upstreams.get_mut(upstream)?.get_mut("targets")?.get_mut(index)?.get_mut("url"));
    if let Some(url) = url {
        let parsed = url.as_str().and_then(|text| text.parse::<http::Uri>().ok()).unwrap_or_default();
        *url = Value::String(format!("http://{address}{}", parsed.path()));
    }
}

impl Session for Running {
    fn exchange(&mut self, send: &Send) -> Result<Answer, String> {
        lock(&self.inbox).clear();
        let (status, message) = self.converse(send).map_err(|error| format!("no response: {error}"))?;
        let id = message.values("x-request-id").next().map(str::to_owned);
        let (route, decisions) = match id {
            Some(id) => self.told(&id)?,
            None => (None, None),
        };
        let upstream = std::mem::take(&mut *lock(&self.inbox));
        let http1::Message { headers, body, broke, .. } = message;
        Ok(Answer { status, headers, body, broke, upstream, route, decisions })
    }
}

/// What the access log tells of a request: its route, and what was decided.
type Told = (Option<String>, Option<Vec<Decision>>);

impl Running {
    fn converse(&self, send: &Send) -> std::io::Result<(u16, http1::Message)> {
        let domain = if self.peer.address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(self.peer.address, 0).into())?;
        socket.connect(&self.process.address.into())?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(HANGS))?;
        stream.set_write_timeout(Some(HANGS))?;
        match &self.certificate {
            Some(certificate) => http1::exchange(certificate.connect(stream)?, send),
            None => http1::exchange(stream, send),
        }
    }

    /// What the access log tells of the request with this id.
    fn told(&self, id: &str) -> Result<Told, String> {
        loop {
            let line = self.process.access.recv_timeout(HANGS);
            let line = line.map_err(|_| format!("the access log never told of request {id}"))?;
            let line: Value = serde_json::from_str(&line).map_err(|error| format!("access log: {error} in {line}"))?;
            if line.get("request_id").and_then(Value::as_str) != Some(id) {
                continue;
            }
            let list = line.get("decisions").and_then(Value::as_array).ok_or("the access log has no decisions")?;
            let decided = |told: &Value| {
                let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
                decision(text("policy"), text("outcome"), text("reason"), text("detail"))
                    .ok_or_else(|| format!("the access log has a decision that nobody knows: {told}"))
            };
            let route = line.get("route").and_then(Value::as_str).map(str::to_owned);
            return Ok((route, Some(list.iter().map(decided).collect::<Result<_, _>>()?)));
        }
    }
}
