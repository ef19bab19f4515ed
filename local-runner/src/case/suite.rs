//! Many cases at once.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Case;
use super::failure::{Failure, Trouble};
use super::run::{self, Verdict};
use super::subject::Subject;

/// What came of a case.
#[derive(Debug)]
pub struct Ran {
    /// The verdict.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// Runs cases on so many threads, each case on one. The results are in the order of the cases; `done` is told of each as it
/// ends, in no order.
pub fn run(cases: &[Case], subject: &dyn Subject, jobs: NonZeroUsize, done: impl Fn() + Sync) -> Vec<Ran> {
    let results: Vec<OnceLock<Ran>> = cases.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs.get().min(cases.len()) {
            scope.spawn(|| {
                while let Some((case, result)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    cases.get(index).zip(results.get(index))
                } {
                    let started = Instant::now();
                    let verdict = judge(case, subject);
                    // each index is handed out once
                    _ = result.set(Ran { verdict, took: started.elapsed() });
                    done();
                }
            });
        }
    });
    results.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// A panic is a defect of ours, and no reason to lose what came of the other cases.
fn judge(case: &Case, subject: &dyn Subject) -> Verdict {
    // nothing that a case leaves behind is looked at again
    catch_unwind(AssertUnwindSafe(|| run::run(case, subject))).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().copied();
        let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("nothing");
        Verdict::Failed(Box::new(Failure {
            step: None,
            place: format!("{}:{}", case.file.display(), case.line),
            about: None,
            trouble: Trouble::Said(format!("portico itself broke, which is a defect of portico; it said: {said}")),
        }))
    })
}
