//! Panics of one request, which must cost no other.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// What `future` comes to; `None` when it panicked. Nothing in core should; this is for the day that something does, which must cost one
/// request and not its connection or process, on which others may be under way.
///
/// Pinned where it is, because moving the future of a whole request is a copy of kilobytes. `Send` for the proof that core's futures are
/// on this platform: a failure shows here, not in hyper's bounds.
pub async fn survive<T>(mut future: Pin<&mut (impl Future<Output = T> + Send)>) -> Option<T> {
    poll_fn(move |context| {
        // unwind safe: after a panic the future is dropped, and what it shared holds no half-done state that anybody reads
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Some(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn a_panic_costs_no_more_than_its_request() {
        assert_eq!(survive(pin!(async { 7 })).await, Some(7));
        let panics = async {
            tokio::task::yield_now().await;
            panic!("on purpose, part of a test");
        };
        assert_eq!(survive::<()>(pin!(panics)).await, None);
    }
}
