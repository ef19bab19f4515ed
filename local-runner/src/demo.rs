//! Upstreams for trying things out, answered by `portico dev` itself: a target is written `demo://NAME`.
//!
//! | name | what it answers |
//! |---|---|
//! | `echo` | what it received, as JSON: method, path, query, headers, body |
//! | `orders` | `/` is a list of orders, `/{id}` is one of them, everything else is 404 |
//! | `slow` | after two seconds, or after `?ms=500` |
//! | `failing` | 500; `?status=503` another status, `?mode=reset` no answer, `?mode=hang` none ever, `?mode=cut` half of one |
//! | `sse` | server-sent events, one every 500 ms or every `?ms=`, without end or `?count=` of them |
//!
//! A target `binding://NAME`, behind which another Worker stands on Cloudflare, is answered like `demo://echo`.
//!
//! They need no socket: the platform hands them the request where it would otherwise ask the network. All else, from
//! core's decisions to the client's connection, is as with any upstream.

use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame};
use portico_core::forward::BINDING;
use portico_core::route::query_value;
use portico_core::{Body, FetchError};
use portico_native::body::{BodyError, NativeBody};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, Sleep};

/// The names that a target may have.
pub const NAMES: [&str; 5] = ["echo", "orders", "slow", "failing", "sse"];

/// The scheme of their targets.
pub const SCHEME: &str = "demo";

/// The largest body that `echo` reads back.
const ECHOED: u64 = 1 << 20;

/// The longest that `?ms=` may ask for.
const LONGEST: Duration = Duration::from_secs(60);

type Answer = Result<Response<Body<NativeBody>>, FetchError>;

/// Whether targets of this scheme are answered here.
pub(crate) fn answers(scheme: &str) -> bool {
    matches!(scheme, SCHEME | BINDING)
}

/// Answers a request to such a target within `timeout`.
pub(crate) async fn fetch(request: Request<Body<NativeBody>>, timeout: Duration) -> Answer {
    tokio::time::timeout(timeout, answer(request)).await.unwrap_or(Err(FetchError::Timeout))
}

async fn answer(request: Request<Body<NativeBody>>) -> Answer {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let name = if uri.scheme_str() == Some(BINDING) { Some("echo") } else { uri.host() };
    match name {
        Some("echo") => echo(request).await,
        Some("orders") => Ok(orders(&method, &uri)),
        Some("slow") => slow(&uri).await,
        Some("failing") => failing(&uri).await,
        Some("sse") => Ok(sse(&uri)),
        _ => Err(FetchError::Connect),
    }
}

async fn echo(request: Request<Body<NativeBody>>) -> Answer {
    let (head, body) = request.into_parts();
    let body = read(body).await?;
    let bytes = body.len();
    let body = String::from_utf8(body.into()).map_or(Value::Null, Value::String);
    Ok(json(
        StatusCode::OK,
        &json!({
            "method": head.method.as_str(),
            "path": head.uri.path(),
            "query": head.uri.query(),
            "headers": fields(&head.headers),
            "body": body,
            "body_bytes": bytes,
        }),
    ))
}

/// Header fields as JSON: a list where a field came more than once.
fn fields(headers: &HeaderMap) -> Map<String, Value> {
    let text = |value: &HeaderValue| Value::String(String::from_utf8_lossy(value.as_bytes()).into_owned());
    let all = |name| match headers.get_all(name).iter().map(text).collect::<Vec<_>>() {
        mut values if values.len() == 1 => values.remove(0),
        values => Value::Array(values),
    };
    headers.keys().map(|name| (name.to_string(), all(name))).collect()
}

async fn read(body: Body<NativeBody>) -> Result<Bytes, FetchError> {
    let mut stream = match body {
        Body::Empty => return Ok(Bytes::new()),
        Body::Full(bytes) => return Ok(bytes),
        Body::Stream(stream) => stream.bounded(ECHOED),
    };
    let mut whole = BytesMut::new();
    while let Some(frame) = stream.frame().await {
        match frame {
            Ok(frame) => whole.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Err(BodyError::TooLarge) => return Err(FetchError::RequestTooLarge),
            Err(BodyError::Broken(_)) => return Err(FetchError::ClientGone),
        }
    }
    Ok(whole.freeze())
}

