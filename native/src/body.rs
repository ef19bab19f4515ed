//! Message bodies as hyper reads and writes them.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use portico_core::{Body, CollectError};

use crate::pool::WireBody;
use crate::tee::{self, Half};

/// A body's stream that nobody has read yet: what a platform on hyper has as its `Stream`.
///
/// It hands on every frame as it came, trailers too, and keeps the known length, so that a `Content-Length` stays one
/// on the other side and does not become a chunked body.
pub struct NativeBody {
    source: Source,
    /// Bytes that may still come; `None` without a bound.
    remaining: Option<u64>,
}

type Any = dyn HttpBody<Data = Bytes, Error = Box<dyn Error + Send + Sync>> + Send;

enum Source {
    Wire(WireBody),
    /// Locked, so that what holds one may be shared between threads; nobody ever waits.
    Other(Mutex<Pin<Box<Any>>>),
    Half(Half),
    /// The bound was passed: the stream is gone, so that whoever sends it notices.
    Closed,
}

/// Why a stream ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More bytes than the bound.
    #[error("the body is larger than its bound")]
    TooLarge,
    /// The connection broke, or what came is not HTTP.
    #[error("the body broke off")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

impl BodyError {
    /// The same, for another who reads the stream.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::TooLarge => Self::TooLarge,
            Self::Broken(why) => Self::Broken(why.to_string().into()),
        }
    }
}

impl NativeBody {
    /// A stream from anything that is one: for embedded servers and tests.
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        Self { source: Source::Other(Mutex::new(Box::pin(body.map_err(Into::into)))), remaining: None }
    }

    /// The same stream, which fails once more than `limit` bytes came through. The stricter of two bounds holds.
    #[must_use]
    pub fn bounded(self, limit: u64) -> Self {
        let remaining = self.remaining.map_or(limit, |before| before.min(limit));
        Self { remaining: Some(remaining), ..self }
    }

    /// The same stream twice. The second one reads along and fails once more than `limit` bytes came through; the first goes on. Either
    /// may be slow, or be dropped.
    pub fn tee(self, limit: u64) -> (Self, Self) {
        let (first, second) = tee::halves(self, limit);
        let stream = |half| Self { source: Source::Half(half), remaining: None };
        (stream(first), stream(second))
    }

    /// Whether the declared length alone is over the bound.
    pub fn is_known_to_exceed(&self) -> bool {
        self.remaining.is_some_and(|remaining| self.size_hint().lower() > remaining)
    }

    /// Reads all of it, at most `limit` bytes.
    pub async fn collect(self, limit: u64) -> Result<Bytes, CollectError> {
        let mut stream = self.bounded(limit);
        if stream.is_known_to_exceed() {
            return Err(CollectError::TooLarge);
        }
        // the declared length is only a claim: believe it up to a size that costs nothing
        let capacity = stream.size_hint().lower().min(64 * 1024);
        let mut whole = BytesMut::with_capacity(usize::try_from(capacity).unwrap_or(0));
        while let Some(frame) = stream.frame().await {
            match frame {
                Ok(frame) => whole.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
                Err(BodyError::TooLarge) => return Err(CollectError::TooLarge),
                Err(BodyError::Broken(_)) => return Err(CollectError::Broken),
            }
        }
        Ok(whole.freeze())
    }
}

/// What came over the wire as core's body: [`Body::Empty`] when there is certainly nothing to read, which core may
/// then send more than once.
pub fn received(body: Incoming) -> Body<NativeBody> {
    WireBody::from(body).into()
}

impl From<WireBody> for Body<NativeBody> {
    fn from(body: WireBody) -> Self {
        if body.is_end_stream() {
            Self::Empty
        } else {
            Self::Stream(NativeBody { source: Source::Wire(body), remaining: None })
        }
    }
}
impl HttpBody for NativeBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match &mut self.source {
            Source::Wire(body) => ready!(Pin::new(body).poll_frame(context))
                .map(|frame| frame.map_err(|error| BodyError::Broken(error.into()))),
            Source::Other(body) => {
                let body = body.get_mut().unwrap_or_else(PoisonError::into_inner);
                ready!(body.as_mut().poll_frame(context)).map(|frame| frame.map_err(BodyError::Broken))
            }
            Source::Half(half) => ready!(Pin::new(half).poll_frame(context)),
            Source::Closed => None,
        };
        let length = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, |data| data.len() as u64),
            _ => 0,
        };
        if let Some(remaining) = self.remaining {
            let Some(left) = remaining.checked_sub(length) else {
                self.source = Source::Closed;
                return Poll::Ready(Some(Err(BodyError::TooLarge)));
            };
            self.remaining = Some(left);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Wire(body) => body.is_end_stream(),
            Source::Other(body) => body.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream(),
            Source::Half(half) => half.is_end_stream(),
            Source::Closed => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Wire(body) => body.size_hint(),
            Source::Other(body) => body.lock().unwrap_or_else(PoisonError::into_inner).size_hint(),
            Source::Half(half) => half.size_hint(),
            Source::Closed => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for NativeBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NativeBody").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

/// Core's body as hyper writes it: to a client or to an upstream.
#[derive(Debug)]
pub struct Payload(pub Body<NativeBody>);

impl HttpBody for Payload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Body::Stream(stream) = &mut self.0 {
            return Pin::new(stream).poll_frame(context);
        }
        match std::mem::take(&mut self.0) {
            Body::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Body::Empty | Body::Stream(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Body::Stream(stream) => stream.is_end_stream(),
            Body::Empty => true,
            Body::Full(bytes) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Body::Stream(stream) => stream.size_hint(),
            Body::Empty => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}
