//! `Forwarded` (RFC 7239) and `X-Forwarded-*`: who asked, for which host, over which scheme.
//!
//! What a trusted proxy wrote is continued; what anybody else wrote is replaced.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::context::{Context, X_FORWARDED_FOR, X_FORWARDED_PROTO};
use crate::net;

const FORWARDED: HeaderName = http::header::FORWARDED;
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Relatives of these fields that some upstreams believe. We do not send them, so they never pass from outside.
fn relative(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "x-real-ip"
            | "x-client-ip"
            | "x-cluster-client-ip"
            | "true-client-ip"
            | "x-original-host"
            | "x-original-url"
            | "x-rewrite-url"
            | "x-forwarded-port"
            | "x-forwarded-prefix"
            | "x-forwarded-server"
            | "x-forwarded-scheme"
            | "x-forwarded-ssl"
    )
}

/// Removes what only passes for the gateway's word: fields that a trusted proxy may send and nobody else, and, whoever sent
/// them, names with an underscore, which CGI and its heirs take for the same name with a hyphen (`X_User_Id` for `X-User-Id`).
pub fn remove_spoofed(headers: &mut HeaderMap, trusted: bool) {
    let spoofed = |name: &&HeaderName| name.as_str().contains('_') || (!trusted && relative(name));
    let spoofed: Vec<_> = headers.keys().filter(spoofed).cloned().collect();
    for name in spoofed {
        headers.remove(name);
    }
}

/// Adds our hop to a request that goes upstream.
pub fn add(headers: &mut HeaderMap, context: &Context<'_>) {
    let proto = if context.secure { "https" } else { "http" };
    let (chain, elements) =
        if context.trusted { (joined(headers, &X_FORWARDED_FOR), joined(headers, &FORWARDED)) } else { (None, None) };
    let peer = net::text(context.peer);
    // IPv6 goes in brackets and quotes (RFC 7239 §6)
    let (before, after) = if context.peer.is_ipv4() { ("for=", "") } else { ("for=\"[", "]\"") };
    let (host_is, host) = match context.host() {
        Some(host) => (";host=", quoted(host)),
        None => ("", Cow::Borrowed("")),
    };
    let element = [before, &peer, after, host_is, &host, ";proto=", proto].concat();

    insert(headers, X_FORWARDED_FOR, appended(chain, peer));
    insert(headers, FORWARDED, appended(elements, element));
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
    match &context.authority {
        Some(_) if context.trusted && headers.contains_key(X_FORWARDED_HOST) => {}
        Some(host) => drop(headers.insert(X_FORWARDED_HOST, host.clone())),
        None => drop(headers.remove(X_FORWARDED_HOST)),
    }
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn appended(chain: Option<String>, last: String) -> String {
    match chain {
        Some(chain) => format!("{chain}, {last}"),
        None => last,
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    match HeaderValue::from_maybe_shared(Bytes::from(value)) {
        Ok(value) => headers.insert(name, value),
        Err(_) => headers.remove(name),
    };
}

/// A token as it is, anything else as a quoted string (RFC 9110 §5.6).
fn quoted(text: &str) -> Cow<'_, str> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(token) {
        return Cow::Borrowed(text);
    }
    if !text.contains(['\\', '"']) {
        return Cow::Owned(["\"", text, "\""].concat());
    }
    Cow::Owned(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}
