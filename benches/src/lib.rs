//! Nothing but benchmarks: `cargo bench -p portico-benches`.
