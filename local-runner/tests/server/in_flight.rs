//! A concurrency limit holds a place for each request until it is over, whatever its end is.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::protocols::HANDSHAKE;
use crate::support::{Raw, Server, gateway, proxy, raw_upstream, start};

const GET: &str = "GET /x HTTP/1.1\r\nhost: a\r\n\r\n";

fn limited(up: SocketAddr, limit: u32) -> Value {
    let mut config = proxy(up);
    config["routes"][0]["policies"] = json!({ "in_flight": { "limit": limit, "by": "route" } });
    config
}

/// A request that has arrived at the upstream: the client's end and the upstream's.
async fn under_way(server: &Server, listener: &TcpListener, request: &str) -> (Raw, Raw) {
    let mut client = Raw::connect(server.address).await;
    client.send(request).await;
    let accepted = tokio::select! {
        accepted = listener.accept() => accepted,
        head = client.head() => panic!("it did not go upstream: {head}"),
    };
    let mut behind = Raw::new(accepted.unwrap().0);
    behind.head().await;
    (client, behind)
}

/// What a client gets that comes when all places are taken.
async fn refused(server: &Server) -> (String, String) {
    let mut client = Raw::connect(server.address).await;
    client.send(GET).await;
    client.response().await
}

#[tokio::test]
async fn one_too_many_is_refused_until_another_is_answered() {
    let (listener, up) = raw_upstream().await;
    let server = start(limited(up, 2)).await;
    let (mut first, mut behind) = under_way(&server, &listener, GET).await;
    let _second = under_way(&server, &listener, GET).await;
    let (head, body) = refused(&server).await;
    assert!(head.starts_with("http/1.1 429") && !head.contains("retry-after"), "{head}");
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        [&problem["code"], &problem["detail"]],
        ["too_many_in_flight", "At most 2 may be under way at once."],
        "{body}"
    );
    behind.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone").await;
    assert_eq!(first.response().await.1, "done");
    let _next = under_way(&server, &listener, GET).await;
    assert!(refused(&server).await.0.starts_with("http/1.1 429"));
}

#[tokio::test]
async fn a_body_that_streams_is_under_way_to_its_end() {
    let (listener, up) = raw_upstream().await;
    let server = start(limited(up, 1)).await;
    let (mut client, mut behind) = under_way(&server, &listener, GET).await;
    behind.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\none\r\n").await;
    client.head().await;
    client.expect("3\r\none\r\n").await;
    assert!(refused(&server).await.0.starts_with("http/1.1 429"));
    behind.send("0\r\n\r\n").await;
    client.expect("0\r\n\r\n").await;
    let _next = under_way(&server, &listener, GET).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_gives_its_place_back() {
    let (listener, up) = raw_upstream().await;
    let mut server = start(limited(up, 1)).await;
    let (client, _behind) = under_way(&server, &listener, GET).await;
    drop(client);
    assert_eq!(server.log.recv().await.unwrap().record.status.as_u16(), 499);

    let (mut client, mut behind) = under_way(&server, &listener, GET).await;
    behind.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nthe").await;
    client.head().await;
    client.expect("the").await;
    assert!(refused(&server).await.0.starts_with("http/1.1 429"));
    drop(client);
    assert_eq!(behind.rest().await, "", "nobody reads what is still to come");

    // neither does an upstream that breaks off keep it
    let (mut client, behind) = under_way(&server, &listener, GET).await;
    drop(behind);
    assert!(client.response().await.0.starts_with("http/1.1 502"));
    let _next = under_way(&server, &listener, GET).await;
}

#[tokio::test]
async fn a_websocket_is_under_way_until_it_is_closed() {
    let (listener, up) = raw_upstream().await;
    let server = start(limited(up, 1)).await;
    let (mut client, mut behind) = under_way(&server, &listener, HANDSHAKE).await;
    behind.send("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n").await;
    client.head().await;
    behind.send("a message").await;
    client.expect("a message").await;
    assert!(refused(&server).await.0.starts_with("http/1.1 429"));
    client.0.shutdown().await.unwrap();
    assert_eq!(behind.rest().await, "");
    drop(behind);
    assert_eq!(client.rest().await, "");
    let _next = under_way(&server, &listener, GET).await;
}

#[tokio::test]
async fn a_reload_counts_anew() {
    let (listener, up) = raw_upstream().await;
    let server = start(limited(up, 1)).await;
    let (mut client, mut behind) = under_way(&server, &listener, GET).await;
    server.current.store(Arc::new(gateway(limited(up, 1))));
    let _second = under_way(&server, &listener, GET).await;
    behind.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").await;
    assert_eq!(client.response().await.1, "done");
    assert!(refused(&server).await.0.starts_with("http/1.1 429"), "it gave back a place of the former one");
}
