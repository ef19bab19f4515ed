//! `wasi:keyvalue`, as Spin gives it.
//!
//! Its functions do not let other requests of the instance run meanwhile, so that one step of a limit is never overtaken from within
//! the instance. With Spin's SQLite store, which is in the same process, each takes microseconds.
//!
//! A value that was read to be swapped has a handle. Dropped, it is gone; swapped, whether in time or too late, it stays in Spin's
//! table until the instance ends, for nobody can drop it any more (`swap` in its `crates/factor-key-value/src/host.rs`). The table has
//! room for 2^32 there, and for 256 where nothing else is said (`lib.rs`, `KeyValueDispatch::new`): so a handle is swapped only where
//! something changes, once for each limit that a request passes, up to three times where a span begins of one with windows, and
//! everything else does without.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::Duration;

use portico_core::{StoreError, Timestamp};
use spin_sdk::experimental::wasi::keyvalue::atomics::{self, Cas, CasError};
use spin_sdk::experimental::wasi::keyvalue::batch;
use spin_sdk::experimental::wasi::keyvalue::store::{self, Bucket, Error};
use wasip3::clocks::monotonic_clock;

use super::{HOUR, Store, Swapped};
use crate::instance;
use crate::platform::nanos;
use crate::values::LABEL;

/// Before the hour in the name of a value that says who deletes in that hour what is over.
const CLEANED: &str = "cleaned/";

/// The longest wait of one who was late for the first time. It doubles with each further time, [`DOUBLED`] times.
const WAIT: Duration = Duration::from_millis(1);

/// How often a wait doubles.
const DOUBLED: u32 = 4;

/// Keys that are deleted at once.
const BATCH: usize = 1_000;

thread_local! {
    static STORE: Rc<Wasi> = Rc::default();
}

/// The store of this instance.
pub(crate) fn store() -> Rc<Wasi> {
    STORE.with(Rc::clone)
}

/// The store, open for as long as the instance lives.
#[derive(Debug, Default)]
pub(crate) struct Wasi {
    bucket: OnceCell<Bucket>,
    /// Whether this instance puts anything there that is over some time.
    puts: Cell<bool>,
    /// The hour in which this instance last looked whether something is to be deleted.
    looked: Cell<u64>,
}

impl Wasi {
    /// Notes that something is put there that is over some time.
    pub(crate) fn puts(&self) {
        self.puts.set(true);
    }

    /// Deletes what is over by its name, if nobody did so in this hour yet.
    pub(crate) fn clean_up(&self, now: Timestamp, is_over: impl Fn(&str) -> bool) {
        let hour = now.as_micros() / HOUR;
        if !self.puts.get() || self.looked.replace(hour) == hour {
            return;
        }
        let over =
            |name: &str| is_over(name) || name.strip_prefix(CLEANED).is_some_and(|past| past != hour.to_string());
        // whoever comes first does it; what is left is left for the next hour
        if self.add(&format!("{CLEANED}{hour}"), 1) == Ok(1) && self.delete(over).is_err() {
            eprintln!(
                "what limits and responses left in the key-value store could not be deleted\nhelp: Spin lists no more than a million keys: \
                 with more of them count in a Redis, which portico_limits names"
            );
        }
    }

    /// Deletes what is over. All keys come at once: as long as somebody reads Spin's stream of keys, its SQLite store does nothing
    /// else, and whoever asks it for something in between waits for ever, the reader included.
    fn delete(&self, is_over: impl Fn(&str) -> bool) -> Result<(), StoreError> {
        let keys = self.bucket()?.list_keys(None).map_err(failed)?.keys;
        let over: Vec<_> = keys.into_iter().filter(|key| is_over(key)).collect();
        for some in over.chunks(BATCH) {
            batch::delete_many(self.bucket()?, some).map_err(failed)?;
        }
        Ok(())
    }

    fn bucket(&self) -> Result<&Bucket, StoreError> {
        if self.bucket.get().is_none() {
            let opened = store::open(LABEL).map_err(failed)?;
            drop(self.bucket.set(opened));
        }
        self.bucket.get().ok_or(StoreError)
    }
}

impl Store for Wasi {
    type Read = Cas;

    fn add(&self, key: &str, number: i64) -> Result<i64, StoreError> {
        atomics::increment(self.bucket()?, key, number).map_err(failed)
    }

    fn value(&self, key: &str) -> Result<Option<Vec<u64>>, StoreError> {
        numbers(key, self.bucket()?.get(key).map_err(failed)?)
    }

    fn read(&self, key: &str) -> Result<(Cas, Option<Vec<u64>>), StoreError> {
        let cas = Cas::new(self.bucket()?, key).map_err(failed)?;
        let value = numbers(key, cas.current().map_err(failed)?)?;
        Ok((cas, value))
    }

    fn swap(&self, read: Cas, value: &[u64]) -> Result<Swapped, StoreError> {
        let bytes: Vec<u8> = value.iter().flat_map(|number| number.to_le_bytes()).collect();
        match atomics::swap(read, &bytes) {
            Ok(()) => Ok(Swapped::Done),
            Err(CasError::CasFailed(_)) => Ok(Swapped::Late),
            Err(CasError::StoreError(error)) => Err(failed(error)),
        }
    }

    async fn wait(&self, late: u32) {
        let longest = nanos(WAIT) << late.min(DOUBLED);
        // no two wait equally long, or they would meet again
        let share = u64::from(instance::random() as u32);
        monotonic_clock::wait_for(longest / 2 + ((longest / 2 * share) >> 32)).await;
    }

    fn random(&self) -> u64 {
        instance::random() as u64
    }
}

/// Eight bytes each, as those that increments count.
fn numbers(key: &str, value: Option<Vec<u8>>) -> Result<Option<Vec<u64>>, StoreError> {
    let numbers = |bytes: Vec<u8>| match bytes.as_chunks() {
        (numbers, []) => Ok(numbers.iter().copied().map(u64::from_le_bytes).collect()),
        _ => Err(failed(Error::Other(format!("{key} is no state of a limit\nhelp: delete the key")))),
    };
    value.map(numbers).transpose()
}

fn failed(error: Error) -> StoreError {
    match error {
        Error::AccessDenied | Error::NoSuchStore => {
            eprintln!("key-value store: {error}; add `key_value_stores = [\"{LABEL}\"]` to the component in spin.toml");
        }
        Error::Other(error) => eprintln!("key-value store: {error}"),
    }
    StoreError
}
