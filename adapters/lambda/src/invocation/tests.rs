//! Invocations between a Runtime API that writes down what is posted, and an origin that says what it is told to.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming as Received;
use hyper_util::rt::TokioIo;
use lambda_runtime::Context;
use portico_native::upstream::Upstreams;
use serde_json::{Value, json};

use super::*;
use crate::instance::ResponseMode;

/// What was posted.
struct Posted {
    path: String,
    headers: HeaderMap,
    body: Bytes,
    trailers: HeaderMap,
}

impl Posted {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Status and reason of the problem that is in a whole answer.
    fn problem(&self) -> (Value, Value) {
        let answer = self.json();
        let problem: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (answer["statusCode"].clone(), problem["code"].clone())
    }
}

async fn runtime_api() -> (Arc<Api>, Receiver<Posted>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Api::at(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
    let (sender, posted) = channel();
    let accept = hyper::service::service_fn(move |request: Request<Received>| {
        let sender = sender.clone();
        async move {
            let (head, body) = request.into_parts();
            let collected = body.collect().await?;
            let trailers = collected.trailers().cloned().unwrap_or_default();
            let (path, headers) = (head.uri.path().to_owned(), head.headers);
            drop(sender.send(Posted { path, headers, body: collected.to_bytes(), trailers }));
            Ok::<_, hyper::Error>(Response::new(Empty::<Bytes>::new()))
        }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), accept.clone()),
            );
        }
    });
    (Arc::new(api), posted)
}

/// An origin that answers its first request with these bytes and keeps the connection as long as it says.
fn origin(answer: &'static [u8], then: Then) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        stream.write_all(answer).unwrap();
        if then == Then::Silence {
            // until the other side goes away
            drop(stream.read(&mut [0; 1]));
        }
    });
    url
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Close,
    Silence,
}

/// Whose events differ in it alone.
const FUNCTION_URL: &str = "abc.lambda-url.eu-central-1.on.aws";
const HTTP_API: &str = "api.example";

/// What is posted for a request to an upstream, `left` before it must be.
async fn invoke(upstream: &str, mode: ResponseMode, left: Duration) -> Posted {
    serve_event(instance(upstream, mode), &get(FUNCTION_URL), left).await
}

fn instance(upstream: &str, mode: ResponseMode) -> Instance {
    with_policies(upstream, mode, &json!({}))
}

fn with_policies(upstream: &str, mode: ResponseMode, policies: &Value) -> Instance {
    let document = json!({
        "portico": 1,
        "name": "test",
        "upstreams": { "origin": { "targets": [{ "url": upstream }] } },
        "routes": [{ "name": "all", "match": { "path": "/{*rest}" }, "upstream": "origin", "policies": policies }],
    });
    Instance::of(portico_core::config::compile(&document).unwrap().0, mode)
}

fn get(domain: &str) -> Value {
    json!({
        "version": "2.0",
        "rawPath": "/a",
        "rawQueryString": "",
        "headers": { "host": "api.example" },
        "requestContext": {
            "stage": "$default",
            "domainName": domain,
            "http": { "method": "GET", "path": "/a", "sourceIp": "192.0.2.7" },
        },
    })
}

async fn serve_event(instance: Instance, event: &Value, left: Duration) -> Posted {
    serve_on(&Arc::new(instance), event, left).await
}

async fn serve_on(instance: &Arc<Instance>, event: &Value, left: Duration) -> Posted {
    let (api, posted) = runtime_api().await;
    let mut context = Context::default();
    context.request_id = "id-1".to_owned();
    context.deadline = (system::now() + crate::platform::MARGIN + left).as_micros() / 1_000;
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.headers.insert("lambda-runtime-invocation-id", "attempt-1".parse().unwrap());
    let body = serde_json::to_vec(event).unwrap().into();
    serve(Arc::clone(instance), api, LambdaInvocation { parts, body, context }).await.unwrap();
    let posted = posted.try_recv().unwrap();
    assert_eq!(posted.headers["lambda-runtime-invocation-id"], "attempt-1");
    posted
}

const LONG: Duration = Duration::from_secs(30);
const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const BROKEN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello";

#[tokio::test]
async fn a_response_is_posted_whole() {
    let posted = invoke(&origin(WHOLE, Then::Close), ResponseMode::Whole, LONG).await;
    assert_eq!(posted.path, "/2018-06-01/runtime/invocation/id-1/response");
    assert!(!posted.headers.contains_key("lambda-runtime-function-response-mode"));
    assert_eq!((&posted.json()["statusCode"], &posted.json()["body"]), (&json!(200), &json!("hello")));
}

#[tokio::test]
async fn a_response_is_posted_as_it_comes() {
    let posted = invoke(&origin(WHOLE, Then::Close), ResponseMode::Stream, LONG).await;
    assert_eq!(posted.path, "/2018-06-01/runtime/invocation/id-1/response");
    assert_eq!(posted.headers["lambda-runtime-function-response-mode"], "streaming");
    assert_eq!(posted.headers["content-type"], "application/vnd.awslambda.http-integration-response");
    let (head, body) = posted.body.split_at(posted.body.len() - 5 - 8);
    assert_eq!(serde_json::from_slice::<Value>(head).unwrap()["statusCode"], 200);
    assert_eq!(body, b"\0\0\0\0\0\0\0\0hello");
    assert!(posted.trailers.is_empty());
}

