//! Limits: GCRA by conditional updates, mostly one for a request.
//!
//! The state is one number, [`decide`]'s theoretical arrival time, `tat`. It is never read first: an update says
//! under which condition it holds, and where it does not DynamoDB answers with the item as it is (`ALL_OLD`), for the same price. From that
//! follows the verdict, or which other update does hold:
//!
//! ```text
//!   the bucket is full, or nobody knows it    SET tat = now + cost     IF tat is missing or before now
//!   it is being drawn from, and has enough    SET tat = tat + cost     IF tat is between now and the last moment that passes
//!   it has not enough                         nothing: denied
//!   tat is later than a whole bucket          SET tat = now + bucket   IF tat is later than that: the quota was lowered
//! ```
//!
//! Exactly one line fits any item, so a second update is only needed by who guessed wrong, and a third when another changed the
//! item in between. Increments need not know the number they add to: under contention nobody is late, and nobody starts again.
//!
//! An update whose answer was lost may have counted, and is made once more: a request may count twice then, and never not at all.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_dynamodb::types::AttributeValue;
use portico_core::limit::{Quota, Verdict, decide};
use portico_core::{StoreError, Timestamp};

use super::attempts::Attempts;
use super::table::{ID, Item, Table, Updated, expires};

/// The attribute that is a limit's state, in microseconds since the epoch.
const TAT: &str = "tat";

/// Before the keys of limits, so that no value's key can be one.
const PREFIX: &str = "limit:";

/// Updates of one request. Two that do not hold mean that the item changed in between: more that somebody sets the state back all the
/// time.
const UPDATES: u32 = 5;

/// Keys whose last state is known.
const KEYS: usize = 4_096;

/// An update, as in the table above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Update {
    /// Draw the first from a full bucket.
    Begin,
    /// Draw from what is left.
    Continue,
    /// Cut the state down to one bucket's worth.
    CutDown,
}

/// When the buckets of the keys asked for last are full again, as far as this instance knows: so that the update tried first is mostly
/// the one that holds.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<String, Timestamp>>);

impl Seen {
    fn likely(&self, id: &str, now: Timestamp) -> Update {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(id).is_some_and(|tat| *tat >= now) { Update::Continue } else { Update::Begin }
    }

    fn note(&self, id: String, tat: Timestamp) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= KEYS {
            seen.clear();
        }
        seen.insert(id, tat);
    }
}

/// One step of the limit of `key`.
pub(super) async fn take(
    table: &Table,
    seen: &Seen,
    key: &str,
    quota: &Quota,
    cost: u32,
    now: Timestamp,
) -> Result<Verdict, StoreError> {
    if cost > quota.burst() {
        // whatever is left; the configuration does not let it happen
        return Ok(decide(None, quota, now, cost).0);
    }
    let id = [PREFIX, key].concat();
    let step = Step { table, id: &id, quota, cost, now };
    let mut attempts = table.attempts();
    let mut update = seen.likely(&id, now);
    for _ in 0..UPDATES {
        let (updated, stored) = step.perform(update, &mut attempts).await?;
        let (verdict, tat) = decide(stored, quota, now, cost);
        if updated == Updated::Not && stored.is_some_and(|stored| stored > tat) {
            // if it fails, whoever comes next decides the same, and tries again
            step.perform(Update::CutDown, &mut attempts).await.ok();
        }
        if updated == Updated::Done || !verdict.allowed {
            seen.note(id, tat);
            return Ok(verdict);
        }
        update = if stored.is_some_and(|stored| stored >= now) { Update::Continue } else { Update::Begin };
    }
    eprintln!("dynamodb: the state of a limit changes faster than it can be updated");
    Err(StoreError)
}

/// One request's step.
struct Step<'a> {
    table: &'a Table,
    id: &'a str,
    quota: &'a Quota,
    cost: u32,
    now: Timestamp,
}

impl Step<'_> {
    /// Performs an update if it holds. Either way the state is that before it.
    async fn perform(
        &self,
        update: Update,
        attempts: &mut Attempts,
    ) -> Result<(Updated, Option<Timestamp>), StoreError> {
        let full = self.now + self.quota.window();
        let (now, last) = (self.now.as_micros(), full.as_micros());
        let drawn = self.quota.interval_micros().saturating_mul(u64::from(self.cost));
        let (set, condition, values) = match update {
            Update::Begin => (
                "SET tat = :next, expires = :expires",
                "attribute_not_exists(tat) OR tat < :now",
                vec![(":next", now.saturating_add(drawn)), (":now", now)],
            ),
            Update::Continue => (
                "SET tat = tat + :drawn, expires = :expires",
                "tat BETWEEN :now AND :last",
                vec![(":drawn", drawn), (":now", now), (":last", last.saturating_sub(drawn))],
            ),
            Update::CutDown => ("SET tat = :full, expires = :expires", "tat > :full", vec![(":full", last)]),
        };
        let mut request = (self.table.client()?.update_item())
            .table_name(self.table.name())
            .key(ID, AttributeValue::S(self.id.to_owned()))
            .update_expression(set)
            .condition_expression(condition)
            // no state is later than a whole bucket
            .expression_attribute_values(":expires", expires(full));
        for (name, micros) in values {
            request = request.expression_attribute_values(name, AttributeValue::N(micros.to_string()));
        }
        let (updated, item) = self.table.update(request, attempts).await?;
        Ok((updated, item.map_or(Ok(None), |item| state(self.id, &item))?))
    }
}

/// The state that an item holds.
fn state(id: &str, item: &Item) -> Result<Option<Timestamp>, StoreError> {
    let Some(tat) = item.get(TAT) else { return Ok(None) };
    let micros = tat.as_n().ok().and_then(|number| number.parse().ok());
    micros.map(|micros| Some(Timestamp::from_micros(micros))).ok_or_else(|| {
        eprintln!("dynamodb: `{TAT}` of {id} is no time in microseconds\nhelp: delete the item");
        StoreError
    })
}
