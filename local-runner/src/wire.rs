//! A client's connection as hyper sees it: with problem documents where hyper has none, and an end that loses nothing.
//!
//! hyper answers a request that is no HTTP by itself, with a bare status, before any of our code runs. But it only
//! ever does so between exchanges: whatever it writes while no answer of ours is due is such a refusal, and [`Wire`]
//! writes a problem document in its place.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long a connection that we closed is still read from, at most and while nothing comes. Closing it at once, with a
/// part of the request unread, makes the kernel reset the connection, and the client may lose the very answer that says
/// why (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(10);
const LINGER_IN_SILENCE: Duration = Duration::from_secs(1);

/// Makes the answer in place of hyper's bare one, from its status.
pub(crate) type Refuse = Box<dyn Fn(u16) -> Bytes + Send>;

/// A connection, wrapped around the plain or TLS stream.
pub(crate) struct Wire<S> {
    stream: S,
    /// What was read already to find out the protocol.
    prefix: Bytes,
    turn: Turn,
    refuse: Refuse,
    /// The rest of our refusal.
    refusal: Bytes,
    write_timeout: Duration,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    closing: Option<Closing>,
}

/// A connection on which we have said everything.
struct Closing {
    end: Instant,
    silence: Pin<Box<Sleep>>,
}

impl<S> Wire<S> {
    pub(crate) fn new(stream: S, prefix: Bytes, turn: Turn, refuse: Refuse, write_timeout: Duration) -> Self {
        Self { stream, prefix, turn, refuse, refusal: Bytes::new(), write_timeout, stalled: None, closing: None }
    }

    /// Turns waiting for the client into an error once it took nothing for too long.
    fn patient<T>(&mut self, context: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let limit = self.write_timeout;
        let over = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        over.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Whose turn it is to write on a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turn(Arc<AtomicU8>);

/// Nobody's: a request is awaited.
const AWAITING: u8 = 0;
/// Ours: an answer is due.
const ANSWERING: u8 = 1;
/// The answer ended but may not have left yet.
const ANSWERED: u8 = 2;
/// Always hyper's: HTTP/2, which refuses by stream resets, or a connection that is about to end.
const OPAQUE: u8 = 3;
/// Always the two ends' own: a WebSocket.
const TUNNEL: u8 = 4;

impl Turn {
    /// A request is there. The answer is due until what this returns is dropped.
    pub(crate) fn begin(&self) -> Answering {
        self.advance(AWAITING, ANSWERING);
        self.advance(ANSWERED, ANSWERING);
        Answering(self.clone())
    }

    /// From now on nothing that is written is looked at.
    pub(crate) fn opaque(&self) {
        self.0.store(OPAQUE, Ordering::Relaxed);
    }

    /// From now on this is no HTTP any more: either end may close its direction and go on reading.
    pub(crate) fn tunnel(&self) {
        self.0.store(TUNNEL, Ordering::Relaxed);
    }

    fn advance(&self, from: u8, to: u8) {
        // all on one task: a relaxed exchange is only there to be Send
        let _ = self.0.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn is(&self, state: u8) -> bool {
        self.0.load(Ordering::Relaxed) == state
    }
}

/// An answer that has not ended.
#[derive(Debug)]
pub(crate) struct Answering(Turn);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.advance(ANSWERING, ANSWERED);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.prefix.len().min(buffer.remaining());
        buffer.put_slice(&self.prefix.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if self.turn.is(AWAITING)
            && let Some(status) = bare_status(data)
        {
            self.refusal = (self.refuse)(status);
            self.turn.opaque();
            return Poll::Ready(Ok(data.len()));
        }
        ready!(self.poll_refusal(context))?;
        let written = Pin::new(&mut self.stream).poll_write(context, data);
        self.patient(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.turn.is(AWAITING) {
            let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
            return self.poll_write(context, first);
        }
        ready!(self.poll_refusal(context))?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.patient(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(context))?;
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.turn.advance(ANSWERED, AWAITING);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            ready!(self.poll_refusal(context))?;
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        if self.turn.is(TUNNEL) {
            return Poll::Ready(Ok(()));
        }
        self.poll_linger(context).map(Ok)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.refusal.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.refusal))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.refusal.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads and forgets until the client has closed its side, or long enough.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let closing = self.closing.get_or_insert_with(|| Closing {
            end: Instant::now() + LINGER,
            silence: Box::pin(tokio::time::sleep(LINGER_IN_SILENCE)),
        });
        while Instant::now() < closing.end {
            let mut scratch = [MaybeUninit::uninit(); 4096];
            let mut buffer = ReadBuf::uninit(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    closing.silence.as_mut().reset(closing.end.min(Instant::now() + LINGER_IN_SILENCE));
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return closing.silence.as_mut().poll(context),
            }
        }
        Poll::Ready(())
    }
}

/// The status of an error answer of hyper's own.
fn bare_status(head: &[u8]) -> Option<u16> {
    let status = head.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(status).ok()?.parse().ok().filter(|status| (400..500).contains(status))
}
