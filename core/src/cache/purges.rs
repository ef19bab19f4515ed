//! All that is no longer to be served: what each hit is held against.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::entry::Entry;
use super::purge::{Purge, Scope};
use crate::platform::Timestamp;

/// How many URLs, prefixes and tags are remembered one by one, unless more room was asked for.
const ROOM: usize = 1_000;

/// The purges that a node knows of. Bounded: when there are too many, the older half becomes one of everything, which purges more than
/// was asked for and never less.
///
/// Maps are ordered trees, because clients choose URLs and nothing here could draw the seed of a hash; a hit that is younger than all purges
/// looks into none of them.
#[derive(Debug, Clone)]
pub struct Purges {
    room: usize,
    everything: Mark,
    urls: BTreeMap<Box<str>, Mark>,
    prefixes: BTreeMap<Box<str>, Mark>,
    tags: BTreeMap<Box<str>, Mark>,
    /// When the last one of all was.
    latest: Option<Timestamp>,
}

/// What purges do to a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purged {
    /// It is stale, and must be validated before it is used.
    Soft,
    /// It is gone.
    Hard,
}

/// The latest purges of one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Mark {
    soft: Option<Timestamp>,
    hard: Option<Timestamp>,
}

impl Default for Purges {
    /// None yet, and room for 1 000.
    fn default() -> Self {
        Self::with_room(ROOM)
    }
}

impl Purges {
    /// None yet, and room for so many URLs, prefixes and tags in all.
    pub const fn with_room(room: usize) -> Self {
        Self {
            room,
            everything: Mark { soft: None, hard: None },
            urls: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            tags: BTreeMap::new(),
            latest: None,
        }
    }

    /// Adds one. Whether it concerns anything that was not concerned before.
    pub fn add(&mut self, purge: &Purge) -> bool {
        let mark = Mark::of(purge);
        if self.everything.covers(mark) {
            return false;
        }
        let news = match purge.scope.bounded() {
            Scope::Everything => {
                self.everything = self.everything.join(mark);
                self.forget_covered();
                true
            }
            Scope::Url(url) => join(&mut self.urls, url, mark),
            Scope::Prefix(prefix) => join(&mut self.prefixes, prefix, mark),
            Scope::Tag(tag) => join(&mut self.tags, tag, mark),
        };
        self.latest = self.latest.max(Some(purge.at));
        if self.len() > self.room {
            self.fold();
        }
        news
    }

    /// What they do to `entry`, nothing if it was asked for after all that concern it. What was asked for before and came after may
    /// be from before, so that is concerned.
    pub fn verdict(&self, entry: &Entry) -> Option<Purged> {
        if self.latest < Some(entry.requested) {
            return None;
        }
        let mut mark = self.everything;
        if let Some(of_url) = self.urls.get(&entry.url) {
            mark = mark.join(*of_url);
        }
        for tag in &entry.tags {
            if let Some(of_tag) = self.tags.get(tag) {
                mark = mark.join(*of_tag);
            }
        }
        mark.join(self.of_prefixes(&entry.url)).verdict(entry.requested)
    }

    /// All of them, those that others cover left out.
    pub fn iter(&self) -> impl Iterator<Item = Purge> {
        let everything = std::iter::once((Scope::Everything, self.everything));
        let urls = self.urls.iter().map(|(url, mark)| (Scope::Url(url.clone()), *mark));
        let prefixes = self.prefixes.iter().map(|(prefix, mark)| (Scope::Prefix(prefix.clone()), *mark));
        let tags = self.tags.iter().map(|(tag, mark)| (Scope::Tag(tag.clone()), *mark));
        everything.chain(urls).chain(prefixes).chain(tags).flat_map(|(scope, mark)| mark.purges(scope))
    }

    /// What all prefixes of `url` say together. Those that sort before it and are none share fewer and fewer of its first bytes,
    /// so that few are looked at.
    fn of_prefixes(&self, url: &str) -> Mark {
        let (mut mark, mut rest) = (Mark::default(), url);
        loop {
            let below = (Bound::Unbounded, Bound::Included(rest));
            let Some((prefix, of_prefix)) = self.prefixes.range::<str, _>(below).next_back() else { return mark };
            let common = common_length(prefix, rest);
            if common == prefix.len() {
                mark = mark.join(*of_prefix);
                // the next one is shorter than this
                let Some((last, _)) = prefix.char_indices().next_back() else { return mark };
                rest = rest.get(..last).unwrap_or_default();
            } else {
                rest = rest.get(..common).unwrap_or_default();
            }
        }
    }

    fn len(&self) -> usize {
        self.urls.len() + self.prefixes.len() + self.tags.len()
    }

    /// The older half becomes a part of everything.
    fn fold(&mut self) {
        let maps = [&mut self.urls, &mut self.prefixes, &mut self.tags];
        let mut times: Vec<_> = maps.iter().flat_map(|map| map.values()).map(|mark| mark.latest()).collect();
        times.sort_unstable();
        let Some(cut) = times.get(times.len() / 2).copied() else { return };
        for map in maps {
            for (_, mark) in map.extract_if(.., |_, mark| mark.latest() <= cut) {
                self.everything = self.everything.join(mark);
            }
        }
        self.forget_covered();
    }

    fn forget_covered(&mut self) {
        for map in [&mut self.urls, &mut self.prefixes, &mut self.tags] {
            map.retain(|_, mark| !self.everything.covers(*mark));
        }
    }
}

impl Mark {
    const fn of(purge: &Purge) -> Self {
        match purge.soft {
            true => Self { soft: Some(purge.at), hard: None },
            false => Self { soft: None, hard: Some(purge.at) },
        }
    }

    fn join(self, other: Self) -> Self {
        Self { soft: self.soft.max(other.soft), hard: self.hard.max(other.hard) }
    }

    /// Whether all that `other` purges is purged as much by this.
    fn covers(self, other: Self) -> bool {
        other.hard <= self.hard && other.soft <= self.latest()
    }

    fn latest(self) -> Option<Timestamp> {
        self.soft.max(self.hard)
    }

    fn verdict(self, requested: Timestamp) -> Option<Purged> {
        if self.hard >= Some(requested) {
            return Some(Purged::Hard);
        }
        (self.soft >= Some(requested)).then_some(Purged::Soft)
    }

    fn purges(self, scope: Scope) -> impl Iterator<Item = Purge> {
        let of = [(self.hard, false), (self.soft.filter(|_| self.soft > self.hard), true)];
        of.into_iter().filter_map(move |(at, soft)| Some(Purge { scope: scope.clone(), at: at?, soft }))
    }
}

/// Whether that is news.
fn join(map: &mut BTreeMap<Box<str>, Mark>, text: Box<str>, mark: Mark) -> bool {
    let known = map.entry(text).or_default();
    let news = !known.covers(mark);
    *known = known.join(mark);
    news
}

/// How many bytes at the beginning of both are the same, up to the end of a character.
fn common_length(one: &str, other: &str) -> usize {
    let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    one.floor_char_boundary(same)
}

#[cfg(test)]
mod tests;
