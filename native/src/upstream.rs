//! Requests to upstreams: pooled connections, HTTP/1.1 and HTTP/2, and what went wrong when there is no answer.

use std::error::Error as _;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::header::{HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::Scheme;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Body as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use portico_core::forward::hop_by_hop::asks_for_websocket;
use portico_core::{Body, FetchError};
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::body::{NativeBody, Payload};
use crate::pool::{Failure, Pool, WireBody};
use crate::upload::{Progress, Upload};

/// Idle connections are closed after this long. Node closes its idle ones after five seconds, and a request that
/// crosses such a close can be neither answered nor, when it is no idempotent one, repeated: we close first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// A connection that is not there after this long counts as refused; the upstream's own timeout may be shorter.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What hyper may read ahead for one HTTP/1.1 connection, and with it the longest response head.
const BUFFER: usize = 64 * 1024;

/// What an upstream may send ahead on one HTTP/2 stream, and on all of a connection's together.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// The pools of connections to every upstream.
#[derive(Debug, Clone)]
pub struct Upstreams {
    /// Without TLS there is nothing to negotiate: HTTP/1.1.
    plain: Pool,
    secure: Arc<LazyLock<Secure, Box<dyn FnOnce() -> Secure + Send>>>,
}

/// Those over TLS.
#[derive(Debug)]
struct Secure {
    /// HTTP/2 where TLS negotiates it, HTTP/1.1 elsewhere.
    any: Client<HttpsConnector<HttpConnector>, Upload>,
    /// For what only HTTP/1.1 can say: a WebSocket's handshake, and a `Host` other than where the request goes (HTTP/2 has
    /// one authority for both). These do not negotiate anything else.
    http1: Client<HttpsConnector<HttpConnector>, Upload>,
}

impl Upstreams {
    /// No connections yet. `tls` gives the client's side towards `https` upstreams, see [`tls::Client`](crate::tls::Client), and is asked
    /// before the first of these is connected to: reading the machine's roots takes longer than all else of a short start.
    pub fn new(tls: impl FnOnce() -> ClientConfig + Send + 'static) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            // Safe for a POST too: hyper hands a request back for this only when a reused connection turned out to be
            // closed before a byte of the request was written (`TrySendError::take_message`). Once it may have been
            // seen, the error comes to us and core decides.
            .retry_canceled_requests(true)
            .http1_max_buf_size(BUFFER)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_send_buf_size(STREAM_WINDOW as usize)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .http2_keep_alive_timeout(Duration::from_secs(10));
        let plain = Pool::new(tcp.clone(), BUFFER, IDLE_TIMEOUT);
        let secure = move || {
            let tls = tls();
            let connector = || HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_only();
            Secure {
                any: builder.build(connector().enable_all_versions().wrap_connector(tcp.clone())),
                http1: builder.build(connector().enable_http1().wrap_connector(tcp)),
            }
        };
        Self { plain, secure: Arc::new(LazyLock::new(Box::new(secure))) }
    }

    /// Gets ready for `https` upstreams now.
    pub fn prepare(&self) {
        LazyLock::force(&self.secure);
    }

    /// Sends `request`. `timeout` bounds the wait for the response's head, and counts anew whenever a part of the
    /// request's body was passed on: a long upload is no silent upstream.
    pub async fn fetch(
        &self,
        request: Request<Body<NativeBody>>,
        timeout: Duration,
    ) -> Result<Response<Body<NativeBody>>, FetchError> {
        let websocket = asks_for_websocket(request.method(), request.version(), request.headers());
        let (mut parts, body) = request.into_parts();
        if matches!(&body, Body::Stream(stream) if stream.is_known_to_exceed()) {
            return Err(FetchError::RequestTooLarge);
        }
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        let progress = Arc::new(Progress::new());
        let upload = Upload { payload: Payload(body), progress: Arc::clone(&progress) };
        // hyper sends none of unknown length where a method usually has none, unless it is told to; over HTTP/2 it takes the field out
        if matches!(parts.method, Method::GET | Method::HEAD) && upload.size_hint().exact().is_none() {
            parts.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }

        let http1 = websocket || names_another_host(&parts);
        let secure = parts.uri.scheme() == Some(&Scheme::HTTPS);
        let request = Request::from_parts(parts, upload);
        let response = match (secure, http1) {
            (false, _) => within(timeout, &progress, pin!(self.plain.request(request))).await?,
            // boxed: every request's future would be as large as this one otherwise
            (true, false) => within(timeout, &progress, Box::pin(over_tls(&self.secure.any, request))).await?,
            (true, true) => within(timeout, &progress, Box::pin(over_tls(&self.secure.http1, request))).await?,
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS && !websocket {
            return Err(FetchError::Reset);
        }
        Ok(convert(response))
    }
}

/// The response, unless neither it comes nor the request's body goes on for `timeout`.
async fn within(
    timeout: Duration,
    progress: &Progress,
    mut answer: impl Future<Output = Result<Response<WireBody>, Failure>> + Unpin,
) -> Result<Response<WireBody>, FetchError> {
    loop {
        let deadline = progress.last() + timeout;
        tokio::select! {
            biased;
            response = &mut answer => return response.map_err(|failure| match (progress.fault(), failure) {
                (Some(fault), _) => fault,
                (None, Failure::Unsent) => FetchError::Connect,
                (None, Failure::Broken) => FetchError::Reset,
            }),
            () = tokio::time::sleep_until(deadline) => {
                if progress.last() + timeout <= Instant::now() {
                    return Err(progress.silent());
                }
            }
        }
    }
}

async fn over_tls(
    client: &Client<HttpsConnector<HttpConnector>, Upload>,
    request: Request<Upload>,
) -> Result<Response<WireBody>, Failure> {
    let response = client.request(request).await.map_err(|error: ClientError| {
        // "canceled": handed back before a byte was written, the connection having closed just then
        let untouched = error.source().and_then(|source| source.downcast_ref()).is_some_and(hyper::Error::is_canceled);
        if error.is_connect() || untouched { Failure::Unsent } else { Failure::Broken }
    })?;
    Ok(response.map(WireBody::from))
}

fn names_another_host(request: &http::request::Parts) -> bool {
    let authority = request.uri.authority().map(|authority| authority.as_str().as_bytes());
    request.headers.get(HOST).is_some_and(|host| Some(host.as_bytes()) != authority)
}

fn convert(response: Response<WireBody>) -> Response<Body<NativeBody>> {
    let mut response = response.map(Body::from);
    // the version is each connection's own; hyper would answer an HTTP/1.0 upstream's response in HTTP/1.0
    *response.version_mut() = Version::HTTP_11;
    response
}
