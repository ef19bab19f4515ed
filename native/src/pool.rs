//! Connections to upstreams without TLS: HTTP/1.1, kept open for the next request.
//!
//! A connection has no task of its own. Whoever waits for the response drives it, and whoever reads the response's body: so a request
//! stays on one task from the client to the upstream and back. With a task for each connection, as hyper-util's client has them, waking
//! one another took a request more of the processor than reading and writing what it says.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;
use tokio::time::Instant;
use tower_service::Service as _;

use crate::upload::{Progress, Upload};

/// Idle connections to every upstream. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connector: HttpConnector,
    builder: http1::Builder,
    /// After which time an idle connection is closed.
    patience: Duration,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    /// By authority, as core writes it. The one that was used last is last, and is taken first.
    connections: HashMap<String, Vec<(Connection, Instant)>>,
    /// Whether somebody closes those that nobody took.
    swept: bool,
}

/// Why there is no response.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request was not sent.
    Unsent,
    /// Whether the upstream has seen it, nobody knows.
    Broken,
}

impl Pool {
    /// No connections yet.
    pub(crate) fn new(connector: HttpConnector, buffer: usize, patience: Duration) -> Self {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(buffer);
        Self(Arc::new(Shared { connector, builder, patience, idle: Mutex::default() }))
    }

    /// Sends a request to the authority of its URI, on a connection that is open or on a new one.
    pub(crate) async fn request(&self, mut request: Request<Upload>) -> Result<Response<WireBody>, Failure> {
        let (uri, upload) = (request.uri().clone(), Arc::clone(&request.body().progress));
        let authority = uri.authority().ok_or(Failure::Unsent)?;
        in_origin_form(&mut request, &uri, authority)?;
        while let Some(mut connection) = self.0.take(authority) {
            match connection.ask(request).await {
                Ok(response) => return Ok(self.0.deliver(response, &upload, connection, authority)),
                // handed back before a byte was written: the connection had ended just then. So it is safe to repeat, a POST too
                Err(mut error) => request = error.take_message().ok_or(Failure::Broken)?,
            }
        }
        let mut connection = self.0.connect(uri.clone()).await.ok_or(Failure::Unsent)?;
        match connection.ask(request).await {
            Ok(response) => Ok(self.0.deliver(response, &upload, connection, authority)),
            Err(error) if error.message().is_some() => Err(Failure::Unsent),
            Err(_) => Err(Failure::Broken),
        }
    }
}

/// Makes of an absolute URI what HTTP/1.1 says of it: a path, and a `Host` unless there is one.
fn in_origin_form(request: &mut Request<Upload>, uri: &Uri, authority: &Authority) -> Result<(), Failure> {
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    if !request.headers().contains_key(HOST) {
        let host = match authority.port_u16() {
            Some(80) => authority.host(),
            _ => authority.as_str(),
        };
        let host = HeaderValue::from_str(host).map_err(|_| Failure::Unsent)?;
        request.headers_mut().insert(HOST, host);
    }
    Ok(())
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that can take a request, as far as anybody knows.
    fn take(&self, authority: &Authority) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.idle().connections.get_mut(authority.as_str())?.pop()?;
            // one that is too old is dropped
            if since.elapsed() < self.patience && connection.is_ready() {
                return Some(connection);
            }
        }
    }

    /// A new connection; `None` when there is nobody at the other end.
    async fn connect(&self, uri: Uri) -> Option<Connection> {
        let tcp = self.connector.clone().call(uri).await.ok()?;
        let (sender, wire) = self.builder.handshake(tcp).await.ok()?;
        Some(Connection { sender, wire: Some(Box::pin(wire.with_upgrades())) })
    }

    /// The response, whose body drives the connection if it has to, and after which the connection is idle.
    fn deliver(
        self: &Arc<Self>,
        response: Response<Incoming>,
        upload: &Progress,
        mut connection: Connection,
        authority: &Authority,
    ) -> Response<WireBody> {
        let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        response.map(|body| {
            if !switches && connection.is_ready() {
                self.keep(authority, connection);
                return body.into();
            }
            if switches || !upload.is_over() {
                // a WebSocket begins, or the upstream answered before it has all of the request, which goes on whether or not anybody
                // reads the response
                connection.detach();
                return body.into();
            }
            let way = Way { pool: Arc::downgrade(self), authority: authority.clone(), connection: Some(connection) };
            WireBody { body, way: Some(Box::new(way)) }
        })
    }

    fn keep(self: &Arc<Self>, authority: &Authority, connection: Connection) {
        // outside of a runtime, which is about to end, there is no next request
        let Ok(runtime) = Handle::try_current() else { return };
        let mut idle = self.idle();
        let connection = (connection, Instant::now());
        match idle.connections.get_mut(authority.as_str()) {
            Some(others) => others.push(connection),
            None => drop(idle.connections.insert(authority.to_string(), vec![connection])),
        }
        if !std::mem::replace(&mut idle.swept, true) {
            runtime.spawn(sweep(Arc::downgrade(self), self.patience));
        }
    }
}

