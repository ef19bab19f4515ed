use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use portico_core::sim::block_on;

use super::*;

/// When a span begins.
const START: Timestamp = Timestamp::from_secs(1_700_000_000 / 3_600 * 3_600);

/// How often one has to be late until the time is up.
const LONG: u32 = 1_000;

type Happening = Box<dyn FnOnce(&Sqlite)>;

/// Behaves as Spin's SQLite store does: where nothing was when it was read, a swap does not compare. Between any two of its steps
/// something else may happen.
#[derive(Default)]
struct Sqlite {
    values: RefCell<BTreeMap<String, i64>>,
    steps: Cell<u32>,
    swaps: Cell<u32>,
    waits: RefCell<Vec<u32>>,
    between: RefCell<Option<(u32, Happening)>>,
    /// How many more swaps somebody comes before.
    overtaken: Cell<u32>,
}

impl Sqlite {
    fn step(&self) {
        let step = self.steps.get();
        self.steps.set(step + 1);
        let due = self.between.borrow_mut().take_if(|(at, _)| *at == step);
        if let Some((_, act)) = due {
            act(self);
        }
    }

    /// Lets this happen before the step with that number, counted from now.
    fn before(&self, step: u32, act: impl FnOnce(&Self) + 'static) {
        self.steps.set(0);
        *self.between.borrow_mut() = Some((step, Box::new(act)));
    }
}

impl Store for Sqlite {
    type Read = (String, Option<i64>);

    fn increment(&self, key: &str, by: i64) -> Result<i64, StoreError> {
        self.step();
        let mut values = self.values.borrow_mut();
        let value = values.entry(key.to_owned()).or_default();
        *value += by;
        Ok(*value)
    }

    fn value(&self, key: &str) -> Result<Option<i64>, StoreError> {
        self.step();
        Ok(self.values.borrow().get(key).copied())
    }

    fn read(&self, key: &str) -> Result<((String, Option<i64>), Option<i64>), StoreError> {
        let value = self.value(key)?;
        Ok(((key.to_owned(), value), value))
    }

    fn swap(&self, (key, was): (String, Option<i64>), value: i64) -> Result<Swapped, StoreError> {
        self.step();
        self.swaps.set(self.swaps.get() + 1);
        if let Some(left) = self.overtaken.get().checked_sub(1) {
            self.overtaken.set(left);
            return Ok(Swapped::Late);
        }
        let mut values = self.values.borrow_mut();
        if was.is_some() && values.get(&key).copied() != was {
            return Ok(Swapped::Late);
        }
        values.insert(key, value);
        Ok(Swapped::Done)
    }

    async fn wait(&self, late: u32) {
        self.waits.borrow_mut().push(late);
        if late == LONG {
            pending().await
        }
    }
}

fn quota(limit: u32, seconds: u64) -> Quota {
    Quota::new(limit, Duration::from_secs(seconds), limit).unwrap()
}

fn take_at(store: &Sqlite, quota: &Quota, now: Timestamp) -> bool {
    block_on(take(store, "key", quota, 1, || now, pending())).unwrap().allowed
}

#[test]
fn a_limit_passes_exactly() {
    let (store, quota) = (Sqlite::default(), quota(5, 60));
    assert_eq!((0..20).filter(|_| take_at(&store, &quota, START)).count(), 5);
    assert!(take_at(&store, &quota, START + Duration::from_secs(12)));
}

/// Two want the last unit, and one comes in between any two steps of the other. Exactly one gets it.
#[test]
fn whatever_comes_in_between_two_never_share_a_unit() {
    let quota = |units| quota(units, 3_600);
    let (last_moment, first_moment) = (Timestamp::from_micros(START.as_micros() - 1_000_000), START);
    // the first ones of all, in the midst of a span, at its end, and as soon as another one begins
    let times = [last_moment, first_moment];
    for (before, first, second) in
        (0..3).flat_map(|before| times.map(|first| times.map(|second| (before, first, second)))).flatten()
    {
        for step in 0.. {
            let (store, quota) = (Sqlite::default(), quota(before + 1));
            for _ in 0..before {
                assert!(take_at(&store, &quota, last_moment));
            }
            let passed = Rc::new(Cell::new(0));
            let others = Rc::clone(&passed);
            store.before(step, move |store| others.set(usize::from(take_at(store, &quota, second))));
            let own = usize::from(take_at(&store, &quota, first));
            if store.between.borrow().is_some() {
                // there are no more steps
                break;
            }
            assert_eq!(own + passed.get(), 1, "{before} before, {first:?}, {second:?}, before step {step}");
            assert!(!take_at(&store, &quota, first_moment) && !take_at(&store, &quota, last_moment));
        }
    }
}

#[test]
fn a_new_span_takes_the_time_along() {
    let (store, quota) = (Sqlite::default(), quota(2, 3_600));
    let late = START + Duration::from_secs(3_599);
    assert!(take_at(&store, &quota, late) && take_at(&store, &quota, late));
    let next = START + Duration::from_secs(3_600);
    assert!(!take_at(&store, &quota, next), "the bucket is as empty as a second before");
    assert!(!take_at(&store, &quota, late), "who is late takes from the new span");
    assert!(take_at(&store, &quota, late + Duration::from_secs(1_800)));
}

