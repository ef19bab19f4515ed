//! Requests as tasks.
//!
//! A request goes on in a continuation of the promise that it waited for, without a queue in between; what only wakes it (KV and
//! timers, as the crate `worker` has them) rings by a promise of the request's. That is cheap, and it is right: the runtime ties I/O to the request whose continuation runs, so a task must never be polled in another's.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

use crate::glue::{self, Reply};

type Task = Pin<Box<dyn Future<Output = Response>>>;

thread_local! {
    static TASKS: RefCell<HashMap<u32, Waiting>> = RefCell::default();
    /// The task that is being polled; 0 for none.
    static CURRENT: Cell<u32> = const { Cell::new(0) };
    /// What a task waited for, and in which turn of it: taken by [`Wait`] when it is polled next.
    static ARRIVED: RefCell<Option<(u32, Arrived)>> = const { RefCell::new(None) };
    static TURNS: Cell<u32> = const { Cell::new(0) };
}

struct Waiting {
    task: Task,
    bell: Arc<Bell>,
}

/// Wakes a task from anywhere, by way of a promise of its own request.
struct Bell {
    id: u32,
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::Relaxed) {
            glue::ring(self.id);
        }
    }
}

/// Starts a task. Its response if it need not wait.
pub(crate) fn start(id: u32, task: impl Future<Output = Response> + 'static) -> Option<Response> {
    let bell = Arc::new(Bell { id, rung: AtomicBool::new(false) });
    poll(Waiting { task: Box::pin(task), bell })
}

/// Goes on with a task that was rung for.
pub(crate) fn go_on(id: u32) -> Option<Response> {
    let waiting = TASKS.with_borrow_mut(|tasks| tasks.remove(&id));
    waiting.and_then(poll)
}

/// Goes on with a task that waited for `arrived`.
pub(crate) fn resume(id: u32, turn: u32, arrived: Arrived) -> Option<Response> {
    ARRIVED.set(Some((turn, arrived)));
    let response = go_on(id);
    ARRIVED.set(None);
    response
}

/// Drops a task that nobody waits for.
pub(crate) fn forget(id: u32) {
    let forgotten = TASKS.with_borrow_mut(|tasks| tasks.remove(&id));
    drop(forgotten);
}

fn poll(mut waiting: Waiting) -> Option<Response> {
    let id = waiting.bell.id;
    let outer = CURRENT.replace(id);
    let waker = Waker::from(Arc::clone(&waiting.bell));
    let polled = loop {
        waiting.bell.rung.store(false, Ordering::Relaxed);
        let polled = waiting.task.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_ready() || !waiting.bell.rung.load(Ordering::Relaxed) {
            break polled;
        }
    };
    CURRENT.set(outer);
    drop(waker);
    match polled {
        Poll::Ready(response) => Some(response),
        Poll::Pending => {
            // only then can somebody ring
            if Arc::strong_count(&waiting.bell) > 1 {
                glue::listen(id);
            }
            TASKS.with_borrow_mut(|tasks| tasks.insert(id, waiting));
            None
        }
    }
}

/// What JavaScript gives to those who wait.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// The reply to a request upstream.
    Reply(Reply),
    /// What a promise was settled with.
    Settled(Result<JsValue, JsValue>),
}

/// A wait for JavaScript. Within a task it ends by [`resume`]; elsewhere (after the response) by a promise, which takes two closures of
/// WebAssembly, another promise to ring with, and another turn of the runtime's queue.
#[derive(Debug)]
enum Wait {
    Task(u32),
    Promise(JsFuture),
}

impl Wait {
    /// `ask` is told the task, or 0, and the turn that [`resume`] has to name.
    fn new(ask: impl FnOnce(u32, u32) -> Option<Promise>) -> Self {
        let turn = TURNS.get().wrapping_add(1);
        TURNS.set(turn);
        ask(CURRENT.get(), turn).map_or(Self::Task(turn), |promise| Self::Promise(JsFuture::from(promise)))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Arrived> {
        match self {
            Self::Task(turn) => ARRIVED.with_borrow_mut(|arrived| match arrived.take_if(|(of, _)| of == turn) {
                Some((_, arrived)) => Poll::Ready(arrived),
                None => Poll::Pending,
            }),
            Self::Promise(promise) => Pin::new(promise).poll(context).map(Arrived::Settled),
        }
    }
}

/// A request upstream: its reply, if one came.
#[derive(Debug)]
pub(crate) struct Sent(Wait);

impl Sent {
    /// `send` is told the task, or 0 to get a promise of a list, and the turn that [`resume`] has to name.
    pub(crate) fn new(send: impl FnOnce(u32, u32) -> Option<Promise>) -> Self {
        Self(Wait::new(send))
    }
}

impl Future for Sent {
    type Output = Option<Reply>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Reply>> {
        self.0.poll(context).map(|arrived| match arrived {
            Arrived::Reply(reply) => Some(reply),
            Arrived::Settled(list) => Reply::from_list(&list.ok()?),
        })
    }
}

/// A promise of JavaScript: what it is settled with.
#[derive(Debug)]
pub(crate) struct Settled(Wait);

impl From<Promise> for Settled {
    fn from(promise: Promise) -> Self {
        Self(Wait::new(|id, turn| {
            if id == 0 {
                return Some(promise);
            }
            glue::settle(id, turn, &promise);
            None
        }))
    }
}

impl Future for Settled {
    type Output = Result<JsValue, JsValue>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(context).map(|arrived| match arrived {
            Arrived::Settled(settled) => settled,
            Arrived::Reply(_) => Err(JsValue::UNDEFINED),
        })
    }
}
