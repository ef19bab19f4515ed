//! Limits in Redis, by core's script, over Spin's own client.
//!
//! A step whose answer was lost may have counted, and is tried once more on a new connection: a request may count twice
//! then, and never not at all.

use std::cell::RefCell;
use std::rc::Rc;

use portico_core::limit::script::{self, SCRIPT};
use portico_core::limit::{Quota, Verdict};
use portico_core::{StoreError, within};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

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
    let mut parameters = vec![text(SCRIPT), text("1"), text(&script::key(key))];
    parameters.extend(script::arguments(quota, cost).map(|number| text(&number.to_string())));
    connection.execute("EVAL", parameters).await
}

/// What follows from what the script answered.
fn verdict(answer: &[RedisResult], quota: &Quota, cost: u32) -> Result<Verdict, StoreError> {
    let number = |result: &RedisResult| match result {
        RedisResult::Int64(number) => Some(*number),
        _ => None,
    };
    let numbers: Option<Vec<_>> = answer.iter().map(number).collect();
    script::verdict(&numbers.unwrap_or_default(), quota, cost)
        .inspect_err(|_| eprintln!("redis: an answer of another form: {answer:?}"))
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
    fn an_answer_is_two_numbers() {
        let quota = Quota::from_interval(1, 1).unwrap();
        assert!(verdict(&[RedisResult::Int64(0), RedisResult::Int64(0)], &quota, 1).is_ok());
        for answer in [vec![], vec![RedisResult::Nil], vec![RedisResult::Int64(0), RedisResult::Nil]] {
            assert!(verdict(&answer, &quota, 1).is_err(), "{answer:?}");
        }
    }
}
