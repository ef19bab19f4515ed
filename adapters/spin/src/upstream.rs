//! Requests to upstreams.

use std::cell::OnceCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST};
use http::{Method, Request, Response, StatusCode, request};
use portico_core::{Body, FetchError};
use wasip3::clocks::monotonic_clock;
use wasip3::http::client;
use wasip3::http::types::{self, ErrorCode, RequestOptions, Scheme};

use crate::convert;
use crate::platform::nanos;
use crate::stream::{self, Stream};
use crate::upload::{self, Upload};

/// A connection that is not there after this long counts as refused; the upstream's own timeout may be shorter.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The host's own timeouts, which know nothing of how an upload goes and would end an idle stream of events: as good as none.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

thread_local! {
    /// Made once: each request has a copy.
    static OPTIONS: OnceCell<RequestOptions> = const { OnceCell::new() };
}

/// Sends `request`. `timeout` bounds the wait for the response's head, and counts anew whenever a part of the request's body was
/// passed on: a long upload is no silent upstream.
pub(crate) async fn fetch(
    request: Request<Body<Stream>>,
    timeout: Duration,
) -> Result<Response<Body<Stream>>, FetchError> {
    let (mut parts, body) = request.into_parts();
    if matches!(&body, Body::Stream(Stream { length: Some(length), limit: Some(limit), .. }) if length > limit) {
        return Err(FetchError::RequestTooLarge);
    }
    let upload = Rc::new(Upload::default());
    declare_length(&mut parts, &body);
    let outgoing = outgoing(&parts, body, &upload)?;
    let timeout = nanos(timeout);
    let begun = monotonic_clock::now();
    upload.last.set(begun);

    let mut sent = pin!(client::send(outgoing));
    let mut timer = pin!(monotonic_clock::wait_until(begun.saturating_add(timeout)));
    let response = poll_fn(|task| {
        if let Poll::Ready(response) = sent.as_mut().poll(task) {
            // the host does not say that it was the body
            return Poll::Ready(response.map_err(|error| upload.fault.get().unwrap_or_else(|| failed(&error, &parts))));
        }
        if let Some(fault) = upload.fault.get() {
            return Poll::Ready(Err(fault));
        }
        upload.wake(task.waker());
        loop {
            ready!(timer.as_mut().poll(task));
            let deadline = upload.last.get().saturating_add(timeout);
            if deadline <= monotonic_clock::now() {
                let client = upload.awaits_client.get();
                return Poll::Ready(Err(if client { FetchError::ClientTimeout } else { FetchError::Timeout }));
            }
            timer.set(monotonic_clock::wait_until(deadline));
        }
    });
    received(response.await?, &parts.method)
}

/// The host knows no length of what is made here. It takes requests without a body for chunked ones unless their method
/// has none.
fn declare_length(parts: &mut request::Parts, body: &Body<Stream>) {
    match body.len() {
        Some(0) if matches!(parts.method, Method::GET | Method::HEAD | Method::CONNECT) => {}
        Some(length) => drop(parts.headers.insert(CONTENT_LENGTH, length.into())),
        None => {}
    }
}

fn outgoing(parts: &request::Parts, body: Body<Stream>, upload: &Rc<Upload>) -> Result<types::Request, FetchError> {
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let mut headers = parts.headers.clone();
    // the host makes Host of the authority
    if let Some(host) = headers.remove(HOST)
        && Some(host.as_bytes()) != authority.map(str::as_bytes)
    {
        eprintln!("{}: the host sends no Host but the upstream's own; remove preserve_host", parts.uri);
        return Err(FetchError::Unsendable);
    }
    let fields = types::Fields::from_list(&convert::list(&headers)).map_err(|error| {
        eprintln!("{}: the host refused the fields of a request: {error:?}", parts.uri);
        FetchError::Unsendable
    })?;
    let (contents, trailers) = match body {
        Body::Empty => (None, stream::nothing()),
        Body::Full(bytes) => upload::send_whole(bytes, Rc::clone(upload)),
        Body::Stream(stream) => upload::send(stream, Rc::clone(upload)),
    };
    let options = OPTIONS.with(|options| options.get_or_init(new_options).clone());
    let (request, sent) = types::Request::new(fields, contents, trailers, Some(options));
    // wasmtime 49 ends the response when it is dropped: https://github.com/bytecodealliance/wasmtime/issues/14227
    wasip3::spawn(async move { drop(sent.await) });
    let scheme = match parts.uri.scheme_str() {
        Some("https") => Scheme::Https,
        _ => Scheme::Http,
    };
    let path = parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str);
    request
        .set_method(&method(&parts.method))
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(authority))
        .and_then(|()| request.set_path_with_query(path))
        .map_err(|()| FetchError::Unsendable)?;
    Ok(request)
}

fn new_options() -> RequestOptions {
    let options = RequestOptions::new();
    let set = options
        .set_connect_timeout(Some(nanos(CONNECT_TIMEOUT)))
        .and_then(|()| options.set_first_byte_timeout(Some(nanos(NEVER))))
        .and_then(|()| options.set_between_bytes_timeout(Some(nanos(NEVER))));
    if let Err(error) = set {
        eprintln!("the host's own timeouts for upstreams stay: {error:?}");
    }
    options
}

fn method(method: &Method) -> types::Method {
    match *method {
        Method::GET => types::Method::Get,
        Method::HEAD => types::Method::Head,
        Method::POST => types::Method::Post,
        Method::PUT => types::Method::Put,
        Method::DELETE => types::Method::Delete,
        Method::CONNECT => types::Method::Connect,
        Method::OPTIONS => types::Method::Options,
        Method::TRACE => types::Method::Trace,
        Method::PATCH => types::Method::Patch,
        _ => types::Method::Other(method.to_string()),
    }
}

fn received(incoming: types::Response, method: &Method) -> Result<Response<Body<Stream>>, FetchError> {
    // the host takes no others back; 101 needs a connection that nobody gets here
    let status = StatusCode::from_u16(incoming.get_status_code()).map_err(|_| FetchError::Reset)?;
    if !(200..=599).contains(&status.as_u16()) {
        return Err(FetchError::Reset);
    }
    let headers = convert::fields(incoming.get_headers().copy_all()).map_err(|_| FetchError::Reset)?;
    let length = convert::declared_length(&headers);
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) || method == Method::HEAD;
    let body = if bodiless || length == Some(0) {
        Body::Empty
    } else {
        Body::Stream(Stream::new(length, |taken| types::Response::consume_body(incoming, taken)))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn failed(error: &ErrorCode, parts: &request::Parts) -> FetchError {
    match error {
        ErrorCode::HttpRequestDenied => {
            let uri = &parts.uri;
            eprintln!("{uri}: the host may not be reached; name it in allowed_outbound_hosts of spin.toml");
            FetchError::Connect
        }
        ErrorCode::DestinationIpProhibited => {
            eprintln!("{}: Spin's own configuration blocks the address", parts.uri);
            FetchError::Connect
        }
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => FetchError::Connect,
        ErrorCode::ConnectionReadTimeout | ErrorCode::ConnectionWriteTimeout | ErrorCode::HttpResponseTimeout => {
            FetchError::Timeout
        }
        ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_) => FetchError::Unsendable,
        _ => FetchError::Reset,
    }
}
