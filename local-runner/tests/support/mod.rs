//! A gateway, an upstream and a client, all on loopback, all in this process.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portico::platform::{NativePlatform, Settings};
use portico::server::{Current, Ended, Listener, Options, serve};
use portico_core::{After, Gateway};
use portico_native::body::NativeBody;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// A route for everything, to `upstream`.
pub(crate) fn proxy(upstream: SocketAddr) -> Value {
    json!({
        "portico": 1,
        "name": "test",
        "upstreams": { "up": { "targets": [{ "url": format!("http://{upstream}") }], "timeout": "30s" } },
        "routes": [{ "name": "all", "match": { "path": "/{*rest}" }, "upstream": "up" }],
    })
}

pub(crate) fn gateway(config: Value) -> Gateway {
    portico_core::config::compile(&config).unwrap_or_else(|findings| panic!("{findings:?}")).0
}

/// A server, until `stop` is called.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) current: Current,
    /// What the access log was told.
    pub(crate) log: mpsc::UnboundedReceiver<After<NativeBody>>,
    stop: oneshot::Sender<()>,
    done: JoinHandle<Ended>,
}

impl Server {
    /// Asks the server to end.
    pub(crate) fn stop(self) -> JoinHandle<Ended> {
        self.stop.send(()).unwrap();
        self.done
    }
}

pub(crate) async fn start(config: Value) -> Server {
    start_with(config, Options::default(), Settings::default(), None).await
}

pub(crate) async fn start_with(
    config: Value,
    options: Options,
    settings: Settings,
    tls: Option<rustls::ServerConfig>,
) -> Server {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let current = Arc::new(ArcSwap::from_pointee(gateway(config)));
    let platform = Arc::new(NativePlatform::new(settings).unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let listener = Listener { tcp, tls: tls.map(Arc::new) };
    let (told, log) = mpsc::unbounded_channel();
    let on_after = move |after| drop(told.send(after));
    let serving = serve(vec![listener], Arc::clone(&current), platform, options, on_after, async {
        drop(stopped.await);
    });
    Server { address, current, log, stop, done: tokio::spawn(serving) }
}

/// An HTTP upstream in which `handler` answers.
pub(crate) async fn upstream<F, R, B>(handler: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<B>> + Send + 'static,
    B: hyper::body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(tcp, handler.clone()));
        }
    });
    address
}

/// Answers what comes in on one connection of an upstream.
pub(crate) async fn answer<S, F, R, B>(stream: S, handler: F)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<B>> + Send + 'static,
    B: hyper::body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
{
    let service = hyper::service::service_fn(move |request| {
        let answer = handler(request);
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    drop(builder.serve_connection(TokioIo::new(stream), service).await);
}

/// An upstream of which every byte is the test's affair.
pub(crate) async fn raw_upstream() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// One end of an HTTP/1.1 connection, byte by byte.
pub(crate) struct Raw(pub(crate) BufReader<TcpStream>);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self(BufReader::new(tcp))
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
    }

    /// One message's head, lower-cased, up to its empty line.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).await.unwrap(), 0, "ended within a head: {head:?}");
        }
        head.to_lowercase()
    }

    /// Exactly as many bytes as `text` has, which must be these.
    pub(crate) async fn expect(&mut self, text: &str) {
        assert_eq!(String::from_utf8_lossy(&self.exactly(text.len()).await), text);
    }

    pub(crate) async fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    /// Everything until the other side closes; a reset counts as that.
    pub(crate) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        drop(self.0.read_to_end(&mut bytes).await);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A whole response with a `Content-Length`: its head and its body.
    pub(crate) async fn response(&mut self) -> (String, String) {
        let head = self.head().await;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let body = self.exactly(length.parse().unwrap()).await;
        (head, String::from_utf8(body).unwrap())
    }
}

pub(crate) fn text(text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::new(Full::new(text.into()))
}