/// Closes what nobody took, as long as there is anything.
async fn sweep(pool: Weak<Shared>, patience: Duration) {
    loop {
        tokio::time::sleep(patience / 4).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = pool.idle();
        idle.connections.retain(|_, connections| {
            connections.retain_mut(|(connection, since)| since.elapsed() < patience && connection.is_ready());
            !connections.is_empty()
        });
        if idle.connections.is_empty() {
            idle.swept = false;
            return;
        }
    }
}

/// hyper's, which has no name: one that may become a WebSocket.
type Wire = dyn Future<Output = hyper::Result<()>> + Send + Sync;

/// One connection, and what sends requests on it.
struct Connection {
    sender: SendRequest<Upload>,
    /// What writes and reads on it. Gone once it ended.
    wire: Option<Pin<Box<Wire>>>,
}

impl Connection {
    /// Writes and reads what it can.
    fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(wire) = &mut self.wire
            && wire.as_mut().poll(context).is_ready()
        {
            // an error has reached whoever waits for a response or reads one
            self.wire = None;
        }
    }

    /// Whether it can take a request now: it is open, and nothing is under way on it.
    fn is_ready(&mut self) -> bool {
        self.drive(&mut quiet());
        self.wire.is_some() && self.sender.is_ready()
    }

    /// Sends a request, and waits for the head of its response.
    async fn ask(&mut self, request: Request<Upload>) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        // out of tokio's budget: what it has without being asked again, nobody would be woken for
        let mut response = pin!(unconstrained(self.sender.try_send_request(request)));
        poll_fn(|context| {
            self.drive(context);
            // it comes by way of the connection, which was just asked
            response.as_mut().poll(&mut quiet())
        })
        .await
    }

    /// Lets it come to its end on its own.
    fn detach(self) {
        if let (Some(wire), Ok(runtime)) = (self.wire, Handle::try_current()) {
            // whatever it ends with is known to whoever reads from it
            runtime.spawn(async move { drop(wire.await) });
        }
    }
}

/// Wakes nobody: for what only happens when somebody drives the connection, who looks for it then.
fn quiet() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").field("open", &self.wire.is_some()).finish_non_exhaustive()
    }
}

/// A body that comes over a connection.
#[derive(Debug)]
pub(crate) struct WireBody {
    /// Before `way`, and dropped before it.
    body: Incoming,
    /// None when all of it is here already, or somebody else drives the connection.
    way: Option<Box<Way>>,
}

impl From<Incoming> for WireBody {
    fn from(body: Incoming) -> Self {
        Self { body, way: None }
    }
}

/// The connection that a body comes on, and where that goes afterwards.
#[derive(Debug)]
struct Way {
    pool: Weak<Shared>,
    authority: Authority,
    /// Gone when this is dropped.
    connection: Option<Connection>,
}

impl HttpBody for WireBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { body, way } = &mut *self;
        let Some(connection) = way.as_mut().and_then(|way| way.connection.as_mut()) else {
            return Pin::new(body).poll_frame(context);
        };
        // what is here already first: only then is there room for more
        match Pin::new(&mut *body).poll_frame(&mut quiet()) {
            Poll::Pending => {
                connection.drive(context);
                Pin::new(body).poll_frame(&mut quiet())
            }
            ready => ready,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        // the body is gone already: one that was not read to its end is closed, unless the little that is left of it is here
        if let (Some(mut connection), Some(pool)) = (self.connection.take(), self.pool.upgrade())
            && connection.is_ready()
        {
            pool.keep(&self.authority, connection);
        }
    }
}

#[cfg(test)]
mod tests;
