use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;
use portico_core::Body;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::body::{NativeBody, Payload};
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
        self.upload(path, Body::Empty)
    }

    fn upload(&self, path: &str, body: Body<NativeBody>) -> Request<Upload> {
        let upload = Upload { payload: Payload(body), progress: Arc::new(Progress::new()) };
        Request::post(format!("http://{}{path}", self.authority)).body(upload).unwrap()
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
        assert_eq!(first, format!("POST /a?b=c HTTP/1.1\r\nhost: {}\r\n\r\n", scene.authority));
        answer(&mut tcp, OK).await;
        assert!(head(&mut tcp).await.starts_with("POST / HTTP/1.1\r\n"));
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
async fn an_upload_goes_on_when_the_upstream_has_answered() {
    let scene = Scene::new().await;
    for length in [0, 2] {
        let (mut sender, body) = Channel::<Bytes, hyper::Error>::new(1);
        let client = async {
            let upload = scene.upload("/", Body::Stream(NativeBody::new(body)));
            let response = scene.pool.request(upload).await.unwrap();
            assert_eq!(text(response).await.len(), length);
            // nobody holds the response any more
            sender.send_data("the rest".into()).await.unwrap();
            drop(sender);
        };
        let origin = async {
            let (mut tcp, head) = scene.accept().await;
            assert!(head.contains("transfer-encoding: chunked"), "{head}");
            answer(&mut tcp, &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{}", "x".repeat(length)))
                .await;
            let mut rest = [0; 18];
            tcp.read_exact(&mut rest).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&rest), "8\r\nthe rest\r\n0\r\n\r\n");
        };
        tokio::join!(client, origin);
    }
}

#[tokio::test]
async fn a_short_response_that_nobody_read_costs_no_connection() {
    let scene = Scene::new().await;
    let client = async {
        drop(scene.pool.request(scene.request("/")).await.unwrap());
        assert_eq!(scene.kept(), 1);
    };
    let origin = async {
        let (mut tcp, _) = scene.accept().await;
        answer(&mut tcp, "HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbusy\r\n0\r\n\r\n").await;
        tcp
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
