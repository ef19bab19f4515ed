//! How many requests of each key are under way in one instance.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts by key. A key is held as long as a request of it is under way: there are never more keys than requests, whoever makes
/// them up.
///
/// A tree, as its keys hold what clients sent: nobody can choose them so that they collide.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<BTreeMap<Arc<str>, u32>>);

/// A request's place among those of its key that are under way. It is free again when this is dropped.
#[derive(Debug)]
#[must_use = "the place is free again when it is dropped"]
pub struct Slot {
    key: Arc<str>,
    of: Arc<UnderWay>,
}

impl UnderWay {
    /// Takes a place, `None` when `limit` requests of the key are under way.
    pub(super) fn enter(self: &Arc<Self>, key: &str, limit: u32) -> Option<Slot> {
        let mut counts = self.lock();
        let count = counts.get(key).copied().unwrap_or(0);
        (count < limit).then(|| {
            let key: Arc<str> = key.into();
            counts.insert(Arc::clone(&key), count + 1);
            Slot { key, of: Arc::clone(self) }
        })
    }

    /// A poisoned lock only means that another thread panicked, and no count can be halfway.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.of.lock();
        match counts.get_mut(&*self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&*self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_places_and_keeps_nothing_when_they_are_free() {
        let under_way = Arc::new(UnderWay::default());
        let enter = |key| under_way.enter(key, 2);
        let (first, second) = (enter("a").unwrap(), enter("a").unwrap());
        assert!(enter("a").is_none());
        let other = enter("b").unwrap();
        drop(first);
        let third = enter("a").unwrap();
        assert!(enter("a").is_none());
        drop((second, third, other));
        assert!(under_way.lock().is_empty());
        assert!(under_way.enter("a", 0).is_none() && under_way.lock().is_empty());
    }

    #[test]
    fn many_threads_are_never_more_than_the_limit() {
        let under_way = Arc::new(UnderWay::default());
        let most = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        let Some(_slot) = under_way.enter("one", 3) else { continue };
                        let now = under_way.lock().get("one").copied().unwrap_or(0);
                        most.fetch_max(now, std::sync::atomic::Ordering::Relaxed);
                    }
                });
            }
        });
        assert!((1..=3).contains(&most.into_inner()));
        assert!(under_way.lock().is_empty());
    }
}
