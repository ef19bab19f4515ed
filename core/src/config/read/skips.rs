//! What a further pass over a document leaves out or fills in, because an earlier one stumbled there.

use std::collections::BTreeMap;

use crate::config::Segment;

/// A node of the document that has something to leave out, at it or below it.
#[derive(Debug, Default)]
pub(super) struct Skips {
    gone: bool,
    /// Keys that are missing here and get a stand-in.
    stand_ins: Vec<&'static str>,
    /// Keys that were probably meant by unknown ones.
    meant: Vec<&'static str>,
    keys: BTreeMap<String, Self>,
    items: BTreeMap<usize, Self>,
}

impl Skips {
    /// The node at the end of `way`, which is made if need be.
    pub(super) fn node(&mut self, way: &[Segment]) -> &mut Self {
        way.iter().fold(self, |node, step| match step {
            Segment::Key(key) => node.keys.entry(key.clone()).or_default(),
            Segment::Index(index) => node.items.entry(*index).or_default(),
        })
    }

    /// What is known of a key below; `None`: read it as it is.
    pub(super) fn key(&self, key: &str) -> Option<&Self> {
        self.keys.get(key)
    }

    /// What is known of an item below; `None`: read it as it is.
    pub(super) fn item(&self, index: usize) -> Option<&Self> {
        self.items.get(&index)
    }

    /// Whether a key below is left out.
    pub(super) fn has_key(&self, key: &str) -> bool {
        self.key(key).is_some_and(Self::is_gone)
    }

    /// Whether this node is left out.
    pub(super) const fn is_gone(&self) -> bool {
        self.gone
    }

    /// The missing keys that get a stand-in.
    pub(super) fn stand_ins(&self) -> &[&'static str] {
        &self.stand_ins
    }

    /// Leaves this node out from now on; false if it already was.
    pub(super) fn leave_out(&mut self) -> bool {
        !std::mem::replace(&mut self.gone, true)
    }

    /// Gives a missing key a stand-in from now on; false if it already had one.
    pub(super) fn stand_in(&mut self, key: &'static str) -> bool {
        let new = !self.stand_ins.contains(&key);
        if new {
            self.stand_ins.push(key);
        }
        new
    }

    /// Remembers that an unknown key here was probably meant to be `key`.
    pub(super) fn mean(&mut self, key: &'static str) {
        self.meant.push(key);
    }

    /// Whether that `key` is missing needs no saying: it is here and wrong, or misspelt, or was said to be missing.
    pub(super) fn accounts_for(&self, key: &str) -> bool {
        self.has_key(key) || self.meant.contains(&key) || self.stand_ins.contains(&key)
    }

    /// Whether whoever reads this node sees it changed: what is said about it then may be our own doing.
    pub(super) fn is_disturbed(&self) -> bool {
        !self.stand_ins.is_empty()
            || self.keys.values().chain(self.items.values()).any(|below| below.gone || below.is_disturbed())
    }

    /// Leaves out every map that has a missing key, now that all of them are known. False if there was none.
    pub(super) fn settle(&mut self) -> bool {
        let mut changed = false;
        if !self.stand_ins.is_empty() {
            self.stand_ins.clear();
            changed = self.leave_out();
        }
        for below in self.keys.values_mut().chain(self.items.values_mut()) {
            changed |= below.settle();
        }
        changed
    }

    /// Whether a list has lost an item, so that those behind it have moved up.
    pub(super) fn shifts(&self) -> bool {
        !self.gone
            && (self.items.values().any(Self::is_gone)
                || self.keys.values().chain(self.items.values()).any(Self::shifts))
    }
}
