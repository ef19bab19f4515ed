//! `wasi:keyvalue`, as Spin gives it.
//!
//! Its functions do not let other requests of the instance run meanwhile, so that one step of a limit is never overtaken from within
//! the instance. With Spin's SQLite store, which is in the same process, each takes microseconds.
//!
//! Spin keeps at most 256 values for an instance that are to be swapped, and forgets none that was (`swap` in its
//! `crates/factor-key-value/src/host.rs`). An instance of 128 requests needs one for each that passes, one more for a key that
//! comes into a new span, and one for each that comes too late because of another instance. Should they run out, the limits of
//! that instance are without their store until its requests are used up.

use std::cell::{Cell, OnceCell};

use portico_core::{StoreError, Timestamp};
use spin_sdk::experimental::wasi::keyvalue::atomics::{self, Cas, CasError};
use spin_sdk::experimental::wasi::keyvalue::batch;
use spin_sdk::experimental::wasi::keyvalue::store::{self, Bucket, Error};

use super::keyvalue::{HOUR, Store, Swapped, is_over};
use crate::values::LABEL;

/// Says in which hour what is over was last deleted.
const CLEANED: &str = "limits/cleaned";

/// Keys that are deleted at once.
const BATCH: usize = 1_000;

/// The store, open for as long as the instance lives.
#[derive(Debug, Default)]
pub(crate) struct Wasi {
    bucket: OnceCell<Bucket>,
    /// Whether this instance counted anything.
    counted: Cell<bool>,
    /// The hour in which this instance last looked whether something is to be deleted.
    looked: Cell<u64>,
}

impl Wasi {
    /// Notes that something is counted.
    pub(super) fn counted(&self) {
        self.counted.set(true);
    }

    /// Deletes what is over, if nobody did so in this hour yet.
    pub(super) fn clean_up(&self, now: Timestamp) {
        let hour = now.as_micros() / HOUR;
        if !self.counted.get() || self.looked.replace(hour) == hour {
            return;
        }
        if self.claim(hour) == Ok(Swapped::Done) {
            // what is left is left for the next hour
            let _ = self.delete(now);
        }
    }

    /// Whether the hour's work is this instance's.
    fn claim(&self, hour: u64) -> Result<Swapped, StoreError> {
        let hour = i64::try_from(hour).map_err(|_| StoreError)?;
        let (read, last) = match self.read(CLEANED)? {
            (read, Some(last)) => (read, last),
            (_, None) => {
                self.create(CLEANED)?;
                let (read, last) = self.read(CLEANED)?;
                (read, last.ok_or(StoreError)?)
            }
        };
        // a clock that was far ahead once must not put it off until then
        let done = (hour..=hour.saturating_add(1)).contains(&last);
        if done { Ok(Swapped::Late) } else { self.swap(read, hour) }
    }

    /// Deletes what is over. All keys come at once: as long as somebody reads Spin's stream of keys, its SQLite store does nothing
    /// else, and whoever asks it for something in between waits for ever, the reader included.
    fn delete(&self, now: Timestamp) -> Result<(), StoreError> {
        let keys = self.bucket()?.list_keys(None).map_err(failed)?.keys;
        let over: Vec<_> = keys.into_iter().filter(|key| is_over(key, now)).collect();
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

    fn create(&self, key: &str) -> Result<(), StoreError> {
        atomics::increment(self.bucket()?, key, 0).map(drop).map_err(failed)
    }

    fn read(&self, key: &str) -> Result<(Cas, Option<i64>), StoreError> {
        let cas = Cas::new(self.bucket()?, key).map_err(failed)?;
        let value = cas.current().map_err(failed)?;
        let number = |bytes: Vec<u8>| bytes.try_into().map(i64::from_le_bytes);
        let number = value.map(number).transpose().map_err(|_| failed(Error::Other(format!("{key} is no number"))))?;
        Ok((cas, number))
    }

    fn swap(&self, read: Cas, value: i64) -> Result<Swapped, StoreError> {
        match atomics::swap(read, &value.to_le_bytes()) {
            Ok(()) => Ok(Swapped::Done),
            Err(CasError::CasFailed(_)) => Ok(Swapped::Late),
            Err(CasError::StoreError(error)) => Err(failed(error)),
        }
    }
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
