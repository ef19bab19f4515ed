//! A connection to a Redis: one for all requests, made by the first of them and made anew by whoever finds it broken.
//!
//! The `redis` crate has a `ConnectionManager`, which keeps a connection on which nothing comes back, and remembers for ever that it was
//! once refused a login. Here a connection that fails in any way is forgotten, and the next request makes another: at once when there was
//! none before it for [`PAUSE`]. So a Redis that is gone, or that breaks each connection, meets a few connections a second, and nobody waits
//! for those that he can know to be in vain.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use redis::Value;
use rustls::RootCertStore;
use tokio::sync::SetOnce;
use tokio::time::{Instant, timeout, timeout_at};

use super::question::Question;
use super::server::{AddressError, Connection, Server};
use super::trouble::Trouble;

/// Who has no answer by then goes on without one, however much was tried.
pub(super) const TIMEOUT: Duration = Duration::from_secs(1);

/// For how long a failure is shared by all who ask.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// A Redis and the connection to it.
pub(super) struct Link {
    server: Arc<Server>,
    /// `None` until somebody asks.
    current: Mutex<Option<Arc<Attempt>>>,
}

impl Link {
    /// See [`Redis::new`](super::Redis::new).
    pub(super) fn new(address: &str, roots: impl FnOnce() -> RootCertStore) -> Result<Self, AddressError> {
        Ok(Self { server: Arc::new(Server::new(address, roots)?), current: Mutex::default() })
    }

    /// Another one to the same, with a connection of its own.
    pub(super) fn beside(&self) -> Self {
        Self { server: Arc::clone(&self.server), current: Mutex::default() }
    }

    /// What `question` gets for an answer within a second. It is asked once more, by a new connection, when a replica
    /// answered, or when the answer was lost and the question may be repeated.
    pub(super) async fn ask(&self, question: &Question) -> Result<Value, Trouble> {
        let deadline = Instant::now() + TIMEOUT;
        match self.ask_until(deadline, question).await {
            Err(Trouble::Lost(why)) if !question.may_be_repeated() => Err(Trouble::Lost(why)),
            Err(trouble) if trouble.calls_for_another_connection() => self.ask_until(deadline, question).await,
            answer => answer,
        }
    }

    async fn ask_until(&self, deadline: Instant, question: &Question) -> Result<Value, Trouble> {
        let attempt = self.current();
        let Ok(connected) = timeout_at(deadline, attempt.outcome.wait()).await else { return Err(Trouble::Silent) };
        let answer = timeout_at(deadline, question.put(connected.clone()?)).await;
        let answer = answer.map_or(Err(Trouble::Silent), |answer| answer.map_err(|error| Trouble::after(&error)));
        if answer
            .as_ref()
            .is_err_and(|trouble| matches!(trouble, Trouble::Silent) || trouble.calls_for_another_connection())
        {
            attempt.end();
        }
        answer
    }

    /// The connection that there is or will be, a failure that is shared, or else a new attempt.
    fn current(&self) -> Arc<Attempt> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match &*current {
            Some(attempt) if !attempt.is_over() => return Arc::clone(attempt),
            before => Attempt::begin(Arc::clone(&self.server), before.as_deref()),
        };
        Arc::clone(current.insert(next))
    }
}

/// An attempt to connect, and what came of it. All who ask meanwhile wait for the same, and whoever goes away ends it for nobody else.
struct Attempt {
    begun: Instant,
    outcome: SetOnce<Result<Connection, Trouble>>,
    /// When the one before it was begun.
    before: Option<Instant>,
    /// From when on another one takes its place. Nothing while it may lead to answers.
    over: OnceLock<Instant>,
}

impl Attempt {
    fn begin(server: Arc<Server>, before: Option<&Self>) -> Arc<Self> {
        let before = before.map(|before| before.begun);
        let attempt = Arc::new(Self { begun: Instant::now(), outcome: SetOnce::new(), before, over: OnceLock::new() });
        let begun = Arc::clone(&attempt);
        tokio::spawn(async move {
            let outcome = timeout(TIMEOUT, server.connect()).await.unwrap_or(Err(Trouble::Silent));
            if outcome.is_err() {
                begun.over.get_or_init(|| Instant::now() + PAUSE);
            }
            // there is nobody else to set it
            drop(begun.outcome.set(outcome));
        });
        attempt
    }

    /// Its connection broke, or might as well have.
    fn end(&self) {
        // one that has replaced another just now is not the cure
        self.over.get_or_init(|| self.before.map_or(self.begun, |before| before + PAUSE));
    }

    fn is_over(&self) -> bool {
        self.over.get().is_some_and(|over| *over <= Instant::now())
    }
}

#[cfg(test)]
mod tests;
