//! What std alone imports as soon as code can allocate and panic: nothing here asks the host for anything else.

/// Allocates and can panic, with a formatted message.
#[unsafe(no_mangle)]
pub extern "C" fn run(n: usize) -> usize {
    let numbers: Vec<usize> = (0..n).collect();
    numbers[n / 2 + 1]
}
