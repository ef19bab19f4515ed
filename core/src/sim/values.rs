//! The simulated key-value store. It remembers what stood under a key before, so that a read can be stale.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::ValueFault;
use crate::platform::{MAX_VALUE, StoreError, Timestamp};

/// Under each key what stands there, and what stood there before.
#[derive(Debug, Default)]
pub(super) struct Values(BTreeMap<String, [Option<Entry>; 2]>);

/// A value, and until when it is kept.
#[derive(Debug, Clone)]
struct Entry {
    value: Bytes,
    until: Option<Timestamp>,
}

impl Values {
    pub(super) fn set(&mut self, key: &str, value: Bytes) {
        self.put(key, Some(Entry { value, until: None }));
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.put(key, None);
    }

    pub(super) fn get(&self, key: &str, now: Timestamp) -> Option<Bytes> {
        self.seen(key, 0, now)
    }

    /// One read, and what `fault` makes of it.
    pub(super) fn read(
        &self,
        key: &str,
        now: Timestamp,
        fault: Option<ValueFault>,
    ) -> Result<Option<Bytes>, StoreError> {
        let value = match fault {
            None => self.seen(key, 0, now),
            Some(ValueFault::StaleRead) => self.seen(key, 1, now),
            Some(ValueFault::Throttled | ValueFault::LostResponse) => return Err(StoreError),
        };
        if value.as_ref().is_some_and(|value| value.len() > MAX_VALUE) { Err(StoreError) } else { Ok(value) }
    }

    /// One write, and what `fault` makes of it.
    pub(super) fn write(
        &mut self,
        key: &str,
        value: Bytes,
        until: Timestamp,
        fault: Option<ValueFault>,
    ) -> Result<(), StoreError> {
        if fault == Some(ValueFault::Throttled) || value.len() > MAX_VALUE {
            return Err(StoreError);
        }
        self.put(key, Some(Entry { value, until: Some(until) }));
        if fault == Some(ValueFault::LostResponse) { Err(StoreError) } else { Ok(()) }
    }

    fn put(&mut self, key: &str, entry: Option<Entry>) {
        let [stands, stood] = self.0.entry(key.to_owned()).or_default();
        *stood = std::mem::replace(stands, entry);
    }

    /// What stood under `key` so many writes ago.
    fn seen(&self, key: &str, writes_ago: usize, now: Timestamp) -> Option<Bytes> {
        let entry = self.0.get(key)?.get(writes_ago)?.as_ref()?;
        entry.until.is_none_or(|until| now < until).then(|| entry.value.clone())
    }
}
