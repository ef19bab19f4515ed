use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use portico_core::limit::{Quota, Window};
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
    values: RefCell<BTreeMap<String, Vec<u64>>>,
    steps: Cell<u32>,
    swaps: Cell<u32>,
    waits: RefCell<Vec<u32>>,
    between: RefCell<Option<(u32, Happening)>>,
    /// How many more swaps somebody comes before.
    overtaken: Cell<u32>,
    drawn: Cell<u64>,
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
    type Read = (String, Option<Vec<u64>>);

    fn add(&self, key: &str, number: i64) -> Result<i64, StoreError> {
        self.step();
        Ok(add(&mut self.values.borrow_mut(), key, number))
    }

    fn value(&self, key: &str) -> Result<Option<Vec<u64>>, StoreError> {
        self.step();
        Ok(self.values.borrow().get(key).cloned())
    }

    fn read(&self, key: &str) -> Result<((String, Option<Vec<u64>>), Option<Vec<u64>>), StoreError> {
        let value = self.value(key)?;
        Ok(((key.to_owned(), value.clone()), value))
    }

    fn swap(&self, (key, was): (String, Option<Vec<u64>>), value: &[u64]) -> Result<Swapped, StoreError> {
        self.step();
        self.swaps.set(self.swaps.get() + 1);
        if let Some(left) = self.overtaken.get().checked_sub(1) {
            self.overtaken.set(left);
            return Ok(Swapped::Late);
        }
        Ok(swap(&mut self.values.borrow_mut(), key, was, value))
    }

    async fn wait(&self, late: u32) {
        self.waits.borrow_mut().push(late);
        if late == LONG {
            pending().await
        }
    }

    fn random(&self) -> u64 {
        self.drawn.set(self.drawn.get() + 1);
        self.drawn.get()
    }
}

/// As Spin does, which ends for a longer value.
fn add(values: &mut BTreeMap<String, Vec<u64>>, key: &str, number: i64) -> i64 {
    let value = values.entry(key.to_owned()).or_insert_with(|| vec![0]);
    let [value] = value.as_mut_slice() else { panic!("incorrect length") };
    let sum = value.cast_signed().checked_add(number).unwrap();
    *value = sum.cast_unsigned();
    sum
}

fn swap(values: &mut BTreeMap<String, Vec<u64>>, key: String, was: Option<Vec<u64>>, value: &[u64]) -> Swapped {
    if was.is_some() && values.get(&key) != was.as_ref() {
        return Swapped::Late;
    }
    values.insert(key, value.to_vec());
    Swapped::Done
}

fn gcra(limit: u32, seconds: u64) -> Vec<Rule> {
    vec![Rule::Gcra(Quota::new(limit, Duration::from_secs(seconds), limit).unwrap())]
}

fn sliding(limit: u32, seconds: u64) -> Vec<Rule> {
    vec![Rule::Window(Window::sliding(limit, Duration::from_secs(seconds)).unwrap())]
}

/// A window of an hour, in the midst of which a span begins.
fn fixed(limit: u32) -> Vec<Rule> {
    let ends =
        [-1_800, 1_800, 5_400].map(|seconds| Timestamp::from_secs(START.as_secs().saturating_add_signed(seconds)));
    vec![Rule::Window(Window::fixed(limit, ends))]
}

/// Limits of so many units an hour: each kind alone, and several rules.
fn each(limit: u32) -> [Vec<Rule>; 4] {
    let [gcra, sliding, fixed] = [gcra(limit, 3_600), sliding(limit, 3_600), fixed(limit)];
    let all = [gcra.clone(), sliding.clone(), fixed.clone()].concat();
    [gcra, sliding, fixed, all]
}

fn draw_at(store: &Sqlite, rules: &[Rule], draw: Draw, now: Timestamp) -> Vec<Verdict> {
    block_on(step(store, "key", rules, draw, || now, pending())).unwrap()
}

fn take_at(store: &Sqlite, rules: &[Rule], now: Timestamp) -> bool {
    draw_at(store, rules, Draw::Take(1), now).iter().all(|verdict| verdict.allowed)
}

