//! What a client may do to the server, and for how long.

use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// What hyper may hold for one HTTP/1.1 connection in each direction.
const BUFFER: usize = 64 * 1024;

/// What a client may send ahead on one HTTP/2 stream, and on all of a connection's together.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// The bounds of what a client may do to the server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The longest head of a request in bytes (431 past it), and the longest HTTP/2 header list.
    pub max_head_size: usize,
    /// How long a connection may take to deliver the head of its next request, counted from when it could have begun:
    /// idle time is part of it. Above 60 s, so that load balancers (AWS's, for one) close idle connections before we
    /// do and never send a request into a closing one.
    pub head_timeout: Duration,
    /// How long a client may take nothing of what it is sent.
    pub write_timeout: Duration,
    /// HTTP/2 streams that a connection may have open.
    pub max_concurrent_streams: u32,
    /// How long requests, streams and WebSockets may go on after a shutdown.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_head_size: 32 * 1024,
            head_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(60),
            max_concurrent_streams: 128,
            drain: Duration::from_secs(30),
        }
    }
}

impl Options {
    /// HTTP/1.1 within these bounds.
    pub(crate) fn http1(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_timeout)
            .max_header_size(self.max_head_size)
            .max_buf_size(BUFFER.max(self.max_head_size));
        builder
    }

    /// HTTP/2 within these bounds.
    pub(crate) fn http2(&self) -> http2::Builder<TokioExecutor> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        // hyper's own bounds on streams reset by the client ("rapid reset") and by us stay as they are
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.max_concurrent_streams)
            .max_header_list_size(u32::try_from(self.max_head_size).unwrap_or(u32::MAX))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(STREAM_WINDOW as usize)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20));
        builder
    }
}
