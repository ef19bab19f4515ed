//! Which recorded requests would be decided differently.
//!
//! ```text
//! access logs, HARs ─▶ Merged, by time ─▶ Recreation ─┬▶ Replay of OLD ─┬▶ as recorded? ─▶ different? ─▶ Traffic
//!                                                     └▶ Replay of NEW ─┘
//! ```
//!
//! Nothing is kept of a request but its place in a group, so a log may be of any length.

mod callers;
mod difference;
mod har;
mod known_keys;
mod log;
mod recorded;
mod replay;
mod report;
mod request;
mod source;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use portico_core::decision::Decision;

use self::difference::{Difference, difference, unlike_recorded};
use self::known_keys::KnownKeys;
use self::recorded::{By, Next, Place, Recorded};
use self::replay::{Became, Replay};
use self::request::Recreation;
use super::meaning;
use super::side::Side;

/// What became of recorded requests.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// How many requests there were.
    requests: usize,
    groups: BTreeMap<Group, Members>,
    /// Requests that OLD does not decide as was recorded, by why.
    not_reproducible: BTreeMap<String, Few<Example>>,
    /// What is no request, and why.
    unreadable: Few<(Place, String)>,
    /// How many requests another configuration than OLD decided.
    decided_by_another: usize,
    /// What could only be replayed in part.
    notes: Vec<String>,
}

/// Requests that are decided differently in the same way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    /// The route that served them, and the one that serves them now.
    routes: [Option<String>; 2],
    old: String,
    new: String,
}

#[derive(Debug)]
struct Members {
    examples: Few<Example>,
    /// `file:line:column` of what decides in the old and in the new configuration.
    decided_at: [Option<portico::config::Place>; 2],
}

/// A request, as it is told.
#[derive(Debug)]
struct Example {
    place: Place,
    time: portico_core::Timestamp,
    method: http::Method,
    path: String,
    /// The path and query that went upstream and that do now, where they differ.
    arrived: Option<[String; 2]>,
}

/// How many there were, and the first of them.
#[derive(Debug)]
struct Few<T> {
    count: usize,
    first: Vec<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<T> Few<T> {
    /// As many are told.
    const TOLD: usize = 3;

    fn add(&mut self, one: impl FnOnce() -> T) {
        self.count += 1;
        if self.first.len() < Self::TOLD {
            self.first.push(one());
        }
    }
}

impl Traffic {
    /// Whether a request would be decided differently.
    pub(crate) fn differs(&self) -> bool {
        !self.groups.is_empty()
    }

    fn add(
        &mut self,
        recorded: &Recorded,
        old: &Became,
        new: &Became,
        difference: Difference<'_>,
        sides: [&Replay<'_>; 2],
    ) {
        let Difference { old: was, new: is, deciding } = difference;
        let routes = [old, new].map(|became| became.record.route.as_deref().map(str::to_owned));
        let place = |(replay, decision, route): (&Replay<'_>, Option<&Decision>, &Option<String>)| {
            let pointer = replay.side.gateway().place(route.as_deref(), decision?);
            if pointer.is_root() { None } else { replay.side.place(&pointer) }
        };
        let [before, after] = sides;
        let [decided, decides] = deciding;
        let members = match self.groups.entry(Group { routes, old: was, new: is }) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(first) => {
                let [route, now] = &first.key().routes;
                let decided_at = [(before, decided, route), (after, decides, now)].map(place);
                first.insert(Members { examples: Few::default(), decided_at })
            }
        };
        members.examples.add(|| Example {
            arrived: old
                .arrived
                .clone()
                .zip(new.arrived.clone())
                .filter(|(old, new)| old != new)
                .map(|(old, new)| [old, new]),
            ..Example::of(recorded)
        });
    }
}

impl Example {
    fn of(recorded: &Recorded) -> Self {
        Self {
            place: recorded.place.clone(),
            time: recorded.time,
            method: recorded.method.clone(),
            path: recorded.target.path().to_owned(),
            arrived: None,
        }
    }
}

/// Replays the requests of `files` on both configurations, in the order of time. `progress` is told how many there were so far.
/// The error says what could not be read.
pub(crate) fn replay(
    old: &Side,
    new: &Side,
    files: &[PathBuf],
    progress: impl FnMut(usize),
) -> Result<Traffic, String> {
    let opened: Vec<_> = files.iter().map(|file| source::open(file)).collect::<Result<_, _>>()?;
    let traffic = decide(old, new, source::Merged::new(opened), progress)?;
    if traffic.requests == 0 {
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        let why = traffic.unreadable.first.first().map(|(place, why)| format!("; {place}: {why}"));
        return Err(format!("there are no requests in {}{}", names.join(", "), why.unwrap_or_default()));
    }
    Ok(traffic)
}

fn decide(
    old: &Side,
    new: &Side,
    requests: impl Iterator<Item = Next>,
    mut progress: impl FnMut(usize),
) -> Result<Traffic, String> {
    let known = KnownKeys::new(old.document(), new.document())?;
    let recreation = Recreation::new(&known, old.document(), new.document());
    let (before, after) = (Replay::new(old, &known.old)?, Replay::new(new, &known.new)?);
    let renamed = meaning::renamed(old, new);
    let config = old.gateway().hash().to_string();
    let mut traffic = Traffic::default();
    let mut logged = false;
    for next in requests {
        let recorded = match next {
            Ok(recorded) => recorded,
            Err(unreadable) => {
                traffic.unreadable.add(|| unreadable);
                continue;
            }
        };
        traffic.requests += 1;
        progress(traffic.requests);
        if let By::Log(log) = &recorded.by {
            logged = true;
            traffic.decided_by_another += usize::from(log.config != config);
        }
        let again = match recreation.again(&recorded) {
            Ok(again) => again,
            Err(why) => {
                traffic.not_reproducible.entry(why).or_default().add(|| Example::of(&recorded));
                continue;
            }
        };
        let was = before.decide(again.clone(), &recorded.by, recorded.time);
        let is = after.decide(again, &recorded.by, recorded.time);
        if let Some(why) = unlike_recorded(&recorded, &was) {
            traffic.not_reproducible.entry(why).or_default().add(|| Example::of(&recorded));
        } else if let Some(difference) = difference(&recorded, &was, &is, &renamed) {
            traffic.add(&recorded, &was, &is, difference, [&before, &after]);
        }
    }
    traffic.notes = if logged { recreation.counted().notes() } else { Vec::new() };
    Ok(traffic)
}

#[cfg(test)]
mod tests;
