//! Messages: between `wasi:http`'s and core's.

use std::net::{IpAddr, Ipv6Addr};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use portico_core::context::{RequestId, X_REQUEST_ID};
use portico_core::decision::{Policy, Reason};
use portico_core::{Body, Peer, Refusal};
use wasip3::http::types::{self, Scheme};

use crate::stream::{self, Stream};
use crate::{host, instance};

/// Fields that concern a connection, which is the host's: it takes no message that has one.
const HOSTS_OWN: [&str; 9] = [
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// Fields as the host has them.
pub(crate) type Fields = Vec<(String, Vec<u8>)>;

/// The head of a request as the host has it.
#[derive(Debug)]
struct Head {
    method: types::Method,
    scheme: Option<Scheme>,
    authority: Option<String>,
    target: Option<String>,
    fields: Fields,
}

/// A request, and who sent it.
///
/// An error, for the client, when it is none that core takes.
pub(crate) fn request(incoming: types::Request) -> Result<(Peer, Request<Body<Stream>>), &'static str> {
    let (peer, request) = head(Head {
        method: incoming.get_method(),
        scheme: incoming.get_scheme(),
        authority: incoming.get_authority(),
        target: incoming.get_path_with_query(),
        fields: incoming.get_headers().copy_all(),
    })?;
    let length = declared_length(request.headers());
    let body = match length {
        Some(0) => Body::Empty,
        // The host hides Transfer-Encoding. It would not send such a body on either: its client takes a request of these
        // methods without a length for one without a body
        None if matches!(*request.method(), Method::GET | Method::HEAD) => Body::Empty,
        _ => {
            let mut stream = Stream::new(length, |taken| types::Request::consume_body(incoming, taken));
            if length.is_none() && stream.is_over() { Body::Empty } else { Body::Stream(stream) }
        }
    };
    Ok((peer, request.map(|()| body)))
}

fn head(head: Head) -> Result<(Peer, Request<()>), &'static str> {
    let mut headers = fields(head.fields)?;
    let client = host::client(&mut headers);
    let secure = matches!(head.scheme, Some(Scheme::Https));
    let peer = Peer::new(client.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), secure);

    if let Some(authority) = host::authority(head.authority) {
        headers.insert(HOST, HeaderValue::try_from(authority).map_err(|_| "The host is malformed.")?);
    }
    let mut request = Request::new(());
    *request.method_mut() = method(head.method)?;
    let target = head.target.filter(|target| !target.is_empty()).unwrap_or_else(|| "/".to_owned());
    *request.uri_mut() = Uri::try_from(target).map_err(|_| "The request target is malformed.")?;
    *request.headers_mut() = headers;
    Ok((peer, request))
}

fn method(method: types::Method) -> Result<Method, &'static str> {
    Ok(match method {
        types::Method::Get => Method::GET,
        types::Method::Head => Method::HEAD,
        types::Method::Post => Method::POST,
        types::Method::Put => Method::PUT,
        types::Method::Delete => Method::DELETE,
        types::Method::Connect => Method::CONNECT,
        types::Method::Options => Method::OPTIONS,
        types::Method::Trace => Method::TRACE,
        types::Method::Patch => Method::PATCH,
        types::Method::Other(name) => Method::from_bytes(name.as_bytes()).map_err(|_| "The method is malformed.")?,
    })
}

/// The fields of a message, each line of its own.
pub(crate) fn fields(fields: Fields) -> Result<HeaderMap, &'static str> {
    let mut headers = HeaderMap::with_capacity(fields.len() + 8);
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "The name of a field is malformed.")?;
        let value = HeaderValue::from_maybe_shared(Bytes::from(value));
        headers.append(name, value.map_err(|_| "A field has control characters.")?);
    }
    Ok(headers)
}

