//! The connection to a Redis: one for all requests, made by the first of them and made anew by whoever finds it broken.
//!
//! The `redis` crate has a `ConnectionManager`, which keeps a connection on which nothing comes back, and remembers for ever that it was
//! once refused a login. Here a connection that fails in any way is forgotten, and the next request makes another.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionAddr, ErrorKind, IntoConnectionInfo as _, RedisConnectionInfo};
use redis::{RedisError, ServerErrorKind, Value};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::question::Question;
use crate::tls;

/// Who has no answer by then goes on without one, however much was tried.
const TIMEOUT: Duration = Duration::from_secs(1);

/// By which questions are asked; any number at once, each with its answer.
pub(super) type Connection = MultiplexedConnection;

/// What came of connecting, once it is known. All who need a connection wait for the same.
type Attempt = Arc<OnceCell<Result<Connection, Trouble>>>;

/// A Redis and the connection to it.
pub(super) struct Link {
    host: String,
    port: u16,
    /// Who logs in, and which database is meant.
    login: RedisConnectionInfo,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    current: Mutex<Attempt>,
}

impl Link {
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
        Ok(Self { host, port, login: info.redis_settings().clone(), tls, current: Mutex::default() })
    }

    /// What `question` gets for an answer within a second. It is asked once more, by a new connection, when the answer was lost.
    pub(super) async fn ask(&self, question: &Question) -> Result<Value, Trouble> {
        let deadline = Instant::now() + TIMEOUT;
        match self.ask_until(deadline, question).await {
            Err(Trouble::Lost(_)) => self.ask_until(deadline, question).await,
            answer => answer,
        }
    }

    async fn ask_until(&self, deadline: Instant, question: &Question) -> Result<Value, Trouble> {
        let attempt = self.current();
        let answer = tokio::time::timeout_at(deadline, self.ask_by(&attempt, question)).await;
        answer.unwrap_or_else(|_| {
            self.forget(&attempt);
            Err(Trouble::Silent)
        })
    }

    async fn ask_by(&self, attempt: &Attempt, question: &Question) -> Result<Value, Trouble> {
        let connected = attempt.get_or_init(|| self.connect()).await;
        let answer = match connected {
            Ok(connection) => question.put(connection.clone()).await.map_err(|error| Trouble::after(&error)),
            Err(trouble) => Err(trouble.clone()),
        };
        if connected.is_err() || matches!(answer, Err(Trouble::Lost(_))) {
            self.forget(attempt);
        }
        answer
    }

    async fn connect(&self) -> Result<Connection, Trouble> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(Trouble::unreachable)?;
        tcp.set_nodelay(true).map_err(Trouble::unreachable)?;
        match &self.tls {
            None => self.log_in(tcp).await,
            Some((tls, name)) => self.log_in(tls.connect(name.clone(), tcp).await.map_err(Trouble::unreachable)?).await,
        }
    }

    async fn log_in(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Connection, Trouble> {
        // the deadline is the whole question's
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let connected = Connection::new_with_config(&self.login, stream, config).await;
        let (connection, driver) = connected.map_err(|error| match Trouble::after(&error) {
            Trouble::Lost(why) => Trouble::Unreachable(why),
            refused => refused,
        })?;
        tokio::spawn(driver);
        Ok(connection)
    }

    fn current(&self) -> Attempt {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets a connection, unless there is another one already.
    fn forget(&self, attempt: &Attempt) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, attempt) {
            *current = Attempt::default();
        }
    }
}

/// Why there is no answer. Says neither where the Redis is nor how to log in there.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// There is no connection.
    Unreachable(String),
    /// The connection broke after the question was asked, or Redis is not the one to ask any more.
    Lost(String),
    /// It answered with an error, of which this is the code.
    Refused(String),
    /// It did not answer in time.
    Silent,
}

impl Trouble {
    fn unreachable(error: std::io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        Self::Unreachable(match tls {
            // says which name was expected, too
            Some(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })) => {
                rustls::Error::InvalidCertificate(CertificateError::NotValidForName).to_string()
            }
            _ => error.to_string(),
        })
    }

    fn after(error: &RedisError) -> Self {
        match error.kind() {
            // of two nodes the one that was the first, and whoever has its address now is
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::Lost("READONLY".to_owned()),
            // as a script says it before Redis 7
            ErrorKind::Server(_) if error.detail().is_some_and(|detail| detail.contains("-READONLY")) => {
                Self::Lost("READONLY".to_owned())
            }
            ErrorKind::Io | ErrorKind::Parse => Self::Lost(error.to_string()),
            ErrorKind::AuthenticationFailed => Self::Refused("AUTH with an error".to_owned()),
            // only the code: what stands behind it may name nodes
            _ => Self::Refused(error.code().unwrap_or(error.category()).to_owned()),
        }
    }

    /// The way out.
    pub(super) const fn help(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::Lost(_) | Self::Silent => {
                "look whether it runs and can be reached from here, and whether the secret has its address (rediss:// for TLS)"
            }
            Self::Refused(_) => {
                "look whether user and password in the secret are right, and may use EVALSHA, EVAL, GET, SET, SELECT and TIME; a Redis Cluster \
                 (MOVED) needs a proxy in front"
            }
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(formatter, "it cannot be reached ({why})"),
            Self::Lost(why) => write!(formatter, "the connection broke ({why})"),
            Self::Refused(code) => write!(formatter, "it answered {code}"),
            Self::Silent => write!(formatter, "it did not answer within a second"),
        }
    }
}

/// The text is no address of a Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no address of a Redis")]
pub struct AddressError;

#[cfg(test)]
mod tests {
    use super::*;

    fn link(address: &str) -> Result<Link, AddressError> {
        Link::new(address, RootCertStore::empty)
    }

    #[test]
    fn addresses() {
        let plain = link("redis://redis.internal").unwrap();
        assert_eq!((plain.host.as_str(), plain.port, plain.tls.is_some()), ("redis.internal", 6379, false));
        assert_eq!((plain.login.username(), plain.login.password(), plain.login.db()), (None, None, 0));
        let full = link(" rediss://me:p%40ss@[::1]:6380/2\n").unwrap();
        assert_eq!((full.host.as_str(), full.port, full.tls.is_some()), ("::1", 6380, true));
        assert_eq!((full.login.username(), full.login.password(), full.login.db()), (Some("me"), Some("p@ss"), 2));
    }

    #[test]
    fn what_is_none() {
        for address in [
            "",
            "redis.internal:6379",
            "redis://",
            "http://redis.internal",
            "unix:///run/redis.sock",
            "redis://a:port",
            "redis://a/database",
            // would trust anybody
            "rediss://a/#insecure",
            "redis://a/?protocol=resp3",
        ] {
            assert!(link(address).is_err(), "{address}");
        }
    }
}
