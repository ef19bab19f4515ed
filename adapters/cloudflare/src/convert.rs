//! Messages: between what crosses to JavaScript (`js/glue.js` says how) and core's.

use std::net::{IpAddr, Ipv6Addr};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use portico_core::context::{RequestId, X_REQUEST_ID};
use portico_core::decision::{Policy, Reason};
use portico_core::{Body, Certificate, Country, Peer, Refusal};
use wasm_bindgen::JsValue;
use web_sys::ReadableStream;

use crate::platform::Stream;
use crate::{glue, instance};

/// Where Cloudflare says whose connection it was.
const CF_CONNECTING_IP: HeaderName = HeaderName::from_static("cf-connecting-ip");

/// The request behind a head of `head.js`, who sent it, and its fields as they came.
///
/// An error, for the client, when it is none that core takes.
pub(crate) fn request(
    head: String,
    body: Option<ReadableStream>,
) -> Result<(Peer, HeaderMap, Request<Body<Stream>>), &'static str> {
    let mut lines = head.splitn(7, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (method, url, protocol) = (line(), line(), line());
    let (country, asn, certificate) = (line(), line(), line());
    let (scheme, rest) = url.split_once("://").ok_or("The URL is not absolute.")?;
    let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let came = fields(line().to_owned())?;
    let mut headers = came.clone();
    if !headers.contains_key(HOST) {
        headers.insert(HOST, HeaderValue::from_str(authority).map_err(|_| "The host is malformed.")?);
    }

    // the edge is a part of this gateway: what it tells about the client is no field of the client's
    let address = headers.remove(CF_CONNECTING_IP);
    let address = address.as_ref().and_then(|address| address.to_str().ok()?.trim().parse().ok());
    let mut peer = Peer::new(address.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), scheme == "https");
    peer.country = Country::parse(country);
    peer.asn = asn.parse().ok();
    peer.certificate = self::certificate(certificate).map(Into::into);

    let length = declared_length(&headers);
    if length.is_some_and(|length| length >= 1 << 53) {
        return Err("The length is beyond all measure.");
    }
    let mut request = Request::new(match body {
        None => Body::Empty,
        Some(js) => Body::Stream(Stream { js, length }),
    });
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| "The method is malformed.")?;
    *request.uri_mut() =
        Uri::try_from(if target.is_empty() { "/" } else { target }).map_err(|_| "The request target is malformed.")?;
    *request.version_mut() = if matches!(protocol, "HTTP/2" | "HTTP/3") { Version::HTTP_2 } else { Version::HTTP_11 };
    *request.headers_mut() = headers;
    Ok((peer, came, request))
}

/// The answer to a request that never gets to the gateway: the runtime passes what HTTP does not.
pub(crate) fn malformed(detail: &'static str) -> web_sys::Response {
    let id = RequestId::new(instance::random());
    let refusal = Refusal::new(Policy::Path, Reason::RequestMalformed).detail(detail);
    let mut refused = refusal.response(id.as_str());
    refused.headers_mut().insert(X_REQUEST_ID, id.to_header());
    response(refused)
}

/// Subject, issuer, serial number and fingerprint of a certificate that Cloudflare verified.
fn certificate(text: &str) -> Option<Certificate> {
    let mut parts = text.split('\t');
    let sha256 = parts.next()?;
    let (subject, issuer, serial) = (parts.next()?, parts.next()?, parts.next()?);
    Certificate::new(subject.to_owned(), issuer.to_owned(), serial.to_owned(), sha256)
}

/// The fields of a message as they came: how the runtime holds them, and how core does. What was not changed need not
/// cross again, and stays as it was to the byte.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    pub(crate) js: JsValue,
    pub(crate) map: HeaderMap,
}

impl Fields {
    /// What makes `headers` of these fields, as `change` of `glue.js` reads it: name, sign and value of each change.
    pub(crate) fn changes(&self, headers: &HeaderMap) -> String {
        let mut changes = String::new();
        let mut add = |name: &HeaderName, sign, value: &[u8]| {
            if !changes.is_empty() {
                changes.push('\n');
            }
            changes.extend([name.as_str(), "\n", sign, "\n"]);
            changes.push_str(&String::from_utf8_lossy(value));
        };
        for name in self.map.keys().filter(|name| !headers.contains_key(*name)) {
            add(name, "-", b"");
        }
        for name in headers.keys() {
            let (was, is) = (self.map.get_all(name), headers.get_all(name));
            if was != is {
                for (index, value) in is.iter().enumerate() {
                    add(name, if index == 0 { "=" } else { "+" }, value.as_bytes());
                }
            }
        }
        changes
    }
}

