//! The server: connections in, core's decisions, responses out.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use portico_core::{After, Gateway, Peer};
use portico_native::body::NativeBody;
use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::answer::{self, Exchange};
pub use crate::drain::Ended;
use crate::drain::{Drain, Watcher};
pub use crate::options::Options;
use crate::platform::NativePlatform;
use crate::wire::{Turn, Wire};

/// The gateway that serves, which may be replaced at any time.
///
/// An `ArcSwap`: every request loads it once, without a lock that a reload could hold, and keeps what it loaded to its
/// end. A reload stores the new one and returns at once.
pub type Current = Arc<ArcSwap<Gateway>>;

/// Where clients come in.
#[derive(Debug)]
pub struct Listener {
    /// The bound socket.
    pub tcp: TcpListener,
    /// The server's side of TLS, see [`tls::server`](crate::tls::server); `None` for plain text.
    pub tls: Option<Arc<ServerConfig>>,
}

/// What every HTTP/2 connection that is not TLS begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// After which time without a word the system asks a client whether it is still there: below what most NATs remember.
const IDLE: Duration = Duration::from_secs(60);

/// How long after one such question the next one is asked, while there is no answer.
const AGAIN: Duration = Duration::from_secs(15);

/// Serves until `shutdown` is ready, then refuses new connections and gives those that are open
/// [`drain`](Options::drain) to come to their end.
///
/// `on_after` is called once for every request that core decided, as soon as its response's head is ready.
pub async fn serve<F>(
    listeners: Vec<Listener>,
    gateway: Current,
    platform: Arc<NativePlatform>,
    options: Options,
    on_after: F,
    shutdown: impl Future<Output = ()>,
) -> Ended
where
    F: Fn(After<NativeBody>) + Send + Sync + 'static,
{
    let grace = options.drain;
    let (drain, watcher) = Drain::new();
    let service = Arc::new(Service { gateway, platform, options, on_after });
    for listener in listeners {
        tokio::spawn(accept(listener, Arc::clone(&service), watcher.clone()));
    }
    drop(watcher);
    shutdown.await;
    drain.finish(grace).await
}

/// What all connections share.
pub(crate) struct Service<F> {
    pub(crate) gateway: Current,
    pub(crate) platform: Arc<NativePlatform>,
    pub(crate) options: Options,
    pub(crate) on_after: F,
}

async fn accept<F: Fn(After<NativeBody>) + Send + Sync + 'static>(
    listener: Listener,
    service: Arc<Service<F>>,
    watcher: Watcher,
) {
    let acceptor = listener.tls.map(TlsAcceptor::from);
    let mut draining = watcher.clone();
    let mut draining = pin!(draining.draining());
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            () = &mut draining => return,
            accepted = listener.tcp.accept() => accepted,
        };
        match accepted {
            Ok((tcp, address)) => {
                failing = false;
                tokio::spawn(connection(tcp, address, acceptor.clone(), Arc::clone(&service), watcher.clone()));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // out of file descriptors or memory, as a rule: it passes when connections end, and until then asking
                // again at once would only burn the time they need to. Said once, not ten times a second.
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(%error, "no connection can be accepted");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Whether `accept` failed because of whoever connected, who is gone by now.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn connection<F: Fn(After<NativeBody>) + Send + Sync + 'static>(
    mut tcp: TcpStream,
    address: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    service: Arc<Service<F>>,
    mut watcher: Watcher,
) {
    // fails only when the client is gone already, which the next read finds out too
    drop(watch(&tcp));
    let peer = Peer::new(address.ip().to_canonical(), acceptor.is_some());
    let within = service.options.head_timeout;
    match acceptor {
        Some(acceptor) => {
            // boxed, like what is not usual below: every connection would be as large as the largest otherwise, for as long as it is idle
            let tls = Box::pin(until_draining(&mut watcher, within, acceptor.accept(tcp))).await;
            if let Some(Ok(tls)) = tls {
                let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
                Box::pin(converse(tls, Bytes::new(), http2, peer, service, watcher)).await;
            }
        }
        None => {
            let begun = until_draining(&mut watcher, within, read_beginning(&mut tcp)).await;
            if let Some(Ok((prefix, http2))) = begun {
                converse(tcp, prefix, http2, peer, service, watcher).await;
            }
        }
    }
}

/// Lets what is written go out at once, and the system break a connection whose client is gone without a word, as when it lost its network:
/// a WebSocket or a stream of events on which nothing is said would be held for ever.
fn watch(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    SockRef::from(tcp).set_tcp_keepalive(&TcpKeepalive::new().with_time(IDLE).with_interval(AGAIN))
}

/// What a client does before its first request ends when it takes too long, or when the server wants to end.
async fn until_draining<T>(watcher: &mut Watcher, within: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = tokio::time::timeout(within, work) => done.ok(),
        () = watcher.draining() => None,
    }
}

/// Reads as much as it takes to know whether this is HTTP/2 with prior knowledge. hyper-util would do it as well, but
/// without a limit in time.
async fn read_beginning(tcp: &mut TcpStream) -> io::Result<(Bytes, bool)> {
    let mut beginning = Vec::with_capacity(1024);
    loop {
        if tcp.read_buf(&mut beginning).await? == 0 {
            return Ok((beginning.into(), false));
        }
        let common = beginning.len().min(PREFACE.len());
        let http2 = beginning.get(..common) == PREFACE.get(..common);
        if !http2 || common == PREFACE.len() {
            return Ok((beginning.into(), http2));
        }
    }
}

/// Serves the requests of one connection.
async fn converse<S, F>(stream: S, prefix: Bytes, http2: bool, peer: Peer, service: Arc<Service<F>>, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(After<NativeBody>) + Send + Sync + 'static,
{
    let turn = Turn::default();
    if http2 {
        turn.opaque();
    }
    let platform = Arc::clone(&service.platform);
    let refuse = Box::new(move |status| answer::refusal_of_hyper(&platform, status));
    let options = service.options.clone();
    let wire = TokioIo::new(Wire::new(stream, prefix, turn.clone(), refuse, options.write_timeout));
    let exchange = Arc::new(Exchange { service, peer, turn, watcher: watcher.clone() });
    let handler = hyper::service::service_fn(move |request| Arc::clone(&exchange).answer(request));
    if http2 {
        let connection = options.http2().serve_connection(wire, handler);
        Box::pin(drive(connection, http2::Connection::graceful_shutdown, watcher)).await;
    } else {
        let connection = options.http1().serve_connection(wire, handler).with_upgrades();
        drive(connection, http1::UpgradeableConnection::graceful_shutdown, watcher).await;
    }
}

/// Runs a connection to its end, which `stop` asks it to reach soon.
async fn drive<C: Future>(connection: C, stop: fn(Pin<&mut C>), mut watcher: Watcher) {
    let mut connection = pin!(connection);
    // whatever a connection ends with (a timeout, a reset, garbage) is the client's affair and answered already
    tokio::select! {
        biased;
        _ = &mut connection => return,
        () = watcher.draining() => stop(connection.as_mut()),
    }
    tokio::select! {
        _ = &mut connection => {}
        () = watcher.aborting() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_asks_whether_clients_are_still_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (_client, accepted) = tokio::join!(client, listener.accept());
        let (tcp, _) = accepted.unwrap();
        watch(&tcp).unwrap();
        let socket = SockRef::from(&tcp);
        assert!(socket.keepalive().unwrap() && tcp.nodelay().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!((socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap()), (IDLE, AGAIN));
    }
}
