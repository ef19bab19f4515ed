//! One request on a connection, from hyper to core and back.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use portico_core::Held;
use portico_core::context::X_REQUEST_ID;
use portico_core::decision::{Policy, Reason};
use portico_core::{After, Body, FollowUp, Peer, Platform as _, Record, Refusal, Seen, config};
use portico_native::body::{BodyError, NativeBody, Payload, received};
use portico_native::survive;

use crate::drain::Watcher;
use crate::platform::NativePlatform;
use crate::server::Service;
use crate::upgrade;
use crate::wire::{Answering, Turn};

/// What every request of one connection needs.
pub(crate) struct Exchange<F> {
    pub(crate) service: Arc<Service<F>>,
    pub(crate) peer: Peer,
    pub(crate) turn: Turn,
    pub(crate) watcher: Watcher,
}

impl<F: Fn(After<NativeBody>) + Send + Sync> Exchange<F> {
    pub(crate) async fn answer(
        self: Arc<Self>,
        mut request: Request<Incoming>,
    ) -> Result<Response<Answer>, Infallible> {
        let answering = self.turn.begin();
        let client = upgrade::requested(&mut request);
        let (mut response, held) = self.decide(request.map(received)).await;
        if let (Some(client), Some(upstream)) = (client, upgrade::granted(&mut response)) {
            self.turn.tunnel();
            tokio::spawn(upgrade::join(client, upstream, self.watcher.clone(), held));
            return Ok(response.map(|body| Answer::new(body, Held::default(), answering)));
        }
        Ok(response.map(|body| Answer::new(body, held, answering)))
    }

    /// The response, and the place that the request has among those that are under way.
    async fn decide(&self, request: Request<Body<NativeBody>>) -> (Response<Body<NativeBody>>, Held) {
        let Service { gateway, platform, on_after, .. } = &*self.service;
        let gateway = gateway.load_full();
        // hyper drops this future when the client goes away; what it was about is logged all the same
        let mut pending =
            Pending { exchange: self, hash: gateway.hash(), seen: Some(Seen::new(&**platform, &request)) };
        // boxed, so that it takes memory while there is a request, and an idle connection has none of it
        let answered = survive(Box::pin(gateway.handle(&**platform, &self.peer, request)).as_mut()).await;
        pending.seen = None;
        match answered {
            Some((response, mut after)) => {
                let (follow_up, held) = (std::mem::take(&mut after.follow_up), std::mem::take(&mut after.held));
                on_after(after);
                if !follow_up.is_empty() {
                    let platform = Arc::clone(platform);
                    tokio::spawn(async move { follow_up.run(&gateway, &*platform).await });
                }
                (response, held)
            }
            None => (refused(platform, Reason::InternalError), Held::default()),
        }
    }
}

/// A request that core is deciding.
struct Pending<'a, F: Fn(After<NativeBody>) + Send + Sync> {
    exchange: &'a Exchange<F>,
    hash: config::Hash,
    /// Gone once it is decided.
    seen: Option<Seen>,
}

impl<F: Fn(After<NativeBody>) + Send + Sync> Drop for Pending<'_, F> {
    fn drop(&mut self) {
        if let Some(seen) = self.seen.take() {
            let Service { platform, on_after, .. } = &*self.exchange.service;
            let record = Record::abandoned(&**platform, &self.exchange.peer, seen, self.hash);
            on_after(After { record, follow_up: FollowUp::default(), held: Held::default() });
        }
    }
}

/// A refusal that core does not know of, with what core gives all of its responses.
fn refused<S>(platform: &NativePlatform, reason: Reason) -> Response<Body<S>> {
    let id = format!("{:032x}", platform.random());
    let mut response = Refusal::new(Policy::Forward, reason).response(&id);
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    response
}

/// The whole answer, as bytes, to a head that hyper could not read and would answer with nothing but `status`.
pub(crate) fn refusal_of_hyper(platform: &NativePlatform, status: u16) -> Bytes {
    let too_large = status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE || status == StatusCode::URI_TOO_LONG;
    let reason = if too_large { Reason::HeadersTooLarge } else { Reason::RequestMalformed };
    let response = refused::<NativeBody>(platform, reason);
    let body = match response.body() {
        Body::Full(body) => body.as_ref(),
        Body::Empty | Body::Stream(_) => &[],
    };
    let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\ncontent-length: {}\r\n", response.status(), body.len());
    for (name, value) in response.headers() {
        // writing to a String does not fail
        let _ = write!(head, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat().into()
}

/// A response's body, and with it the fact that it has not ended. Hyper drops it when it was sent, or when nobody waits for it any
/// more.
pub(crate) struct Answer {
    payload: Payload,
    /// How it broke off, before hyper was told.
    broken: Option<BodyError>,
    _answering: Answering,
    _held: Held,
}

impl Answer {
    fn new(body: Body<NativeBody>, held: Held, answering: Answering) -> Self {
        Self { payload: Payload(body), broken: None, _answering: answering, _held: held }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match Pin::new(&mut self.payload).poll_frame(context) {
            // hyper drops a connection whose body fails, and with it what it has not sent yet, be it the head: a body that
            // has nothing at the moment gives it the time to
            Poll::Ready(Some(Err(error))) => {
                self.broken = Some(error);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.payload.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.payload.size_hint()
    }
}
