//! Which files a folder has, how large they are, and which was read longest ago.

use std::collections::{BTreeMap, HashMap};

/// What a file is named after: the SHA-256 of its key.
pub(super) type Name = [u8; 32];

/// The files of a folder that may take so many bytes. Nothing here touches a file.
#[derive(Debug)]
pub(super) struct Index {
    files: HashMap<Name, File>,
    /// The files by when they were read last.
    order: BTreeMap<u64, Name>,
    turn: u64,
    /// Bytes of all files, and of those that are being written.
    bytes: u64,
    /// Bytes of those that are being written.
    coming: u64,
    bound: u64,
}

#[derive(Debug)]
struct File {
    size: u64,
    turn: u64,
}

/// What a disk gives a file at least.
const BLOCK: u64 = 4096;

/// What a file of so many bytes takes.
pub(super) const fn taken(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK)
}

impl Index {
    /// No files, which may take `bound` bytes.
    pub(super) fn new(bound: u64) -> Self {
        Self { files: HashMap::new(), order: BTreeMap::new(), turn: 0, bytes: 0, coming: 0, bound }
    }

    /// Whether there is such a file. It is the one that was read last now.
    pub(super) fn read(&mut self, name: &Name) -> bool {
        let Some(file) = self.files.get_mut(name) else { return false };
        self.order.remove(&file.turn);
        self.turn += 1;
        file.turn = self.turn;
        self.order.insert(self.turn, *name);
        true
    }

    /// Keeps room for a file that is about to be written: these have to go for it. `None` when it takes more than an eighth of all
    /// that there is, or too much is being written already.
    pub(super) fn make_room(&mut self, size: u64) -> Option<Vec<Name>> {
        if size > self.bound / 8 || self.coming + size > self.bound {
            return None;
        }
        let mut gone = Vec::new();
        while self.bytes + size > self.bound {
            // there is one: without files there is only what is being written
            let Some(name) = self.order.first_key_value().map(|(_, name)| *name) else { break };
            self.remove(&name);
            gone.push(name);
        }
        self.bytes += size;
        self.coming += size;
        Some(gone)
    }

    /// The file for which there was room kept is there, in place of the one before.
    pub(super) fn written(&mut self, name: Name, size: u64) {
        self.remove(&name);
        self.coming -= size;
        self.turn += 1;
        self.order.insert(self.turn, name);
        self.files.insert(name, File { size, turn: self.turn });
    }

    /// The file for which there was room kept will not be there.
    pub(super) fn not_written(&mut self, size: u64) {
        self.bytes -= size;
        self.coming -= size;
    }

    /// The file is not there any more.
    pub(super) fn remove(&mut self, name: &Name) {
        if let Some(file) = self.files.remove(name) {
            self.order.remove(&file.turn);
            self.bytes -= file.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use portico_core::sim::{Random, SEED_VARIABLE, check_seeds};

    use super::*;

    const fn name(number: u8) -> Name {
        [number; 32]
    }

    fn add(index: &mut Index, number: u8, size: u64) -> Option<Vec<u8>> {
        let gone = index.make_room(size)?;
        index.written(name(number), size);
        Some(gone.iter().map(|name| name[0]).collect())
    }

    #[test]
    fn what_was_read_longest_ago_goes_first() {
        let mut index = Index::new(80);
        (0..8).for_each(|number| assert_eq!(add(&mut index, number, 10), Some(vec![])));
        assert!(index.read(&name(0)) && index.read(&name(2)));
        assert_eq!(add(&mut index, 8, 10), Some(vec![1]));
        assert_eq!(add(&mut index, 9, 5), Some(vec![3]));
        assert_eq!(add(&mut index, 10, 10), Some(vec![4]));
        assert!(!index.read(&name(1)) && index.read(&name(0)));
    }

    #[test]
    fn one_that_takes_more_than_an_eighth_is_not_taken() {
        let mut index = Index::new(80);
        assert_eq!(add(&mut index, 1, 11), None);
        assert_eq!(add(&mut index, 1, 10), Some(vec![]));
        assert_eq!(add(&mut Index::new(0), 1, 1), None);
    }

    #[test]
    fn the_bound_holds_with_those_that_are_being_written() {
        let replay = std::env::var(SEED_VARIABLE).ok();
        check_seeds(200, replay.as_deref(), |seed| {
            let random = Random::new(seed);
            let mut index = Index::new(1000);
            let mut under_way: Vec<(u8, u64)> = Vec::new();
            for _ in 0..500 {
                let number = random.below(40) as u8;
                match random.below(5) {
                    0 | 1 => {
                        let size = random.below(130);
                        if index.make_room(size).is_some() {
                            under_way.push((number, size));
                        }
                    }
                    2 if !under_way.is_empty() => {
                        let (number, size) = under_way.swap_remove(random.below(under_way.len() as u64) as usize);
                        if random.below(4) == 0 { index.not_written(size) } else { index.written(name(number), size) }
                    }
                    3 => index.remove(&name(number)),
                    _ => drop(index.read(&name(number))),
                }
                let files: u64 = index.files.values().map(|file| file.size).sum();
                let coming: u64 = under_way.iter().map(|(_, size)| size).sum();
                assert_eq!(index.bytes, files + coming);
                assert!(index.bytes <= 1000);
                assert_eq!(index.order.len(), index.files.len());
            }
        });
    }
}
