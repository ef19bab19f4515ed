//! Requests to upstreams: pooled connections, HTTP/1.1 and HTTP/2, and what went wrong when there is no answer.

use std::error::Error as _;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::Scheme;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use portico_core::forward::hop_by_hop::asks_for_websocket;
use portico_core::{Body, FetchError};
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::body::{BodyError, NativeBody, Payload, received};

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
    plain: Client<HttpConnector, Upload>,
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
        let plain = builder.build(tcp.clone());
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
        let mut answer = pin!(match (secure, http1) {
            (false, _) => self.plain.request(request),
            (true, false) => self.secure.any.request(request),
            (true, true) => self.secure.http1.request(request),
        });
        let response = loop {
            let deadline = progress.last() + timeout;
            tokio::select! {
                response = &mut answer => break response.map_err(|error| progress.fault(&error))?,
                () = tokio::time::sleep_until(deadline) => {
                    if progress.last() + timeout <= Instant::now() {
                        let client = progress.awaits_client.load(Ordering::Relaxed);
                        return Err(if client { FetchError::ClientTimeout } else { FetchError::Timeout });
                    }
                }
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS && !websocket {
            return Err(FetchError::Reset);
        }
        Ok(convert(response))
    }
}

fn names_another_host(request: &http::request::Parts) -> bool {
    let authority = request.uri.authority().map(|authority| authority.as_str().as_bytes());
    request.headers.get(HOST).is_some_and(|host| Some(host.as_bytes()) != authority)
}

fn convert(response: Response<Incoming>) -> Response<Body<NativeBody>> {
    let mut response = response.map(received);
    // the version is each connection's own; hyper would answer an HTTP/1.0 upstream's response in HTTP/1.0
    *response.version_mut() = Version::HTTP_11;
    response
}

/// How the sending of a request's body goes, shared between it and whoever waits for the response.
#[derive(Debug)]
struct Progress {
    started: Instant,
    /// When a part was last passed on, in microseconds since `started`.
    last: AtomicU64,
    /// Whether the next part has to come from the client.
    awaits_client: AtomicBool,
    /// Why the body broke off. hyper loses this on the way (HTTP/2 makes a stream reset of it).
    fault: OnceLock<FetchError>,
}

impl Progress {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            last: AtomicU64::new(0),
            awaits_client: AtomicBool::new(false),
            fault: OnceLock::new(),
        }
    }

    fn advance(&self) {
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last.store(micros, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.started + Duration::from_micros(self.last.load(Ordering::Relaxed))
    }

    fn fault(&self, error: &ClientError) -> FetchError {
        if let Some(fault) = self.fault.get() {
            return *fault;
        }
        // "canceled": handed back before a byte was written, the connection having closed just then
        let untouched = error.source().and_then(|source| source.downcast_ref()).is_some_and(hyper::Error::is_canceled);
        if error.is_connect() || untouched { FetchError::Connect } else { FetchError::Reset }
    }
}

/// A request's body on its way upstream.
#[derive(Debug)]
struct Upload {
    payload: Payload,
    progress: Arc<Progress>,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let poll = Pin::new(&mut self.payload).poll_frame(context);
        self.progress.awaits_client.store(poll.is_pending(), Ordering::Relaxed);
        let frame = ready!(poll);
        match &frame {
            Some(Err(BodyError::TooLarge)) => drop(self.progress.fault.set(FetchError::RequestTooLarge)),
            Some(Err(BodyError::Broken(_))) => drop(self.progress.fault.set(FetchError::ClientGone)),
            Some(Ok(_)) | None => self.progress.advance(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.payload.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.payload.size_hint()
    }
}
