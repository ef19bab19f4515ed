//! Where a gateway that runs already is, and connections to it.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use portico_core::HEALTH_PATH;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;

use crate::case::problem::Problem;
use crate::case::{Payload, Send, http1};
use crate::tls;

/// Nothing takes this long. A net under a gateway that hangs.
const HANGS: Duration = Duration::from_secs(60);

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A gateway somewhere.
#[derive(Debug)]
pub(super) struct Gateway {
    url: String,
    host: String,
    port: u16,
    /// As in `Host`.
    authority: String,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl fmt::Display for Gateway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.url)
    }
}

impl Gateway {
    /// Reads a URL: scheme, host and port.
    pub(super) fn parse(url: &str) -> Result<Self, Problem> {
        let help = "write scheme, host and port, such as http://127.0.0.1:8080 or https://gateway.example";
        let wrong = |what: &str| Problem::new(format!("{url:?} {what}"), help);
        let uri: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("does not begin with http:// or https://")),
        };
        let (host, authority) = (uri.host().unwrap_or_default(), uri.authority().map_or("", |one| one.as_str()));
        if authority.contains('@') {
            return Err(wrong("names a user"));
        }
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(wrong("has a path, and cases have their own"));
        }
        let host = host.trim_matches(['[', ']']).to_owned();
        let tls = match secure {
            true => Some((client()?, ServerName::try_from(host.clone()).map_err(|_| wrong("has no valid host"))?)),
            false => None,
        };
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { url, host, port, authority: authority.to_owned(), tls })
    }

    pub(super) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    pub(super) fn is_ipv6_loopback(&self) -> bool {
        self.host.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback())
    }

    /// The hash of the gateway's configuration, if it tells. The error: nobody is there.
    pub(super) fn health(&self) -> Result<Option<String>, Problem> {
        let ask = Send {
            method: "GET".to_owned(),
            target: HEALTH_PATH.to_owned(),
            headers: vec![("Host".to_owned(), self.authority.clone())],
            body: Payload::None,
        };
        let (_, message) = self.exchange(&ask).map_err(|error| self.silent(&error))?;
        let health: Option<Value> = serde_json::from_slice(&message.body).ok();
        Ok(health.and_then(|health| Some(health.get("config")?.as_str()?.to_owned())))
    }

    fn silent(&self, error: &io::Error) -> Problem {
        let certificate = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let help = match certificate {
            Some(rustls::Error::InvalidCertificate(_)) => {
                "if the certificate is by an authority of your own, name its file in SSL_CERT_FILE".to_owned()
            }
            _ => format!("start it, for example with `portico serve --listen {}:{}`", self.host, self.port),
        };
        Problem::new(format!("nothing answers at {self}: {error}"), help)
    }

    /// Sends one request over a connection of its own.
    pub(super) fn exchange(&self, send: &Send) -> io::Result<(u16, http1::Message)> {
        let stream = self.connect()?;
        match &self.tls {
            None => http1::exchange(stream, send),
            Some((client, name)) => {
                let connection = ClientConnection::new(Arc::clone(client), name.clone()).map_err(io::Error::other)?;
                http1::exchange(StreamOwned::new(connection, stream), send)
            }
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut failed = None;
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(HANGS))?;
                    stream.set_write_timeout(Some(HANGS))?;
                    return Ok(stream);
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| io::Error::other("the host has no address")))
    }
}

/// Trusts the machine's roots.
fn client() -> Result<Arc<ClientConfig>, Problem> {
    let (roots, problems) = tls::native_roots();
    let help = "install ca-certificates, or name a file of trusted certificates in SSL_CERT_FILE";
    let problem = |message: String| Problem::new(message, help);
    if roots.is_empty() {
        return Err(problem(problems.join("; ")));
    }
    Ok(Arc::new(tls::client(roots).map_err(|error| problem(error.to_string()))?))
}
