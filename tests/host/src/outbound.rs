//! Requests of components, sent as Spin sends them (spinframework/spin, crates/factor-outbound-http/src/wasi.rs at 01dfad6b):
//! one pool of connections for the process, `Host` from the URL, and only the codes that Spin has for what goes wrong.
//!
//! Unlike Spin: loopback only, no TLS, and no deadline of their own for connections, which loopback needs none for.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

const DEADLINE: Duration = Duration::from_mins(10);

/// The client of all instances.
#[derive(Clone)]
pub(crate) struct Outbound(Client<Connector, WasiBody>);

impl Outbound {
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build(Connector))
    }
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answered = Result<(Response<WasiBody>, Io), Error>;

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Answered> + Send> {
        request.headers_mut().remove(HOST);
        let options = options.unwrap_or_default();
        let client = self.0.clone();
        Box::new(async move {
            if request.uri().scheme() == Some(&Scheme::HTTPS) {
                return Err(Error::TlsProtocolError);
            }
            let first = timeout(options.first_byte_timeout.unwrap_or(DEADLINE), client.request(request));
            let response = first.await.map_err(|_| Error::ConnectionReadTimeout)?.map_err(failed)?;
            let between = options.between_bytes_timeout.unwrap_or(DEADLINE);
            let response = response.map(|body| Between { body, between, sleep: None }.boxed_unsync());
            Ok((response, Box::new(async { Ok(()) }) as Io))
        })
    }
}

/// The code that Spin has for a failure of its client.
fn failed(error: ClientError) -> Error {
    let prohibited = |error: &ClientError| {
        let source = std::error::Error::source(error);
        source.is_some_and(|source| matches!(source.downcast_ref(), Some(Error::DestinationIpProhibited)))
    };
    match error.is_connect() {
        true if prohibited(&error) => Error::DestinationIpProhibited,
        true => Error::ConnectionRefused,
        false => Error::HttpProtocolError,
    }
}

/// Connects to what is on loopback.
#[derive(Clone)]
struct Connector;

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(async move {
            let host = uri.host().ok_or(Error::HttpRequestUriInvalid)?.trim_matches(['[', ']']);
            let found = tokio::net::lookup_host((host, uri.port_u16().unwrap_or(80))).await;
            let found: Vec<SocketAddr> = found.map_err(Error::Connect)?.collect();
            if !found.iter().all(|address| address.ip().is_loopback()) {
                return Err(Error::DestinationIpProhibited);
            }
            let stream = TcpStream::connect(&*found).await.map_err(Error::Connect)?;
            stream.set_nodelay(true).map_err(Error::Connect)?;
            Ok(TokioIo::new(stream))
        })
    }
}

/// A body that must not pause for longer than agreed.
struct Between {
    body: hyper::body::Incoming,
    between: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Body for Between {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.sleep = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(|_| Error::HttpProtocolError)));
        }
        let between = self.between;
        ready!(self.sleep.get_or_insert_with(|| Box::pin(sleep(between))).as_mut().poll(cx));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
