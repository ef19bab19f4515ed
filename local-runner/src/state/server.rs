//! A Redis by its address, and how a connection to it is made.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::link::TIMEOUT;
use super::trouble::Trouble;
use crate::tls;

/// After which time without a word a connection is tried: well before a NAT or a firewall forgets it.
const IDLE: Duration = Duration::from_secs(15);

/// After which time without an acknowledgement it leads nowhere. There is time left then to ask by another one.
const DEAF: Duration = Duration::from_millis(500);

/// By which questions are asked; any number at once, each with its answer.
pub(super) type Connection = MultiplexedConnection;

/// Where a Redis is, and how to log in there.
pub(super) struct Server {
    host: String,
    port: u16,
    /// Who logs in, and which database is meant.
    login: RedisConnectionInfo,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Server {
    /// See [`Redis::new`](super::Redis::new).
    pub(super) fn new(address: &str, roots: impl FnOnce() -> RootCertStore) -> Result<Self, AddressError> {
        let address = address.trim();
        // told apart here: without TLS of its own the crate knows only the one
        let (encrypted, rest) = match address.split_once("://") {
            Some(("redis", rest)) => (false, rest),
            Some(("rediss", rest)) => (true, rest),
            _ => return Err(AddressError),
        };
        if rest.contains(['#', '?']) {
            return Err(AddressError);
        }
        let info = format!("redis://{rest}").into_connection_info().map_err(|_| AddressError)?;
        let ConnectionAddr::Tcp(host, port) = info.addr().clone() else { return Err(AddressError) };
        let connector = || {
            let name = ServerName::try_from(host.clone()).map_err(|_| AddressError)?;
            let config = tls::client(roots()).map_err(|_| AddressError)?;
            Ok((TlsConnector::from(Arc::new(config)), name))
        };
        let tls = encrypted.then(connector).transpose()?;
        Ok(Self { host, port, login: info.redis_settings().clone(), tls })
    }

    /// A new connection, on which the login was answered.
    pub(super) async fn connect(self: Arc<Self>) -> Result<Connection, Trouble> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let addresses: Vec<_> = found.map_err(Trouble::unreachable)?.collect();
        self.connect_to_first(&addresses).await
    }

    /// To whichever address is the first to answer. Of the time that there is, each gets a share before the next is tried beside it.
    async fn connect_to_first(self: Arc<Self>, addresses: &[SocketAddr]) -> Result<Connection, Trouble> {
        let share = TIMEOUT / u32::try_from(addresses.len() + 1).unwrap_or(u32::MAX);
        let mut addresses = addresses.iter();
        let mut attempts = JoinSet::new();
        let mut trouble = Trouble::Unreachable("its name has no address".to_owned());
        loop {
            if let Some(address) = addresses.next() {
                attempts.spawn(Arc::clone(&self).connect_to(*address));
            }
            match timeout(share, attempts.join_next()).await {
                Ok(Some(Ok(Ok(connection)))) => return Ok(connection),
                Ok(Some(Ok(Err(failed)))) => trouble = failed,
                Ok(None) => return Err(trouble),
                // none has come to an end
                Err(_) | Ok(Some(Err(_))) => {}
            }
        }
    }

    async fn connect_to(self: Arc<Self>, address: SocketAddr) -> Result<Connection, Trouble> {
        let tcp = TcpStream::connect(address).await.map_err(Trouble::unreachable)?;
        tcp.set_nodelay(true).and_then(|()| watch(&tcp)).map_err(Trouble::unreachable)?;
        match &self.tls {
            None => self.log_in(tcp).await,
            Some((tls, name)) => self.log_in(tls.connect(name.clone(), tcp).await.map_err(Trouble::unreachable)?).await,
        }
    }

    async fn log_in(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Connection, Trouble> {
        // the deadline is the whole attempt's
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let connected = Connection::new_with_config(&self.login, stream, config).await;
        let (connection, driver) = connected.map_err(|error| match Trouble::after(&error) {
            Trouble::Lost(why) => Trouble::Unreachable(why),
            refused => refused,
        })?;
        tokio::spawn(driver);
        Ok(connection)
    }
}

/// Lets the system break a connection whose other end is gone, as when a NAT forgot it: who asks then is told at once.
fn watch(tcp: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(tcp);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(DEAF))?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(IDLE).with_interval(IDLE))
}

/// The text is no address of a Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no address of a Redis")]
pub struct AddressError;

#[cfg(test)]
mod tests;
