//! What is refused and how, and what becomes of a request whose upstream fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use portico::platform::Settings;
use portico::server::Options;

use crate::support::{Raw, gateway, proxy, raw_upstream, start, start_with, text, upstream};

#[tokio::test]
async fn what_is_no_http_gets_a_problem() {
    let (_listener, up) = raw_upstream().await;
    let server = start(proxy(up)).await;
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(33 * 1024));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: x\r\n".repeat(200));
    let two = "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n";
    for (request, status, code) in [
        ("this is no HTTP\r\n\r\n", "400 bad request", "request_malformed"),
        ("GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n", "400 bad request", "request_malformed"),
        (two, "400 bad request", "request_malformed"),
        ("GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", "400 bad request", "request_malformed"),
        (&long, "431 request header fields too large", "headers_too_large"),
        (&many, "431 request header fields too large", "headers_too_large"),
    ] {
        let mut client = Raw::connect(server.address).await;
        // the same after a request that was fine
        for before in ["", "GET /-/health HTTP/1.1\r\nhost: a\r\n\r\n"] {
            if !before.is_empty() {
                client = Raw::connect(server.address).await;
                client.send(before).await;
                client.response().await;
            }
            client.send(request).await;
            let (head, body) = client.response().await;
            assert!(head.starts_with(&format!("http/1.1 {status}\r\n")), "{head}");
            assert!(head.contains("content-type: application/problem+json\r\n"), "{head}");
            assert!(head.contains("connection: close\r\n"), "{head}");
            assert!(body.contains(&format!("\"code\":\"{code}\"")), "{body}");
            assert_eq!(client.rest().await, "");
        }
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let (_listener, up) = raw_upstream().await;
    let options = Options { head_timeout: Duration::from_millis(1), ..Options::default() };
    let server = start_with(proxy(up), options, Settings::default(), None).await;
    for beginning in ["", "P", "GET /slow HTTP/1.1\r\nhost: a"] {
        let mut client = Raw::connect(server.address).await;
        client.send(beginning).await;
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn an_upload_that_grows_too_large_ends_as_413_and_incomplete() {
    let (listener, up) = raw_upstream().await;
    let mut config = proxy(up);
    config["routes"][0]["policies"] = serde_json::json!({ "body_limit": "8B" });
    let server = start(config).await;
    let mut client = Raw::connect(server.address).await;
    client.send("POST /up HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n").await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    behind.head().await;
    behind.expect("5\r\n12345\r\n").await;
    client.send("5\r\n67890\r\n").await;
    let (head, body) = client.response().await;
    assert!(head.starts_with("http/1.1 413"), "{head}");
    assert!(body.contains("body_too_large"));
    assert!(!behind.rest().await.contains("0\r\n\r\n"), "the upstream must not take this for the whole body");
}

#[tokio::test]
async fn a_refusal_is_not_lost_on_a_client_that_goes_on_sending() {
    let (_listener, up) = raw_upstream().await;
    let mut config = proxy(up);
    config["routes"][0]["policies"] = serde_json::json!({ "body_limit": "8B" });
    let server = start(config).await;
    let mut client = Raw::connect(server.address).await;
    let size = 4 * 1024 * 1024;
    client.send(format!("POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: {size}\r\n\r\n")).await;
    // more than the sockets hold: it only gets through when the server reads what it does not want
    client.send(vec![b'x'; size]).await;
    assert!(client.response().await.0.starts_with("http/1.1 413"));
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn an_upstream_that_refuses_is_a_502_and_a_silent_one_a_504() {
    let (listener, up) = raw_upstream().await;
    let mut config = proxy(up);
    config["upstreams"]["up"]["timeout"] = "1ms".into();
    let server = start(config.clone()).await;
    let asked = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut client = Raw::connect(server.address).await;
    client.send(asked).await;
    assert!(client.response().await.0.starts_with("http/1.1 504"));

    drop(listener);
    config["upstreams"]["up"]["timeout"] = "30s".into();
    server.current.store(Arc::new(gateway(config)));
    client.send(asked).await;
    assert!(
        client.response().await.0.starts_with("http/1.1 502"),
        "the connection serves on, by the new configuration"
    );
}

#[tokio::test]
async fn a_response_that_is_no_http_is_a_502() {
    let (listener, up) = raw_upstream().await;
    let server = start(proxy(up)).await;
    for answer in
        ["SSH-2.0-OpenSSH\r\n", "", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"]
    {
        let mut client = Raw::connect(server.address).await;
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut behind = Raw::new(listener.accept().await.unwrap().0);
        behind.head().await;
        behind.send(answer).await;
        drop(behind);
        assert!(client.response().await.0.starts_with("http/1.1 502"), "{answer:?}");
    }
}

#[tokio::test]
async fn forms_of_a_target_that_are_not_for_us_are_refused() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let up = upstream(move |request: Request<Incoming>| {
        count.fetch_add(1, Ordering::Relaxed);
        async move { text(request.uri().to_string()) }
    })
    .await;
    let server = start(proxy(up)).await;
    for (target, status) in [("CONNECT a:443", "400"), ("OPTIONS *", "400"), ("GET http://other/path?q=1", "200")] {
        let mut client = Raw::connect(server.address).await;
        client.send(format!("{target} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        let (head, body) = client.response().await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{target}: {head}");
        if status == "200" {
            assert_eq!(body, "/path?q=1");
        }
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// A clock that only the test moves: it does not jump to the next timer while a socket is waited for, as tokio's paused
/// clock otherwise does, as long as this exists.
struct Clock(#[expect(dead_code, reason = "dropped with the clock")] std::sync::mpsc::Sender<()>);

impl Clock {
    fn pause() -> Self {
        tokio::time::pause();
        let (running, ended) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || ended.recv());
        Self(running)
    }

    async fn advance(&self, seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }
}

#[tokio::test]
async fn a_timeout_counts_anew_while_an_upload_goes_on() {
    let (listener, up) = raw_upstream().await;
    let server = start(proxy(up)).await;
    let clock = Clock::pause();
    for (last, status) in [(20, "200"), (31, "504")] {
        let mut client = Raw::connect(server.address).await;
        client.send("POST /up HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let mut behind = Raw::new(listener.accept().await.unwrap().0);
        behind.head().await;
        for _ in 0..3 {
            client.send("1\r\nx\r\n").await;
            behind.expect("1\r\nx\r\n").await;
            clock.advance(20).await;
        }
        client.send("0\r\n\r\n").await;
        behind.expect("0\r\n\r\n").await;
        clock.advance(last).await;
        if status == "200" {
            behind.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
        let (head, _) = client.response().await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{head}");
    }
}

#[tokio::test]
async fn an_upstream_has_30_s_for_the_head_of_a_response_and_any_time_for_its_body() {
    let (listener, up) = raw_upstream().await;
    let mut config = proxy(up);
    config["upstreams"]["up"].as_object_mut().unwrap().remove("timeout");
    let server = start(config).await;
    let clock = Clock::pause();
    for (wait, status) in [(29, "200"), (31, "504")] {
        let mut client = Raw::connect(server.address).await;
        client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut behind = Raw::new(listener.accept().await.unwrap().0);
        behind.head().await;
        clock.advance(wait).await;
        if status == "200" {
            behind.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nsl").await;
        }
        let head = client.head().await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{head}");
        if status == "200" {
            client.expect("sl").await;
            clock.advance(3_600).await;
            behind.send("ow").await;
            client.expect("ow").await;
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_send_its_body_is_at_fault_itself() {
    let (listener, up) = raw_upstream().await;
    let mut config = proxy(up);
    config["upstreams"]["up"]["timeout"] = "50ms".into();
    let server = start(config).await;
    let mut client = Raw::connect(server.address).await;
    client.send("POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n123").await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    behind.head().await;
    behind.expect("123").await;
    let (head, body) = client.response().await;
    assert!(head.starts_with("http/1.1 408"), "{head}");
    assert!(body.contains("client_timeout"), "{body}");
}

#[tokio::test]
async fn a_body_that_is_kept_for_a_retry_comes_in_time_or_is_refused() {
    let (_listener, up) = raw_upstream().await;
    let mut config = proxy(up);
    config["upstreams"]["up"]["timeout"] = "50ms".into();
    config["upstreams"]["up"]["retry"] = serde_json::json!({ "attempts": 2 });
    let server = start(config).await;
    let mut client = Raw::connect(server.address).await;
    client.send("PUT /up HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n123").await;
    let (head, body) = client.response().await;
    assert!(head.starts_with("http/1.1 408"), "{head}");
    assert!(body.contains("client_timeout"), "{body}");
}
