//! Limits: any rules together, and whatever is done to them, by comparing and swapping.
//!
//! The state is that of core in numbers, in the attribute `state`; of a lone GCRA it is `tat`, as in `limit.rs`. From the state that this
//! instance saw last follows the next one, and an update puts it into the item if that still is as it was seen. A key that was not seen
//! is taken to be new, which holds where an item is over, too. Where the item is in another state DynamoDB answers with it (`ALL_OLD`), for
//! the same price, and from that one follows another. Who is overtaken even then waits, and reads before the next update: that costs a
//! fifth of one that does not hold.
//!
//! What changes nothing writes nothing: a request that is denied, mostly. But what was seen may be no more, so the item is read first,
//! if it was not just now.
//!
//! An update whose answer was lost is sent once more. If it was done it does not hold again, and by the name in `step` the item says whose
//! it was: a request counts once then. It counts twice when another changed the item in between. Each attempt has a time of its own: one
//! that comes late must not be counted where a window is over.
//!
//! Units that are given back are not sent once more: others may have made the state again in between that the first attempt ended, or that
//! may still be on its way. The item is read instead, and where it does not have this step's name nobody knows what came of it.

use aws_sdk_dynamodb::types::AttributeValue;
use portico_core::limit::{self, Draw, Rule, Verdict};
use portico_core::{StoreError, Timestamp};
use portico_native::system;

use super::attempts::Attempts;
use super::limit::{PREFIX, STEP, TAT};
use super::seen::Seen;
use super::table::{ID, Item, Table, Updated, expires};

/// The attribute that is a limit's state, unless it is a lone GCRA's: numbers with spaces between them.
const STATE: &str = "state";

/// One step of the limit of `key`.
pub(super) async fn step(
    table: &Table,
    seen: &Seen,
    key: &str,
    rules: &[Rule],
    draw: Draw,
    now: impl Fn() -> Timestamp,
) -> Result<Vec<Verdict>, StoreError> {
    let id = [PREFIX, key].concat();
    let name = format!("{:032x}", system::random());
    let limit = Limit { table, id: &id, name: &name, rules, draw };
    let mut attempts = table.attempts();
    let likely = seen.get(&id).filter(|state| state.idle_at() > now());
    let (mut state, mut current) = (likely.unwrap_or_default(), false);
    loop {
        let now = now();
        let (verdicts, next) = limit::step(rules, &state, now, draw);
        state = if !state.same_from(&next, now) {
            match limit.swap(&state, &next, now, &mut attempts).await? {
                Swapped::Done => {
                    seen.note(id, next);
                    return Ok(verdicts);
                }
                Swapped::Not(_) if current => {
                    attempts.overtaken().await;
                    limit.read(&mut attempts).await?
                }
                Swapped::Not(found) => found,
            }
        } else if current {
            seen.note(id, state);
            return Ok(verdicts);
        } else {
            limit.read(&mut attempts).await?
        };
        current = true;
    }
}

/// What became of an update.
enum Swapped {
    /// It was done.
    Done,
    /// The item was in this state, and not in the one that was thought.
    Not(limit::State),
}

/// A limit, as one request has it.
struct Limit<'a> {
    table: &'a Table,
    id: &'a str,
    /// No other request's.
    name: &'a str,
    rules: &'a [Rule],
    draw: Draw,
}

impl Limit<'_> {
    /// Puts `next` into the item if that is in `state`.
    async fn swap(
        &self,
        state: &limit::State,
        next: &limit::State,
        now: Timestamp,
        attempts: &mut Attempts,
    ) -> Result<Swapped, StoreError> {
        let old = state.write();
        let new = (self.table.client()?.update_item())
            .table_name(self.table.name())
            .key(ID, AttributeValue::S(self.id.to_owned()))
            .update_expression("SET #state = :new, step = :step, expires = :expires")
            .expression_attribute_names("#state", self.attribute())
            .expression_attribute_values(":new", self.value(&next.write()))
            .expression_attribute_values(":step", AttributeValue::S(self.name.to_owned()))
            .expression_attribute_values(":expires", expires(next.idle_at().max(now)));
        let request = if old.is_empty() {
            new.condition_expression("attribute_not_exists(#state) OR expires < :over")
                .expression_attribute_values(":over", expires(now))
        } else {
            new.condition_expression("#state = :old").expression_attribute_values(":old", self.value(&old))
        };
        loop {
            return match self.table.update(request.clone(), attempts).await? {
                None if self.draw.may_be_repeated() => continue,
                None if self.is_ours(&self.item(attempts).await?) => Ok(Swapped::Done),
                None => {
                    eprintln!("dynamodb: nobody knows whether units were given back to {}", self.id);
                    Err(StoreError)
                }
                Some((Updated::Done, _)) => Ok(Swapped::Done),
                Some((Updated::Not, item)) => {
                    let item = item.unwrap_or_default();
                    if self.is_ours(&item) { Ok(Swapped::Done) } else { self.found(&item).map(Swapped::Not) }
                }
            };
        }
    }

    /// The state as it is now.
    async fn read(&self, attempts: &mut Attempts) -> Result<limit::State, StoreError> {
        self.found(&self.item(attempts).await?)
    }

    /// The item as it is now.
    async fn item(&self, attempts: &mut Attempts) -> Result<Item, StoreError> {
        let request = (self.table.client()?.get_item())
            .table_name(self.table.name())
            .key(ID, AttributeValue::S(self.id.to_owned()))
            .consistent_read(true);
        let read = attempts.perform(|| request.clone().send()).await?;
        Ok(read.item.unwrap_or_default())
    }

    /// Whether this step changed the item last.
    fn is_ours(&self, item: &Item) -> bool {
        item.get(STEP).and_then(|step| step.as_s().ok()).is_some_and(|step| step == self.name)
    }

    fn attribute(&self) -> &'static str {
        if matches!(self.rules, [Rule::Gcra(_)]) { TAT } else { STATE }
    }

    fn value(&self, numbers: &[u64]) -> AttributeValue {
        let text = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
        if self.attribute() == TAT { AttributeValue::N(text) } else { AttributeValue::S(text) }
    }

    /// What an item holds.
    fn found(&self, item: &Item) -> Result<limit::State, StoreError> {
        let attribute = self.attribute();
        let Some(value) = item.get(attribute) else { return Ok(limit::State::default()) };
        let text = if attribute == TAT { value.as_n() } else { value.as_s() };
        let numbers =
            text.ok().and_then(|text| text.split(' ').map(|number| number.parse().ok()).collect::<Option<Vec<_>>>());
        numbers.and_then(|numbers| limit::State::read(self.rules, &numbers)).ok_or_else(|| {
            eprintln!("dynamodb: `{attribute}` of {} is no state of this limit\nhelp: delete the item", self.id);
            StoreError
        })
    }
}