#[test]
fn a_limit_passes_exactly() {
    let (store, rules) = (Sqlite::default(), gcra(5, 60));
    assert_eq!((0..20).filter(|_| take_at(&store, &rules, START)).count(), 5);
    assert!(take_at(&store, &rules, START + Duration::from_secs(12)));
    for rules in each(5) {
        let store = Sqlite::default();
        assert_eq!((0..20).filter(|_| take_at(&store, &rules, START)).count(), 5, "{rules:?}");
    }
}

/// Two want the last unit, and one comes in between any two steps of the other. Exactly one gets it.
#[test]
fn whatever_comes_in_between_two_never_share_a_unit() {
    // spans of windows are of two hours, and one begins here, too
    let (last_moment, first_moment) = (Timestamp::from_micros(START.as_micros() - 1_000_000), START);
    // the first ones of all, in the midst of a span, at its end, and as soon as another one begins
    let times = [last_moment, first_moment];
    for (kind, before) in (0..4).flat_map(|kind| (0..3).map(move |before| (kind, before))) {
        for (first, second) in times.into_iter().flat_map(|first| times.map(|second| (first, second))) {
            for step in 0.. {
                let (store, [rules, others_rules]) =
                    (Sqlite::default(), [(); 2].map(|()| each(before + 1)[kind].clone()));
                for _ in 0..before {
                    assert!(take_at(&store, &rules, last_moment));
                }
                let passed = Rc::new(Cell::new(0));
                let others = Rc::clone(&passed);
                store.before(step, move |store| others.set(usize::from(take_at(store, &others_rules, second))));
                let own = usize::from(take_at(&store, &rules, first));
                if store.between.borrow().is_some() {
                    // there are no more steps
                    break;
                }
                assert_eq!(
                    own + passed.get(),
                    1,
                    "{rules:?}, {before} before, {first:?}, {second:?}, before step {step}"
                );
                assert!(!take_at(&store, &rules, first_moment) && !take_at(&store, &rules, last_moment));
            }
        }
    }
}

#[test]
fn a_new_span_takes_the_state_along() {
    for rules in each(2) {
        let store = Sqlite::default();
        let late = START + Duration::from_secs(7_199);
        let fixed = rules.iter().any(|rule| matches!(rule, Rule::Window(window) if window.length().as_secs() == 3_600));
        let late = if fixed { Timestamp::from_secs(START.as_secs() - 1) } else { late };
        assert!(take_at(&store, &rules, late) && take_at(&store, &rules, late));
        let next = late + Duration::from_secs(1);
        assert!(!take_at(&store, &rules, next), "there is as little as a second before: {rules:?}");
        assert!(!take_at(&store, &rules, late), "who is late takes from the new span: {rules:?}");
        assert!(take_at(&store, &rules, late + Duration::from_secs(3_661)), "{rules:?}");
    }
}

/// A window that is empty is not one that nobody used: what it had before it was emptied is not taken along once more.
#[test]
fn what_was_given_back_is_not_taken_along_again() {
    for rules in each(2) {
        let store = Sqlite::default();
        let late = Timestamp::from_secs(START.as_secs() - 1);
        assert!(take_at(&store, &rules, late) && take_at(&store, &rules, late));
        for left in [1, 2, 2] {
            let returned = draw_at(&store, &rules, Draw::Return(1), START);
            assert!(returned.iter().all(|verdict| verdict.remaining == left), "{rules:?}");
        }
        assert_eq!([(); 3].map(|()| take_at(&store, &rules, START)), [true, true, false], "{rules:?}");
    }
}

#[test]
fn a_charge_takes_what_there_is() {
    for rules in each(3) {
        let store = Sqlite::default();
        let charged = draw_at(&store, &rules, Draw::Charge(2), START);
        assert!(charged.iter().all(|verdict| verdict.remaining == 1), "{rules:?}");
        let charged = draw_at(&store, &rules, Draw::Charge(2), START);
        assert!(charged.iter().all(|verdict| verdict.remaining == 0), "{rules:?}");
        assert!(!take_at(&store, &rules, START), "{rules:?}");
    }
}

