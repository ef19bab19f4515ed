//! The time of what `scripts/instructions` counts: each step of a request's life by itself, and whole chains of them.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use portico_benches::steps;

fn all(criterion: &mut Criterion) {
    for mut step in steps::all() {
        criterion.bench_function(&step.name.clone(), |bencher| {
            let routine = |mut run: steps::Run| {
                run();
                // dropped outside of what is timed
                run
            };
            bencher.iter_batched(|| step.prepare(), routine, BatchSize::SmallInput);
        });
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
