//! What a cache did with a request, as it says it in `Cache-Status` (RFC 9211).

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// The field.
pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// One member of the list, which names this cache: `portico; hit; ttl=30`, `portico; fwd=stale; fwd-status=304; stored`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// `None` is a hit.
    forward: Option<Forward>,
    forward_status: Option<StatusCode>,
    ttl: Option<i64>,
    stored: bool,
    collapsed: bool,
    detail: Option<&'static str>,
}

/// Why a request went forward (RFC 9211 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// The cache was told not to handle it.
    Bypass,
    /// Its method's semantics require it.
    Method,
    /// Nothing was stored that matches its URL.
    UriMiss,
    /// What was stored for its URL has other selecting fields.
    VaryMiss,
    /// Nothing was stored that could be used.
    Miss,
    /// A fresh response was stored, but the request's own directives forbid its use.
    Request,
    /// What was stored is stale.
    Stale,
}

impl Status {
    /// The response was stored; nothing went forward.
    pub const HIT: Self =
        Self { forward: None, forward_status: None, ttl: None, stored: false, collapsed: false, detail: None };

    /// The request went forward.
    pub const fn forward(why: Forward) -> Self {
        Self { forward: Some(why), ..Self::HIT }
    }

    /// What the next server answered, when that is not what the client gets (RFC 9211 §2.3).
    #[must_use]
    pub const fn forward_status(self, status: StatusCode) -> Self {
        Self { forward_status: Some(status), ..self }
    }

    /// How many seconds the response stays fresh, negative when it is stale (RFC 9211 §2.4).
    #[must_use]
    pub const fn ttl(self, seconds: i64) -> Self {
        Self { ttl: Some(seconds), ..self }
    }

    /// The response was stored (RFC 9211 §2.5).
    #[must_use]
    pub const fn stored(self) -> Self {
        Self { stored: true, ..self }
    }

    /// The request waited for the answer to another one (RFC 9211 §2.6).
    #[must_use]
    pub const fn collapsed(self) -> Self {
        Self { collapsed: true, ..self }
    }

    /// More about it: a token (RFC 9211 §2.8).
    #[must_use]
    pub const fn detail(self, token: &'static str) -> Self {
        Self { detail: Some(token), ..self }
    }

    /// Adds it to a response, behind what caches closer to the origin said.
    pub fn apply(&self, headers: &mut HeaderMap) {
        // what is written are digits and the words of this file: always a value
        if let Ok(value) = HeaderValue::try_from(self.to_string()) {
            headers.append(CACHE_STATUS, value);
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.forward {
            None => f.write_str("portico; hit")?,
            Some(why) => write!(f, "portico; fwd={}", why.as_str())?,
        }
        if let Some(status) = self.forward_status {
            write!(f, "; fwd-status={}", status.as_u16())?;
        }
        if let Some(ttl) = self.ttl {
            write!(f, "; ttl={ttl}")?;
        }
        if self.stored {
            f.write_str("; stored")?;
        }
        if self.collapsed {
            f.write_str("; collapsed")?;
        }
        match self.detail {
            None => Ok(()),
            Some(detail) => write!(f, "; detail={detail}"),
        }
    }
}

impl Forward {
    /// The token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9211 §3: the examples that this cache could say.
    #[test]
    fn members_are_those_of_the_rfc() {
        for (status, text) in [
            (Status::HIT, "portico; hit"),
            (Status::HIT.ttl(376), "portico; hit; ttl=376"),
            (Status::HIT.ttl(-412), "portico; hit; ttl=-412"),
            (Status::forward(Forward::UriMiss), "portico; fwd=uri-miss"),
            (Status::forward(Forward::UriMiss).collapsed(), "portico; fwd=uri-miss; collapsed"),
            (
                Status::forward(Forward::Stale).forward_status(StatusCode::NOT_MODIFIED).stored(),
                "portico; fwd=stale; fwd-status=304; stored",
            ),
            (Status::forward(Forward::Miss).detail("no-store"), "portico; fwd=miss; detail=no-store"),
            (Status::forward(Forward::VaryMiss).stored().ttl(60), "portico; fwd=vary-miss; ttl=60; stored"),
        ] {
            let mut headers = HeaderMap::new();
            status.apply(&mut headers);
            assert_eq!(headers.get("cache-status").unwrap(), text);
        }
    }

    /// RFC 9211 §2: the first member is of the cache closest to the origin.
    #[test]
    fn the_member_comes_last() {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_STATUS, HeaderValue::from_static("OriginCache; hit; ttl=1100"));
        Status::forward(Forward::Bypass).apply(&mut headers);
        let all: Vec<_> = headers.get_all("cache-status").iter().collect();
        assert_eq!(all, ["OriginCache; hit; ttl=1100", "portico; fwd=bypass"]);
    }
}
