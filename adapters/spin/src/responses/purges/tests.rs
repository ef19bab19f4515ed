use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;

use portico_core::sim::block_on;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// A store as Spin's, in which others may be faster.
#[derive(Default)]
struct Fake {
    values: RefCell<BTreeMap<String, Vec<u64>>>,
    /// Purges that others add before the next swaps, one each.
    others: RefCell<Vec<Purge>>,
    late: Cell<u32>,
    drawn: Cell<u64>,
}

impl Store for Fake {
    type Read = (String, Option<Vec<u64>>);

    fn add(&self, key: &str, number: i64) -> Result<i64, StoreError> {
        let mut values = self.values.borrow_mut();
        let value = values.entry(key.to_owned()).or_insert_with(|| vec![0]);
        let [value] = value.as_mut_slice() else { panic!("incorrect length") };
        *value = value.wrapping_add_signed(number);
        Ok(value.cast_signed())
    }

    fn value(&self, key: &str) -> Result<Option<Vec<u64>>, StoreError> {
        Ok(self.values.borrow().get(key).cloned())
    }

    fn read(&self, key: &str) -> Result<((String, Option<Vec<u64>>), Option<Vec<u64>>), StoreError> {
        let value = self.value(key)?;
        Ok(((key.to_owned(), value.clone()), value))
    }

    fn swap(&self, (key, was): (String, Option<Vec<u64>>), value: &[u64]) -> Result<Swapped, StoreError> {
        let other = self.others.borrow_mut().pop();
        if let Some(other) = other {
            block_on(add(self, &[other], NOW)).unwrap();
        }
        let mut values = self.values.borrow_mut();
        if was.is_some() && values.get(&key) != was.as_ref() {
            return Ok(Swapped::Late);
        }
        values.insert(key, value.to_vec());
        Ok(Swapped::Done)
    }

    async fn wait(&self, late: u32) {
        self.late.set(late + 1);
        if late == 100 {
            pending().await
        }
    }

    fn random(&self) -> u64 {
        self.drawn.set(self.drawn.get() + 1);
        self.drawn.get()
    }
}

impl Fake {
    fn held(&self) -> Vec<Purge> {
        let words = cells::value(self, NAME).unwrap().unwrap_or_default();
        known(&words, NOW).unwrap().iter().collect()
    }
}

fn tag(name: &str, at: Timestamp) -> Purge {
    Purge { scope: Scope::Tag(name.into()), at, soft: false }
}

#[test]
fn whatever_others_add_meanwhile_all_are_there() {
    let store = Fake::default();
    assert_eq!(store.held(), []);
    let others = |names: [&str; 3]| *store.others.borrow_mut() = names.map(|name| tag(name, NOW)).into();
    // while the cell is made, and when it is there
    others(["b", "c", "d"]);
    block_on(add(&store, &[tag("a", NOW)], NOW)).unwrap();
    others(["f", "g", "h"]);
    block_on(add(&store, &[tag("e", NOW)], NOW)).unwrap();
    assert_eq!(store.held(), ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| tag(name, NOW)));
    assert!(store.late.get() > 0);
    // the same once more writes nothing
    let before = store.values.borrow().clone();
    block_on(add(&store, &[tag("a", NOW)], NOW)).unwrap();
    assert_eq!(*store.values.borrow(), before);
}

#[test]
fn what_no_response_can_be_as_old_as_goes() {
    let store = Fake::default();
    let hours = |hours| Timestamp::from_micros(NOW.as_micros() - hours * HOUR);
    for (name, at) in [("over", hours(4)), ("edge", hours(3)), ("recent", hours(1))] {
        block_on(add(&store, &[tag(name, at)], at)).unwrap();
    }
    block_on(add(&store, &[tag("now", NOW)], NOW)).unwrap();
    let held: Vec<_> = store.held().into_iter().map(|purge| purge.scope).collect();
    assert_eq!(held, ["edge", "now", "recent"].map(|name| Scope::Tag(name.into())));
}

#[test]
fn too_many_become_one_of_everything() {
    let store = Fake::default();
    let long = "x".repeat(1_900);
    let mut held = Vec::new();
    for index in 0..LARGEST as u64 / 1_900 {
        block_on(add(&store, &[tag(&format!("{long}{index}"), NOW + Duration::from_secs(index))], NOW)).unwrap();
        held = store.held();
        let bytes: usize = store.values.borrow().values().map(|words| words.len() * 8).max().unwrap();
        assert!(bytes <= LARGEST + 16);
        if held.len() == 1 && index > 0 {
            break;
        }
    }
    let [Purge { scope: Scope::Everything, at, soft: false }] = held[..] else { panic!("{}", held.len()) };
    assert!(at > NOW);
}

#[test]
fn what_are_no_purges_is_an_error_and_stays() {
    for wrong in [vec![9], vec![0, 1], vec![1, 0xff], words("{}"), words("\n\n")] {
        let store = Fake::default();
        store.values.borrow_mut().insert(NAME.to_owned(), vec![7]);
        store.values.borrow_mut().insert(cells::path(NAME, 7), wrong.clone());
        assert_eq!(block_on(add(&store, &[tag("a", NOW)], NOW)), Err(StoreError), "{wrong:?}");
        assert_eq!(store.values.borrow()[&cells::path(NAME, 7)], wrong);
    }
}

#[test]
fn a_text_is_numbers_and_back() {
    for text_of in ["", "a", "12345678", "123456789", "ümlaut\n"] {
        assert_eq!(text(&words(text_of)).as_deref(), Some(text_of));
    }
    // as a cell is made
    assert_eq!(text(&[0]).as_deref(), Some(""));
}
