//! Which upstreams a case reaches. That is found out by running it offline first, so that no stub is asked for that nobody needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portico_core::Timestamp;

use crate::case::offline::Offline;
use crate::case::origin::lock;
use crate::case::run::run;
use crate::case::subject::{Answer, Refusal, Session, Subject};
use crate::case::{Case, Need, Send, Store};

/// The upstreams that each case reaches.
#[derive(Debug, Default)]
pub(super) struct Reach(BTreeMap<(PathBuf, u32), BTreeSet<String>>);

impl Reach {
    pub(super) fn of<'c>(cases: impl Iterator<Item = &'c Case>) -> Self {
        let known = |case: &Case| {
            let scout = Scout::default();
            drop(run(case, &scout));
            // what a case that fails would have reached, and what is not there and so never sees a request
            let expected = case.expectations().flat_map(|expect| expect.upstream.iter().flatten());
            let expected = expected.filter(|(_, seen)| !seen.is_empty()).map(|(name, _)| name);
            let gone = case.upstreams.keys().filter(|name| case.script(name).is_gone());
            let mut reached = std::mem::take(&mut *lock(&scout.0));
            reached.extend(expected.chain(gone).cloned());
            (key(case), reached)
        };
        Self(cases.map(known).collect())
    }

    /// The names of the upstreams that `case` reaches.
    pub(super) fn by(&self, case: &Case) -> impl Iterator<Item = &str> {
        self.0.get(&key(case)).into_iter().flatten().map(String::as_str)
    }
}

fn key(case: &Case) -> (PathBuf, u32) {
    (case.file.clone(), case.line)
}

/// Core on its simulated platform, which notes what reaches upstreams.
#[derive(Debug, Default)]
struct Scout(Arc<Mutex<BTreeSet<String>>>);

struct Scouting {
    session: Box<dyn Session>,
    reached: Arc<Mutex<BTreeSet<String>>>,
}

impl Subject for Scout {
    fn name(&self) -> &'static str {
        Offline.name()
    }

    fn lacks(&self, case: &Case, need: Need) -> Option<String> {
        Offline.lacks(case, need)
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Session>, String> {
        Ok(Box::new(Scouting { session: Offline.start(case)?, reached: Arc::clone(&self.0) }))
    }

    fn refuse(&self, case: &Case) -> Result<Refusal, String> {
        Offline.refuse(case)
    }
}

impl Session for Scouting {
    fn exchange(&mut self, send: &Send) -> Result<Answer, String> {
        let answer = self.session.exchange(send)?;
        lock(&self.reached).extend(answer.upstream.keys().cloned());
        Ok(answer)
    }

    fn advance(&mut self, duration: Duration) -> Result<(), String> {
        self.session.advance(duration)
    }

    fn set_store(&mut self, state: Store) -> Result<(), String> {
        self.session.set_store(state)
    }

    fn now(&self) -> Timestamp {
        self.session.now()
    }
}
