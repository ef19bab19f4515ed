//! What was purged: one item, an attribute for each thing that was.
//!
//! Its name follows from what is purged, and how, so that whoever adds one reads nothing and disturbs no other; its value begins with the
//! time, so that of two purges of the same thing the later one stays, in whatever order they come.
//!
//! An item has a bound, and costs by its size. So the oldest of many become one purge of everything until then: a purge that is folded
//! concerns more than before, and never less. What is folded is removed only if nobody changed it meanwhile; otherwise whoever comes next
//! does it. No response is kept for as long as a purge is.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use portico_core::cache::{Purge, Purges, Scope};
use portico_core::digest::sha256_hex;
use portico_core::{StoreError, Timestamp};

use super::attempts::Attempts;
use super::responses::LONGEST;
use super::table::{self, Item, Table, Updated};
use super::{State, id};

/// The id of the item. No value's key is like it.
const ID: &str = "cache:purges";

/// What the names of purges begin with, among the attributes.
const PREFIX: &str = "purge:";

/// Bytes of all purges, from which on the oldest are folded: some 300 of them. Each purge costs a write unit for each of their kilobytes.
const FOLDED: usize = 64 * 1024;

/// Purges that are removed by one update: DynamoDB takes 300 operators in an expression.
const AT_ONCE: usize = 80;

/// How long a purge is of use: nobody holds a response for as long, clocks that differ included.
const KEPT: Duration = Duration::from_secs(LONGEST.as_secs() + 3_600);

impl State {
    /// What was purged, as of less than a second ago.
    pub(crate) async fn purges(&self, now: Timestamp, left: Duration) -> Result<Vec<Purge>, StoreError> {
        let item = self.item(ID, left).await?.unwrap_or_default();
        Ok(held(&item).into_iter().map(|held| held.purge).filter(|purge| !is_over(purge, now)).collect())
    }

    /// Adds one, whatever others add at the same time.
    pub(crate) async fn purge(&self, purge: &Purge, now: Timestamp, left: Duration) -> Result<(), StoreError> {
        let mut purges = Purges::default();
        purges.add(purge);
        // as core keeps it: what names something very long is of more than that
        let purge = purges.iter().next().ok_or(StoreError)?;
        self.table.patience.within(left, add(&self.table, &purge, now)).await
    }
}

/// A purge, as it is in the item.
#[derive(Debug)]
struct Held<'i> {
    name: &'i str,
    value: &'i str,
    purge: Purge,
}

/// Adds a purge, and folds others where they have become many.
async fn add(table: &Table, purge: &Purge, now: Timestamp) -> Result<(), StoreError> {
    let request = (table.client()?.update_item())
        .table_name(table.name())
        .key(table::ID, id(ID))
        .update_expression("SET #purge = :purge, expires = :expires")
        .condition_expression("attribute_not_exists(#purge) OR #purge < :purge")
        .expression_attribute_names("#purge", name(purge))
        .expression_attribute_values(":purge", AttributeValue::S(written(purge)))
        .expression_attribute_values(":expires", table::expires(now + KEPT));
    let mut attempts = table.attempts();
    let before = loop {
        match table.update(request.clone(), &mut attempts).await? {
            // if it was done the next one does not hold
            None => {}
            Some((Updated::Done, before)) => break before.unwrap_or_default(),
            // this one is there already, or a later one
            Some((Updated::Not, _)) => return Ok(()),
        }
    };
    let (removed, everything) = folded(&before, now);
    if !removed.is_empty() {
        // if it fails, whoever comes next folds the same
        fold(table, &removed, everything.as_ref(), &mut attempts).await.ok();
    }
    Ok(())
}

/// Removes purges for which `everything` stands, if they are as they were.
async fn fold(
    table: &Table,
    removed: &[Held<'_>],
    everything: Option<&Purge>,
    attempts: &mut Attempts,
) -> Result<(), StoreError> {
    let mut request = table.client()?.update_item().table_name(table.name()).key(table::ID, id(ID));
    let mut conditions = Vec::new();
    let mut expression = String::new();
    if let Some(everything) = everything {
        request = request
            .expression_attribute_names("#all", name(everything))
            .expression_attribute_values(":all", AttributeValue::S(written(everything)));
        conditions.push("(attribute_not_exists(#all) OR #all <= :all)".to_owned());
        expression.push_str("SET #all = :all ");
    }
    let mut names = Vec::new();
    for (index, held) in removed.iter().enumerate() {
        request = request
            .expression_attribute_names(format!("#p{index}"), held.name)
            .expression_attribute_values(format!(":p{index}"), AttributeValue::S(held.value.to_owned()));
        conditions.push(format!("#p{index} = :p{index}"));
        names.push(format!("#p{index}"));
    }
    expression.push_str("REMOVE ");
    expression.push_str(&names.join(", "));
    let request = request.update_expression(expression).condition_expression(conditions.join(" AND "));
    table.update(request, attempts).await.map(drop)
}

/// What is to be removed: what is over, and the oldest of many, with what stands for those.
fn folded(item: &Item, now: Timestamp) -> (Vec<Held<'_>>, Option<Purge>) {
    let mut held = held(item);
    let size: usize = held.iter().map(|held| held.name.len() + held.value.len()).sum();
    let over = held.iter().take_while(|held| is_over(&held.purge, now)).count();
    let count = if size > FOLDED { over.max(held.len() / 2) } else { over };
    held.truncate(count.min(AT_ONCE));
    let (mut soft, mut latest) = (true, None);
    for Held { purge, .. } in held.iter().skip(over) {
        soft &= purge.soft;
        latest = Some(purge.at);
    }
    let everything = latest.map(|at| Purge { scope: Scope::Everything, at, soft });
    if let Some(everything) = &everything {
        let stays = name(everything);
        held.retain(|held| held.name != stays);
    }
    (held, everything)
}

/// What an item holds, the oldest first.
fn held(item: &Item) -> Vec<Held<'_>> {
    let purges = item.iter().filter(|(name, _)| name.starts_with(PREFIX)).filter_map(|(name, value)| {
        let value = value.as_s().ok()?;
        let (at, line) = value.split_once(' ')?;
        let at = Timestamp::from_micros(at.parse().ok()?);
        // whatever it concerned, if another version of Portico wrote it
        let purge = Purge::decode(line).unwrap_or(Purge { scope: Scope::Everything, at, soft: false });
        Some(Held { name, value, purge })
    });
    let mut held: Vec<_> = purges.collect();
    held.sort_unstable_by_key(|held| held.value);
    held
}

/// The name of a purge's attribute: the same for the same thing at any time, soft and hard apart, for neither stands for the other.
fn name(purge: &Purge) -> String {
    let timeless = Purge { at: Timestamp::default(), ..purge.clone() };
    let mut name = sha256_hex(timeless.encode().as_bytes());
    name.truncate(32);
    name.insert_str(0, PREFIX);
    name
}

/// The value of a purge's attribute. Texts are compared as their times are.
fn written(purge: &Purge) -> String {
    format!("{:020} {}", purge.at.as_micros(), purge.encode())
}

fn is_over(purge: &Purge, now: Timestamp) -> bool {
    purge.at + KEPT < now
}
