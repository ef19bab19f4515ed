//! What a route asks of a request, and what can be wrong with that.

use std::cmp::Ordering;

use http::{HeaderName, HeaderValue, Method};

use super::escape::decode_query;
use super::host::HostError;
use super::pattern::PatternError;
use super::router::Lookup;

/// What a route asks of a request: one entry of `routes[].match`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// `api.example.com`, or `*.example.com` for every host below; `None` for every host.
    pub host: Option<String>,
    /// `/orders/{id}`, `/files/{name}.png`, `/api/{*rest}`.
    pub path: String,
    /// Empty for any method. `GET` serves `HEAD` too.
    pub methods: Vec<Method>,
    /// Header fields that must be present: one line with exactly this value, or `*` for any value.
    pub headers: Vec<(HeaderName, String)>,
    /// Query parameters that must be present: one of that name with exactly this decoded value, or `*` for any.
    pub query: Vec<(String, String)>,
}

/// Why a [`Match`] is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    /// The host is no pattern.
    #[error("host: {0}")]
    Host(#[from] HostError),
    /// The path is no pattern.
    #[error("path: {0}")]
    Path(#[from] PatternError),
    /// An empty text to compare a header field with.
    #[error("header `{0}` has an empty value; write `*` when it must be present with any value")]
    EmptyHeader(HeaderName),
    /// A text that no header field can have.
    #[error("header `{0}` can never have this value: remove control characters and the spaces around it")]
    HeaderValue(HeaderName),
    /// A query parameter without a name.
    #[error("a query condition has no name; write `name: value`")]
    EmptyQueryName,
    /// An empty text to compare a query parameter with.
    #[error("query parameter `{0}` has an empty value; write `*` when it must be present with any value")]
    EmptyQuery(String),
    /// An earlier route takes every request that this one could take with `method`.
    #[error(
        "route {other} has the same host, path and conditions for {}, so this one is never reached; add a condition or remove one of them",
        .method.as_ref().map_or("any method", Method::as_str)
    )]
    Duplicate {
        /// The earlier one's position in the slice.
        other: usize,
        /// The method that both name; `None` when both take any.
        method: Option<Method>,
    },
}

/// One header or query condition, parsed; the value is `None` for any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// A header field.
    Header(HeaderName, Option<HeaderValue>),
    /// A query parameter, name and value decoded.
    Query(String, Option<String>),
}

impl Condition {
    /// The conditions of a route in an order of their own, each once, and what is wrong with the others.
    pub(super) fn parse_all(wanted: &Match) -> (Vec<Self>, Vec<MatchError>) {
        let headers = wanted.headers.iter().map(|(name, value)| Self::header(name, value));
        let query = wanted.query.iter().map(|(name, value)| Self::query(name, value));
        let (mut conditions, mut errors) = (Vec::new(), Vec::new());
        for parsed in headers.chain(query) {
            match parsed {
                Ok(condition) => conditions.push(condition),
                Err(error) => errors.push(error),
            }
        }
        conditions.sort();
        conditions.dedup();
        (conditions, errors)
    }

    /// Whether a request is as wanted. Where a field or parameter came several times, one of them must be.
    pub(super) fn holds(&self, lookup: &Lookup<'_, '_>) -> bool {
        let headers = lookup.headers;
        match self {
            Self::Header(name, _) if lookup.announced.contains(name) => true,
            Self::Header(name, None) => headers.contains_key(name),
            Self::Header(name, Some(value)) => headers.get_all(name).iter().any(|present| present == value),
            Self::Query(name, value) => lookup.query.unwrap_or_default().split('&').any(|pair| {
                let (present_name, present) = pair.split_once('=').unwrap_or((pair, ""));
                let same = |present, wanted: &str| decode_query(present).is_some_and(|present| present == wanted);
                same(present_name, name) && value.as_ref().is_none_or(|value| same(present, value))
            }),
        }
    }

    fn header(name: &HeaderName, value: &str) -> Result<Self, MatchError> {
        match value {
            "" => Err(MatchError::EmptyHeader(name.clone())),
            "*" => Ok(Self::Header(name.clone(), None)),
            // RFC 9110 §5.5: whitespace around a value is not part of it
            _ => HeaderValue::from_bytes(value.as_bytes())
                .ok()
                .filter(|_| value.trim_matches([' ', '\t']) == value)
                .map(|value| Self::Header(name.clone(), Some(value)))
                .ok_or_else(|| MatchError::HeaderValue(name.clone())),
        }
    }

    fn query(name: &str, value: &str) -> Result<Self, MatchError> {
        match (name, value) {
            ("", _) => Err(MatchError::EmptyQueryName),
            (_, "") => Err(MatchError::EmptyQuery(name.to_owned())),
            (_, "*") => Ok(Self::Query(name.to_owned(), None)),
            _ => Ok(Self::Query(name.to_owned(), Some(value.to_owned()))),
        }
    }

    fn key(&self) -> (bool, &str, Option<&[u8]>) {
        match self {
            Self::Header(name, value) => (false, name.as_str(), value.as_ref().map(HeaderValue::as_bytes)),
            Self::Query(name, value) => (true, name, value.as_ref().map(String::as_bytes)),
        }
    }
}

impl Ord for Condition {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Condition {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
