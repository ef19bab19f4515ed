//! A request as it was recorded: by the access log, or by a browser.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use portico_core::{Country, Timestamp};

/// A request as it was recorded, and what came of it.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) place: Place,
    /// When it arrived.
    pub(super) time: Timestamp,
    pub(super) method: Method,
    /// The path, and the query where it was recorded.
    pub(super) target: Uri,
    /// The host the client asked for; `None` if it named none.
    pub(super) host: Option<String>,
    /// The response's status.
    pub(super) status: u16,
    pub(super) by: By,
}

/// A request, or why there is none at that place.
pub(super) type Next = Result<Recorded, (Place, String)>;

/// Who recorded it.
#[derive(Debug, Clone)]
pub(super) enum By {
    Log(Box<Logged>),
    Browser(Box<Sent>),
}

/// What the access log holds of a request besides.
#[derive(Debug, Clone)]
pub(super) struct Logged {
    pub(super) client: IpAddr,
    pub(super) country: Option<Country>,
    pub(super) asn: Option<u32>,
    pub(super) route: Option<String>,
    /// Who was authenticated: by which identity, and as whom.
    pub(super) caller: Option<(String, String)>,
    pub(super) decisions: Vec<Decided>,
    /// The hash of the configuration that decided.
    pub(super) config: String,
}

/// What a HAR holds of a request besides.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// Whether it went over TLS.
    pub(super) secure: bool,
    /// Without those that belong to the connection.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// One step's decision, by the names of the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
pub(super) struct Decided {
    pub(super) policy: String,
    pub(super) outcome: String,
    pub(super) reason: String,
}

/// Where a request is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A line of a file, from 1.
    Line(Source, u64),
    /// An entry of a HAR, from 1.
    Entry(Source, usize),
}

/// A file, by its name.
pub(super) type Source = std::sync::Arc<str>;

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(file, line) => write!(formatter, "{file}:{line}"),
            Self::Entry(file, entry) => write!(formatter, "{file}: entry {entry}"),
        }
    }
}

impl Logged {
    /// What a step decided, if it decided anything.
    pub(super) fn decided(&self, policy: &str) -> Option<&Decided> {
        self.decisions.iter().find(|decided| decided.policy == policy)
    }
}

/// A time as RFC 3339 writes it; `None` when it is none, or before 1970.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(time.timestamp_micros()).ok().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_zone() {
        let micros = |text| time(text).map(Timestamp::as_micros);
        assert_eq!(micros("1970-01-01T00:00:01.500Z"), Some(1_500_000));
        assert_eq!(micros("2026-03-01T13:03:44.125+01:00"), micros("2026-03-01T12:03:44.125Z"));
        for text in ["", "2026-03-01", "2026-03-01T12:03:44", "1969-12-31T23:59:59Z", "yesterday"] {
            assert_eq!(micros(text), None, "{text}");
        }
    }
}
