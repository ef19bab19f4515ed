//! The cache on a server: who waits for whom, and what is stored while it is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::{Raw, Server, proxy, raw_upstream, start, text, upstream};

const GET: &str = "GET /thing HTTP/1.1\r\nhost: a\r\n\r\n";

/// A route for everything that caches for a minute.
fn cached(upstream: std::net::SocketAddr) -> Value {
    let mut config = proxy(upstream);
    config["routes"][0]["policies"] = json!({ "cache": { "ttl": "1m", "max_size": "8MiB" } });
    config
}

/// A client that has asked.
async fn client_of(server: &Server) -> Raw {
    let mut client = Raw::connect(server.address).await;
    client.send(GET).await;
    client
}

/// The upstream's end of a new connection, once it was asked.
async fn asked(listener: &TcpListener) -> Raw {
    let mut origin = Raw::new(listener.accept().await.unwrap().0);
    origin.head().await;
    origin
}

#[tokio::test]
async fn a_hundred_that_miss_at_once_are_one_for_the_upstream() {
    let (asked, (open, gate)) = (Arc::new(AtomicUsize::new(0)), watch::channel(false));
    let counter = Arc::clone(&asked);
    let address = upstream(move |_| {
        let (counter, mut gate) = (Arc::clone(&counter), gate.clone());
        async move {
            counter.fetch_add(1, Ordering::SeqCst);
            gate.wait_for(|open| *open).await.unwrap();
            text("x".repeat(1_024))
        }
    })
    .await;
    let server = start(cached(address)).await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(client_of(&server).await);
    }
    open.send(true).unwrap();
    for mut client in clients {
        let (head, body) = client.response().await;
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert_eq!(body.len(), 1_024);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn those_that_miss_at_once_are_one_for_each_variant() {
    let (asked, (open, gate)) = (Arc::new(AtomicUsize::new(0)), watch::channel(false));
    let counted = Arc::clone(&asked);
    let address = upstream(move |request| {
        let (counted, mut gate) = (Arc::clone(&counted), gate.clone());
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            let kind = request.headers()["x-kind"].clone();
            gate.wait_for(|open| *open).await.unwrap();
            let mut response = text(kind.to_str().unwrap().to_owned());
            response.headers_mut().insert("vary", "x-kind".parse().unwrap());
            response
        }
    })
    .await;
    let server = start(cached(address)).await;
    let mut clients = Vec::new();
    for kind in ["a", "b"].repeat(10) {
        let mut client = Raw::connect(server.address).await;
        client.send(&GET.replace("host: a", &format!("host: a\r\nx-kind: {kind}"))).await;
        clients.push((kind, client));
    }
    open.send(true).unwrap();
    for (kind, mut client) in clients {
        assert_eq!(client.response().await.1, kind);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn who_waits_for_a_client_that_leaves_asks_for_itself() {
    let (listener, address) = raw_upstream().await;
    let server = start(cached(address)).await;
    let leader = client_of(&server).await;
    let _first = asked(&listener).await;
    let mut follower = client_of(&server).await;
    drop(leader);
    let mut second = asked(&listener).await;
    second.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
    assert_eq!(follower.response().await.1, "hello");
}

#[tokio::test]
async fn an_upstream_that_fails_holds_up_nobody() {
    let (listener, address) = raw_upstream().await;
    let server = start(cached(address)).await;
    let mut leader = client_of(&server).await;
    let first = asked(&listener).await;
    let mut follower = client_of(&server).await;
    drop(first);
    assert!(leader.response().await.0.starts_with("http/1.1 502"));
    let mut second = asked(&listener).await;
    second.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
    assert_eq!(follower.response().await.1, "hello");
}

#[tokio::test]
async fn the_first_client_does_not_wait_for_the_store() {
    let (listener, address) = raw_upstream().await;
    let server = start(cached(address)).await;
    let mut client = client_of(&server).await;
    let mut origin = asked(&listener).await;
    origin.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await;
    let head = client.head().await;
    assert!(head.contains("cache-status: portico; fwd=uri-miss; fwd-status=200; stored"), "{head}");
    client.expect("hello").await;
    origin.send("there").await;
    client.expect("there").await;
    // the upstream answers nothing more
    client.send(GET).await;
    let (head, body) = client.response().await;
    assert_eq!(body, "hellothere");
    assert!(head.contains("\r\nage: 0\r\n"), "{head}");
}

#[tokio::test]
async fn what_broke_off_is_not_stored() {
    let (listener, address) = raw_upstream().await;
    let server = start(cached(address)).await;
    let mut client = client_of(&server).await;
    let mut origin = asked(&listener).await;
    origin.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await;
    drop(origin);
    client.head().await;
    assert_eq!(client.rest().await, "hello");
    let mut client = client_of(&server).await;
    let mut origin = asked(&listener).await;
    origin.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole").await;
    assert_eq!(client.response().await.1, "whole");
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_up_nobody() {
    // more than sockets hold, and no more than memory keeps of one response
    let whole = "x".repeat(6 << 20);
    let body = whole.clone();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let address = upstream(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        let body = body.clone();
        async move { text(body) }
    })
    .await;
    let server = start(cached(address)).await;
    let mut idle = client_of(&server).await;
    idle.head().await;
    let mut other = client_of(&server).await;
    assert_eq!(other.response().await.1.len(), whole.len());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(idle.exactly(whole.len()).await.len(), whole.len());
}

#[tokio::test]
async fn what_cannot_be_stored_is_waited_for_once() {
    let (asked, (open, gate)) = (Arc::new(AtomicUsize::new(0)), watch::channel(false));
    let counter = Arc::clone(&asked);
    let address = upstream(move |_| {
        let (counter, mut gate) = (Arc::clone(&counter), gate.clone());
        async move {
            // the first is answered at once, and the others when all of them are here
            if counter.fetch_add(1, Ordering::SeqCst) > 0 {
                gate.wait_for(|open| *open).await.unwrap();
            }
            let mut response: Response<_> = text("mine");
            response.headers_mut().insert("cache-control", "no-store".parse().unwrap());
            response
        }
    })
    .await;
    let server = start(cached(address)).await;
    let mut first = client_of(&server).await;
    let (head, _) = first.response().await;
    assert!(head.contains("detail=no-store"), "{head}");
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(client_of(&server).await);
    }
    while asked.load(Ordering::SeqCst) < 9 {
        tokio::task::yield_now().await;
    }
    open.send(true).unwrap();
    for mut client in clients {
        assert_eq!(client.response().await.1, "mine");
    }
}
