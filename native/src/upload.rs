//! The body of a request on its way upstream.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use portico_core::FetchError;
use tokio::time::Instant;

use crate::body::{BodyError, Payload};

/// How the sending of a request's body goes, shared between it and whoever waits for the response.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    /// When a part was last passed on, in microseconds since `started`.
    last: AtomicU64,
    /// Whether the next part has to come from the client.
    awaits_client: AtomicBool,
    /// Whether nothing of it is to be sent any more.
    over: AtomicBool,
    /// Why the body broke off. hyper loses this on the way (HTTP/2 makes a stream reset of it).
    fault: OnceLock<FetchError>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            last: AtomicU64::new(0),
            awaits_client: AtomicBool::new(false),
            over: AtomicBool::new(false),
            fault: OnceLock::new(),
        }
    }

    fn advance(&self) {
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn last(&self) -> Instant {
        self.started + Duration::from_micros(self.last.load(Ordering::Relaxed))
    }

    /// Whether nothing of it is to be sent any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Why the body broke off, if it did.
    pub(crate) fn fault(&self) -> Option<FetchError> {
        self.fault.get().copied()
    }

    /// Whose turn it is to go on: the client's, while it sends nothing of the body, or the upstream's.
    pub(crate) fn silent(&self) -> FetchError {
        if self.awaits_client.load(Ordering::Relaxed) { FetchError::ClientTimeout } else { FetchError::Timeout }
    }
}

/// A request's body on its way upstream.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) payload: Payload,
    pub(crate) progress: Arc<Progress>,
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.progress.over.store(true, Ordering::Relaxed);
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let poll = Pin::new(&mut self.payload).poll_frame(context);
        self.progress.awaits_client.store(poll.is_pending(), Ordering::Relaxed);
        let frame = ready!(poll);
        match &frame {
            Some(Err(BodyError::TooLarge)) => drop(self.progress.fault.set(FetchError::RequestTooLarge)),
            Some(Err(BodyError::Broken(_))) => drop(self.progress.fault.set(FetchError::ClientGone)),
            Some(Ok(_)) | None => self.progress.advance(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.payload.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.payload.size_hint()
    }
}
