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
//! An update whose answer was lost may have been done, or its line may not have been the one that fits. So the next attempt is the other
//! update, and that so that it does not hold if the lost one did: begin after continue, for then the bucket is not full; continue after
//! begin, unless the state is the one that this would have made. A request counts once then, though all its answers be lost. It counts twice
//! when the lost update was done and the table does not show it, as another drew since; and not at all when one of the two never arrived,
//! or another changed the item between them. While no answer arrives there is no verdict, and `on_error` decides: a limit allows nothing
//! that it did not count.

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
    /// The same after a `Begin` whose answer was lost: unless the state is what that one made it.
    ContinueUnlessBegun,
    /// Cut the state down to one bucket's worth.
    CutDown,
}

impl Update {
    /// What to try when its answer was lost: what cannot hold if it did.
    const fn otherwise(self) -> Self {
        match self {
            Self::Begin => Self::ContinueUnlessBegun,
            Self::Continue | Self::ContinueUnlessBegun | Self::CutDown => Self::Begin,
        }
    }
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
        let Some((updated, stored)) = step.perform(update, &mut attempts).await? else {
            update = update.otherwise();
            continue;
        };
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
    /// Performs an update if it holds. Either way the state is that before it. `None` when the answer was lost.
    async fn perform(
        &self,
        update: Update,
        attempts: &mut Attempts,
    ) -> Result<Option<(Updated, Option<Timestamp>)>, StoreError> {
        let full_at = self.now + self.quota.window();
        let (now, full) = (self.now.as_micros(), full_at.as_micros());
        let drawn = self.quota.interval_micros().saturating_mul(u64::from(self.cost));
        let (set, condition) = match update {
            Update::Begin => ("SET tat = :next, expires = :expires", "attribute_not_exists(tat) OR tat < :now"),
            Update::Continue => ("SET tat = tat + :drawn, expires = :expires", "tat BETWEEN :now AND :last"),
            Update::ContinueUnlessBegun => {
                ("SET tat = tat + :drawn, expires = :expires", "tat BETWEEN :now AND :last AND tat <> :next")
            }
            Update::CutDown => ("SET tat = :full, expires = :expires", "tat > :full"),
        };
        let values = [
            (":now", now),
            (":next", now.saturating_add(drawn)),
            (":drawn", drawn),
            (":last", full.saturating_sub(drawn)),
            (":full", full),
        ];
        let mut request = (self.table.client()?.update_item())
            .table_name(self.table.name())
            .key(ID, AttributeValue::S(self.id.to_owned()))
            .update_expression(set)
            .condition_expression(condition)
            // no state is later than a whole bucket
            .expression_attribute_values(":expires", expires(full_at));
        // values that no expression names are an error
        for (name, micros) in values.into_iter().filter(|(name, _)| set.contains(name) || condition.contains(name)) {
            request = request.expression_attribute_values(name, AttributeValue::N(micros.to_string()));
        }
        let Some((updated, item)) = self.table.update(request, attempts).await? else { return Ok(None) };
        Ok(Some((updated, item.map_or(Ok(None), |item| state(self.id, &item))?)))
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
