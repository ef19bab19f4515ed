//! Connections are kept, given up, and ended.

use std::time::Duration;

use portico::platform::Settings;
use portico::server::{Ended, Options};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::protocols::HANDSHAKE;
use crate::support::{Raw, proxy, raw_upstream, start, start_with};

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let (listener, up) = raw_upstream().await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    let asked = "GET /a HTTP/1.1\r\nhost: a\r\n\r\n";
    client.send(asked).await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    for _ in 0..3 {
        assert!(behind.head().await.starts_with("get /a http/1.1"));
        behind.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert!(client.head().await.starts_with("http/1.1 204"));
        client.send(asked).await;
    }
}

#[tokio::test]
async fn a_drain_lets_streams_end_and_refuses_connections() {
    let (listener, up) = raw_upstream().await;
    let server = start(proxy(up)).await;
    let address = server.address;
    let mut client = Raw::connect(address).await;
    client.send("GET /long HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    behind.head().await;
    behind.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nfir").await;
    client.head().await;
    client.expect("fir").await;

    let mut idle = Raw::connect(address).await;
    idle.send("GET /-/health HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(idle.response().await.0.starts_with("http/1.1 200"));
    let done = server.stop();
    assert_eq!(idle.rest().await, "", "an idle connection is closed");
    drop(idle);
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!done.is_finished());
    behind.send("st!").await;
    client.expect("st!").await;
    assert_eq!(client.rest().await, "");
    drop(client);
    assert_eq!(done.await.unwrap(), Ended::Drained);
}

#[tokio::test]
async fn a_drain_ends_what_does_not_end() {
    let (listener, up) = raw_upstream().await;
    let options = Options { drain: Duration::from_millis(1), ..Options::default() };
    let server = start_with(proxy(up), options, Settings::default(), None).await;
    let mut waiting = Raw::connect(server.address).await;
    waiting.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    behind.head().await;
    let mut socket = Raw::connect(server.address).await;
    socket.send(HANDSHAKE).await;
    let mut other = Raw::new(listener.accept().await.unwrap().0);
    other.head().await;
    other.send("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n").await;
    socket.head().await;

    assert_eq!(server.stop().await.unwrap(), Ended::CutOff);
    assert_eq!(waiting.rest().await, "");
    assert_eq!(behind.rest().await, "");
    assert_eq!(socket.rest().await, "");
    assert_eq!(other.rest().await, "");
}

const POST: &str = "POST /order HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}";

#[tokio::test]
async fn a_connection_closed_while_idle_costs_no_request() {
    let (listener, up) = raw_upstream().await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    client.send(POST).await;
    for round in 0..20 {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            (head, _) = client.response() => panic!("instead of a new connection: {head}"),
        };
        let mut behind = Raw::new(accepted.unwrap().0);
        behind.head().await;
        behind.expect("{}").await;
        behind.send("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").await;
        assert!(client.response().await.0.starts_with("http/1.1 201"));
        // the server learns of both at once: of the request first, or of the end of the connection it would take for it
        if round % 2 == 0 {
            client.send(POST).await;
            drop(behind);
        } else {
            drop(behind);
            client.send(POST).await;
        }
    }
}

#[tokio::test]
async fn a_post_that_may_have_been_processed_is_not_sent_again() {
    let (listener, up) = raw_upstream().await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    client.send(POST).await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    for status in ["201", "502"] {
        behind.head().await;
        behind.expect("{}").await;
        if status == "201" {
            behind.send("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").await;
            assert!(client.response().await.0.starts_with("http/1.1 201"));
            client.send(POST).await;
        }
    }
    // taken, and then gone: on a connection that was reused
    drop(behind);
    let again = tokio::select! {
        biased;
        (head, _) = client.response() => { assert!(head.starts_with("http/1.1 502"), "{head}"); false }
        _ = listener.accept() => true,
    };
    assert!(!again);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_request() {
    let (listener, up) = raw_upstream().await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    client.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    behind.head().await;
    drop(client);
    assert_eq!(behind.rest().await, "", "before the response's head");

    let mut client = Raw::connect(server.address).await;
    client.send("GET /stream HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    behind.head().await;
    behind.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbeginning").await;
    client.head().await;
    client.expect("beginning").await;
    drop(client);
    assert_eq!(behind.rest().await, "", "within the body");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_left() {
    let (listener, up) = raw_upstream().await;
    let options = Options { write_timeout: Duration::from_millis(1), ..Options::default() };
    let server = start_with(proxy(up), options, Settings::default(), None).await;
    let mut client = Raw::connect(server.address).await;
    client.send("GET /endless HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    behind.head().await;
    behind.send("HTTP/1.1 200 OK\r\n\r\n").await;
    while behind.0.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
}

#[tokio::test]
async fn a_client_that_does_not_wait_is_in_the_log_all_the_same() {
    let (listener, upstream) = raw_upstream().await;
    let mut server = start(proxy(upstream)).await;
    let mut client = Raw::connect(server.address).await;
    client.send("GET /seen?by=upstream HTTP/1.1\r\nhost: a\r\nuser-agent: hasty\r\n\r\n").await;
    let mut asked = Raw::new(listener.accept().await.unwrap().0);
    assert!(asked.head().await.starts_with("get /seen"));
    drop(client);
    let record = server.log.recv().await.unwrap().record;
    assert_eq!(record.uri.path(), "/seen");
    assert_eq!(record.status, 499);
    assert_eq!(record.user_agent.unwrap(), "hasty");
    assert_eq!(record.decisions.last().unwrap().reason.code(), "client_gone");
}
