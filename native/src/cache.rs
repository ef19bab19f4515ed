//! Responses in the memory of the process.
//!
//! `quick_cache` holds them: it evicts at once what is too much, so that the bound holds at any moment (moka evicts some time after),
//! keeps what is asked for again from being driven out by what is asked for once, and brings one small crate.

use std::fmt;
use std::sync::Arc;

use portico_core::Timestamp;
use portico_core::cache::Item;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// Items under keys, all together within a bound of bytes. What is asked for least is forgotten first.
pub struct Responses {
    held: Cache<Box<str>, Held, Weight>,
    /// The heaviest that is taken.
    heaviest: u64,
}

/// Parts with a lock each. Few, because none takes what is heavier than itself.
const PARTS: u64 = 4;

/// What an item takes besides its bytes and its key's: its place in the table, which has room for others, and what is remembered of those
/// that had one.
const PLACE: u64 = 256;

/// What a field may take besides its bytes: a map that grows has room for twice as many.
const FIELD: u64 = 128;

impl Responses {
    /// An empty one, which takes at most `capacity` bytes, and nothing that takes more than an eighth of it.
    pub fn new(capacity: u64) -> Self {
        let whole = capacity - capacity % PARTS;
        // a guess: it says how many that were forgotten are remembered by their hashes
        let items = usize::try_from(whole / 4096).unwrap_or(usize::MAX);
        let options = OptionsBuilder::new()
            .shards(PARTS as usize)
            .estimated_items_capacity(items)
            .weight_capacity(whole)
            .build()
            .expect("both capacities are set");
        let held = Cache::with_options(options, Weight, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { held, heaviest: whole / 8 }
    }

    /// The item under `key`, if it is still of use at `now`.
    pub fn get(&self, key: &str, now: Timestamp) -> Option<Arc<Item>> {
        let held = self.held.get(key)?;
        if held.until <= now {
            self.held.remove_if(key, |held| held.until <= now);
            return None;
        }
        Some(held.item)
    }

    /// Puts a copy of `item` under `key`, over what was there. It is of use until `until`. One that is too large is not taken, and what
    /// was there is gone then.
    pub fn put(&self, key: &str, item: &Item, until: Timestamp) {
        let weight = weight(key, item);
        match copy(item).filter(|_| weight <= self.heaviest) {
            Some(item) => self.held.insert(key.into(), Held { item: Arc::new(item), until, weight }),
            None => drop(self.held.remove(key)),
        }
    }

    /// Removes what is under `key`.
    pub fn remove(&self, key: &str) {
        self.held.remove(key);
    }

    /// The heaviest item that is taken, in bytes.
    pub const fn heaviest(&self) -> u64 {
        self.heaviest
    }

    /// Bytes that are held.
    pub fn size(&self) -> u64 {
        self.held.weight()
    }
}

/// The bytes that it takes, and not fewer.
fn weight(key: &str, item: &Item) -> u64 {
    let fields = match item {
        Item::Response(entry) => entry.headers.len() as u64 * FIELD,
        Item::Varies(_) => 0,
    };
    item.size() as u64 + key.len() as u64 + fields + PLACE
}

/// The same item in a buffer of its own: what came by a connection may hold one that is much larger than itself.
fn copy(item: &Item) -> Option<Item> {
    let bytes = Vec::from(item.encode()).into_boxed_slice();
    Item::decode(&bytes.into())
}

impl fmt::Debug for Responses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Responses").field("size", &self.size()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Held {
    item: Arc<Item>,
    until: Timestamp,
    weight: u64,
}

/// Each says what it weighs.
#[derive(Clone)]
struct Weight;

impl Weighter<Box<str>, Held> for Weight {
    fn weight(&self, _: &Box<str>, held: &Held) -> u64 {
        held.weight
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};
    use portico_core::cache::{Entry, Lifetime};

    use super::*;

    const LATER: Timestamp = Timestamp::from_secs(2_000);
    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn item(body: impl Into<Bytes>) -> Item {
        Item::Response(Entry {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.into(),
            requested: NOW,
            received: NOW,
            age: std::time::Duration::ZERO,
            lifetime: Lifetime::default(),
            url: "a/".into(),
            tags: Vec::new(),
        })
    }

    #[test]
    fn what_was_put_is_there_until_its_time_is_over() {
        let responses = Responses::new(1 << 20);
        assert_eq!(responses.get("a", NOW), None);
        for body in ["first", "second"] {
            responses.put("a", &item(body), LATER);
            assert_eq!(responses.get("a", NOW).as_deref(), Some(&item(body)));
        }
        assert!(Arc::ptr_eq(&responses.get("a", NOW).unwrap(), &responses.get("a", NOW).unwrap()));
        assert_eq!(responses.get("b", NOW), None);
        assert!(responses.get("a", Timestamp::from_micros(LATER.as_micros() - 1)).is_some());
        assert_eq!(responses.get("a", LATER), None);
        assert_eq!(responses.size(), 0);
    }

    #[test]
    fn what_is_larger_than_an_eighth_is_not_taken_and_nothing_older_in_its_place() {
        let responses = Responses::new(1 << 20);
        let around = weight("a", &item("")) as usize;
        let fits = item(vec![b'x'; (1 << 17) - around]);
        responses.put("a", &fits, LATER);
        assert_eq!(responses.get("a", NOW).as_deref(), Some(&fits));
        responses.put("a", &item(vec![b'x'; (1 << 17) - around + 1]), LATER);
        assert_eq!((responses.get("a", NOW), responses.size()), (None, 0));
        let none = Responses::new(0);
        none.put("a", &item(""), LATER);
        assert_eq!(none.get("a", NOW), None);
    }

    #[test]
    fn what_is_asked_for_again_outlives_what_is_asked_for_once() {
        let responses = Responses::new(1 << 20);
        responses.put("asked for", &item(vec![b'x'; 1000]), LATER);
        for other in 0..10_000 {
            assert!(responses.get("asked for", NOW).is_some(), "after {other} others");
            responses.put(&other.to_string(), &item(vec![b'x'; 1000]), LATER);
        }
    }

    #[test]
    fn a_part_of_a_buffer_does_not_hold_the_buffer() {
        let buffer = Bytes::from(vec![b'x'; 1 << 20]);
        let responses = Responses::new(1 << 20);
        responses.put("a", &item(buffer.slice(..1000)), LATER);
        assert!(buffer.is_unique(), "somebody holds a megabyte for a kilobyte");
    }
}
