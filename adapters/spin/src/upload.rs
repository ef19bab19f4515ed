//! Bodies on their way upstream.
//!
//! They pass through here, a part at a time: whoever waits for the response has to know when a part last went out and whose turn it is
//! (`Platform::fetch`), and a stream that the host hands on by itself tells nobody. Otherwise a client that sends slowly would look
//! like an upstream that does not answer, and open its breaker.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use bytes::Bytes;
use portico_core::FetchError;
use wasip3::clocks::monotonic_clock::{self, Mark};
use wasip3::http::types::{ErrorCode, Trailers};
use wasip3::wit_bindgen::{FutureWriter, StreamReader, StreamResult, StreamWriter};
use wasip3::{wit_future, wit_stream};

use crate::stream::{self, End, PART, Stream};

/// How the sending of a body goes, shared between it and whoever waits for the response.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    /// When a part last went out.
    pub(crate) last: Cell<Mark>,
    /// Whether the next part has to come from the client.
    pub(crate) awaits_client: Cell<bool>,
    /// Why it broke off.
    pub(crate) fault: Cell<Option<FetchError>>,
    waiting: RefCell<Option<Waker>>,
}

impl Upload {
    /// Wakes this one when the body breaks off.
    pub(crate) fn wake(&self, waker: &Waker) {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *waiting = Some(waker.clone());
        }
    }

    fn went(&self) {
        self.last.set(monotonic_clock::now());
        self.awaits_client.set(true);
    }

    /// The first fault counts.
    fn broke(&self, fault: FetchError) {
        self.fault.set(self.fault.get().or(Some(fault)));
        let waiting = self.waiting.take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// Passes on what a policy has read, a part at a time as well.
pub(crate) fn send_whole(bytes: Bytes, upload: Rc<Upload>) -> (Option<StreamReader<u8>>, End) {
    let (mut writer, contents) = wit_stream::new();
    wasip3::spawn(async move {
        for part in bytes.chunks(PART) {
            if !writer.write_all(part.to_vec()).await.is_empty() {
                // the upstream takes no more; its response says why
                return;
            }
            upload.last.set(monotonic_clock::now());
        }
    });
    (Some(contents), stream::nothing())
}

/// Passes `stream` on, in a task of its own that lives as long as the request's.
pub(crate) fn send(stream: Stream, upload: Rc<Upload>) -> (Option<StreamReader<u8>>, End) {
    let (writer, contents) = wit_stream::new();
    let (last, end) = wit_future::new(|| Ok(None));
    upload.awaits_client.set(true);
    wasip3::spawn(async move { pump(stream, writer, last, &upload).await });
    (Some(contents), end)
}

async fn pump(
    stream: Stream,
    mut to: StreamWriter<u8>,
    last: FutureWriter<Result<Option<Trailers>, ErrorCode>>,
    upload: &Upload,
) {
    let Stream { source: mut from, length, limit } = stream;
    let room = length.and_then(|length| usize::try_from(length).ok()).map_or(PART, |length| length.min(PART));
    let mut left = limit.unwrap_or(u64::MAX);
    let mut part = Vec::with_capacity(room.max(1));
    let end = loop {
        let (result, read) = from.read(part).await;
        if result == StreamResult::Dropped {
            break from.end().await;
        }
        upload.awaits_client.set(false);
        match left.checked_sub(read.len() as u64) {
            Some(rest) => left = rest,
            None => {
                upload.broke(FetchError::RequestTooLarge);
                break Err(ErrorCode::HttpRequestBodySize(None));
            }
        }
        part = to.write_all(read).await;
        if !part.is_empty() {
            // the upstream takes no more; its response says why
            return;
        }
        upload.went();
    };
    match &end {
        Ok(_) => {
            upload.went();
            upload.awaits_client.set(false);
        }
        Err(_) => upload.broke(FetchError::ClientGone),
    }
    // with an error the host breaks the request off, so that nobody takes it for a whole one
    drop(to);
    drop(last.write(end).await);
}
