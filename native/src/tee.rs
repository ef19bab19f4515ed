//! One stream, read twice: a client reads it, and what fills the cache reads along.
//!
//! Whichever half is asked and has nothing waiting reads the source, and lets what it read wait for the other. So a slow half holds
//! nobody up, and what waits for it is bounded: for the second half by its limit, and for the first by the same and one frame, because
//! the second reads no further. Frames share their bytes; nothing is copied.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::body::{BodyError, NativeBody};

/// The two halves of `source`. The second one fails once more than `limit` bytes came through, and the first goes on.
pub(crate) fn halves(source: NativeBody, limit: u64) -> (Half, Half) {
    let bell = Arc::new(Bell::default());
    let middle = Middle {
        source: Some(source),
        waker: Waker::from(Arc::clone(&bell)),
        halves: [Queue::with(u64::MAX), Queue::with(limit)],
    };
    let middle = Arc::new(Mutex::new(middle));
    let half = |side| Half { middle: Arc::clone(&middle), bell: Arc::clone(&bell), side };
    (half(Side::First), half(Side::Second))
}

/// One of two readers of a stream. When it is dropped the other reads on; when both are, or nobody is left who could read, the source
/// is dropped.
pub(crate) struct Half {
    middle: Arc<Mutex<Middle>>,
    bell: Arc<Bell>,
    side: Side,
}

#[derive(Debug, Clone, Copy)]
enum Side {
    First = 0,
    Second = 1,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// What the halves share.
struct Middle {
    /// Gone when it ended, or nobody reads it any more.
    source: Option<NativeBody>,
    /// The bell's.
    waker: Waker,
    halves: [Queue; 2],
}

/// What waits for a half.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Result<Frame<Bytes>, BodyError>>,
    /// Bytes in `waiting`.
    bytes: u64,
    /// Bytes that may still come through.
    remaining: u64,
    /// Whether nothing is put here any more: the half was dropped, or failed.
    closed: bool,
}

impl Queue {
    fn with(limit: u64) -> Self {
        Self { remaining: limit, ..Self::default() }
    }

    /// Counts what comes through. More than may fails, and what waits is dropped.
    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        match self.remaining.checked_sub(length(&frame)) {
            Some(left) => {
                self.remaining = left;
                Ok(frame)
            }
            None => {
                self.close();
                Err(BodyError::TooLarge)
            }
        }
    }

    fn push(&mut self, frame: Result<Frame<Bytes>, BodyError>) {
        if self.closed {
            return;
        }
        let frame = frame.and_then(|frame| self.count(frame));
        self.bytes += frame.as_ref().map_or(0, length);
        self.waiting.push_back(frame);
    }

    fn pop(&mut self) -> Option<Result<Frame<Bytes>, BodyError>> {
        let frame = self.waiting.pop_front()?;
        self.bytes -= frame.as_ref().map_or(0, length);
        Some(frame)
    }

    fn close(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
        self.closed = true;
    }
}

fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

impl Half {
    fn middle(&self) -> MutexGuard<'_, Middle> {
        self.middle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Middle {
    /// The next frame for `side`, from the source: a copy waits for the other half.
    fn poll_source(&mut self, side: Side) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        let next = match Pin::new(source).poll_frame(&mut Context::from_waker(&self.waker)) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(next) => next,
        };
        let [first, second] = &mut self.halves;
        let (own, other) = match side {
            Side::First => (first, second),
            Side::Second => (second, first),
        };
        Poll::Ready(match next {
            Some(Ok(frame)) => {
                let (frame, copy) = twice(frame);
                other.push(Ok(copy));
                Some(own.count(frame))
            }
            Some(Err(error)) => {
                self.source = None;
                other.push(Err(error.again()));
                Some(Err(error))
            }
            None => {
                self.source = None;
                None
            }
        })
    }

    /// The source, if nobody reads it any more.
    fn abandoned(&mut self) -> Option<NativeBody> {
        if self.halves.iter().all(|half| half.closed) { self.source.take() } else { None }
    }
}

/// The same frame twice.
fn twice(frame: Frame<Bytes>) -> (Frame<Bytes>, Frame<Bytes>) {
    match frame.into_data() {
        Ok(data) => (Frame::data(data.clone()), Frame::data(data)),
        Err(frame) => {
            // there is no third kind
            let trailers = frame.into_trailers().unwrap_or_default();
            (Frame::trailers(trailers.clone()), Frame::trailers(trailers))
        }
    }
}

impl HttpBody for Half {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let (frame, abandoned) = {
            let mut middle = self.middle();
            let queue = &mut middle.halves[self.side as usize];
            if let Some(frame) = queue.pop() {
                return Poll::Ready(Some(frame));
            }
            if queue.closed {
                return Poll::Ready(None);
            }
            // before the source is asked: it may have something the moment after
            self.bell.register(self.side, context.waker());
            let frame = middle.poll_source(self.side);
            (frame, middle.abandoned())
        };
        drop(abandoned);
        if frame.is_ready() {
            self.bell.ring_for(self.side.other());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        let middle = self.middle();
        let queue = &middle.halves[self.side as usize];
        let source_ended = || middle.source.as_ref().is_none_or(HttpBody::is_end_stream);
        queue.waiting.is_empty() && (queue.closed || source_ended())
    }

    fn size_hint(&self) -> SizeHint {
        let middle = self.middle();
        let queue = &middle.halves[self.side as usize];
        let source = middle.source.as_ref().filter(|_| !queue.closed);
        let coming = source.map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(coming.lower().saturating_add(queue.bytes));
        if let Some(upper) = coming.upper() {
            hint.set_upper(upper.saturating_add(queue.bytes));
        }
        hint
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        let abandoned = {
            let mut middle = self.middle();
            middle.halves[self.side as usize].close();
            middle.abandoned()
        };
        drop(abandoned);
        drop(self.bell.forget(self.side));
    }
}

/// Whom the source wakes: every half that waits. It knows only the waker that asked last, and that one's task need not ask again.
#[derive(Default)]
struct Bell {
    waiting: [Mutex<Option<Waker>>; 2],
}

impl Bell {
    fn register(&self, side: Side, waker: &Waker) {
        let mut waiting = self.waiting[side as usize].lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    fn ring_for(&self, side: Side) {
        if let Some(waker) = self.forget(side) {
            waker.wake();
        }
    }

    fn forget(&self, side: Side) -> Option<Waker> {
        self.waiting[side as usize].lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring_for(Side::First);
        self.ring_for(Side::Second);
    }
}

#[cfg(test)]
mod tests;