#[test]
fn spans_are_as_long_as_anything_lasts() {
    assert_eq!([1, 3_600, 3_601, 86_400].map(|seconds| hours(&gcra(1, seconds))), [1, 1, 2, 32]);
    // it may last one slice longer
    assert_eq!([1, 3_600, 7_000, 7_200].map(|seconds| hours(&sliding(1, seconds))), [2, 2, 2, 4]);
    for (hour, spans) in [(1, 2), (23, 32), (25, 32), (167, 256), (169, 256), (28 * 24, 1_024), (31 * 24 + 1, 1_024)] {
        let ends = [0, hour, 2 * hour].map(|hours| Timestamp::from_secs(hours * 3_600));
        assert_eq!(hours(&[Rule::Window(Window::fixed(1, ends))]), spans, "{hour}");
    }
    assert_eq!(hours(&[gcra(1, 1), sliding(1, 86_400), gcra(1, 60)].concat()), 32);
}

#[test]
fn what_is_over_can_be_told_by_its_name() {
    let span = START.as_micros() / HOUR;
    let over = |name: &str| is_over(name, START);
    assert!(over(&name(1, span - 3, "key")) && over(&cells::path(&name(1, span - 3, "key"), u64::MAX)));
    assert!(!over(&name(1, span - 2, "key")) && !over(&name(1, span, "key")));
    assert!(!over(&name(32, span / 32 - 2, "key")));
    for other in ["limits/1/cleaned", "keys/1/2/3", "limits/1/x/key", "limits/1/1", "limits/18446744073709551615/9/key"]
    {
        assert!(!over(other), "{other}");
    }
}

#[test]
fn a_value_is_swapped_once_for_each_who_passes() {
    let (store, rules) = (Sqlite::default(), gcra(2, 3_600));
    let taken = |now, passes, swaps, steps| {
        store.swaps.set(0);
        store.steps.set(0);
        assert_eq!((take_at(&store, &rules, now), store.swaps.get(), store.steps.get()), (passes, swaps, steps));
    };
    // read, make, read, look ahead, look back, swap
    taken(START, true, 1, 6);
    taken(START, true, 1, 2);
    taken(START, false, 0, 1);
    // who comes first into a span takes the time along, allowed or not
    let next = START + Duration::from_secs(3_600);
    taken(next, true, 1, 7);
    taken(next, true, 1, 2);
    taken(next, false, 0, 1);
    taken(next + Duration::from_secs(3_600), true, 1, 7);
    assert!(store.waits.borrow().is_empty(), "nobody came in between");
}

#[test]
fn a_denial_writes_nothing_for_the_sake_of_what_is_past() {
    let (store, rules) = (Sqlite::default(), [gcra(2, 1), sliding(1, 3_600)].concat());
    assert!(take_at(&store, &rules, START));
    store.swaps.set(0);
    store.steps.set(0);
    assert!(!take_at(&store, &rules, START + Duration::from_secs(10)), "the bucket is full again, the window is not");
    assert_eq!((store.swaps.get(), store.steps.get()), (0, 2));
}

/// Or it would be as strict as before until what is stored is past.
#[test]
fn a_lowered_quota_is_lowered_by_a_denial() {
    let store = Sqlite::default();
    assert!(draw_at(&store, &gcra(60, 3_600), Draw::Take(60), START).iter().all(|verdict| verdict.allowed));
    let lower = gcra(1, 60);
    assert!(!take_at(&store, &lower, START));
    assert!(take_at(&store, &lower, START + Duration::from_secs(60)));
}

#[test]
fn one_who_is_overtaken_waits_ever_longer_and_passes() {
    let (store, rules) = (Sqlite::default(), gcra(1, 60));
    store.overtaken.set(100);
    assert!(take_at(&store, &rules, START));
    assert_eq!(*store.waits.borrow(), (0..100).collect::<Vec<_>>());
}

#[test]
fn one_who_is_always_overtaken_is_given_up() {
    for rules in each(1) {
        let store = Sqlite::default();
        store.overtaken.set(u32::MAX);
        assert_eq!(block_on(step(&store, "key", &rules, Draw::Take(1), || START, ready(()))), Err(StoreError));
        assert_eq!(store.waits.borrow().last(), Some(&LONG));
    }
}

