use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use http_body_util::BodyExt as _;
use portico_core::Body;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::body::Payload;
use crate::upload::Progress;

const PATIENCE: Duration = Duration::from_secs(4);

/// An upstream in the hands of the test, and a pool that knows nobody else.
struct Scene {
    listener: TcpListener,
    authority: String,
    pool: Pool,
}

impl Scene {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        Self { listener, authority, pool: Pool::new(HttpConnector::new(), 64 * 1024, PATIENCE) }
    }

    fn request(&self, path: &str) -> Request<Upload> {
        let upload = Upload { payload: Payload(Body::Empty), progress: Arc::new(Progress::new()) };
        Request::get(format!("http://{}{path}", self.authority)).body(upload).unwrap()
    }

    /// The next connection, and what was asked on it.
    async fn accept(&self) -> (TcpStream, String) {
        let (mut tcp, _) = self.listener.accept().await.unwrap();
        let head = head(&mut tcp).await;
        (tcp, head)
    }

    fn kept(&self) -> usize {
        self.pool.0.idle().connections.values().map(Vec::len).sum()
    }
}

async fn head(tcp: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn answer(tcp: &mut TcpStream, text: &str) {
    tcp.write_all(text.as_bytes()).await.unwrap();
}

async fn text(response: Response<WireBody>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

#[tokio::test]
async fn a_connection_is_used_again_and_says_what_it_is_asked() {
    let scene = Scene::new().await;
    let client = async {
        for path in ["/a?b=c", ""] {
            assert_eq!(text(scene.pool.request(scene.request(path)).await.unwrap()).await, "hello");
            assert_eq!(scene.kept(), 1);
        }
    };
    let origin = async {
        let (mut tcp, first) = scene.accept().await;
        assert_eq!(first, format!("GET /a?b=c HTTP/1.1\r\nhost: {}\r\n\r\n", scene.authority));
        answer(&mut tcp, OK).await;
        assert!(head(&mut tcp).await.starts_with("GET / HTTP/1.1\r\n"));
        answer(&mut tcp, OK).await;
        tcp
    };
    tokio::join!(client, origin);
}

#[tokio::test]
async fn one_that_the_upstream_has_closed_meanwhile_costs_nothing_but_another() {
    let scene = Scene::new().await;
    let closed = AtomicUsize::new(0);
    let client = async {
        assert_eq!(text(scene.pool.request(scene.request("/")).await.unwrap()).await, "hello");
        while closed.load(SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(text(scene.pool.request(scene.request("/")).await.unwrap()).await, "hello");
    };
    let origin = async {
        let (mut tcp, _) = scene.accept().await;
        answer(&mut tcp, OK).await;
        drop(tcp);
        closed.store(1, SeqCst);
        let (mut tcp, _) = scene.accept().await;
        answer(&mut tcp, OK).await;
    };
    tokio::join!(client, origin);
}

#[tokio::test]
async fn a_body_that_comes_slowly_gives_the_connection_back_when_it_was_read() {
    let scene = Scene::new().await;
    let part = "x".repeat(300_000);
    let client = async {
        let response = scene.pool.request(scene.request("/")).await.unwrap();
        assert_eq!(scene.kept(), 0, "the body is still coming");
        assert_eq!(text(response).await.len(), 2 * part.len());
        assert_eq!(scene.kept(), 1);
    };
    let origin = async {
        let (mut tcp, _) = scene.accept().await;
        answer(&mut tcp, &format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 2 * part.len())).await;
        answer(&mut tcp, &part).await;
        tokio::task::yield_now().await;
        answer(&mut tcp, &part).await;
        tcp
    };
    tokio::join!(client, origin);
}

#[tokio::test]
async fn one_whose_response_nobody_read_is_closed() {
    let scene = Scene::new().await;
    let client = async {
        drop(scene.pool.request(scene.request("/")).await.unwrap());
        assert_eq!(scene.kept(), 0);
    };
    let origin = async {
        let (mut tcp, _) = scene.accept().await;
        answer(&mut tcp, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello").await;
        assert_eq!(tcp.read(&mut [0]).await.unwrap(), 0);
    };
    tokio::join!(client, origin);
}

#[tokio::test]
async fn what_is_not_sent_and_what_breaks_off_are_told_apart() {
    let scene = Scene::new().await;
    let client = async {
        assert!(matches!(scene.pool.request(scene.request("/")).await, Err(Failure::Broken)));
        let gone = format!("http://{}/", TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap());
        let mut request = scene.request("/");
        *request.uri_mut() = gone.parse().unwrap();
        assert!(matches!(scene.pool.request(request).await, Err(Failure::Unsent)));
    };
    let origin = async { drop(scene.accept().await) };
    tokio::join!(client, origin);
}

#[tokio::test]
async fn idle_ones_are_closed() {
    let scene = Scene::new().await;
    let client = async {
        assert_eq!(text(scene.pool.request(scene.request("/")).await.unwrap()).await, "hello");
        assert_eq!(scene.kept(), 1);
        tokio::time::pause();
        // none of them is waited for: the clock of the test jumps to what is due next
        tokio::time::sleep(PATIENCE * 2).await;
        assert_eq!(scene.kept(), 0);
    };
    let origin = async {
        let (mut tcp, _) = scene.accept().await;
        answer(&mut tcp, OK).await;
        assert_eq!(tcp.read(&mut [0]).await.unwrap(), 0);
    };
    tokio::join!(client, origin);
}
