//! One body, read twice: a client reads it, and what fills the cache reads along.
//!
//! Whichever half is asked and has nothing waiting reads the source, and lets what it read wait for the other. So a slow half holds
//! nobody up, and what waits for it is bounded: for the second half by its limit, and for the first by the same, because the second
//! reads no further. Both halves are in tasks of one request, and none is made for this: a source that nobody asks is not read.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use wasip3::http::types::{ErrorCode, Trailers};

/// How a body ended: with trailers or none, or why it broke off.
pub(crate) type Ended = Result<Option<Trailers>, ErrorCode>;

/// What is read.
pub(crate) trait Source: Sized + 'static {
    /// The next part, `None` when there is none any more.
    async fn part(&mut self) -> Option<Vec<u8>>;

    /// How it ended, once there was no part any more.
    async fn end(self) -> Ended;
}

/// The two halves of `source`. The second one breaks off once more than `limit` bytes came through, and the first goes on.
pub(crate) fn halves<S: Source>(source: S, limit: u64) -> (Half<S>, Half<S>) {
    let (first, second) = (Queue::up_to(u64::MAX), Queue::up_to(limit));
    let shared = Shared { reading: Some(read(source)), ended: None, first, second };
    let (shared, bell) = (Rc::new(RefCell::new(shared)), Arc::new(Bell::default()));
    let half = |side| Half { shared: Rc::clone(&shared), bell: Arc::clone(&bell), side };
    (half(Side::First), half(Side::Second))
}

/// One of two readers of a body. When it is dropped, the other reads on.
pub(crate) struct Half<S> {
    shared: Rc<RefCell<Shared<S>>>,
    bell: Arc<Bell>,
    side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    First,
    Second,
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
struct Shared<S> {
    /// The read under way. It goes on with whoever polls it next, so that none of what it reads is lost when a half is dropped. `None` at the end.
    reading: Option<Reading<S>>,
    ended: Option<Ended>,
    first: Queue,
    second: Queue,
}

type Reading<S> = Pin<Box<dyn Future<Output = Read<S>>>>;

/// What came of a read.
enum Read<S> {
    /// A part, and what more is read from.
    Part(Vec<u8>, S),
    /// Nothing any more.
    End(Ended),
}

fn read<S: Source>(mut source: S) -> Reading<S> {
    Box::pin(async move {
        match source.part().await {
            Some(part) => Read::Part(part, source),
            None => Read::End(source.end().await),
        }
    })
}

/// What waits for a half.
struct Queue {
    waiting: Vec<u8>,
    /// Bytes that may still come through.
    left: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// More came through than may.
    TooLarge,
    Dropped,
}

impl Queue {
    fn up_to(limit: u64) -> Self {
        Self { waiting: Vec::new(), left: limit, state: State::Open }
    }

    /// Counts what comes through. More than may closes it, and what waits is dropped.
    fn count(&mut self, part: &[u8]) -> State {
        if self.state == State::Open {
            match self.left.checked_sub(part.len() as u64) {
                Some(left) => self.left = left,
                None => self.close(State::TooLarge),
            }
        }
        self.state
    }

    fn close(&mut self, state: State) {
        self.waiting = Vec::new();
        self.state = state;
    }
}

impl<S> Shared<S> {
    /// The queue of one half, and that of the other.
    fn queues(&mut self, side: Side) -> (&mut Queue, &mut Queue) {
        match side {
            Side::First => (&mut self.first, &mut self.second),
            Side::Second => (&mut self.second, &mut self.first),
        }
    }
}

impl<S: Source> Half<S> {
    /// The next part, `None` when there is none any more for this half.
    pub(crate) async fn part(&mut self) -> Option<Vec<u8>> {
        poll_fn(|task| self.poll_part(task)).await
    }

    fn poll_part(&self, task: &Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut shared = self.shared.borrow_mut();
        let (own, _) = shared.queues(self.side);
        if !own.waiting.is_empty() {
            return Poll::Ready(Some(std::mem::take(&mut own.waiting)));
        }
        if own.state != State::Open {
            return Poll::Ready(None);
        }
        let Some(reading) = &mut shared.reading else { return Poll::Ready(None) };
        // both that wait are woken: the source knows only who asked last
        self.bell.register(self.side, task.waker());
        let bell = Waker::from(Arc::clone(&self.bell));
        let part = match ready!(reading.as_mut().poll(&mut Context::from_waker(&bell))) {
            Read::Part(part, source) => {
                shared.reading = Some(read(source));
                let (own, other) = shared.queues(self.side);
                if other.count(&part) == State::Open {
                    other.waiting.extend_from_slice(&part);
                }
                (own.count(&part) == State::Open).then_some(part)
            }
            Read::End(ended) => {
                shared.reading = None;
                shared.ended = Some(ended);
                None
            }
        };
        self.bell.ring(self.side.other());
        Poll::Ready(part)
    }

    /// How it ended for this half, once there was no part any more. Trailers are the first one's.
    pub(crate) fn end(self) -> Ended {
        let mut shared = self.shared.borrow_mut();
        if shared.queues(self.side).0.state == State::TooLarge {
            return Err(ErrorCode::HttpResponseBodySize(None));
        }
        match &mut shared.ended {
            Some(Ok(trailers)) => Ok(trailers.take_if(|_| self.side == Side::First)),
            Some(Err(error)) => Err(error.clone()),
            None => Err(ErrorCode::HttpResponseIncomplete),
        }
    }
}

impl<S> Drop for Half<S> {
    fn drop(&mut self) {
        self.shared.borrow_mut().queues(self.side).0.close(State::Dropped);
    }
}

impl<S> fmt::Debug for Half<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Half").field("side", &self.side).finish_non_exhaustive()
    }
}

/// Wakes whoever waits for the source. Of a request's tasks only, but wakers are for any thread.
#[derive(Debug, Default)]
struct Bell {
    first: Mutex<Option<Waker>>,
    second: Mutex<Option<Waker>>,
}

impl Bell {
    fn register(&self, side: Side, waker: &Waker) {
        *self.waiting(side) = Some(waker.clone());
    }

    fn ring(&self, side: Side) {
        let waiting = self.waiting(side).take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    fn waiting(&self, side: Side) -> MutexGuard<'_, Option<Waker>> {
        let waiting = match side {
            Side::First => &self.first,
            Side::Second => &self.second,
        };
        waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring(Side::First);
        self.ring(Side::Second);
    }
}

#[cfg(test)]
mod tests;
