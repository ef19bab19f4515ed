//! The steps of core that benchmarks time (`cargo bench -p portico-benches`) and `scripts/instructions` counts.

pub mod steps;
mod still;

pub use steps::Step;
pub use still::Still;
