//! What can go wrong beyond a platform.

use std::time::Duration;

/// What goes wrong with one request to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamFault {
    /// No connection is made; the upstream sees nothing.
    Connect,
    /// The head of the response comes this late, and the clock moves on. Later than the timeout is [`Timeout`](Self::Timeout).
    Delay(Duration),
    /// The upstream has the request and no response comes: the clock moves on by the timeout.
    Timeout,
    /// The upstream has served the request, and the connection breaks before the head of the response.
    Reset,
    /// The connection breaks in the middle of the response's body, after at most this many bytes of it. A response without
    /// a body comes whole.
    ResetBody(usize),
}

/// What goes wrong with one step of the rate-limit store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// The step is refused and nothing is changed: the store throttles, is down or cannot be reached.
    Throttled,
    /// The step is taken, and its answer gets lost.
    LostResponse,
    /// The step is taken twice and the second answer counts: a client library repeats a step whose first answer got lost.
    Duplicate,
    /// The step is decided on what the store held for this limit so many states ago, and overwrites what came since.
    ///
    /// That is what a store does that reads and then writes when so many steps of others come in between, or one that reads
    /// from a replica which is so far behind. It undoes what they took: each time, at most so many requests more than the limit
    /// promises pass, and nothing bounds how often. Therefore every store must take its step atomically.
    StaleRead(usize),
}

/// What goes wrong with one read or write of the key-value store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueFault {
    /// It is refused and nothing is changed: the store throttles, is down or cannot be reached.
    Throttled,
    /// A write is made, and its answer gets lost; a read fails.
    LostResponse,
    /// A read sees what stood there before the last write; a write is made as it should be. Eventual consistency.
    StaleRead,
}
