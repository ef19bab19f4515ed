//! HTTP/2 on either side, and WebSockets.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Version};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portico::platform::Settings;
use portico::server::Options;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{self, Raw, gateway, proxy, raw_upstream, start, start_with, text, upstream};

#[tokio::test]
async fn http_2_comes_in_with_prior_knowledge() {
    let up = upstream(|request: Request<Incoming>| async move { text(request.uri().path().to_owned()) }).await;
    let server = start(proxy(up)).await;
    let tcp = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), tcp).await.unwrap();
    tokio::spawn(connection);
    for path in ["/one", "/two"] {
        let request = Request::get(format!("http://a{path}")).body(Empty::<Bytes>::new()).unwrap();
        let response = client.send_request(request).await.unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), path);
    }
}

#[tokio::test]
async fn http_2_is_negotiated_on_both_sides() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = std::env::temp_dir().join(format!("portico-server-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let tls = portico::tls::server(&chain, &key).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();

    let (listener, up) = raw_upstream().await;
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls.clone()));
    tokio::spawn(async move {
        loop {
            let tls = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            tokio::spawn(support::answer(tls, |request: Request<Incoming>| async move {
                text(format!("{:?} {}", request.version(), request.uri()))
            }));
        }
    });
    let mut config = proxy(up);
    config["upstreams"]["up"]["targets"][0]["url"] = format!("https://localhost:{}", up.port()).into();
    let settings = Settings { roots: roots.clone(), ..Settings::default() };
    let server = start_with(config, Options::default(), settings, Some(tls)).await;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(server.address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let tls = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, tcp).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("https://a/x").body(Full::new(Bytes::from("hello"))).unwrap();
    let body = client.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, format!("HTTP/2.0 https://localhost:{}/x", up.port()));
}

pub(super) const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[tokio::test]
async fn a_websocket_outlives_reloads_and_closes_one_direction_at_a_time() {
    let (listener, up) = raw_upstream().await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    client.send(HANDSHAKE).await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    let asked = behind.head().await;
    assert!(asked.contains("upgrade: websocket\r\n") && asked.contains("connection: upgrade\r\n"), "{asked}");
    assert!(asked.contains("sec-websocket-key: "));
    behind.send("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nfirst").await;
    let granted = client.head().await;
    assert!(granted.starts_with("http/1.1 101") && granted.contains("upgrade: websocket"), "{granted}");
    client.expect("first").await;

    server.current.store(Arc::new(gateway(proxy(up))));
    client.send("HTTP/1.1 400 is just bytes here").await;
    behind.expect("HTTP/1.1 400 is just bytes here").await;
    behind.send("HTTP/1.1 400 as well").await;
    client.expect("HTTP/1.1 400 as well").await;

    client.0.shutdown().await.unwrap();
    assert_eq!(behind.rest().await, "");
    behind.send("the other direction is still open").await;
    client.expect("the other direction is still open").await;
    drop(behind);
    assert_eq!(client.rest().await, "");

    let mut client = Raw::connect(server.address).await;
    client.send(HANDSHAKE).await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    behind.head().await;
    behind.send("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n").await;
    client.head().await;
    behind.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "");
    // more than all buffers hold, and long enough for them to fill: a byte that is read must have somewhere to go
    let many = vec![b'x'; 32 * 1024 * 1024];
    let receive = async {
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        behind.exactly(many.len()).await
    };
    let (received, ()) = tokio::join!(receive, client.send(&many));
    assert!(received == many);
}

#[tokio::test]
async fn an_upstream_may_refuse_a_websocket() {
    let up = upstream(|_| async { text("no") }).await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    client.send(HANDSHAKE).await;
    assert_eq!(client.response().await.1, "no");
    client.send("GET /again HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.response().await.1, "no");
}

#[tokio::test]
async fn over_http_2_too_nothing_follows_a_head_request_or_a_204() {
    let config = serde_json::json!({
        "portico": 1,
        "name": "test",
        "routes": [
            { "name": "hello", "match": { "path": "/hello" }, "respond": { "body": "hello" } },
            { "name": "nothing", "match": { "path": "/nothing" }, "respond": { "status": 204, "body": "said in error" } },
        ],
    });
    let server = start(config).await;
    let tcp = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), tcp).await.unwrap();
    tokio::spawn(connection);
    let asked = [
        (Method::HEAD, "/hello", 200, Some("5")),
        (Method::HEAD, "/-/health", 200, None),
        (Method::HEAD, "/nowhere", 404, None),
        (Method::GET, "/nothing", 204, None),
    ];
    for (method, path, status, length) in asked {
        let request = Request::builder().method(method).uri(format!("http://a{path}"));
        let response = client.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        if let Some(length) = length {
            assert_eq!(response.headers()["content-length"], length);
        }
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "", "{path}");
    }
}