fn orders(method: &Method, uri: &Uri) -> Response<Body<NativeBody>> {
    let orders = [
        json!({ "id": 7, "item": "teapot", "quantity": 1, "total": "24.00 EUR" }),
        json!({ "id": 8, "item": "cup", "quantity": 6, "total": "39.00 EUR" }),
        json!({ "id": 9, "item": "tea, green", "quantity": 2, "total": "11.80 EUR" }),
    ];
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = json(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": "orders can only be read here" }));
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let id = uri.path().trim_matches('/');
    if id.is_empty() {
        return json(StatusCode::OK, &json!({ "orders": orders }));
    }
    let wanted: Option<u64> = id.parse().ok();
    match orders.iter().find(|order| order.get("id").and_then(Value::as_u64) == wanted) {
        Some(order) => json(StatusCode::OK, order),
        None => json(StatusCode::NOT_FOUND, &json!({ "error": "there is no such order" })),
    }
}

async fn slow(uri: &Uri) -> Answer {
    let wait = interval(uri, Duration::from_secs(2));
    tokio::time::sleep(wait).await;
    Ok(json(StatusCode::OK, &json!({ "waited_ms": wait.as_millis() as u64 })))
}

async fn failing(uri: &Uri) -> Answer {
    match parameter(uri, "mode").as_deref() {
        Some("reset") => Err(FetchError::Reset),
        Some("hang") => std::future::pending().await,
        Some("cut") => Ok(Response::new(Body::Stream(NativeBody::new(Cut { begun: false })))),
        _ => {
            let status = parameter(uri, "status").and_then(|status| status.parse().ok());
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ok(json(status, &json!({ "error": "this upstream fails on purpose" })))
        }
    }
}

fn sse(uri: &Uri) -> Response<Body<NativeBody>> {
    let every = interval(uri, Duration::from_millis(500)).max(Duration::from_millis(1));
    let left = parameter(uri, "count").and_then(|count| count.parse().ok());
    let ticks = Ticks { every, next: Box::pin(tokio::time::sleep(Duration::ZERO)), sent: 0, left };
    let mut response = Response::new(Body::Stream(NativeBody::new(ticks)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn json(status: StatusCode, value: &Value) -> Response<Body<NativeBody>> {
    let mut response = Response::new(Body::from(format!("{value:#}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn parameter(uri: &Uri, name: &str) -> Option<String> {
    query_value(uri.query()?, name).map(std::borrow::Cow::into_owned)
}

fn interval(uri: &Uri, usual: Duration) -> Duration {
    let asked = parameter(uri, "ms").and_then(|ms| ms.parse().ok());
    asked.map_or(usual, Duration::from_millis).min(LONGEST)
}

/// Server-sent events; each is sent when its time has come, and none is kept.
struct Ticks {
    every: Duration,
    next: Pin<Box<Sleep>>,
    sent: u64,
    /// How many are still to come; `None` for no end.
    left: Option<u64>,
}

impl HttpBody for Ticks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == Some(0) {
            return Poll::Ready(None);
        }
        ready!(self.next.as_mut().poll(context));
        let next = Instant::now() + self.every;
        self.next.as_mut().reset(next);
        self.left = self.left.map(|left| left - 1);
        self.sent += 1;
        let mut event = String::new();
        // writing to a String does not fail
        _ = write!(event, "id: {0}\nevent: tick\ndata: {{\"tick\":{0}}}\n\n", self.sent);
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}

/// Half an answer, then a broken connection.
struct Cut {
    begun: bool,
}

impl HttpBody for Cut {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if std::mem::replace(&mut self.begun, true) {
            return Poll::Ready(Some(Err("cut off on purpose")));
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"{ \"half\": ")))))
    }
}

#[cfg(test)]
mod tests;