/// The fields of a message as the host takes them: without those that are its own affair.
pub(crate) fn list(headers: &HeaderMap) -> Fields {
    let fields = headers.iter().filter(|(name, _)| !HOSTS_OWN.contains(&name.as_str()));
    fields.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

/// The length that a message declares.
pub(crate) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The response to a request of this method, as the host sends it.
pub(crate) fn response(response: Response<Body<Stream>>, method: &Method) -> types::Response {
    let (mut parts, body) = response.into_parts();
    // RFC 9110 §6.4.1
    let bodiless = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) || method == Method::HEAD;
    let body = if bodiless { Body::Empty } else { body };
    // the host knows no length of what is made here, and would send it in chunks
    if let Some(length) = body.len().filter(|_| !bodiless) {
        parts.headers.insert(CONTENT_LENGTH, length.into());
    }
    let headers = types::Fields::from_list(&list(&parts.headers)).unwrap_or_else(|error| {
        eprintln!("the host refused the fields of a response: {error:?}");
        parts.status = StatusCode::INTERNAL_SERVER_ERROR;
        types::Fields::new()
    });
    let (contents, trailers) = stream::contents(body);
    let (response, _sent) = types::Response::new(headers, contents, trailers);
    if response.set_status_code(parts.status.as_u16()).is_err() {
        eprintln!("the host refused the status {}", parts.status);
    }
    response
}

/// The answer to a request that never gets to the gateway: the host passes what HTTP does not.
pub(crate) fn malformed(detail: &'static str) -> types::Response {
    refused(Refusal::new(Policy::Path, Reason::RequestMalformed).detail(detail))
}

/// The answer to every request when there is no gateway.
pub(crate) fn unusable() -> types::Response {
    refused(Refusal::new(Policy::Route, Reason::InternalError))
}

fn refused(refusal: Refusal) -> types::Response {
    let id = RequestId::new(instance::random());
    let mut refused = refusal.response(id.as_str());
    refused.headers_mut().insert(X_REQUEST_ID, id.to_header());
    response(refused, &Method::GET)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fields: &[(&str, &[u8])]) -> Head {
        Head {
            method: types::Method::Get,
            scheme: Some(Scheme::Https),
            authority: Some("api.example:8443".to_owned()),
            target: Some("/a?b=c".to_owned()),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect(),
        }
    }

    #[test]
    fn a_head_is_a_request() {
        let (peer, request) = head(sent(&[("x-a", b"1"), ("x-a", b"2")])).unwrap();
        assert!(peer.secure && peer.address.is_unspecified());
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::GET, "/a?b=c"));
        assert_eq!(request.headers()[HOST], "api.example:8443");
        assert_eq!(request.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    }

    #[cfg(feature = "spin")]
    #[test]
    fn spin_says_who_the_client_is() {
        let (peer, request) = head(sent(&[("Spin-Client-Addr", b"192.0.2.7:1234")])).unwrap();
        assert_eq!(peer.address, "192.0.2.7".parse::<IpAddr>().unwrap());
        assert_eq!(request.headers().keys().collect::<Vec<_>>(), ["host"]);
    }

    #[cfg(not(feature = "spin"))]
    #[test]
    fn what_clients_say_of_themselves_is_a_field_like_any_other() {
        let (peer, request) = head(sent(&[("Spin-Client-Addr", b"192.0.2.7:1234")])).unwrap();
        assert!(peer.address.is_unspecified());
        assert_eq!(request.headers()["spin-client-addr"], "192.0.2.7:1234");
    }

    #[test]
    fn what_is_missing() {
        let (peer, request) = head(Head { scheme: None, authority: None, target: None, ..sent(&[]) }).unwrap();
        assert!(!peer.secure);
        assert_eq!((request.uri().path(), request.headers().len()), ("/", 0));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for wrong in [
            Head { target: Some("/<".to_owned()), ..sent(&[]) },
            Head { authority: Some("a\nb".to_owned()), ..sent(&[]) },
            Head { method: types::Method::Other("G T".to_owned()), ..sent(&[]) },
            sent(&[("a b", b"")]),
            sent(&[("a", b"\0")]),
        ] {
            let described = format!("{wrong:?}");
            assert!(head(wrong).is_err(), "{described}");
        }
    }

    #[test]
    fn fields_are_lists_of_bytes_both_ways() {
        let lines: Fields = [("set-cookie", &b"a=1"[..]), ("set-cookie", b"b=\xff"), ("x", b"")]
            .map(|(name, value)| (name.to_owned(), value.to_vec()))
            .into();
        assert_eq!(list(&fields(lines.clone()).unwrap()), lines);
        let hosts = HOSTS_OWN.map(|name| (name.to_owned(), b"x".to_vec()));
        assert_eq!(list(&fields(hosts.into()).unwrap()), []);
    }
}
