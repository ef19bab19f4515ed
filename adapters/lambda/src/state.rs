//! What outlives a process: limits, keys and key sets, responses and purges, in one DynamoDB table.
//!
//! An item is found by the string `id`. A value is under its own key, in the attribute `value`, a string or bytes: so
//! operators can put keys there with any tool. A limit's `id` begins with `limit:`, which no value's key can, and its state is the
//! number `tat` (`limit.rs`) or the text `state` (`swap.rs`). Responses are values (`responses.rs`), and what was purged is one item (`purges.rs`). `expires`, in seconds since the epoch, is when DynamoDB may delete an item, if the table's time to live says so.
//!
//! Nothing is made before the first question: routes without limits, stored keys and key sets of an issuer do not pay for the SDK.

mod attempts;
mod connector;
mod limit;
mod purges;
mod responses;
mod seen;
mod swap;
mod table;

use std::sync::Once;
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use portico_core::limit::{Draw, Rule, Verdict};
use portico_core::{StoreError, Timestamp};
use portico_native::upstream::Upstreams;

use connector::Connector;
pub(crate) use responses::Kept;
use seen::Seen;
use table::{Item, Table};

/// The attribute that holds a value.
const VALUE: &str = "value";

/// Bytes of a value and its key: what DynamoDB takes, 400 KB, without what else is in an item.
pub(crate) const LARGEST: usize = 400 * 1024 - 64;

/// One table. `left` is how long its answers are waited for at most: what is left of an invocation.
#[derive(Debug)]
pub(crate) struct State {
    table: Table,
    seen: Seen,
    too_large: Once,
}

impl State {
    /// The table of this name, in the region, by the credentials and at the address that the environment has.
    pub(crate) fn new(table: String, upstreams: Upstreams) -> Self {
        Self::of(Table::new(table, connector::client(Connector(upstreams)), |name| std::env::var(name).ok()))
    }

    fn of(table: Table) -> Self {
        Self { table, seen: Seen::default(), too_large: Once::new() }
    }

    /// One step of the limit of `key`, exact however many instances there are. What comes back is what each rule says.
    pub(crate) async fn step(
        &self,
        key: &str,
        rules: &[Rule],
        draw: Draw,
        now: impl Fn() -> Timestamp,
        left: Duration,
    ) -> Result<Vec<Verdict>, StoreError> {
        let step = async {
            match (rules, draw) {
                ([Rule::Gcra(quota)], Draw::Take(cost)) => {
                    limit::take(&self.table, &self.seen, key, quota, cost, now()).await.map(|verdict| vec![verdict])
                }
                _ => swap::step(&self.table, &self.seen, key, rules, draw, now).await,
            }
        };
        self.table.patience.within(left, step).await
    }

    /// What is under `key`, as of less than a second ago (an eventually consistent read, for half the price).
    pub(crate) async fn read(&self, key: &str, left: Duration) -> Result<Option<Bytes>, StoreError> {
        self.item(key, left).await?.map(|item| value(key, item)).transpose()
    }

    /// Puts `value` under `key`, to be kept for at least `keep`. One that is too large for an item is an error, and said once: whoever
    /// refreshes a copy tries to write it again and again.
    pub(crate) async fn write(
        &self,
        key: &str,
        value: &[u8],
        keep: Duration,
        now: Timestamp,
        left: Duration,
    ) -> Result<(), StoreError> {
        if key.len() + value.len() > LARGEST {
            self.too_large.call_once(|| {
                eprintln!(
                    "dynamodb: {key} has {} bytes, and with its key no value may have more than {LARGEST}: it is not stored\nhelp: a copy of \
                     a key set only spares its issuer requests; without one each function asks the issuer itself",
                    value.len()
                );
            });
            return Err(StoreError);
        }
        self.put(key, value, now + keep, left).await
    }

    /// The item of this id, as of less than a second ago.
    async fn item(&self, key: &str, left: Duration) -> Result<Option<Item>, StoreError> {
        let request = self.table.client()?.get_item().table_name(self.table.name()).key(table::ID, id(key));
        let mut attempts = self.table.attempts();
        let read = self.table.patience.within(left, attempts.perform(|| request.clone().send())).await?;
        Ok(read.item)
    }

    /// Puts a value that fits, which is of no use from `end` on.
    async fn put(&self, key: &str, value: &[u8], end: Timestamp, left: Duration) -> Result<(), StoreError> {
        let request = (self.table.client()?.put_item())
            .table_name(self.table.name())
            .item(table::ID, id(key))
            .item(VALUE, AttributeValue::B(Blob::new(value)))
            .item(table::EXPIRES, table::expires(end));
        let mut attempts = self.table.attempts();
        self.table.patience.within(left, attempts.perform(|| request.clone().send())).await.map(drop)
    }
}

fn id(key: &str) -> AttributeValue {
    AttributeValue::S(key.to_owned())
}

fn value(key: &str, mut item: Item) -> Result<Bytes, StoreError> {
    match item.remove(VALUE) {
        Some(AttributeValue::B(bytes)) => Ok(bytes.into_inner().into()),
        Some(AttributeValue::S(text)) => Ok(text.into()),
        _ => {
            eprintln!("dynamodb: {key} has no attribute `{VALUE}` that is a string or bytes");
            Err(StoreError)
        }
    }
}

#[cfg(test)]
mod tests;