#[test]
fn what_is_no_state_is_left_as_it_is() {
    let [rules, ..] = each(1);
    for (rules, words) in [(rules, vec![1, 2]), (sliding(1, 60), vec![7]), (sliding(1, 60), vec![1, 2])] {
        let store = Sqlite::default();
        let name = name(hours(&rules), START.as_micros() / (hours(&rules) * HOUR), "key");
        store.values.borrow_mut().insert(name.clone(), words.clone());
        store.overtaken.set(LONG + 1);
        assert_eq!(block_on(step(&store, "key", &rules, Draw::Take(1), || START, ready(()))), Err(StoreError));
        assert_eq!(store.values.borrow()[&name], words);
    }
}

#[test]
fn what_a_cell_says() {
    let rules = gcra(1, 60);
    let read = |words: &[u64]| Value::read(words, &rules);
    let time = START.as_micros();
    let state = State::of_tat(START);
    assert_eq!(read(&[0]), Some(Value::Nothing));
    assert_eq!(read(&[time]), Some(Value::State(state.clone())));
    assert_eq!(read(&seal(vec![time])), Some(Value::Sealed(state.clone())));
    for times in [1, 2, 512] {
        let added = i64::try_from(time).unwrap().checked_add(SEAL.checked_mul(times).unwrap()).unwrap().cast_unsigned();
        assert_eq!(read(&[added]), Some(Value::Sealed(state.clone())));
    }
    for nothing in [vec![], vec![0]] {
        assert_eq!(read(&seal(nothing)), Some(Value::Sealed(State::default())));
    }
    assert!(value::written(&State::default()).is_empty());
    assert_eq!((read(&[time, 1]), read(&seal(vec![time, 1]))), (None, None));

    let rules = sliding(2, 60);
    let (_, taken) = portico_core::limit::step(&rules, &State::default(), START, Draw::Take(2));
    let (_, given) = portico_core::limit::step(&rules, &taken, START, Draw::Return(2));
    assert_eq!((value::written(&taken).len(), value::written(&given).len()), (3, 0));
    for state in [taken, given] {
        let words = value::written(&state);
        let (written, sealed) = (Value::read(&words, &rules), Value::read(&seal(words), &rules));
        let (Some(Value::State(written)), Some(Value::Sealed(sealed))) = (written, sealed) else { panic!("{state:?}") };
        assert!(written.same_from(&state, START) && sealed.same_from(&state, START), "{state:?}");
    }
}

/// The same store, for threads that wait for nobody.
#[derive(Default)]
struct Shared(Mutex<BTreeMap<String, Vec<u64>>>, AtomicU64);

impl Store for Shared {
    type Read = (String, Option<Vec<u64>>);

    fn add(&self, key: &str, number: i64) -> Result<i64, StoreError> {
        Ok(add(&mut self.0.lock().unwrap(), key, number))
    }

    fn value(&self, key: &str) -> Result<Option<Vec<u64>>, StoreError> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }

    fn read(&self, key: &str) -> Result<((String, Option<Vec<u64>>), Option<Vec<u64>>), StoreError> {
        let value = self.value(key)?;
        thread::yield_now();
        Ok(((key.to_owned(), value.clone()), value))
    }

    fn swap(&self, (key, was): (String, Option<Vec<u64>>), value: &[u64]) -> Result<Swapped, StoreError> {
        Ok(swap(&mut self.0.lock().unwrap(), key, was, value))
    }

    async fn wait(&self, _: u32) {
        thread::yield_now();
    }

    fn random(&self) -> u64 {
        self.1.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// 64 at once, of whom every second one's clock is in the next span already.
#[test]
fn of_64_contenders_exactly_the_limit_passes() {
    let times = [Timestamp::from_micros(START.as_micros() - 1_000_000), START];
    for rules in each(300) {
        let (store, passed) = (Shared::default(), AtomicU32::new(0));
        thread::scope(|scope| {
            for contender in 0..64 {
                let (store, rules, passed) = (&store, &rules, &passed);
                scope.spawn(move || {
                    for _ in 0..10 {
                        let now = || times[contender % 2];
                        let taken = block_on(step(store, "key", rules, Draw::Take(1), now, pending())).unwrap();
                        passed.fetch_add(u32::from(taken.iter().all(|verdict| verdict.allowed)), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 300, "{rules:?}");
    }
}
