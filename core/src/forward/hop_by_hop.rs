//! Hop-by-hop header fields (RFC 9110 §7.6.1): they speak to the next hop only and are not passed on.

use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

/// Fields that are hop-by-hop whether or not `Connection` names them.
fn always(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "transfer-encoding"
            | "te"
            | "upgrade"
    )
}

/// Fields that `Connection` may not nominate: they frame the message or are the gateway's own to give, and a client that
/// could have them dropped could have an upstream trust what it should not.
const NEVER: [&str; 10] = [
    "content-length",
    "content-type",
    "host",
    "authorization",
    "cookie",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-request-id",
];

/// Of these fields, the lines that are passed on: `Connection` may take one away, and hop-by-hop fields never are.
pub(crate) fn passed_on(names: &[HeaderName], headers: &HeaderMap) -> HeaderMap {
    let mut sent = HeaderMap::with_capacity(names.len() + 1);
    for name in names.iter().filter(|name| **name != CONNECTION).chain([&CONNECTION]) {
        for line in headers.get_all(name) {
            sent.append(name, line.clone());
        }
    }
    remove(&mut sent);
    sent
}

/// Removes hop-by-hop fields. `TE: trailers` stays: it says that the sender can take trailers, and so can we.
pub fn remove(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let nominated: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .filter(|name| !NEVER.contains(&name.as_str()))
            .collect();
        for name in nominated {
            // `TE` is nominated whenever it is sent (RFC 9110 §10.1.4)
            if name != TE {
                headers.remove(name);
            }
        }
    }
    // one look at what is there is cheaper than eight for what is mostly not
    let present: Vec<HeaderName> = headers.keys().filter(|name| always(name)).cloned().collect();
    if present.is_empty() {
        return;
    }
    let trailers =
        headers.get_all(TE).iter().any(|value| tokens(value).any(|token| token.eq_ignore_ascii_case(b"trailers")));
    // a length beside it is not to be believed, and not to be passed on (RFC 9112 §6.3)
    if present.contains(&TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    for name in present {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Whether a request asks for a WebSocket (RFC 6455 §4.1), before [`remove`] takes that away.
///
/// Every other upgrade is a hop's own affair and may be ignored (RFC 9110 §7.8): the request goes on as what it is, without
/// the offer. So h2c gets past no policy, and clients that offer it by habit are served.
pub fn asks_for_websocket(method: &Method, version: Version, headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(UPGRADE).iter();
    // several lines are one list (RFC 9110 §5.3), and a list names something else too
    let (Some(protocol), None) = (protocols.next(), protocols.next()) else { return false };
    let nominated = || {
        let mut lines = headers.get_all(CONNECTION).iter();
        lines.any(|value| tokens(value).any(|token| token.eq_ignore_ascii_case(b"upgrade")))
    };
    let asked = method == Method::GET && version == Version::HTTP_11;
    asked && protocol.as_bytes().eq_ignore_ascii_case(b"websocket") && nominated()
}

/// Asks the upstream for a WebSocket, after [`remove`].
pub fn ask_for_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

fn tokens(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn nominated_fields_go_and_protected_ones_stay() {
        let mut headers = map(&[
            ("connection", "close, X-Hop"),
            ("connection", "X-Forwarded-For, Authorization, Cookie"),
            ("x-hop", "1"),
            ("x-forwarded-for", "192.0.2.1"),
            ("authorization", "Bearer x"),
            ("cookie", "a=b"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("proxy-authorization", "Basic x"),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
        ]);
        remove(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "authorization", "cookie", "x-forwarded-for"]);
    }

    #[test]
    fn only_trailers_are_left_of_te() {
        let mut headers = map(&[("connection", "TE"), ("te", "gzip, trailers")]);
        remove(&mut headers);
        assert_eq!(headers, map(&[("te", "trailers")]));
        let mut headers = map(&[("connection", "TE"), ("te", "gzip")]);
        remove(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn only_websockets_are_upgraded() {
        let ask = |connection, protocol| {
            let headers = map(&[("connection", connection), ("upgrade", protocol)]);
            asks_for_websocket(&Method::GET, Version::HTTP_11, &headers)
        };
        assert!(ask("keep-alive, Upgrade", "WebSocket"));
        assert!(!ask("Upgrade, HTTP2-Settings", "h2c"));
        assert!(!ask("Upgrade", "websocket, h2c"));
        assert!(!ask("close", "websocket"));
        let headers = map(&[("connection", "upgrade"), ("upgrade", "websocket")]);
        assert!(!asks_for_websocket(&Method::POST, Version::HTTP_11, &headers));
        assert!(!asks_for_websocket(&Method::GET, Version::HTTP_10, &headers));
        let headers = map(&[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")]);
        assert!(!asks_for_websocket(&Method::GET, Version::HTTP_11, &headers));
    }
}
