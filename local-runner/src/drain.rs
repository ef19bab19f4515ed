//! The end of a server: first no new work, then time for what is running, then the end.

use std::time::Duration;

use tokio::sync::watch;

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was running came to its end.
    Drained,
    /// Something took too long and was cut off.
    CutOff,
}

/// Tells every task of a server how far its end is. Knows, too, when the last one is gone.
#[derive(Debug)]
pub(crate) struct Drain(watch::Sender<Phase>);

/// One task's view. As long as it exists the server waits for its task.
#[derive(Debug, Clone)]
pub(crate) struct Watcher(watch::Receiver<Phase>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Draining,
    Aborting,
}

impl Drain {
    pub(crate) fn new() -> (Self, Watcher) {
        let (sender, receiver) = watch::channel(Phase::Serving);
        (Self(sender), Watcher(receiver))
    }

    /// Asks every task to come to its end, and ends those that take longer than `grace`.
    pub(crate) async fn finish(self, grace: Duration) -> Ended {
        self.0.send_replace(Phase::Draining);
        if tokio::time::timeout(grace, self.0.closed()).await.is_ok() {
            return Ended::Drained;
        }
        self.0.send_replace(Phase::Aborting);
        self.0.closed().await;
        Ended::CutOff
    }
}

impl Watcher {
    /// Waits until the server wants to end.
    pub(crate) async fn draining(&mut self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits until the server ends, whatever is still running.
    pub(crate) async fn aborting(&mut self) {
        self.reached(Phase::Aborting).await;
    }

    async fn reached(&mut self, phase: Phase) {
        // an error: the server itself was dropped, which is an end too
        drop(self.0.wait_for(|now| *now >= phase).await);
    }
}
