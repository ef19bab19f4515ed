//! What a gateway remembers of its caches: what is on its way, and what is no longer to be served.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::change::Changes;
use super::flight::Flights;
use super::room::Rooms;
use crate::cache::{Entry, Purge, Purged, Purges, Reach};
use crate::platform::{Platform, StoreError, Timestamp};

/// After which time what others purged is looked for again, behind a response.
const FRESH: Duration = Duration::from_secs(5);

/// After which time a request waits for it, where nodes share the cache.
const STALE: Duration = Duration::from_secs(10);

/// How long nobody looks again after somebody did, however that ended.
const PAUSE: Duration = Duration::from_secs(1);

/// What a gateway remembers of its caches. A gateway that takes its place remembers it too.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(super) flights: Flights,
    pub(super) rooms: Rooms,
    gone: Mutex<Gone>,
}

/// What is no longer to be served.
#[derive(Debug, Default)]
struct Gone {
    /// What was purged, here or elsewhere.
    purges: Purges,
    /// What was changed by requests through this node (RFC 9111 §4.4).
    changes: Changes,
    /// When the last look for purges began that succeeded.
    looked: Option<Timestamp>,
    /// When the last one of all began.
    tried: Option<Timestamp>,
}

/// When purges have to be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Not yet again.
    Not,
    /// Behind the response.
    After,
    /// Before anything is served.
    Now,
    /// Somebody else does, or failed just now, and nothing is known yet: what is stored may have been purged.
    Unknown,
}

impl Node {
    /// What concerns a stored response.
    pub(super) fn purged(&self, entry: &Entry) -> Option<Purged> {
        let gone = self.gone();
        if gone.changes.concern(entry) { Some(Purged::Hard) } else { gone.purges.verdict(entry) }
    }

    /// When purges have to be looked for. Who is told to look is the only one for a while.
    pub(super) fn look(&self, reach: Reach, now: Timestamp) -> Look {
        let mut gone = self.gone();
        let pause = gone.tried.is_some_and(|tried| now.is_within(PAUSE, tried));
        let look = match gone.looked {
            None if pause => return Look::Unknown,
            Some(looked) if pause || now.is_within(FRESH, looked) => return Look::Not,
            Some(looked) if reach == Reach::Local || now.is_within(STALE, looked) => Look::After,
            None | Some(_) => Look::Now,
        };
        gone.tried = Some(now);
        look
    }

    /// Whether purges were ever found.
    pub(super) fn knows(&self) -> bool {
        self.gone().looked.is_some()
    }

    /// Looks for purges. When the store cannot be reached, those hold that are known.
    pub(super) async fn look_for_purges<P: Platform>(&self, platform: &P) -> Result<(), StoreError> {
        let began = platform.now();
        let purges = platform.purges().await?;
        let mut gone = self.gone();
        for purge in &purges {
            gone.purges.add(purge);
        }
        gone.looked = Some(began);
        Ok(())
    }

    /// Serves nothing more of what purges concern. Nothing is purged here when the store cannot be reached: then it is not said to be.
    pub(super) async fn purge<P: Platform>(&self, platform: &P, purges: &[Purge]) -> Result<(), StoreError> {
        platform.purge(purges).await?;
        let mut gone = self.gone();
        for purge in purges {
            gone.purges.add(purge);
        }
        Ok(())
    }

    /// Serves nothing more that was stored of a URL (`host/path?query`), as a request has changed what is there.
    pub(super) fn change(&self, url: &str, at: Timestamp) {
        self.gone().changes.add(url, at);
    }

    /// A poisoned lock only means that another thread panicked, and nothing here can halfway.
    fn gone(&self) -> MutexGuard<'_, Gone> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn nothing_is_served_before_purges_are_known() {
        let node = Node::default();
        assert_eq!(node.look(Reach::Shared, START), Look::Now);
        assert_eq!(node.look(Reach::Shared, START), Look::Unknown, "the first one is still looking");
        assert_eq!(node.look(Reach::Shared, START + PAUSE), Look::Now, "it never said that it found them");
    }

    #[test]
    fn a_look_that_fails_is_made_again() {
        let node = Node::default();
        node.gone().looked = Some(START);
        for later in [FRESH, STALE] {
            assert_eq!(node.look(Reach::Local, START + later), Look::After);
            assert_eq!(node.look(Reach::Local, START + later), Look::Not);
        }
        assert_eq!(node.look(Reach::Shared, START + STALE + PAUSE), Look::Now);
        assert_eq!(node.look(Reach::Shared, START + STALE + PAUSE), Look::Not);
        assert_eq!(node.look(Reach::Shared, START + STALE + PAUSE + PAUSE), Look::Now);
    }
}
