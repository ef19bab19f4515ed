//! Why there is no answer, and the way out.

use std::fmt;

use redis::{ErrorKind, RedisError, ServerErrorKind};
use rustls::CertificateError;

/// Why there is no answer. Says neither where the Redis is nor how to log in there.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// There is no connection.
    Unreachable(String),
    /// The connection broke after the question was asked.
    Lost(String),
    /// It is a replica: not the one to ask, or not any more.
    Replica,
    /// It is one node of several, and not the one to ask.
    Cluster(String),
    /// It answered with another error, of which this is the code.
    Refused(String),
    /// It did not answer in time.
    Silent,
}

impl Trouble {
    pub(super) fn unreachable(error: std::io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        Self::Unreachable(match tls {
            // says which name was expected, too
            Some(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })) => {
                rustls::Error::InvalidCertificate(CertificateError::NotValidForName).to_string()
            }
            _ => error.to_string(),
        })
    }

    pub(super) fn after(error: &RedisError) -> Self {
        use ServerErrorKind::{Ask, ClusterDown, CrossSlot, Moved, ReadOnly, TryAgain};
        // only the code: what stands behind it may name nodes
        let code = || error.code().unwrap_or(error.category()).to_owned();
        match error.kind() {
            ErrorKind::Server(ReadOnly) => Self::Replica,
            // as a script says it before Redis 7
            ErrorKind::Server(_) if error.detail().is_some_and(|detail| detail.contains("-READONLY")) => Self::Replica,
            ErrorKind::Server(Moved | Ask | TryAgain | ClusterDown | CrossSlot) => Self::Cluster(code()),
            ErrorKind::Io | ErrorKind::Parse => Self::Lost(error.to_string()),
            ErrorKind::AuthenticationFailed => Self::Refused("AUTH with an error".to_owned()),
            _ => Self::Refused(code()),
        }
    }

    /// Whether a question may get an answer by another connection: of two nodes the address is that of the first, whichever
    /// that is.
    pub(super) const fn calls_for_another_connection(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Replica)
    }

    /// The way out.
    pub(super) const fn help(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::Lost(_) | Self::Silent => {
                "look whether it runs and can be reached from here, and whether the secret has its address (rediss:// for TLS)"
            }
            Self::Replica => "let the secret have the address of the primary, or one that follows it",
            Self::Cluster(_) => {
                "it is a node of a Redis Cluster, and another node has what was asked for, or none: put a proxy in front, or name a Redis that is no \
                 cluster"
            }
            Self::Refused(_) => {
                "look whether user and password in the secret are right, and may use EVALSHA, EVAL, GET, SET, SELECT and TIME, and for a \
                 shared cache DEL, ZADD, ZCARD, ZRANGE and ZREMRANGEBYSCORE"
            }
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(formatter, "it cannot be reached ({why})"),
            Self::Lost(why) => write!(formatter, "the connection broke ({why})"),
            Self::Replica => write!(formatter, "it answered READONLY"),
            Self::Cluster(code) | Self::Refused(code) => write!(formatter, "it answered {code}"),
            Self::Silent => write!(formatter, "it did not answer within a second"),
        }
    }
}