#[test]
fn spans_are_as_long_as_the_window() {
    assert_eq!(hours(&quota(1, 1)), 1);
    assert_eq!(hours(&quota(1, 3_600)), 1);
    assert_eq!(hours(&quota(1, 3_601)), 2);
    assert_eq!(hours(&quota(1, 86_400)), 32);
}

#[test]
fn what_is_over_can_be_told_by_its_name() {
    let span = START.as_micros() / HOUR;
    let over = |name: &str| is_over(name, START);
    assert!(over(&name(1, span - 3, "key")));
    assert!(!over(&name(1, span - 2, "key")) && !over(&name(1, span, "key")));
    assert!(!over(&name(32, span / 32 - 2, "key")));
    for other in ["limits/1/cleaned", "keys/1/2/3", "limits/1/x/key", "limits/1/1", "limits/18446744073709551615/9/key"]
    {
        assert!(!over(other), "{other}");
    }
}

#[test]
fn a_value_is_swapped_once_for_each_who_passes() {
    let (store, quota) = (Sqlite::default(), quota(2, 3_600));
    let taken = |now, passes, swaps| {
        store.swaps.set(0);
        assert_eq!((take_at(&store, &quota, now), store.swaps.get()), (passes, swaps));
    };
    taken(START, true, 1);
    taken(START, true, 1);
    taken(START, false, 0);
    // who comes first into a span takes the time along, allowed or not
    let next = START + Duration::from_secs(3_600);
    taken(next, true, 1);
    taken(next, true, 1);
    taken(next, false, 0);
    taken(next + Duration::from_secs(3_600), true, 1);
    assert!(store.waits.borrow().is_empty(), "nobody came in between");
}

#[test]
fn one_who_is_overtaken_waits_ever_longer_and_passes() {
    let (store, quota) = (Sqlite::default(), quota(1, 60));
    store.overtaken.set(100);
    assert!(take_at(&store, &quota, START));
    assert_eq!(*store.waits.borrow(), (0..100).collect::<Vec<_>>());
}

#[test]
fn one_who_is_always_overtaken_is_given_up() {
    let (store, quota) = (Sqlite::default(), quota(1, 60));
    store.overtaken.set(u32::MAX);
    assert_eq!(block_on(take(&store, "key", &quota, 1, || START, ready(()))), Err(StoreError));
    assert_eq!(store.waits.borrow().last(), Some(&LONG));
}

#[test]
fn a_span_is_sealed_however_many_do_so() {
    let (store, quota) = (Sqlite::default(), quota(1, 3_600));
    let late = START + Duration::from_secs(3_599);
    assert!(take_at(&store, &quota, late));
    let before = name(1, START.as_micros() / HOUR, "key");
    let time = store.values.borrow()[&before];
    for _ in 0..512 {
        let sealed = store.increment(&before, SEAL).unwrap();
        assert!(sealed < 0);
        assert_eq!(taken_along(&store, &before), Ok(Some(time)));
    }
    assert!(!take_at(&store, &quota, late + Duration::from_secs(1)));
    assert!(!take_at(&store, &quota, late), "who is late finds it sealed");
}

/// The same store, for threads that wait for nobody.
#[derive(Default)]
struct Shared(Mutex<BTreeMap<String, i64>>);

impl Store for Shared {
    type Read = (String, Option<i64>);

    fn increment(&self, key: &str, by: i64) -> Result<i64, StoreError> {
        let mut values = self.0.lock().unwrap();
        let value = values.entry(key.to_owned()).or_default();
        *value += by;
        Ok(*value)
    }

    fn value(&self, key: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.0.lock().unwrap().get(key).copied())
    }

    fn read(&self, key: &str) -> Result<((String, Option<i64>), Option<i64>), StoreError> {
        let value = self.value(key)?;
        thread::yield_now();
        Ok(((key.to_owned(), value), value))
    }

    fn swap(&self, (key, was): (String, Option<i64>), value: i64) -> Result<Swapped, StoreError> {
        let mut values = self.0.lock().unwrap();
        if was.is_some() && values.get(&key).copied() != was {
            return Ok(Swapped::Late);
        }
        values.insert(key, value);
        Ok(Swapped::Done)
    }

    async fn wait(&self, _: u32) {
        thread::yield_now();
    }
}

/// 64 at once, of whom every second one's clock is in the next span already.
#[test]
fn of_64_contenders_exactly_the_limit_passes() {
    let (store, quota, passed) = (Shared::default(), quota(300, 3_600), AtomicU32::new(0));
    let times = [Timestamp::from_micros(START.as_micros() - 1_000_000), START];
    thread::scope(|scope| {
        for contender in 0..64 {
            let (store, quota, passed) = (&store, &quota, &passed);
            scope.spawn(move || {
                for _ in 0..10 {
                    let taken = block_on(take(store, "key", quota, 1, || times[contender % 2], pending())).unwrap();
                    passed.fetch_add(u32::from(taken.allowed), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(passed.into_inner(), 300);
}
