//! The second subject: the `portico` binary, started for real with `portico serve`, between a raw client and real origins.
//!
//! Decisions are read from its access log. Each case has a process of its own, so that its limits are fresh.

mod node;
mod nodes;
mod process;
mod tls;

pub use self::node::Node;
pub use self::nodes::Nodes;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Socket, Type};

use self::process::{Process, Started};
use self::tls::Certificate;
use crate::child::HANGS;
use crate::origins::Origins;
use portico::case::http1;
use portico::case::subject::{Answer, Refusal, Session, Subject};
use portico::case::{Case, Need, Peer, Send};

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
    origins: Origins,
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
            Need::Client => Some("the native server knows nothing of a client but its address".to_owned()),
            Need::Binding => Some("the native server has no bindings".to_owned()),
            Need::Store => Some("the store is inside the process and does not fail".to_owned()),
            Need::Ipv6 if !self.ipv6 => Some("this machine has no IPv6".to_owned()),
            Need::Ipv6 | Need::Tls | Need::Keys => None,
        }
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Session>, String> {
        let origins = Origins::start(case)?;
        let certificate = case.peer.secure.then(Certificate::new).transpose()?;
        let listen: IpAddr = match case.peer.address {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        match Process::start(&origins.config, case, listen, certificate.as_ref())? {
            Started::Serving(process) => {
                Ok(Box::new(Running { process, origins, peer: case.peer.clone(), certificate }))
            }
            Started::Ended(said) => Err(format!("`portico serve` ended and said:\n{said}")),
        }
    }

    fn refuse(&self, case: &Case) -> Result<Refusal, String> {
        match Process::start(&case.config, case, Ipv4Addr::LOCALHOST.into(), None)? {
            Started::Serving(_) => Ok(Refusal::Taken),
            Started::Ended(said) => Ok(Refusal::Text(said)),
        }
    }
}

impl Session for Running {
    fn exchange(&mut self, send: &Send) -> Result<Answer, String> {
        drop(self.origins.received());
        let (status, message) = self.converse(send).map_err(|error| format!("no response: {error}"))?;
        let told = self.process.access.told(message.values("x-request-id").next());
        let (route, decisions) = told?;
        let http1::Message { headers, body, broke, .. } = message;
        Ok(Answer { status, headers, body, broke, upstream: self.origins.received(), route, decisions })
    }

    fn set_value(&mut self, key: &str, value: Option<&str>) -> Result<(), String> {
        self.process.set_value(key, value).map_err(|error| format!("{key}: {error}"))
    }
}

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
}
