//! One look for an issuer's keys: in the store, or at the issuer's URL.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use serde::Deserialize;
use serde_json::Value;

use crate::body::Body;
use crate::jwt::{KeyError, KeySet};
use crate::platform::{CollectError, FetchError, Platform, Timestamp, within};

/// How long an issuer may take for the head of its answer, and then for the body.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How far the clocks of those who share a store may differ.
const SKEW: Duration = Duration::from_secs(60);

/// The largest key set that is read, in bytes. With what stands around its copy, it fits into the store.
const MAX_SET: u64 = 512 << 10;

/// Where keys are.
#[derive(Debug)]
pub(super) enum Place {
    /// At the issuer's URL, with a copy in the store under this key.
    Issuer {
        /// The URL.
        uri: Uri,
        /// The copy's key.
        copy: String,
    },
    /// In the store, under this key.
    Store(String),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer { uri, .. } => uri.fmt(formatter),
            Self::Store(key) => write!(formatter, "{key} in the store"),
        }
    }
}

/// Keys that were found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) keys: KeySet,
    /// When they came from their issuer.
    pub(super) fetched: Timestamp,
    /// What others may use as well.
    pub(super) copy: Option<Copy>,
    /// Why they are older than they should be.
    pub(super) trouble: Option<Trouble>,
}

/// A copy of an issuer's keys, for the store.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) key: String,
    pub(super) value: Bytes,
}

/// A copy as the store holds it.
#[derive(Deserialize)]
struct Stored {
    /// Seconds since the Unix epoch.
    fetched: u64,
    jwks: Value,
}

/// Why there are no keys, or no newer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// No answer.
    #[error("no answer: {0}")]
    Fetch(FetchError),
    /// An answer other than 200. Redirects are not followed: they could lead anywhere.
    #[error("answered {}", .0.as_u16())]
    Status(StatusCode),
    /// An answer that could not be read.
    #[error("an answer that could not be read: {0}")]
    Body(CollectError),
    /// An answer that did not end in time.
    #[error("an answer that did not end in time")]
    Slow,
    /// Not a JWK Set.
    #[error("what is there is no JWK Set")]
    NotASet,
    /// A set with secrets in it.
    #[error("the set there holds a private or secret key")]
    Secret,
    /// A set without a key to check signatures with.
    #[error("no key of the set there can be used")]
    NoUsableKey,
    /// The store failed.
    #[error("the store is unavailable")]
    Store,
    /// The store has nothing.
    #[error("nothing is there")]
    Nothing,
    /// Others went on looking for them.
    #[error("they did not come in time")]
    Waited,
}

impl From<KeyError> for Trouble {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::NotASet | KeyError::SingleKey => Self::NotASet,
            KeyError::PrivateKey { .. } | KeyError::SharedSecret { .. } | KeyError::SecretTooShort { .. } => {
                Self::Secret
            }
            KeyError::NoUsableKey { .. } => Self::NoUsableKey,
        }
    }
}

/// Looks for keys. A copy in the store will do if it is younger than `young`; an older one, if it is all there is.
pub(super) async fn key_set<P: Platform>(platform: &P, place: &Place, young: Duration) -> Result<Found, Trouble> {
    let (uri, copy) = match place {
        Place::Issuer { uri, copy } => (uri, copy),
        Place::Store(key) => {
            let value = platform.read(key).await.map_err(|_| Trouble::Store)?.ok_or(Trouble::Nothing)?;
            let (_, keys) = parse(&value)?;
            return Ok(Found { keys, fetched: platform.now(), copy: None, trouble: None });
        }
    };
    let stored = match stored(platform, copy).await {
        Some(stored) if platform.now().since(stored.fetched) < young => return Ok(stored),
        stored => stored,
    };
    match (ask(platform, uri).await, stored) {
        (Ok((text, keys)), _) => {
            let fetched = platform.now();
            let value = format!("{{\"fetched\":{},\"jwks\":{text}}}", fetched.as_secs()).into();
            let copy = Some(Copy { key: copy.clone(), value });
            Ok(Found { keys, fetched, copy, trouble: None })
        }
        (Err(trouble), Some(stored)) => Ok(Found { trouble: Some(trouble), ..stored }),
        (Err(trouble), None) => Err(trouble),
    }
}

/// The copy in the store. One that cannot be read is none: the issuer has the keys.
async fn stored<P: Platform>(platform: &P, key: &str) -> Option<Found> {
    let value = platform.read(key).await.ok()??;
    let Stored { fetched, jwks } = serde_json::from_slice(&value).ok()?;
    let (keys, _) = KeySet::parse(&jwks).ok()?;
    // another machine's clock may be a little ahead of ours; how old a copy from the future is, nobody knows
    let (fetched, now) = (Timestamp::from_secs(fetched), platform.now());
    let fetched = (fetched <= now + SKEW).then(|| fetched.min(now))?;
    Some(Found { keys, fetched, copy: None, trouble: None })
}

/// The issuer's own answer, as text and as keys.
async fn ask<P: Platform>(platform: &P, uri: &Uri) -> Result<(String, KeySet), Trouble> {
    let mut request = Request::new(Body::Empty);
    *request.uri_mut() = uri.clone();
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    // some issuers refuse whoever does not say what it is
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(concat!("portico/", env!("CARGO_PKG_VERSION"))));
    let response = platform.fetch(request, TIMEOUT).await.map_err(Trouble::Fetch)?;
    if response.status() != StatusCode::OK {
        return Err(Trouble::Status(response.status()));
    }
    let bytes = match response.into_body() {
        Body::Empty => Bytes::new(),
        Body::Full(bytes) => bytes,
        Body::Stream(stream) => {
            let collected = within(platform.sleep(TIMEOUT), platform.collect(stream, MAX_SET)).await;
            collected.ok_or(Trouble::Slow)?.map_err(Trouble::Body)?
        }
    };
    if bytes.len() as u64 > MAX_SET {
        return Err(Trouble::Body(CollectError::TooLarge));
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<(String, KeySet), Trouble> {
    let text = std::str::from_utf8(bytes).map_err(|_| Trouble::NotASet)?;
    let json: Value = serde_json::from_str(text).map_err(|_| Trouble::NotASet)?;
    let (keys, _) = KeySet::parse(&json)?;
    Ok((text.to_owned(), keys))
}
