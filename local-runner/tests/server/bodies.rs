//! Bodies that are read before they go on: they are bounded in size and in time.

use std::net::SocketAddr;

use http::{HeaderValue, Request};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::support::{Raw, proxy, raw_upstream, start, text, upstream};

/// A route that removes a member of every JSON body.
fn editing(up: SocketAddr) -> Value {
    let mut config = proxy(up);
    config["routes"][0]["policies"] = json!({ "response": { "json": { "remove": ["secret"] } } });
    config
}

#[tokio::test]
async fn an_edited_body_has_a_mebibyte_at_most() {
    let up = upstream(|request: Request<Incoming>| async move {
        let length: usize = request.uri().path()[1..].parse().unwrap();
        let mut response = text(format!("\"{}\"", "x".repeat(length - 2)));
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
        response
    })
    .await;
    let server = start(editing(up)).await;
    let mut client = Raw::connect(server.address).await;
    for (length, status) in [(1 << 20, "200"), ((1 << 20) + 1, "502")] {
        client.send(format!("GET /{length} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        let (head, body) = client.response().await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{head}");
        assert_eq!(status == "502", body.contains("response_too_large"));
    }
}

#[tokio::test]
async fn an_edited_body_has_as_much_time_as_its_head() {
    let (listener, up) = raw_upstream().await;
    let mut config = editing(up);
    config["upstreams"]["up"]["timeout"] = "50ms".into();
    let server = start(config).await;
    let mut client = Raw::connect(server.address).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    behind.head().await;
    behind.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{").await;
    let (head, body) = client.response().await;
    assert!(head.starts_with("http/1.1 504"), "{head}");
    assert!(body.contains("upstream_timeout"), "{body}");
}
