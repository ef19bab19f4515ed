//! The simulated response cache: one node's own, and one that nodes share. Items are kept as stores keep them, in bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::ValueFault;
use crate::cache::{Item, Purge, Reach};
use crate::platform::{StoreError, Timestamp};

/// By reach and key what is held, and until when; and what was purged.
#[derive(Debug, Default)]
pub(super) struct Cache {
    items: BTreeMap<(bool, String), (Bytes, Timestamp)>,
    purges: Vec<Purge>,
}

impl Cache {
    pub(super) fn read(
        &self,
        key: &str,
        reach: Reach,
        now: Timestamp,
        fault: Option<ValueFault>,
    ) -> Result<Option<Arc<Item>>, StoreError> {
        match fault {
            None => {}
            Some(ValueFault::StaleRead) => return Ok(None),
            Some(ValueFault::Throttled | ValueFault::LostResponse) => return Err(StoreError),
        }
        let held = self.items.get(&(reach == Reach::Shared, key.to_owned())).filter(|(_, until)| now < *until);
        Ok(held.and_then(|(bytes, _)| Item::decode(bytes)).map(Arc::new))
    }

    pub(super) fn write(
        &mut self,
        key: &str,
        reach: Reach,
        item: &Item,
        until: Timestamp,
        fault: Option<ValueFault>,
    ) -> Result<(), StoreError> {
        if fault == Some(ValueFault::Throttled) {
            return Err(StoreError);
        }
        self.items.insert((reach == Reach::Shared, key.to_owned()), (item.encode(), until));
        if fault == Some(ValueFault::LostResponse) { Err(StoreError) } else { Ok(()) }
    }

    pub(super) fn remove(&mut self, key: &str, reach: Reach, fault: Option<ValueFault>) -> Result<(), StoreError> {
        if fault == Some(ValueFault::Throttled) {
            return Err(StoreError);
        }
        self.items.remove(&(reach == Reach::Shared, key.to_owned()));
        if fault == Some(ValueFault::LostResponse) { Err(StoreError) } else { Ok(()) }
    }

    pub(super) fn purges(&self, fault: Option<ValueFault>) -> Result<Vec<Purge>, StoreError> {
        match fault {
            None => Ok(self.purges.clone()),
            Some(ValueFault::StaleRead) => Ok(Vec::new()),
            Some(ValueFault::Throttled | ValueFault::LostResponse) => Err(StoreError),
        }
    }

    pub(super) fn purge(&mut self, purges: &[Purge], fault: Option<ValueFault>) -> Result<(), StoreError> {
        if fault == Some(ValueFault::Throttled) {
            return Err(StoreError);
        }
        self.purges.extend_from_slice(purges);
        if fault == Some(ValueFault::LostResponse) { Err(StoreError) } else { Ok(()) }
    }

    pub(super) fn forget(&mut self) {
        self.items.clear();
    }
}
