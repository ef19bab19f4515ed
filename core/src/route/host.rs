//! Host patterns, and the host of a request in the form in which they are compared.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// The longest name that DNS knows, in bytes (RFC 1035 §3.1); longer ones match no pattern.
const MAX_HOST: usize = 253;

/// Which hosts a route serves; most specific first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostPattern {
    /// This host: lower case, no trailing dot.
    Exact(Box<str>),
    /// Every host that ends with this and has a label before it: `.example.com`.
    Below(Box<str>),
    /// Every host, and requests that name none.
    Any,
}

/// What is wrong with a host pattern, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// `https://api.example.com` or `api.example.com/v1`.
    #[error("`{0}` is a URL; write the host alone, and the path as `path`")]
    Url(String),
    /// `api.example.com:8080`.
    #[error("`{0}` has a port; ports are not matched, write the host alone")]
    Port(String),
    /// `bücher.example`: clients send the form with `xn--`.
    #[error("`{0}` is not ASCII; write the name as clients send it, starting with `xn--`")]
    NotAscii(String),
    /// `*`, `api.*.com`, `*.*.com`, `*api.example.com`.
    #[error(
        "`{0}` has a wildcard that is not the first label of a name; write `*.example.com`, or no host for every one"
    )]
    Wildcard(String),
    /// Empty, an empty or overlong label, a strange character.
    #[error("`{0}` is no host name; write `api.example.com`, `*.example.com`, `10.0.0.1` or `[::1]`")]
    Invalid(String),
}

impl HostPattern {
    /// Parses what a user wrote; case and a trailing dot do not matter.
    pub(super) fn parse(text: &str) -> Result<Self, HostError> {
        let own = || text.to_owned();
        if text.contains('/') {
            return Err(HostError::Url(own()));
        }
        if !text.is_ascii() {
            return Err(HostError::NotAscii(own()));
        }
        if let Some(bracketed) = text.strip_prefix('[') {
            let (address, port) = bracketed.split_once(']').ok_or_else(|| HostError::Invalid(own()))?;
            if !port.is_empty() {
                return Err(HostError::Port(own()));
            }
            let address: Ipv6Addr = address.parse().map_err(|_| HostError::Invalid(own()))?;
            return Ok(Self::Exact(format!("[{address}]").into()));
        }
        if text.split_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(HostError::Port(own()));
        }
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_suffix('.').unwrap_or(&lower);
        let (wildcard, name) = name.strip_prefix("*.").map_or((false, name), |rest| (true, rest));
        if name.contains('*') {
            return Err(HostError::Wildcard(own()));
        }
        if name.len() > MAX_HOST || !name.split('.').all(is_label) {
            return Err(HostError::Invalid(own()));
        }
        Ok(if wildcard { Self::Below(format!(".{name}").into()) } else { Self::Exact(name.into()) })
    }
}

/// The host of a request as patterns spell it: no port, no trailing dot, lower case (RFC 3986 §3.2.2, §6.2.2.1), IPv6
/// addresses in their shortest form (RFC 5952). `None` for what no pattern can be: it goes to the routes without a host.
pub fn normalise(authority: &str) -> Option<Cow<'_, str>> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        is_port(port).then(|| Cow::Owned(format!("[{address}]")))
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (host, port) = authority.split_at_checked(end)?;
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.is_empty() || host.len() > MAX_HOST || !is_port(port) {
            None
        } else if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Some(Cow::Owned(host.to_ascii_lowercase()))
        } else {
            Some(Cow::Borrowed(host))
        }
    }
}

/// Nothing, or a colon and digits (RFC 3986 §3.2.3 allows none).
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A label of RFC 1123 §2.1; underscores because internal names have them.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert_eq!(HostPattern::parse("API.Example.com."), Ok(HostPattern::Exact("api.example.com".into())));
        assert_eq!(HostPattern::parse("*.Example.com"), Ok(HostPattern::Below(".example.com".into())));
        assert_eq!(HostPattern::parse("[0:0::1]"), Ok(HostPattern::Exact("[::1]".into())));
        assert_eq!(HostPattern::parse("10.0.0.1"), Ok(HostPattern::Exact("10.0.0.1".into())));
        for (text, error) in [
            ("https://a.example", HostError::Url as fn(String) -> HostError),
            ("a.example/v1", HostError::Url),
            ("a.example:80", HostError::Port),
            ("[::1]:80", HostError::Port),
            ("bücher.example", HostError::NotAscii),
            ("*", HostError::Wildcard),
            ("a.*.com", HostError::Wildcard),
            ("*.*.com", HostError::Wildcard),
            ("*a.com", HostError::Wildcard),
            ("", HostError::Invalid),
            (".", HostError::Invalid),
            ("*.", HostError::Wildcard),
            ("a..b", HostError::Invalid),
            ("-a.com", HostError::Invalid),
            ("a b.com", HostError::Invalid),
            ("[::1", HostError::Invalid),
            ("[a.com]", HostError::Invalid),
            ("::1", HostError::Invalid),
        ] {
            assert_eq!(HostPattern::parse(text), Err(error(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn requests() {
        for (authority, host) in [
            ("a.example", Some("a.example")),
            ("A.Example.:443", Some("a.example")),
            ("a.example:", Some("a.example")),
            ("[::1]:8080", Some("[::1]")),
            ("[0:0:0:0:0:0:0:1]", Some("[::1]")),
            ("[::1%25eth0]", None),
            ("[::1]x", None),
            ("", None),
            (":80", None),
            ("a.example:80@evil", None),
            ("a.example:80:80", None),
            ("a.example:x", None),
        ] {
            assert_eq!(normalise(authority).as_deref(), host, "{authority}");
        }
        assert!(matches!(normalise("a.example:80"), Some(Cow::Borrowed(_))));
        assert_eq!(normalise(&"a.".repeat(200)), None);
    }
}
