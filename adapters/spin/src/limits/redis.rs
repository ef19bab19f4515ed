//! Limits in Redis, by core's script, over Spin's own client.
//!
//! A step whose answer was lost may have counted, and is tried once more on a new connection: a request may count twice
//! then, and never not at all. Units that are given back are not given back again: Spin does not tell a connection that was closed before
//! they were from one that was closed after.

use std::cell::RefCell;
use std::rc::Rc;

use portico_core::limit::script::{self, SCRIPT};
use portico_core::limit::{Draw, Rule, Verdict};
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

    /// One step of the limit named `name`.
    pub(super) async fn step(
        &self,
        name: &str,
        rules: &[Rule],
        draw: Draw,
        deadline: impl Future<Output = ()>,
    ) -> Result<Vec<Verdict>, StoreError> {
        let key = script::key(name);
        let used = RefCell::new(self.connection.borrow().clone());
        match within(deadline, self.ask(&used, &key, rules, draw)).await {
            Some(Ok(answer)) => return verdicts(&key, &answer, rules, draw),
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
        rules: &[Rule],
        draw: Draw,
    ) -> Result<Vec<RedisResult>, Error> {
        let known = used.borrow().clone();
        let arguments = script::arguments(rules, draw);
        let open = async || {
            let connection = Rc::new(Connection::open(&self.address).await?);
            used.replace(Some(Rc::clone(&connection)));
            self.connection.replace(Some(Rc::clone(&connection)));
            Ok(connection)
        };
        ask_known_or_new(known, draw, open, async |connection| ask(&connection, key, &arguments).await).await
    }

    /// Forgets a connection, unless another request has made a new one already: the next request makes one.
    fn forget(&self, used: Option<Rc<Connection>>) {
        let mut current = self.connection.borrow_mut();
        current.take_if(|current| used.is_some_and(|used| Rc::ptr_eq(current, &used)));
    }
}

/// What `ask` comes to by the `known` connection, or by one that it takes to `open`.
async fn ask_known_or_new<C, T, E>(
    known: Option<C>,
    draw: Draw,
    open: impl AsyncFnOnce() -> Result<C, E>,
    ask: impl AsyncFn(C) -> Result<T, E>,
) -> Result<T, E> {
    if let Some(known) = known {
        let answer = ask(known).await;
        // if it failed the connection was closed meanwhile, most likely
        if answer.is_ok() || !draw.may_be_repeated() {
            return answer;
        }
    }
    ask(open().await?).await
}

async fn ask(connection: &Connection, key: &str, arguments: &[u64]) -> Result<Vec<RedisResult>, Error> {
    let text = |text: &str| RedisParameter::Binary(text.as_bytes().to_vec());
    let mut parameters = vec![text(SCRIPT), text("1"), text(key)];
    parameters.extend(arguments.iter().map(|number| text(&number.to_string())));
    connection.execute("EVAL", parameters).await
}

/// What follows from what the script answered.
fn verdicts(key: &str, answer: &[RedisResult], rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError> {
    let [RedisResult::Int64(now), RedisResult::Binary(found)] = answer else {
        eprintln!("redis: an answer of another form: {answer:?}");
        return Err(StoreError);
    };
    script::verdicts(*now, found, rules, draw).map_err(|unreadable| {
        eprintln!("redis: {key}: {unreadable}\nhelp: delete the key, or give limits a database of their own");
        StoreError
    })
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
    use portico_core::limit::Quota;
    use portico_core::sim::block_on;

    use super::*;

    #[test]
    fn an_answer_is_a_time_and_a_state() {
        let rules = [Rule::Gcra(Quota::from_interval(1, 1).unwrap())];
        let told = |answer: &[RedisResult]| verdicts("key", answer, &rules, Draw::Take(1));
        let state = |text: &str| RedisResult::Binary(text.as_bytes().to_vec());
        assert!(told(&[RedisResult::Int64(0), state("")]).is_ok());
        assert!(told(&[RedisResult::Int64(0), state("0")]).is_ok());
        for answer in [
            vec![],
            vec![RedisResult::Nil],
            vec![RedisResult::Int64(0), RedisResult::Nil],
            vec![RedisResult::Int64(0), state("0 0")],
        ] {
            assert!(told(&answer).is_err(), "{answer:?}");
        }
    }
    #[test]
    fn what_may_have_been_given_back_is_not_given_back_again() {
        // what is done, by a connection that was known or not: by which it is asked for when the known one fails
        let rows: [(Draw, Option<&str>, &[&str]); 5] = [
            (Draw::Take(1), Some("known"), &["known", "new"]),
            (Draw::Charge(1), Some("known"), &["known", "new"]),
            (Draw::Return(1), Some("known"), &["known"]),
            (Draw::Take(1), None, &["new"]),
            (Draw::Return(1), None, &["new"]),
        ];
        for (draw, known, expected) in rows {
            let asked = RefCell::new(Vec::new());
            let ask = async |connection| {
                asked.borrow_mut().push(connection);
                if connection == "new" { Ok(()) } else { Err(()) }
            };
            let answer = block_on(ask_known_or_new(known, draw, async || Ok("new"), ask));
            assert_eq!(answer.is_ok(), expected.ends_with(&["new"]), "{draw:?} {known:?}");
            assert_eq!(*asked.borrow(), expected, "{draw:?} {known:?}");
        }
    }
}
