//! The server, as Spin's HTTP trigger (spinframework/spin, crates/trigger-http/src/server.rs at 0502aa08). A plain one does as
//! `wasmtime serve`: it passes the request on as it came, and nothing else. So a component learns the host only from a target that names it.

use std::net::SocketAddr;
use std::sync::Arc;

use http::uri::Scheme;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use wasmtime::Result;
use wasmtime_wasi_http::handler::ProxyHandler;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::app::Kind;
use crate::headers;
use crate::instances::Instances;

/// Paths that Spin answers itself.
const WELL_KNOWN: &str = "/.well-known/spin/";

/// What is served.
pub(crate) struct Server {
    pub(crate) handler: ProxyHandler<Instances>,
    pub(crate) kind: Kind,
    /// The scheme that clients are said to use.
    pub(crate) scheme: Scheme,
    /// The client that there is said to be; `None`: the peer.
    pub(crate) client: Option<SocketAddr>,
}

impl Server {
    /// Serves until it is ended from outside.
    pub(crate) async fn serve(self, listener: TcpListener) -> Result<()> {
        let server = Arc::new(self);
        loop {
            let (stream, peer) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(Arc::clone(&server).connection(stream, peer));
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let service = service_fn(move |request| {
            let server = Arc::clone(&self);
            async move { server.handle(request, peer).await }
        });
        let builder = Builder::new(TokioExecutor::new());
        if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
            eprintln!("a connection broke: {error}");
        }
    }

    /// Where this fails there is no response: the connection is closed.
    async fn handle(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Result<Response<WasiBody>> {
        if self.kind == Kind::Spin {
            if let Some(name) = request.uri().path().strip_prefix(WELL_KNOWN) {
                return Ok(well_known(name));
            }
            *request.uri_mut() = headers::absolute(request.uri(), request.headers(), self.scheme.clone())?;
        }
        Ok(self.run(request, peer).await.unwrap_or_else(|error| {
            eprintln!("a request failed: {error:?}");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }))
    }

    async fn run(&self, request: Request<Incoming>, peer: SocketAddr) -> Result<Response<WasiBody>> {
        let (mut parts, body) = request.into_parts();
        if self.kind == Kind::Spin {
            headers::tell(&mut parts.headers, &parts.uri, self.client.unwrap_or(peer))?;
        }
        let body = body.map_err(Error::from).boxed_unsync();
        self.handler.handle((), Request::from_parts(parts, body)).await
    }
}

fn well_known(name: &str) -> Response<WasiBody> {
    match name {
        "health" => Response::new(Full::from("OK").map_err(|never| match never {}).boxed_unsync()),
        _ => empty(StatusCode::NOT_FOUND),
    }
}

fn empty(status: StatusCode) -> Response<WasiBody> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}
