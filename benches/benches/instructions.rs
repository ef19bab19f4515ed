//! Runs every step once each has been run a few times, for `scripts/instructions`, which counts what [`counted`] takes.
//!
//! It prints, step by step in the order in which they are counted, how many runs there were, and the name.

use portico_benches::steps::{self, Run};

/// Runs before anything is counted, so that memory is there and caches are filled.
const WARM: usize = 4;
/// Runs that are counted together: what happens in a few of them only weighs less.
const RUNS: usize = 16;

fn main() {
    for mut step in steps::all() {
        for _ in 0..WARM {
            step.prepare()();
        }
        let mut runs: Vec<_> = (0..RUNS).map(|_| step.prepare()).collect();
        counted(&mut runs);
        println!("{RUNS} {}", step.name);
    }
}

/// Callgrind counts from where this is entered to where it is left. It has to be found by its name.
#[inline(never)]
fn counted(runs: &mut [Run]) {
    for run in runs {
        run();
    }
}
