//! One shard of the store: an open hash table in one piece of memory, in which a key is found with one look at it.
//!
//! Nothing is ever taken out. A slot whose time is past counts as free wherever it stands, for such a bucket is full, as that
//! of a key never seen is; and when the table is made anew, for room or for memory, only the others move.

use super::id::Id;
use crate::platform::Timestamp;

/// At most so many keys and their TATs.
#[derive(Debug)]
pub(super) struct Table {
    slots: Vec<Slot>,
    /// Slots that hold a key, free or not.
    used: usize,
    max: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    id: Id,
    /// Zero where there never was a key.
    tat: Timestamp,
}

impl Table {
    /// None yet, and at least one at most.
    pub(super) fn new(max: usize) -> Self {
        Self { slots: Vec::new(), used: 0, max: max.max(1) }
    }

    /// Puts the TAT in the place of a key's that `decide` makes of it.
    pub(super) fn update<R>(
        &mut self,
        id: Id,
        now: Timestamp,
        decide: impl FnOnce(Option<Timestamp>) -> (R, Timestamp),
    ) -> R {
        let found = self.find(id, now).or_else(|| {
            self.make_room(now);
            self.find(id, now)
        });
        let Some(slot) = found.and_then(|index| self.slots.get_mut(index)) else {
            return decide(None).0;
        };
        let known = slot.id == id;
        let (answer, next) = decide(known.then_some(slot.tat));
        if next > now || known {
            self.used += usize::from(slot.tat == Timestamp::default());
            *slot = Slot { id, tat: next };
        }
        answer
    }

    /// Keys that are held, among them those whose time is past and whose slot nobody needed yet.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// The room that there is for keys.
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Gives back what keys take whose bucket is full again.
    pub(super) fn forget(&mut self, now: Timestamp) {
        if self.slots.iter().filter(|slot| slot.tat > now).count() < self.used {
            self.renew(now, self.max);
        }
    }

    /// The slot of this key or else the first that is free for it; `None` when it would be one too many.
    fn find(&self, id: Id, now: Timestamp) -> Option<usize> {
        let mut free = None;
        let home = id.home(self.slots.len());
        for index in (home..self.slots.len()).chain(0..home) {
            let slot = self.slots.get(index)?;
            if slot.id == id {
                return Some(index);
            }
            if slot.tat <= now {
                if slot.tat == Timestamp::default() {
                    let room = self.used < self.max.min(self.slots.len() / 4 * 3);
                    return free.or(room.then_some(index));
                }
                free = free.or(Some(index));
            }
        }
        free
    }

    /// Where keys are too many, an eighth of the room is made at a time, so that a flood of new keys pays for one walk through the
    /// table in many insertions.
    fn make_room(&mut self, now: Timestamp) {
        let eighth = if self.used < self.max { 0 } else { self.max.div_ceil(8) };
        self.renew(now, self.max - eighth);
    }

    /// A new table of the keys whose bucket is not full, at most `most` of them: those furthest from a full one.
    fn renew(&mut self, now: Timestamp, most: usize) {
        let mut kept: Vec<Slot> = self.slots.iter().filter(|slot| slot.tat > now).copied().collect();
        let mut too_many = kept.len().saturating_sub(most);
        if let Some(last) = too_many.checked_sub(1) {
            let mut tats: Vec<Timestamp> = kept.iter().map(|slot| slot.tat).collect();
            let nearest = *tats.select_nth_unstable(last).1;
            kept.retain(|slot| {
                let goes = too_many > 0 && slot.tat <= nearest;
                too_many -= usize::from(goes);
                !goes
            });
        }
        self.slots = vec![Slot::default(); (2 * kept.len()).max(8)];
        self.used = kept.len();
        let length = self.slots.len();
        // one walk through the memory, for they come in the order of their homes
        for slot in kept {
            let (before, after) = self.slots.split_at_mut(slot.id.home(length));
            if let Some(free) = after.iter_mut().chain(before).find(|free| free.tat == Timestamp::default()) {
                *free = slot;
            }
        }
    }
}