/// Fields: lines of a name and of its value in turn.
pub(crate) fn fields(text: String) -> Result<HeaderMap, &'static str> {
    // values are slices of it
    let text = Bytes::from(text);
    let mut lines = std::str::from_utf8(&text).map_err(|_| "A field is malformed.")?.split('\n');
    let mut headers = HeaderMap::with_capacity(24);
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "The name of a field is malformed.")?;
        let value = HeaderValue::from_maybe_shared(text.slice_ref(value.as_bytes()));
        headers.append(name, value.map_err(|_| "A field has control characters.")?);
    }
    Ok(headers)
}

/// The length that a message declares.
pub(crate) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The response as the runtime sends it.
pub(crate) fn response(response: Response<Body<Stream>>) -> web_sys::Response {
    let (mut parts, body) = response.into_parts();
    let socket = parts.extensions.remove::<glue::Socket>();
    let came = parts.extensions.remove::<Fields>().unwrap_or_default();
    // RFC 9110 §6.4.1; the runtime throws when one of these has a body, even an empty one
    let bodiless = matches!(
        parts.status,
        StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
    );
    let body = if bodiless { JsValue::NULL } else { body_value(body, JsValue::NULL) };
    let socket = socket.map_or(JsValue::UNDEFINED, |socket| socket.0);
    let changes = came.changes(&parts.headers);
    glue::respond(parts.status.as_u16(), &came.js, &changes, body, socket)
}

/// A body as `Response` and `fetch` take it; `empty` for none.
pub(crate) fn body_value(body: Body<Stream>, empty: JsValue) -> JsValue {
    match body {
        Body::Empty => empty,
        Body::Full(bytes) => js_sys::Uint8Array::from(&*bytes).into(),
        Body::Stream(stream) => stream.js.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(head: &str) -> (Peer, Request<Body<Stream>>) {
        let (peer, _, request) = request(head.to_owned(), None).unwrap();
        (peer, request)
    }

    #[test]
    fn a_head_is_a_request() {
        let head = "POST\nhttps://api.example/a?b=c#d\nHTTP/2\nDE\n64496\n\ncf-connecting-ip\n192.0.2.7\nhost\napi.example\nx-empty\n";
        let (peer, request) = came(head);
        assert_eq!(peer.address, "192.0.2.7".parse::<IpAddr>().unwrap());
        assert!(peer.secure && peer.certificate.is_none());
        assert_eq!((peer.country.map(Country::as_str), peer.asn), (Some("DE"), Some(64_496)));
        assert_eq!((request.method(), request.version()), (&Method::POST, Version::HTTP_2));
        assert_eq!(request.uri(), "/a?b=c");
        assert_eq!(request.headers()["x-empty"], "");
        assert!(!request.headers().contains_key(CF_CONNECTING_IP));
    }

    #[test]
    fn a_request_without_fields_has_its_urls_host() {
        let (peer, request) = came("GET\nhttp://a:8080\n\n\n\n");
        assert!(peer.address.is_unspecified() && !peer.secure);
        assert_eq!((request.uri().path(), &request.headers()[HOST]), ("/", &HeaderValue::from_static("a:8080")));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for head in
            ["GET\n/a", "GET\nhttp://a/<\n\n\n\n\n", "G T\nhttp://a/\n\n\n\n\n", "GET\nhttp://a/\n\n\n\n\nx\n\u{7}"]
        {
            assert!(request(head.to_owned(), None).is_err(), "{head:?}");
        }
    }

    #[test]
    fn certificates_have_four_parts() {
        let fingerprint = "ab".repeat(32);
        let whole = certificate(&format!("{fingerprint}\tCN=a\tCN=b\t07")).unwrap();
        assert_eq!((&*whole.subject, &*whole.issuer, &*whole.serial, whole.sha256), ("CN=a", "CN=b", "07", [0xab; 32]));
        assert!(certificate(&fingerprint).is_none() && certificate("").is_none());
    }

    #[test]
    fn only_changes_cross_back() {
        let map = fields("a\n1\nb\n2\nset-cookie\nx\nset-cookie\ny".to_owned()).unwrap();
        let came = Fields { js: JsValue::NULL, map: map.clone() };
        assert_eq!(came.changes(&map), "");
        let mut headers = map;
        headers.remove("a");
        headers.insert("b", HeaderValue::from_static("3"));
        headers.append("set-cookie", HeaderValue::from_static("z"));
        // of several names in any order
        let changes = came.changes(&headers);
        let lines: Vec<_> = changes.split('\n').collect();
        let mut changes: Vec<_> = lines.chunks(3).map(|change| change.join(" ")).collect();
        changes.sort();
        assert_eq!(changes, ["a - ", "b = 3", "set-cookie + y", "set-cookie + z", "set-cookie = x"]);
    }
}
