//! `Forwarded` (RFC 7239) and `X-Forwarded-*`: who asked, for which host, over which scheme.
//!
//! What a trusted proxy wrote is continued; what anybody else wrote is replaced.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::context::{Context, X_FORWARDED_FOR, X_FORWARDED_PROTO};

const FORWARDED: HeaderName = http::header::FORWARDED;
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Spoofable relatives that some upstreams believe; we do not send them, so they never pass.
const RELATIVES: [&str; 6] =
    ["x-real-ip", "x-client-ip", "true-client-ip", "x-forwarded-port", "x-forwarded-server", "x-forwarded-scheme"];

/// Adds our hop to a request that goes upstream.
pub fn add(headers: &mut HeaderMap, context: &Context<'_>) {
    let proto = if context.secure { "https" } else { "http" };
    let host = context.authority().and_then(|host| HeaderValue::from_str(host).ok());
    let (chain, elements) = if context.trusted {
        (joined(headers, &X_FORWARDED_FOR), joined(headers, &FORWARDED))
    } else {
        (None, None)
    };
    for name in RELATIVES {
        if !context.trusted {
            headers.remove(name);
        }
    }

    let mut element = format!("for={}", node(context.peer));
    if let Some(host) = host.as_ref().and_then(|host| host.to_str().ok()) {
        element.push_str(";host=");
        element.push_str(&quoted(host));
    }
    element.push_str(";proto=");
    element.push_str(proto);

    insert(headers, X_FORWARDED_FOR, &appended(chain, &context.peer.to_string()));
    insert(headers, FORWARDED, &appended(elements, &element));
    insert(headers, X_FORWARDED_PROTO, proto);
    match host {
        Some(host) if !context.trusted || !headers.contains_key(X_FORWARDED_HOST) => headers.insert(X_FORWARDED_HOST, host),
        Some(_) => None,
        None => headers.remove(X_FORWARDED_HOST),
    };
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn appended(chain: Option<String>, last: &str) -> String {
    chain.map_or_else(|| last.to_owned(), |chain| format!("{chain}, {last}"))
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => headers.insert(name, value),
        Err(_) => headers.remove(name),
    };
}

/// A node identifier; IPv6 goes in brackets and quotes (RFC 7239 §6).
fn node(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("\"[{v6}]\""),
    }
}

/// A token as it is, anything else as a quoted string (RFC 9110 §5.6).
fn quoted(text: &str) -> String {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(token) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
