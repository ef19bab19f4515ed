//! Traces on request: whoever can sign for a request sees in a header of its response what every step decided.
//!
//! The request carries `X-Portico-Debug: t=SECONDS,v1=HEX`: the time of signing in seconds since the Unix epoch, and the
//! HMAC-SHA256 of these five lines, joined by line feeds:
//!
//! ```text
//! portico-debug-v1
//! 1767225600                the time, as in the header
//! GET                       the method
//! api.example.com           the host as in Host, with its port if it has one there; lower case
//! /orders/7?page=2          path and query, as they are sent
//! ```
//!
//! So a header that was seen by somebody is good for that one request, and not for long. Whatever else comes is treated like
//! no header at all: nobody learns from an answer whether there is a secret, or what was wrong.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use sha2::Sha256;

use crate::config::{At, Compiler, units, wire};
use crate::context::{Context, only};
use crate::digest;
use crate::explain::Explanation;
use crate::platform::{Platform, Timestamp};

/// Asks for a trace.
pub const X_PORTICO_DEBUG: HeaderName = HeaderName::from_static("x-portico-debug");
/// The trace: an [`Explanation`] as JSON in ASCII.
pub const X_PORTICO_TRACE: HeaderName = HeaderName::from_static("x-portico-trace");

/// The fewest bytes of a secret: those of the hash (RFC 2104 §3). A shorter one signs for nothing.
pub const MIN_SECRET: usize = 32;

/// The longest trace. Proxies and clients refuse longer heads, the usual bound is 8 KiB for all fields together.
const MAX_TRACE: usize = 6 * 1024;

/// The compiled `debug`: who may see traces.
#[derive(Debug)]
pub struct Rules {
    secret: Box<str>,
    max_age: Duration,
}

impl Rules {
    pub(crate) fn compile(wire: &wire::Debug, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        let max_age_at = at.child_key("max_age");
        let max_age = compiler.check(&max_age_at, units::duration(wire.max_age.as_deref().unwrap_or("5m")));
        if max_age.is_some_and(|age| age < Duration::from_secs(1) || age > Duration::from_secs(3_600)) {
            compiler
                .error(&max_age_at, "a signature is good for 1s to 1h")
                .help("clocks rarely differ by more than 5m");
        }
        Some(Self { secret: compiler.secret(&wire.secret, &at.child_key("secret"))?, max_age: max_age? })
    }

    /// The name of the secret that signs.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Whether `signed`, the request's field, was made for this request by somebody who has the secret, not long ago.
    pub(crate) fn permit<P: Platform>(&self, platform: &P, context: &Context<'_>, signed: &HeaderValue) -> bool {
        let Some((time, signature)) = parse(signed) else { return false };
        if context.received.as_secs().abs_diff(time) > self.max_age.as_secs() {
            return false;
        }
        let Some(secret) = platform.secret(&self.secret) else { return false };
        let target = context.uri.path_and_query().map_or("", |target| target.as_str());
        let mac = mac(secret.as_bytes(), time, context.method.as_str(), context.host().unwrap_or_default(), target);
        // in constant time
        mac.is_some_and(|mac| mac.verify_slice(&signature).is_ok())
    }
}

/// The value of `X-Portico-Debug` for a request: its method, its host with the port if there is one, its path and query as they
/// are sent. `None` when the secret is shorter than [`MIN_SECRET`].
pub fn sign(secret: &[u8], time: Timestamp, method: &str, host: &str, target: &str) -> Option<String> {
    let signature = mac(secret, time.as_secs(), method, host, target)?.finalize().into_bytes();
    Some(format!("t={},v1={}", time.as_secs(), digest::hex(&signature)))
}

fn mac(secret: &[u8], time: u64, method: &str, host: &str, target: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok().filter(|_| secret.len() >= MIN_SECRET)?;
    let host = host.to_ascii_lowercase();
    mac.update(format!("portico-debug-v1\n{time}\n{method}\n{host}\n{target}").as_bytes());
    Some(mac)
}

fn parse(signed: &HeaderValue) -> Option<(u64, [u8; 32])> {
    let (time, signature) = signed.to_str().ok()?.strip_prefix("t=")?.split_once(",v1=")?;
    let digits = time.bytes().all(|byte| byte.is_ascii_digit());
    Some((time.parse().ok().filter(|_| digits)?, digest::parse_hex(signature)?))
}

/// Takes the field away, signed or not, so that no rule, no template, no upstream and no log ever sees it. What comes back is
/// its value if it has just one: of several, two readers could each believe another.
pub(crate) fn take(headers: &mut HeaderMap) -> Option<HeaderValue> {
    if !headers.contains_key(&X_PORTICO_DEBUG) {
        return None;
    }
    let signed = only(headers, &X_PORTICO_DEBUG).cloned();
    headers.remove(&X_PORTICO_DEBUG);
    signed
}

/// Puts the trace on a response.
pub(crate) fn show<B>(response: &mut Response<B>, explanation: &Explanation<'_>) {
    if let Ok(trace) = HeaderValue::from_maybe_shared(bytes::Bytes::from(explanation.to_ascii(MAX_TRACE))) {
        response.headers_mut().insert(X_PORTICO_TRACE, trace);
        // a cache on the way would show it to everybody
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_what_other_tools_make() {
        // printf 'portico-debug-v1\n1767225600\nGET\napi.example.com\n/orders/7?page=2' |
        //   openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let signed = sign(
            b"0123456789abcdef0123456789abcdef",
            Timestamp::from_secs(1_767_225_600),
            "GET",
            "API.example.com",
            "/orders/7?page=2",
        );
        assert_eq!(
            signed.as_deref(),
            Some("t=1767225600,v1=230b82ac17d6294acb7fae00ab3269a6d52ab6ebf2fb3f65200256482bae38ec")
        );
        assert_eq!(sign(&[b'x'; 31], Timestamp::default(), "GET", "a", "/"), None, "too short to be a secret");
    }

    #[test]
    fn what_is_not_exactly_a_signature_is_none() {
        let hex = "0".repeat(64);
        let read = |text: String| parse(&HeaderValue::from_str(&text).unwrap()).is_some();
        assert!(read(format!("t=1767225600,v1={hex}")));
        for text in [
            String::new(),
            format!("v1={hex},t=1767225600"),
            format!("t=1767225600, v1={hex}"),
            format!("t=+1767225600,v1={hex}"),
            format!("t=-1,v1={hex}"),
            format!("t=,v1={hex}"),
            format!("t=99999999999999999999,v1={hex}"),
            format!("t=1767225600,v1={}", &hex[1..]),
            format!("t=1767225600,v1={hex}0"),
            format!("t=1767225600,v1={hex},v1={hex}"),
            format!("t=1767225600,v2={hex}"),
        ] {
            assert!(!read(text.clone()), "{text}");
        }
    }
}
