//! Responses that functions share: values of the table.

use std::sync::Arc;
use std::time::Duration;

use portico_core::cache::Item;
use portico_core::{StoreError, Timestamp};

use super::{LARGEST, State, id, table, value};

/// No response is kept for longer, so that a purge need not be, either.
pub(super) const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// Where a response can be found that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In the memory of this process, and nowhere else.
    Here,
    /// In the table, too.
    InTable,
}

impl State {
    /// What is under `key`, and until when it is of use. `None` when that is over, or when another version of Portico put it there.
    pub(crate) async fn cached(
        &self,
        key: &str,
        now: Timestamp,
        left: Duration,
    ) -> Result<Option<(Arc<Item>, Timestamp)>, StoreError> {
        let Some(stored) = self.item(key, left).await? else { return Ok(None) };
        let end = table::end(&stored);
        if end <= now {
            return Ok(None);
        }
        let bytes = value(key, stored)?;
        Ok(Item::decode(&bytes).map(|item| (Arc::new(item), end)))
    }

    /// Puts a response under `key`, to be kept for `keep` or a week, unless it is too large for an item.
    pub(crate) async fn cache(
        &self,
        key: &str,
        item: &Item,
        keep: Duration,
        now: Timestamp,
        left: Duration,
    ) -> Result<Kept, StoreError> {
        let bytes = item.encode();
        if key.len() + bytes.len() > LARGEST {
            self.forget(key, left).await?;
            return Ok(Kept::Here);
        }
        self.put(key, &bytes, now + keep.min(LONGEST), left).await?;
        Ok(Kept::InTable)
    }

    /// Removes what is under `key`.
    pub(crate) async fn forget(&self, key: &str, left: Duration) -> Result<(), StoreError> {
        let request = self.table.client()?.delete_item().table_name(self.table.name()).key(table::ID, id(key));
        let mut attempts = self.table.attempts();
        self.table.patience.within(left, attempts.perform(|| request.clone().send())).await.map(drop)
    }
}
