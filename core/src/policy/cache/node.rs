//! What a gateway remembers of its caches: what is on its way, and what is no longer to be served.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::flight::Flights;
use crate::cache::{Entry, Purge, Purged, Purges, Reach, Scope};
use crate::platform::{Platform, StoreError, Timestamp};

/// After which time what others purged is looked for again, behind a response.
const FRESH: Duration = Duration::from_secs(5);

/// After which time a request waits for it, where nodes share the cache.
const STALE: Duration = Duration::from_secs(10);

/// Of how many URLs it is known when they were last changed through this node. Of those beyond it, the older half counts as one.
const CHANGES: usize = 65_536;

/// What a gateway remembers of its caches.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(super) flights: Flights,
    gone: Mutex<Gone>,
}

/// What is no longer to be served.
#[derive(Debug)]
struct Gone {
    /// What was purged, here or elsewhere.
    purges: Purges,
    /// What was changed by requests through this node (RFC 9111 §4.4).
    changes: Purges,
    /// When purges were last looked for.
    looked: Option<Timestamp>,
}

impl Default for Gone {
    fn default() -> Self {
        Self { purges: Purges::default(), changes: Purges::with_room(CHANGES), looked: None }
    }
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
}

impl Node {
    /// What concerns a stored response.
    pub(super) fn purged(&self, entry: &Entry) -> Option<Purged> {
        let gone = self.gone();
        gone.changes.verdict(entry).or_else(|| gone.purges.verdict(entry))
    }

    /// When purges have to be looked for. Who is told to look is the only one.
    pub(super) fn look(&self, reach: Reach, now: Timestamp) -> Look {
        let mut gone = self.gone();
        let look = match gone.looked {
            None => Look::Now,
            Some(looked) if now.is_within(FRESH, looked) => Look::Not,
            Some(looked) if reach == Reach::Local || now.is_within(STALE, looked) => Look::After,
            Some(_) => Look::Now,
        };
        if look != Look::Not {
            gone.looked = Some(now);
        }
        look
    }

    /// Looks for purges. When the store cannot be reached, those hold that are known.
    pub(crate) async fn look_for_purges<P: Platform>(&self, platform: &P) -> Result<(), StoreError> {
        let purges = platform.purges().await?;
        let mut gone = self.gone();
        for purge in &purges {
            gone.purges.add(purge);
        }
        Ok(())
    }

    /// Serves nothing more of what a purge concerns. Nothing is purged when the store cannot be reached: then it is not said to be.
    pub(super) async fn purge<P: Platform>(&self, platform: &P, purge: &Purge) -> Result<(), StoreError> {
        platform.purge(purge).await?;
        self.gone().purges.add(purge);
        Ok(())
    }

    /// Serves nothing more that was stored of a URL (`host/path?query`), as a request has changed what is there.
    pub(super) fn change(&self, url: &str, at: Timestamp) {
        self.gone().changes.add(&Purge { scope: Scope::Url(url.into()), at, soft: false });
    }

    /// A poisoned lock only means that another thread panicked, and nothing here can halfway.
    fn gone(&self) -> MutexGuard<'_, Gone> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
