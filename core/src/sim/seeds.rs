//! One property, many seeds.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The environment variable that names the one seed to run, for [`check_seeds`].
pub const SEED_VARIABLE: &str = "PORTICO_SEED";

/// Checks that `property` holds for every seed below `count`. `replay` is what [`SEED_VARIABLE`] says: if anything, the one seed
/// to run instead. (Core reads no environment.)
///
/// # Panics
///
/// With the seed, if `property` panics for it, and if `replay` is no seed.
pub fn check_seeds(count: u64, replay: Option<&str>, property: impl Fn(u64)) {
    let check = |seed| {
        // nothing that a failed run leaves behind is looked at again
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| property(seed))) {
            panic!("seed {seed} fails ({SEED_VARIABLE}={seed} runs it alone): {}", message(&*panic));
        }
    };
    match replay.map(|text| (text, text.parse())) {
        None => (0..count).for_each(check),
        Some((_, Ok(seed))) => check(seed),
        Some((text, Err(_))) => panic!("{SEED_VARIABLE}={text}: expected a whole number"),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// The seeds that ran, and what was said if one failed.
    fn run(count: u64, replay: Option<&str>, property: impl Fn(u64)) -> (Vec<u64>, Option<String>) {
        let ran = RefCell::default();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            check_seeds(count, replay, |seed| {
                RefCell::<Vec<u64>>::borrow_mut(&ran).push(seed);
                property(seed);
            });
        }));
        (ran.into_inner(), outcome.err().map(|panic| message(&*panic).to_owned()))
    }

    #[test]
    fn a_failing_run_names_its_seed_and_how_to_see_it_again() {
        let property = |seed| assert!(seed != 3, "three is {}", "too many");
        let (ran, said) = run(10, None, property);
        assert_eq!(ran, [0, 1, 2, 3], "it stops at the first that fails");
        assert_eq!(said.as_deref(), Some("seed 3 fails (PORTICO_SEED=3 runs it alone): three is too many"));
        assert_eq!(run(10, Some("3"), property), (vec![3], said));
    }

    #[test]
    fn every_seed_runs_or_the_one_that_is_asked_for() {
        assert_eq!(run(4, None, |_| {}), (vec![0, 1, 2, 3], None));
        assert_eq!(run(4, Some("77"), |_| {}), (vec![77], None));
        let (ran, said) = run(4, Some("all"), |_| {});
        assert_eq!((ran, said.as_deref()), (vec![], Some("PORTICO_SEED=all: expected a whole number")));
    }
}
