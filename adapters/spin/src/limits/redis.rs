//! Limits in Redis: one script, one round trip, by Redis's own clock.
//!
//! The clock is Redis's and not the caller's because callers on several nodes have several: one whose clock is ahead would see
//! every bucket fuller than it is. The script answers with the time and with what it found, and what follows from them is
//! core's to say: it says the same here as the script did there. State expires when its bucket is full again.
//!
//! A step whose answer was lost may have counted, and is tried once more on a new connection: a request may count twice
//! then, and never not at all.

use std::cell::RefCell;
use std::rc::Rc;

use portico_core::limit::{Quota, Verdict, decide};
use portico_core::{StoreError, Timestamp, within};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

/// [`decide`], for Redis 5 and later. Numbers are doubles, and whole below 2^53 as long as the cost is within the bucket; a higher
/// one is denied whatever the sum is.
const SCRIPT: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = now + interval * burst
local found = tonumber(redis.call('GET', KEYS[1]) or now)
local tat = math.min(math.max(found, now), full)
local taken = tat + interval * cost
local after = taken <= full and taken or tat
if after ~= found then
  redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.max(1, math.ceil((after - now) / 1000)))
end
return {now, tat}";

/// Where limits are in Redis.
const PREFIX: &str = "portico:limit:";

/// A Redis, connected when it is first asked.
pub(crate) struct Redis {
    address: String,
    connection: RefCell<Option<Rc<Connection>>>,
}

impl std::fmt::Debug for Redis {
    /// The address may have a password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    pub(super) fn new(address: &str) -> Self {
        Self { address: address.to_owned(), connection: RefCell::new(None) }
    }

    /// Takes `cost` from the limit of `key`.
    pub(super) async fn take(
        &self,
        key: &str,
        quota: &Quota,
        cost: u32,
        deadline: impl Future<Output = ()>,
    ) -> Result<Verdict, StoreError> {
        let used = RefCell::new(self.connection.borrow().clone());
        match within(deadline, self.ask(&used, key, quota, cost)).await {
            Some(Ok(answer)) => return verdict(&answer, quota, cost),
            Some(Err(error)) => failed(&error),
            None => eprintln!("redis: no answer in time"),
        }
        self.forget(used.take());
        Err(StoreError)
    }

    /// Asks by the connection there is, or by a new one; `used` is it then.
    async fn ask(
        &self,
        used: &RefCell<Option<Rc<Connection>>>,
        key: &str,
        quota: &Quota,
        cost: u32,
    ) -> Result<Vec<RedisResult>, Error> {
        let known = used.borrow().clone();
        // if that fails it was closed meanwhile, most likely
        if let Some(connection) = known
            && let Ok(answer) = ask(&connection, key, quota, cost).await
        {
            return Ok(answer);
        }
        let connection = Rc::new(Connection::open(&self.address).await?);
        used.replace(Some(Rc::clone(&connection)));
        self.connection.replace(Some(Rc::clone(&connection)));
        ask(&connection, key, quota, cost).await
    }

    /// Forgets a connection, unless another request has made a new one already: the next request makes one.
    fn forget(&self, used: Option<Rc<Connection>>) {
        let mut current = self.connection.borrow_mut();
        current.take_if(|current| used.is_some_and(|used| Rc::ptr_eq(current, &used)));
    }
}

async fn ask(connection: &Connection, key: &str, quota: &Quota, cost: u32) -> Result<Vec<RedisResult>, Error> {
    let text = |text: &str| RedisParameter::Binary(text.as_bytes().to_vec());
    let arguments = [
        text(SCRIPT),
        text("1"),
        text(&format!("{PREFIX}{key}")),
        text(&quota.interval_micros().to_string()),
        text(&quota.burst().to_string()),
        text(&cost.to_string()),
    ];
    connection.execute("EVAL", arguments).await
}

/// What follows from the time and the state that the script found.
fn verdict(answer: &[RedisResult], quota: &Quota, cost: u32) -> Result<Verdict, StoreError> {
    let [RedisResult::Int64(now), RedisResult::Int64(tat)] = answer else {
        eprintln!("redis: an answer of another form: {answer:?}");
        return Err(StoreError);
    };
    let time = |micros: i64| u64::try_from(micros).map(Timestamp::from_micros).map_err(|_| StoreError);
    Ok(decide(Some(time(*tat)?), quota, time(*now)?, cost).0)
}

fn failed(error: &Error) {
    match error {
        Error::InvalidAddress => {
            eprintln!("redis: the address of portico_limits is none, or not among allowed_outbound_hosts of spin.toml");
        }
        error => eprintln!("redis: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_found_is_decided_by_core() {
        let quota = Quota::from_interval(1_000_000, 3).unwrap();
        let now = 1_700_000_000_000_000;
        let found = |ahead: i64| [RedisResult::Int64(now), RedisResult::Int64(now + ahead)];
        let passed = verdict(&found(1_000_000), &quota, 1).unwrap();
        assert!(passed.allowed && passed.remaining == 1);
        let denied = verdict(&found(2_500_000), &quota, 1).unwrap();
        assert!(!denied.allowed);
        assert_eq!(denied.retry_after.as_millis(), 500);
    }

    #[test]
    fn another_answer_is_none() {
        let quota = Quota::from_interval(1, 1).unwrap();
        for answer in [vec![], vec![RedisResult::Nil], vec![RedisResult::Int64(-1), RedisResult::Int64(0)]] {
            assert!(verdict(&answer, &quota, 1).is_err(), "{answer:?}");
        }
    }
}
