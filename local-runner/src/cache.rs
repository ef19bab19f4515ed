//! The native server's response cache: the memory of the process, then what outlives it or is shared with other nodes. That is the Redis of
//! `state`, or a folder.

pub mod folder;
mod index;
mod purges;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use portico_core::cache::{Item, Purge, Reach};
use portico_core::{StoreError, Timestamp};
use portico_native::cache::Responses;

use self::folder::Folder;
use crate::state::Redis;

/// The largest item that is kept outside of the process, in bytes: what one connection to a Redis can carry beside others' questions.
pub(crate) const LARGEST: usize = 8 << 20;

/// The memory, and what is behind it.
#[derive(Debug)]
pub(crate) struct Cache {
    memory: Responses,
    shared: Shared,
}

/// What outlives the process.
#[derive(Debug)]
pub(crate) enum Shared {
    /// There is no such place.
    Nowhere,
    /// A folder of this machine.
    Folder(Folder),
    /// A Redis.
    Redis(Arc<Redis>),
}

impl Cache {
    /// With so many bytes of memory, before `shared`.
    pub(crate) fn new(size: u64, shared: Shared) -> Self {
        Self { memory: Responses::new(size), shared }
    }

    /// What the memory holds under `key`.
    pub(crate) fn remembered(&self, key: &str, now: Timestamp) -> Option<Arc<Item>> {
        self.memory.get(key, now)
    }

    /// What is shared under `key`. The memory has it from then on.
    pub(crate) async fn shared(&self, key: &str, now: Timestamp) -> Result<Option<Arc<Item>>, StoreError> {
        let record = match &self.shared {
            Shared::Nowhere => return Ok(None),
            Shared::Folder(folder) => folder.read(key).await?,
            Shared::Redis(redis) => redis.response(key).await?,
        };
        // what another version wrote, or is not of use any more, is not there
        let Some((item, until)) = record.and_then(unpack).filter(|(_, until)| now < *until) else { return Ok(None) };
        if !self.may_be_renewed(&item, now) {
            self.remember(key, &item, until, now);
        }
        Ok(Some(Arc::new(item)))
    }

    /// Whether another node may have put a newer one in its place.
    pub(crate) fn may_be_renewed(&self, item: &Item, now: Timestamp) -> bool {
        matches!(self.shared, Shared::Redis(_)) && item.renewed(now) <= now
    }

    /// Lets the memory hold what is shared. Of what tells variants apart others may know more after a while.
    fn remember(&self, key: &str, item: &Item, until: Timestamp, now: Timestamp) {
        let until = match (item, &self.shared) {
            (Item::Varies(_), Shared::Redis(_)) => until.min(item.renewed(now)),
            _ => until,
        };
        self.memory.put(key, item, until);
    }

    /// Lets the memory hold `item`, and shares it if it is to reach so far.
    pub(crate) async fn put(
        &self,
        key: &str,
        item: &Item,
        now: Timestamp,
        keep: Duration,
        reach: Reach,
    ) -> Result<(), StoreError> {
        let until = now + keep;
        self.remember(key, item, until, now);
        let record = || Some(pack(item, until)).filter(|record| record.len() <= LARGEST);
        match self.behind(reach) {
            Shared::Nowhere => Ok(()),
            Shared::Folder(folder) => folder.write(key, record()).await,
            Shared::Redis(redis) => redis.keep_response(key, record(), keep).await,
        }
    }

    /// Removes what is under `key`, as far as that reaches.
    pub(crate) async fn forget(&self, key: &str, reach: Reach) -> Result<(), StoreError> {
        self.memory.remove(key);
        match self.behind(reach) {
            Shared::Nowhere => Ok(()),
            Shared::Folder(folder) => folder.write(key, None).await,
            Shared::Redis(redis) => redis.keep_response(key, None, Duration::ZERO).await,
        }
    }

    /// What is behind the memory for what reaches so far.
    const fn behind(&self, reach: Reach) -> &Shared {
        match reach {
            Reach::Local => &Shared::Nowhere,
            Reach::Shared => &self.shared,
        }
    }

    /// The most bytes of an item that it takes.
    pub(crate) fn largest(&self, reach: Reach) -> u64 {
        match self.behind(reach) {
            Shared::Nowhere => self.memory.heaviest(),
            Shared::Folder(_) | Shared::Redis(_) => self.memory.heaviest().max(LARGEST as u64),
        }
    }

    /// What was purged in what is shared.
    pub(crate) async fn purges(&self) -> Result<Vec<Purge>, StoreError> {
        match &self.shared {
            Shared::Nowhere => Ok(Vec::new()),
            Shared::Folder(folder) => folder.purges().await,
            Shared::Redis(redis) => redis.purges().await,
        }
    }

    /// Adds purges to these.
    pub(crate) async fn purge(&self, purges: &[Purge]) -> Result<(), StoreError> {
        match &self.shared {
            Shared::Nowhere => Ok(()),
            Shared::Folder(folder) => folder.purge(purges).await,
            Shared::Redis(redis) => redis.purge(purges).await,
        }
    }
}

/// An item with the end of its use, in microseconds since the Unix epoch: a folder does not forget by itself, and the memory asks for it.
fn pack(item: &Item, until: Timestamp) -> Bytes {
    let item = item.encode();
    let mut record = BytesMut::with_capacity(size_of::<u64>() + item.len());
    record.put_u64(until.as_micros());
    record.put(item);
    record.freeze()
}

fn unpack(mut record: Bytes) -> Option<(Item, Timestamp)> {
    let until = record.try_get_u64().ok()?;
    Some((Item::decode(&record)?, Timestamp::from_micros(until)))
}

#[cfg(test)]
mod tests;
