//! Bodies stream, whole and unaltered, in both directions.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Channel};
use hyper::body::{Frame, Incoming};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::support::{Raw, proxy, raw_upstream, start, text, upstream};

/// A response whose body the test sends frame by frame.
fn stepwise() -> (mpsc::Sender<Bytes>, Response<Channel<Bytes, Infallible>>) {
    let (mut sender, body) = Channel::new(1);
    let (steps, mut todo) = mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        while let Some(data) = todo.recv().await {
            sender.send_data(data).await.unwrap();
        }
    });
    (steps, Response::new(body))
}

#[tokio::test]
async fn the_first_event_arrives_before_the_last_is_sent() {
    let (response, take) = oneshot::channel();
    let take = Arc::new(Mutex::new(Some(take)));
    let up = upstream(move |_| {
        let take = Arc::clone(&take);
        async move { take.lock().await.take().unwrap().await.unwrap() }
    })
    .await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    let (events, mut answer) = stepwise();
    answer.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
    response.send(answer).unwrap();

    client.send("GET /events HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(client.head().await.contains("content-type: text/event-stream"));
    events.send("data: 1\n\n".into()).await.unwrap();
    client.expect("9\r\ndata: 1\n\n\r\n").await;
    events.send("data: 2\n\n".into()).await.unwrap();
    client.expect("9\r\ndata: 2\n\n\r\n").await;
    drop(events);
    client.expect("0\r\n\r\n").await;
}

#[tokio::test]
async fn both_directions_stream_at_once() {
    let up = upstream(|request: Request<Incoming>| async {
        Response::new(request.into_body().map_err(|error| -> Infallible { panic!("the upload broke: {error}") }))
    })
    .await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    client.send("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.send("3\r\none\r\n").await;
    assert!(client.head().await.starts_with("http/1.1 200"));
    client.expect("3\r\none\r\n").await;
    client.send("3\r\ntwo\r\n").await;
    client.expect("3\r\ntwo\r\n").await;
    client.send("0\r\n\r\n").await;
    client.expect("0\r\n\r\n").await;
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let up = upstream(|request: Request<Incoming>| async {
        let sum = request.into_body().collect().await.unwrap().trailers().unwrap()["x-sum"].clone();
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(2);
        sender.send_data("data".into()).await.unwrap();
        sender.send(Frame::trailers(HeaderMap::from_iter([("x-sum".parse().unwrap(), sum)]))).await.unwrap();
        let mut response = Response::new(body);
        response.headers_mut().insert("trailer", HeaderValue::from_static("x-sum"));
        response
    })
    .await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    client.send("POST /sum HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: te\r\ntrailer: x-sum\r\n").await;
    client.send("transfer-encoding: chunked\r\n\r\n4\r\ndata\r\n0\r\nx-sum: 42\r\n\r\n").await;
    assert!(client.head().await.contains("trailer: x-sum"));
    client.expect("4\r\ndata\r\n0\r\nx-sum: 42\r\n\r\n").await;
}

#[tokio::test]
async fn lengths_and_encoded_bodies_stay_as_they_are() {
    // no valid gzip: whoever decoded it would fail
    const BODY: &[u8] = b"\x1f\x8b\x08\x00 not decoded";
    let up = upstream(|request: Request<Incoming>| async move {
        assert_eq!(request.headers()["content-length"], BODY.len().to_string());
        assert!(!request.headers().contains_key("transfer-encoding"));
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), BODY);
        let mut response = text(BODY);
        response.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
        response
    })
    .await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    client.send(format!("PUT /file HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", BODY.len())).await;
    client.send(BODY).await;
    let head = client.head().await;
    assert!(head.contains("content-encoding: gzip"));
    assert!(head.contains(&format!("content-length: {}\r\n", BODY.len())), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert_eq!(client.exactly(BODY.len()).await, BODY);
}

#[tokio::test]
async fn expect_continue_is_answered_when_the_body_is_wanted() {
    let up =
        upstream(|request: Request<Incoming>| async { text(request.into_body().collect().await.unwrap().to_bytes()) })
            .await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    client.send("POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n").await;
    assert!(client.head().await.starts_with("http/1.1 100"));
    client.send("ok").await;
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn an_upstream_that_breaks_off_breaks_the_response_off() {
    let (listener, up) = raw_upstream().await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    client.send("GET /cut HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    behind.head().await;
    behind.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
    client.head().await;
    client.expect("3\r\nabc\r\n").await;
    drop(behind);
    assert_eq!(client.rest().await, "", "no last chunk: the client must not take this for the whole body");
}

#[tokio::test]
async fn a_head_request_keeps_the_length_it_asked_for() {
    let (listener, up) = raw_upstream().await;
    let server = start(proxy(up)).await;
    let mut client = Raw::connect(server.address).await;
    client.send("HEAD /file HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut behind = Raw::new(listener.accept().await.unwrap().0);
    behind.head().await;
    behind.send("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n").await;
    assert!(client.head().await.contains("content-length: 1234\r\n"));
    client.send("GET /file HTTP/1.1\r\nhost: a\r\nif-none-match: x\r\n\r\n").await;
    behind.head().await;
    behind.send("HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n").await;
    let head = client.head().await;
    assert!(head.starts_with("http/1.1 304") && !head.contains("transfer-encoding"), "{head}");
}
