//! What was purged in a folder: a file of lines that only grows, until it says too much twice.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use portico_core::cache::{Purge, Purges};

use super::folder::private;

/// After how many lines the file is written anew, with what still matters.
const LINES: usize = 4_000;

/// What was purged, and the file that says it.
#[derive(Debug)]
pub(super) struct Purged {
    path: PathBuf,
    purges: Purges,
    lines: usize,
}

impl Purged {
    /// What the file at `path` says; nothing when there is none. `None` when it cannot be understood: what was purged is not known then.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) if error.kind() == ErrorKind::InvalidData => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut purged = Self { path: path.to_owned(), purges: Purges::default(), lines: 0 };
        for line in text.split_inclusive('\n') {
            let Some(purge) = line.strip_suffix('\n').and_then(Purge::decode) else { return Ok(None) };
            purged.purges.add(&purge);
            purged.lines += 1;
        }
        Ok(Some(purged))
    }

    /// All that was purged.
    pub(super) fn list(&self) -> Vec<Purge> {
        self.purges.iter().collect()
    }

    /// Adds purges. When this returns, they outlive a failure of power.
    pub(super) fn add(&mut self, purges: &[Purge]) -> io::Result<()> {
        for purge in purges {
            self.purges.add(purge);
        }
        self.lines += purges.len();
        if self.lines > LINES {
            return self.write_anew();
        }
        let mut file = private().append(true).create(true).open(&self.path)?;
        file.write_all(lines(purges).as_bytes())?;
        file.sync_data()?;
        self.sync_directory()
    }

    fn write_anew(&mut self) -> io::Result<()> {
        let all = self.list();
        let beside = self.path.with_extension("new");
        let mut file = private().create(true).truncate(true).open(&beside)?;
        file.write_all(lines(&all).as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        self.lines = all.len();
        self.sync_directory()
    }

    /// On Unix a file is there after a failure of power when the directory that names it is written, too.
    fn sync_directory(&self) -> io::Result<()> {
        match self.path.parent().filter(|_| cfg!(unix)) {
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn lines(purges: &[Purge]) -> String {
    purges.iter().map(|purge| purge.encode() + "\n").collect()
}
