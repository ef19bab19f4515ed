//! The memory that responses take on their way into the store, and to clients that read more slowly than that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::platform::Timestamp;

/// Bytes of all of them.
const ALL: u64 = 64 << 20;

/// What one of unknown length counts as, at most: few come near to what they may have.
pub(super) const UNKNOWN: u64 = ALL / 8;

/// How long one is believed to be on its way that has not said how it ended: on Workers a request that is cut off never does.
const LONGEST: Duration = Duration::from_secs(600);

/// The memory of one gateway.
#[derive(Debug, Default)]
pub(super) struct Rooms(Arc<Mutex<Taken>>);

/// What is taken of it: since when and how much, in the order in which it was.
#[derive(Debug, Default)]
struct Taken {
    parts: BTreeMap<u64, (Timestamp, u64)>,
    bytes: u64,
    next: u64,
}

/// The part that one response takes, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    of: Arc<Mutex<Taken>>,
    part: u64,
}

impl Rooms {
    /// Room for a response of so many bytes, if there is so much left.
    pub(super) fn take(&self, bytes: u64, now: Timestamp) -> Option<Arc<Room>> {
        let mut taken = lock(&self.0);
        while let Some(first) = taken.parts.first_entry()
            && !now.is_within(LONGEST, first.get().0)
        {
            let (_, over) = first.remove();
            taken.bytes -= over;
        }
        taken.bytes = taken.bytes.checked_add(bytes).filter(|sum| *sum <= ALL)?;
        let part = taken.next;
        taken.next += 1;
        taken.parts.insert(part, (now, bytes));
        Some(Arc::new(Room { of: Arc::clone(&self.0), part }))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut taken = lock(&self.of);
        if let Some((_, bytes)) = taken.parts.remove(&self.part) {
            taken.bytes -= bytes;
        }
    }
}

/// A poisoned lock only means that another thread panicked, and nothing here can halfway.
fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn what_is_on_its_way_is_bounded() {
        let rooms = Rooms::default();
        let all = rooms.take(ALL, START).unwrap();
        assert!(rooms.take(1, START).is_none() && rooms.take(0, START).is_some());
        let again = Arc::clone(&all);
        drop(all);
        assert!(rooms.take(1, START).is_none(), "two need it");
        drop(again);
        let _part = rooms.take(1, START).unwrap();
        assert!(rooms.take(ALL, START).is_none() && rooms.take(u64::MAX, START).is_none());
        assert!(rooms.take(ALL - 1, START).is_some());
    }

    #[test]
    fn who_never_says_how_it_ended_is_not_believed_for_ever() {
        let rooms = Rooms::default();
        let first = rooms.take(ALL, START).unwrap();
        let later = START + LONGEST;
        let second = rooms.take(ALL, later).unwrap();
        drop(first);
        assert!(rooms.take(1, later).is_none(), "the first one gives back its own only");
        drop(second);
        assert!(rooms.take(ALL, later).is_some());
    }
}
