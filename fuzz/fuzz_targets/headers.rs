//! Header fields from outside: what reaches an upstream, and what returns to a client, is what the gateway vouches for.
#![no_main]

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use libfuzzer_sys::fuzz_target;
use portico_core::sim::{Sim, block_on};
use portico_core::{Body, Gateway, Peer, config};

/// Of the key `k`.
const KEY_SHA256: &str = "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a";

static GATEWAY: LazyLock<Gateway> = LazyLock::new(|| {
    let document = serde_json::json!({
        "portico": 1,
        "name": "shop",
        "trusted_proxies": ["10.0.0.0/8"],
        "upstreams": { "orders": { "targets": [{ "url": "http://orders.internal/base" }] } },
        "identities": { "partners": { "api_key": { "keys": { "acme": { "sha256": KEY_SHA256 } } } } },
        "routes": [{
            "name": "orders",
            "match": { "path": "/api/{*rest}" },
            "upstream": "orders",
            "policies": {
                "cors": { "origins": ["https://shop.example"] },
                "auth": { "any_of": ["partners"], "optional": true },
                "request": { "path": "/v1/${path.rest}", "headers": { "set": { "X-User-Id": "gateway", "X-Consumer": "${consumer}", "X-Copy": "${header.Accept}" } } },
            },
        }],
    });
    config::compile(&document).unwrap_or_else(|findings| panic!("{findings:?}")).0
});

/// Never meant for the next hop (RFC 9110 §7.6.1), in either direction.
const HOP_BY_HOP: [&str; 5] =
    ["keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "transfer-encoding"];

// `METHOD TARGET` and lines of header fields, which the upstream sends back as well
fuzz_target!(|input: &[u8]| {
    let mut lines = input.split(|byte| *byte == b'\n');
    let Some((method, uri)) = lines.next().and_then(request_line) else { return };
    let fields: HeaderMap = lines.filter_map(field).collect();
    for peer in [[10, 0, 0, 1], [192, 0, 2, 1]] {
        serve(&method, &uri, &fields, peer.into());
    }
});

fn request_line(line: &[u8]) -> Option<(Method, Uri)> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let (method, target) = line.split_at(space);
    Some((Method::from_bytes(method).ok()?, Uri::try_from(target.get(1..)?).ok()?))
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value.get(1..)?.trim_ascii()).ok()?))
}

fn serve(method: &Method, uri: &Uri, fields: &HeaderMap, peer: IpAddr) {
    let sim = Sim::new(1);
    let sent = Rc::new(RefCell::new(None));
    let (inbox, echo) = (Rc::clone(&sent), fields.clone());
    sim.upstream("orders.internal", move |request| {
        *inbox.borrow_mut() = Some(request.into_parts().0);
        let mut response = Response::new(Body::Empty);
        *response.headers_mut() = echo.clone();
        response
    });
    let mut request = Request::new(Body::Empty);
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = fields.clone();
    let (response, after) = block_on(GATEWAY.handle(&sim, &Peer::new(peer, false), request));

    let trusted = peer.to_string().starts_with("10.");
    let record = after.record;
    assert!(trusted || record.client == peer, "{} is not {peer}", record.client);
    let ours = one(response.headers(), "x-request-id").expect("every response has an id");
    assert_eq!(ours, record.id.as_str().as_bytes());
    for name in HOP_BY_HOP.into_iter().chain(["connection", "upgrade"]) {
        assert!(!response.headers().contains_key(name), "{name} in a response");
    }
    if record.route.is_some() {
        let granted = response.headers().get_all("access-control-allow-origin");
        assert!(granted.iter().all(|origin| origin == "https://shop.example"), "an upstream granted an origin");
    }

    let Some(sent) = sent.take() else { return };
    let headers = &sent.headers;
    assert!(
        sent.uri.path().starts_with("/base/v1/") && !sent.uri.path().split('/').any(|part| part == ".." || part == ".")
    );
    assert_eq!(one(headers, "host").unwrap_or(b"orders.internal"), b"orders.internal");
    for name in HOP_BY_HOP {
        assert!(!headers.contains_key(name), "{name} in a request");
    }
    assert!(one(headers, "te").is_none_or(|te| te == b"trailers"));
    let socket = (one(headers, "connection"), one(headers, "upgrade"));
    assert!(matches!(socket, (None, None) | (Some(b"Upgrade"), Some(b"websocket"))), "{socket:?}");

    assert_eq!(one(headers, "x-request-id"), Some(ours));
    assert_eq!(one(headers, "traceparent").map(<[u8]>::len), Some(55));
    assert_eq!(one(headers, "x-user-id"), Some(&b"gateway"[..]));
    let consumer = fields.get("x-api-key").filter(|key| *key == "k").map(|_| &b"acme"[..]);
    assert_eq!(one(headers, "x-consumer"), consumer, "a consumer without its key");
    let copied = fields.get("accept").filter(|accept| accept.to_str().is_ok()).map(HeaderValue::as_bytes);
    assert_eq!(one(headers, "x-copy"), copied, "a template's value is what came");
    assert_eq!(one(headers, "x-api-key"), None, "a credential that was meant for the gateway");
    let chain = one(headers, "x-forwarded-for").map(String::from_utf8_lossy).expect("who asked");
    let forwarded = one(headers, "forwarded").map(String::from_utf8_lossy).expect("who asked");
    assert!(chain.ends_with(&peer.to_string()) && forwarded.contains(&format!("for={peer}")));
    if !trusted {
        assert_eq!(chain, peer.to_string());
        assert!(forwarded.starts_with("for="));
        assert_eq!(one(headers, "x-forwarded-proto"), Some(&b"http"[..]));
        for name in ["x-real-ip", "x-client-ip", "true-client-ip"] {
            assert!(!headers.contains_key(name), "{name} from outside");
        }
    }
}

/// The only value of a field; a second one would be somebody else's.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::as_bytes);
    assert!(values.next().is_none(), "{name} stands twice");
    value
}
