//! Values that are compared and swapped, in a store that cannot make them so.
//!
//! A cell must be there before it is swapped, for Spin's SQLite store writes without comparing where nothing was. `increment(key, 0)` of the
//! store makes one of a single zero, and whoever tries the same where a longer value is ends the host's task. So there are two kinds of cells:
//!
//! * One that has one number at all times. It has the name it is known by, and whoever comes first makes it.
//! * Any other has a name that nobody else can have, and is made by whoever thought of it. Its number stands under the name it is known by, made
//!   like a cell of the first kind and swapped once: then it is known to all.

mod wasi;

use portico_core::StoreError;

pub(crate) use self::wasi::store;

/// An hour, in microseconds: how often what is over is deleted.
pub(crate) const HOUR: u64 = 3_600 * 1_000_000;

/// What a store can do, in steps that are atomic each. Values are numbers, 64 bits each.
pub(crate) trait Store {
    /// A value that was read, to be swapped against.
    type Read;

    /// Adds to a value of one number, zero where nothing is, and gives the sum. There must be no longer one.
    fn add(&self, key: &str, number: i64) -> Result<i64, StoreError>;

    /// A value, if there is one.
    fn value(&self, key: &str) -> Result<Option<Vec<u64>>, StoreError>;

    /// Reads a value that is to be swapped, if there is one.
    fn read(&self, key: &str) -> Result<(Self::Read, Option<Vec<u64>>), StoreError>;

    /// Replaces a value that was read and was there.
    fn swap(&self, read: Self::Read, value: &[u64]) -> Result<Swapped, StoreError>;

    /// Waits until it is worth the while to try again for one who was late this many times before.
    async fn wait(&self, late: u32);

    /// A number that nobody else draws.
    fn random(&self) -> u64;
}

/// What became of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Swapped {
    /// The value is there.
    Done,
    /// Another one was there by then.
    Late,
}

/// A cell that can be swapped, and what is in it.
pub(crate) type Cell<S> = (<S as Store>::Read, Vec<u64>);

/// The cell of any length that is known by this name, made of a single zero if it is not there. `None` when somebody else was faster: it is to be
/// begun anew.
pub(crate) fn cell<S: Store>(store: &S, name: &str) -> Result<Option<Cell<S>>, StoreError> {
    let number = match store.value(name)?.as_deref() {
        None | Some([0]) => choose(store, name)?,
        Some([number]) => Some(*number),
        Some(_) => return Err(unreadable(name)),
    };
    let Some(number) = number else { return Ok(None) };
    match store.read(&path(name, number))? {
        (read, Some(words)) => Ok(Some((read, words))),
        (_, None) => Err(unreadable(name)),
    }
}

/// What is in that cell, `None` when nobody made it yet.
pub(crate) fn value<S: Store>(store: &S, name: &str) -> Result<Option<Vec<u64>>, StoreError> {
    match store.value(name)?.as_deref() {
        None | Some([0]) => Ok(None),
        // it was made before its number was known
        Some([number]) => store.value(&path(name, *number))?.map(Some).ok_or_else(|| unreadable(name)),
        Some(_) => Err(unreadable(name)),
    }
}

/// The cell of one number that has this name, made of zero if it is not there.
pub(crate) fn made<S: Store>(store: &S, name: &str) -> Result<Cell<S>, StoreError> {
    if let (read, Some(words)) = store.read(name)? {
        return Ok((read, words));
    }
    // when its answer got lost it is there all the same
    let made = store.add(name, 0);
    match store.read(name)? {
        (read, Some(words)) => Ok((read, words)),
        (_, None) => made.and(Err(StoreError)),
    }
}

/// Makes a cell, and lets all know its number.
fn choose<S: Store>(store: &S, name: &str) -> Result<Option<u64>, StoreError> {
    let (read, words) = made(store, name)?;
    if words != [0] {
        return Ok(None);
    }
    let number = store.random().max(1);
    store.add(&path(name, number), 0)?;
    Ok((store.swap(read, &[number])? == Swapped::Done).then_some(number))
}

/// Where the cell with this number is.
pub(crate) fn path(name: &str, number: u64) -> String {
    format!("{name}/{number:x}")
}

fn unreadable(name: &str) -> StoreError {
    eprintln!("key-value store: what is under {name} is not the number of a cell\nhelp: delete the key");
    StoreError
}
