//! What was purged: lines in one cell, compared and swapped as a whole.

use std::time::Duration;

use portico_core::cache::{Purge, Purges, Scope};
use portico_core::{StoreError, Timestamp, within};
use wasip3::clocks::monotonic_clock;

use super::HOURS;
use crate::cells::{self, HOUR, Store, Swapped};
use crate::platform::nanos;

/// The name of the cell.
const NAME: &str = "purges";

/// Bytes of all lines; what is more becomes one purge of everything.
const LARGEST: usize = 256 * 1024;

/// One who is overtaken for longer is given up.
const TIMEOUT: Duration = Duration::from_secs(1);

/// What was purged.
pub(crate) fn purges(now: Timestamp) -> Result<Vec<Purge>, StoreError> {
    let words = cells::value(&*cells::store(), NAME)?.unwrap_or_default();
    Ok(known(&words, now)?.iter().collect())
}

/// Adds purges, whatever others add at the same time.
pub(crate) async fn purge(purges: &[Purge], now: Timestamp) -> Result<(), StoreError> {
    let deadline = monotonic_clock::wait_for(nanos(TIMEOUT));
    within(deadline, add(&*cells::store(), purges, now)).await.unwrap_or_else(|| {
        eprintln!("key-value store: others overtook a purge until its time was up");
        Err(StoreError)
    })
}

async fn add(store: &impl Store, purges: &[Purge], now: Timestamp) -> Result<(), StoreError> {
    let mut late = 0;
    while attempt(store, purges, now)? == Swapped::Late {
        store.wait(late).await;
        late += 1;
    }
    Ok(())
}

fn attempt(store: &impl Store, more: &[Purge], now: Timestamp) -> Result<Swapped, StoreError> {
    let Some((read, words)) = cells::cell(store, NAME)? else { return Ok(Swapped::Late) };
    let mut purges = known(&words, now)?;
    let mut news = false;
    for purge in more {
        news |= purges.add(purge);
    }
    if !news {
        return Ok(Swapped::Done);
    }
    store.swap(read, &written(&purges))
}

/// What a cell says, without what no response can be as old as any more.
fn known(words: &[u64], now: Timestamp) -> Result<Purges, StoreError> {
    let lines = text(words).ok_or_else(unreadable)?;
    let mut purges = Purges::default();
    for line in lines.lines() {
        let purge = Purge::decode(line).ok_or_else(unreadable)?;
        // an hour more, for clocks differ
        if purge.at + Duration::from_micros((HOURS + 1) * HOUR) >= now {
            purges.add(&purge);
        }
    }
    Ok(purges)
}

fn written(purges: &Purges) -> Vec<u64> {
    let lines: Vec<_> = purges.iter().map(|purge| purge.encode()).collect();
    let text = lines.join("\n");
    if text.len() <= LARGEST {
        return words(&text);
    }
    let at = purges.iter().map(|purge| purge.at).max().unwrap_or_default();
    let soft = purges.iter().all(|purge| purge.soft);
    words(&Purge { scope: Scope::Everything, at, soft }.encode())
}

/// A text in numbers: its length, and eight bytes each.
fn words(text: &str) -> Vec<u64> {
    let chunk = |chunk: &[u8]| chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    [text.len() as u64].into_iter().chain(text.as_bytes().chunks(8).map(chunk)).collect()
}

/// The text that numbers are, `None` when they are none.
fn text(words: &[u64]) -> Option<String> {
    let Some((length, words)) = words.split_first() else { return Some(String::new()) };
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let length =
        usize::try_from(*length).ok().filter(|length| bytes.len().checked_sub(*length).is_some_and(|rest| rest < 8))?;
    bytes.truncate(length);
    String::from_utf8(bytes).ok()
}

fn unreadable() -> StoreError {
    eprintln!(
        "key-value store: what is under {NAME} are no purges\nhelp: delete the key; what was purged in the last hours may be served again then"
    );
    StoreError
}

#[cfg(test)]
mod tests;