#[tokio::test]
async fn what_takes_no_stream_gets_a_whole_response() {
    let instance = instance(&origin(WHOLE, Then::Close), ResponseMode::Stream);
    let posted = serve_event(instance, &get(HTTP_API), LONG).await;
    assert!(!posted.headers.contains_key("lambda-runtime-function-response-mode"));
    assert_eq!((&posted.json()["statusCode"], &posted.json()["body"]), (&json!(200), &json!("hello")));
}

#[tokio::test]
async fn a_panic_costs_its_own_request_and_no_other() {
    let mut instance = instance("https://upstream.example", ResponseMode::Whole);
    instance.upstreams = Upstreams::new(|| panic!("on purpose, part of a test"));
    let instance = Arc::new(instance);
    for _ in 0..2 {
        let posted = serve_on(&instance, &get(FUNCTION_URL), LONG).await;
        assert_eq!(posted.path, "/2018-06-01/runtime/invocation/id-1/response");
        assert_eq!(posted.problem(), (json!(500), json!("internal_error")));
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_response() {
    let posted = invoke(&origin(BROKEN, Then::Close), ResponseMode::Whole, LONG).await;
    assert_eq!(posted.problem(), (json!(502), json!("upstream_broken")));

    let posted = invoke(&origin(BROKEN, Then::Close), ResponseMode::Stream, LONG).await;
    assert!(posted.body.ends_with(b"\0hello"));
    assert_eq!(posted.trailers["lambda-runtime-function-error-type"], "Portico.StreamBroken");
    assert!(BASE64_STANDARD.decode(&posted.trailers["lambda-runtime-function-error-body"]).is_ok());
}

#[tokio::test]
async fn what_takes_too_long_is_given_up_in_time() {
    let posted = invoke(&origin(b"", Then::Silence), ResponseMode::Whole, Duration::ZERO).await;
    assert_eq!(posted.problem(), (json!(504), json!("upstream_timeout")));
    // the head is there or not: it is the same
    let posted = invoke(&origin(BROKEN, Then::Silence), ResponseMode::Whole, Duration::from_millis(50)).await;
    assert_eq!(posted.problem(), (json!(504), json!("upstream_timeout")));
}

#[tokio::test]
async fn a_body_that_is_rewritten_is_given_up_in_time() {
    const STALLS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    let policies = json!({ "response": { "json": { "remove": ["secret"] } } });
    for mode in [ResponseMode::Whole, ResponseMode::Stream] {
        let instance = with_policies(&origin(STALLS, Then::Silence), mode, &policies);
        let posted = serve_event(instance, &get(FUNCTION_URL), Duration::from_millis(50)).await;
        let text = String::from_utf8_lossy(&posted.body);
        assert!(text.contains("504") && text.contains("upstream_timeout"), "{text}");
    }
}

#[tokio::test]
async fn what_is_longer_than_an_answer_may_be_is_a_problem() {
    let long: &'static [u8] =
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".as_slice(), &vec![b'a'; answer::LIMIT + 1]].concat().leak();
    let posted = invoke(&origin(long, Then::Close), ResponseMode::Whole, LONG).await;
    assert_eq!(posted.problem(), (json!(502), json!("response_too_large")));
    let posted = invoke(&origin(long, Then::Close), ResponseMode::Stream, LONG).await;
    assert!(posted.body.len() > answer::LIMIT);
}

#[tokio::test]
async fn what_core_takes_no_part_in_is_a_problem() {
    let mut event = get(FUNCTION_URL);
    event["requestContext"]["http"]["method"] = json!("G T");
    let posted = serve_event(Instance::of(nothing(), ResponseMode::Whole), &event, LONG).await;
    assert_eq!(posted.problem(), (json!(400), json!("request_malformed")));
    let posted = serve_event(Instance::of(nothing(), ResponseMode::Stream), &event, LONG).await;
    assert_eq!(posted.headers["lambda-runtime-function-response-mode"], "streaming");
    assert!(posted.body.starts_with(br#"{"statusCode":400,"#));
}

#[tokio::test]
async fn what_is_no_request_is_an_error() {
    let posted = serve_event(Instance::of(nothing(), ResponseMode::Whole), &json!({ "Records": [] }), LONG).await;
    assert_eq!(posted.path, "/2018-06-01/runtime/invocation/id-1/error");
    assert_eq!(posted.headers["lambda-runtime-function-error-type"], "Portico.UnknownEvent");
    assert!(posted.json()["errorMessage"].as_str().unwrap().contains("help: "));
}

/// A gateway without routes.
fn nothing() -> portico_core::Gateway {
    portico_core::config::compile(&json!({ "portico": 1, "name": "nothing", "routes": [] })).unwrap().0
}
