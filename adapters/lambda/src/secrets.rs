//! Secrets: what the environment says, or what it says where they are.
//!
//! `${secret.NAME}` is the environment variable NAME. A value that is the ARN of a secret in Secrets Manager or of a parameter of
//! Systems Manager stands for what is there: AWS's "Parameters and Secrets Lambda Extension" is asked for it, a layer of the function
//! that speaks HTTP on localhost and has the function's role. Core asks for secrets in the midst of a request, and cannot wait then: so
//! they are read before it. Of a secret that is a JSON object an ARN may name one member (`place.rs`).
//!
//! What was read is good for five minutes. When it cannot be read again, the last value holds, for a secret that was changed
//! is mostly still accepted for a while, and none never is.

mod extension;
mod place;
mod trouble;

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portico_core::{Gateway, Timestamp};
use portico_native::upstream::Upstreams;
use tokio::task::JoinSet;

use extension::Extension;
use place::Place;
use trouble::Trouble;

/// How long what was read is good.
const FRESH: Duration = Duration::from_secs(300);

/// After a failure the extension is not asked again for so long, if there is a last value.
const PAUSE: Duration = Duration::from_secs(30);

/// The secrets that a configuration refers to.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// Those that are elsewhere, by name.
    remote: BTreeMap<String, Place>,
    extension: Arc<Extension>,
    known: Mutex<Known>,
}

/// What is known of them.
#[derive(Clone)]
struct Known {
    values: Arc<BTreeMap<String, String>>,
    /// When they were read, and for how long that is good.
    read: Timestamp,
    good_for: Duration,
    /// What kept each from being read when it was last tried: told when it is another than the time before.
    trouble: BTreeMap<String, Discriminant<Trouble>>,
}

impl Secrets {
    /// The secrets of `gateway` in the environment. Nothing is fetched yet.
    pub(crate) fn new(gateway: &Gateway, upstreams: Upstreams) -> Self {
        Self::of(gateway.secrets(), |name| std::env::var(name).ok(), upstreams)
    }

    fn of<'a>(
        names: impl Iterator<Item = &'a str>,
        variable: impl Fn(&str) -> Option<String>,
        upstreams: Upstreams,
    ) -> Self {
        let (mut remote, mut values) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in names.filter_map(|name| Some((name, variable(name)?))) {
            match Place::of(&value) {
                Some(place) => drop(remote.insert(name.to_owned(), place)),
                None => drop(values.insert(name.to_owned(), value)),
            }
        }
        let good_for = if remote.is_empty() { Duration::MAX } else { Duration::ZERO };
        let known = Known { values: Arc::new(values), read: Timestamp::default(), good_for, trouble: BTreeMap::new() };
        Self { remote, extension: Arc::new(Extension::new(variable, upstreams)), known: Mutex::new(known) }
    }

    /// What they are at `now`, by name, waiting for no longer than what is `left` of an invocation. One that is nowhere, and one that could
    /// not be read yet, is missing; the latter is said once, and tried again by the next request.
    pub(crate) async fn read(&self, now: Timestamp, left: Duration) -> Arc<BTreeMap<String, String>> {
        let known = {
            let known = self.known();
            if now.is_within(known.good_for, known.read) {
                return Arc::clone(&known.values);
            }
            known.clone()
        };
        // all at once: the first request waits for them
        let mut asked = JoinSet::new();
        for (name, place) in self.remote.clone() {
            let extension = Arc::clone(&self.extension);
            asked.spawn(async move { (name, extension.read(&place, left).await) });
        }
        let mut values = BTreeMap::clone(&known.values);
        let mut good_for = FRESH;
        let mut trouble = BTreeMap::new();
        for (name, answer) in asked.join_all().await {
            match answer {
                Ok(value) => drop(values.insert(name, value)),
                Err(error) => {
                    let kind = discriminant(&error);
                    if known.trouble.get(&name) != Some(&kind) {
                        eprintln!("secret {name}: {error}");
                    }
                    good_for = good_for.min(if values.contains_key(&name) { PAUSE } else { Duration::ZERO });
                    trouble.insert(name, kind);
                }
            }
        }
        let values = Arc::new(values);
        *self.known() = Known { values: Arc::clone(&values), read: now, good_for, trouble };
        values
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Known {
    /// Without the values.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Known")
            .field("read", &self.read)
            .field("good_for", &self.good_for)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
