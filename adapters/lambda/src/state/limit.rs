//! Limits: units of a lone GCRA are taken by conditional updates, mostly one for a request. `swap.rs` does everything else.
//!
//! The state is one number, [`decide`]'s theoretical arrival time, `tat`. It is never read first: an update says
//! under which condition it holds, and where it does not DynamoDB answers with the item as it is (`ALL_OLD`), for the same price. From that
//! follows the verdict, or which other update does hold:
//!
//! ```text
//!   the bucket is full, or nobody knows it    SET tat = now + cost     IF tat is missing or before now
//!   it is being drawn from, and has enough    SET tat = tat + cost     IF tat is between now and the last moment that passes
//!   it has not enough                         nothing: denied
//!   tat is later than a whole bucket          SET tat = now + bucket   IF tat is later than that, and not by a clock's error: the quota was lowered
//! ```
//!
//! Exactly one line fits any item, so a second update is only needed by who guessed wrong, and a third when another changed the
//! item in between. Increments need not know the number they add to: under contention nobody is late, and nobody starts again.
//!
//! An update whose answer was lost may have been done, or its line may not have been the one that fits. So the next attempt is the other
//! update, and neither holds after the one of the same request did: begin, for the bucket is not full any more; continue, for each leaves
//! the name of its request in `step`. By that name the answer says that it was done after all. A request counts once then, though all its
//! answers be lost. It counts twice when the lost update was done and another changed the item since; and not at all when one of the two never arrived,
//! or another changed the item between them. While no answer arrives there is no verdict, and `on_error` decides: a limit allows nothing
//! that it did not count.

use aws_sdk_dynamodb::types::AttributeValue;
use portico_core::limit::{Quota, SLACK, State, Verdict, decide};
use portico_core::{StoreError, Timestamp};
use portico_native::system;

use super::attempts::Attempts;
use super::seen::Seen;
use super::table::{ID, Item, Table, Updated, expires};

/// The attribute that is a limit's state, in microseconds since the epoch.
pub(super) const TAT: &str = "tat";

/// The attribute that names the request that changed the item last.
pub(super) const STEP: &str = "step";

/// Before the keys of limits, so that no value's key can be one.
pub(super) const PREFIX: &str = "limit:";

/// Updates of one request. Two that do not hold mean that the item changed in between: more that somebody sets the state back all the
/// time.
const UPDATES: u32 = 5;

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

impl Update {
    /// The one that draws from this state.
    fn on(tat: Option<Timestamp>, now: Timestamp) -> Self {
        if tat.is_some_and(|tat| tat >= now) { Self::Continue } else { Self::Begin }
    }

    /// What to try when its answer was lost: what cannot hold if it did.
    const fn otherwise(self) -> Self {
        match self {
            Self::Begin => Self::Continue,
            Self::Continue | Self::CutDown => Self::Begin,
        }
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
    let name = format!("{:032x}", system::random());
    let step = Step { table, id: &id, name: &name, quota, cost, now };
    let mut attempts = table.attempts();
    let seen_full_at = seen.get(&id).and_then(|state| state.tat());
    let mut update = Update::on(seen_full_at, now);
    for _ in 0..UPDATES {
        let Some((updated, Found { tat: stored, last })) = step.perform(update, &mut attempts).await? else {
            update = update.otherwise();
            continue;
        };
        let ours = updated == Updated::Not && last.as_deref() == Some(&*name);
        // what is ours already costs nothing more
        let (verdict, tat) = decide(stored, quota, now, if ours { 0 } else { cost });
        if updated == Updated::Not && stored.is_some_and(|stored| stored > tat) {
            // if it fails, whoever comes next decides the same, and tries again
            step.perform(Update::CutDown, &mut attempts).await.ok();
        }
        if ours || updated == Updated::Done || !verdict.allowed {
            seen.note(id, State::of_tat(tat));
            return Ok(verdict);
        }
        update = Update::on(stored, now);
    }
    eprintln!("dynamodb: the state of a limit changes faster than it can be updated");
    Err(StoreError)
}

/// One request's step.
struct Step<'a> {
    table: &'a Table,
    id: &'a str,
    /// No other step's.
    name: &'a str,
    quota: &'a Quota,
    cost: u32,
    now: Timestamp,
}

/// What an item held.
#[derive(Default)]
struct Found {
    /// The limit's state.
    tat: Option<Timestamp>,
    /// The name of the step that drew last.
    last: Option<String>,
}

impl Step<'_> {
    /// Performs an update if it holds. Either way the state is that before it. `None` when the answer was lost.
    async fn perform(&self, update: Update, attempts: &mut Attempts) -> Result<Option<(Updated, Found)>, StoreError> {
        let full_at = self.now + self.quota.window();
        let (now, full) = (self.now.as_micros(), full_at.as_micros());
        let drawn = self.quota.interval_micros().saturating_mul(u64::from(self.cost));
        let (set, condition) = match update {
            Update::Begin => {
                ("SET tat = :next, step = :step, expires = :expires", "attribute_not_exists(tat) OR tat < :now")
            }
            Update::Continue => (
                "SET tat = tat + :drawn, step = :step, expires = :expires",
                "tat BETWEEN :now AND :last AND (attribute_not_exists(step) OR step <> :step)",
            ),
            Update::CutDown => ("SET tat = :full, expires = :expires", "tat > :over"),
        };
        let micros = |micros: u64| AttributeValue::N(micros.to_string());
        let values = [
            (":now", micros(now)),
            (":next", micros(now.saturating_add(drawn))),
            (":drawn", micros(drawn)),
            (":last", micros(full.saturating_sub(drawn))),
            (":full", micros(full)),
            (":over", micros(full.saturating_add(SLACK.as_micros() as u64))),
            (":step", AttributeValue::S(self.name.to_owned())),
            // no state is later than a whole bucket
            (":expires", expires(full_at)),
        ];
        let mut request = (self.table.client()?.update_item())
            .table_name(self.table.name())
            .key(ID, AttributeValue::S(self.id.to_owned()))
            .update_expression(set)
            .condition_expression(condition);
        // values that no expression names are an error
        for (name, value) in values.into_iter().filter(|(name, _)| set.contains(name) || condition.contains(name)) {
            request = request.expression_attribute_values(name, value);
        }
        let Some((updated, item)) = self.table.update(request, attempts).await? else { return Ok(None) };
        Ok(Some((updated, item.map_or_else(|| Ok(Found::default()), |item| found(self.id, &item))?)))
    }
}

/// What an item holds.
fn found(id: &str, item: &Item) -> Result<Found, StoreError> {
    let Some(tat) = item.get(TAT) else { return Ok(Found::default()) };
    let micros = tat.as_n().ok().and_then(|number| number.parse().ok());
    let tat = micros.map(Timestamp::from_micros).ok_or_else(|| {
        eprintln!("dynamodb: `{TAT}` of {id} is no time in microseconds\nhelp: delete the item");
        StoreError
    })?;
    Ok(Found { tat: Some(tat), last: item.get(STEP).and_then(|step| step.as_s().ok()).cloned() })
}
