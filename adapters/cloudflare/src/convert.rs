//! Messages: between what crosses to JavaScript (`js/glue.js` says how) and core's.

use std::net::{IpAddr, Ipv6Addr};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use portico_core::{Body, Certificate, Country, Peer};
use wasm_bindgen::JsValue;
use web_sys::ReadableStream;

use crate::glue;
use crate::platform::Stream;

/// Where Cloudflare says whose connection it was.
const CF_CONNECTING_IP: HeaderName = HeaderName::from_static("cf-connecting-ip");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The request behind a head of `head.js`, and who sent it.
///
/// An error when it is no HTTP that core could refuse.
pub(crate) fn request(head: String, body: Option<ReadableStream>) -> Result<(Peer, Request<Body<Stream>>), &'static str> {
    let mut lines = head.splitn(7, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (method, url, protocol) = (line(), line(), line());
    let (country, asn, certificate) = (line(), line(), line());
    let (scheme, rest) = url.split_once("://").ok_or("a request without an absolute URL")?;
    let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let mut headers = fields(line().to_owned())?;
    if !headers.contains_key(HOST) {
        headers.insert(HOST, HeaderValue::from_str(authority).map_err(|_| "no host")?);
    }

    // the edge is a part of this gateway: what it tells about the client is no field of the client's
    let address = headers.remove(CF_CONNECTING_IP);
    let address = address.as_ref().and_then(|address| address.to_str().ok()?.trim().parse().ok());
    headers.remove(X_FORWARDED_PROTO);
    let mut peer = Peer::new(address.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), scheme == "https");
    peer.country = Country::parse(country);
    peer.asn = asn.parse().ok();
    peer.certificate = self::certificate(certificate).map(Into::into);

    let mut request = Request::new(match body {
        None => Body::Empty,
        Some(js) => Body::Stream(Stream { js, length: declared_length(&headers) }),
    });
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| "a method that is no token")?;
    *request.uri_mut() = Uri::try_from(if target.is_empty() { "/" } else { target }).map_err(|_| "no request target")?;
    *request.version_mut() = if matches!(protocol, "HTTP/2" | "HTTP/3") { Version::HTTP_2 } else { Version::HTTP_11 };
    *request.headers_mut() = headers;
    Ok((peer, request))
}

/// Subject, issuer, serial number and fingerprint of a certificate that Cloudflare verified.
fn certificate(text: &str) -> Option<Certificate> {
    let mut parts = text.split('\t');
    let sha256 = parts.next()?;
    let (subject, issuer, serial) = (parts.next()?, parts.next()?, parts.next()?);
    Certificate::new(subject.to_owned(), issuer.to_owned(), serial.to_owned(), sha256)
}

/// The fields of a response as they came: how the runtime holds them, and how core does. What was not changed need not
/// cross again, and stays as it was to the byte.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    pub(crate) js: JsValue,
    pub(crate) map: HeaderMap,
}

impl Fields {
    /// What makes `headers` of these fields, as `respond` of `glue.js` reads it: name, sign and value of each change.
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

/// The head of a request upstream for `send` of `glue.js`. Several lines of a field become a list (RFC 9110 §5.3).
pub(crate) fn head(method: &Method, url: &str, headers: &HeaderMap) -> String {
    let mut text = String::with_capacity(url.len() + headers.len() * 48);
    text.extend([url, "\n", method.as_str()]);
    for name in headers.keys() {
        text.extend(["\n", name.as_str(), "\n"]);
        for (index, value) in headers.get_all(name).iter().enumerate() {
            text.push_str(if index == 0 { "" } else { ", " });
            text.push_str(&String::from_utf8_lossy(value.as_bytes()));
        }
    }
    text
}

/// Fields: lines of a name and of its value in turn.
pub(crate) fn fields(text: String) -> Result<HeaderMap, &'static str> {
    // values are slices of it
    let text = Bytes::from(text);
    let mut lines = std::str::from_utf8(&text).map_err(|_| "no text")?.split('\n');
    let mut headers = HeaderMap::with_capacity(24);
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "a field name that is no token")?;
        let value = HeaderValue::from_maybe_shared(text.slice_ref(value.as_bytes()));
        headers.append(name, value.map_err(|_| "a field value with control characters")?);
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
