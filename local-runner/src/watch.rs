//! Notices changes of files, for `portico dev`.
//!
//! Directories are watched, not files: editors write a new file and put it in the old one's place, and a watch on the old
//! one would see nothing of that.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// A change is over when nothing more happens for this long: saving a file is several events, a checkout of another
/// branch is thousands.
const QUIET: Duration = Duration::from_millis(60);

/// A change that goes on for longer is acted upon in between.
const PATIENCE: Duration = Duration::from_secs(1);

/// Calls `on_change` on a thread of its own whenever one of `paths` changed. A path is a file, which need not be there, or a
/// directory, of which all YAML and JSON files count. `on_change` returns what is to be watched from then on.
///
/// It is called with [`Look::Again`] once at the start, and whenever something new is to be watched: what changed before the
/// watch began would go unnoticed otherwise. Returns what cannot be watched, and why.
pub(crate) fn watch<F>(paths: &[PathBuf], mut on_change: F) -> notify::Result<Vec<String>>
where
    F: FnMut(Look) -> Vec<PathBuf> + Send + 'static,
{
    let (sender, events) = channel();
    let mut watch = Watch::new(sender)?;
    let problems = watch.update(paths);
    let run = move || {
        let mut look = Look::Again;
        loop {
            let before = watch.targets.clone();
            let paths = on_change(look);
            watch.update(&paths);
            if watch.targets != before {
                look = Look::Again;
                continue;
            }
            if !watch.wait(&events) {
                return;
            }
            look = Look::Changed;
        }
    };
    std::thread::Builder::new().name("portico-watch".to_owned()).spawn(run).map_err(notify::Error::io)?;
    Ok(problems)
}

/// Why to look at the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Something changed.
    Changed,
    /// Something may have changed in a moment in which nobody was watching.
    Again,
}

struct Watch {
    watcher: RecommendedWatcher,
    targets: Targets,
}

/// What is watched, by absolute paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Targets {
    files: BTreeSet<PathBuf>,
    /// Directories whose files count, with all below them.
    trees: BTreeSet<PathBuf>,
    /// Directories that hold the files.
    directories: BTreeSet<PathBuf>,
}

impl Watch {
    fn new(sender: Sender<notify::Result<Event>>) -> notify::Result<Self> {
        // the receiver is gone only when the process ends
        let watcher = notify::recommended_watcher(move |event| drop(sender.send(event)))?;
        Ok(Self { watcher, targets: Targets::default() })
    }

    /// Watches `paths` and nothing else. Returns what cannot be watched.
    fn update(&mut self, paths: &[PathBuf]) -> Vec<String> {
        let new = Targets::of(paths);
        let before = std::mem::replace(&mut self.targets, new);
        let mut problems = Vec::new();
        let kinds = [
            (RecursiveMode::Recursive, &before.trees, &self.targets.trees),
            (RecursiveMode::NonRecursive, &before.directories, &self.targets.directories),
        ];
        for (_, before, now) in kinds {
            for gone in before.difference(now) {
                // it may be gone because the directory is
                drop(self.watcher.unwatch(gone));
            }
        }
        // all of them, not only new ones: a directory that was removed and made again needs a new watch
        for (mode, _, now) in kinds {
            for path in now {
                if let Err(error) = self.watcher.watch(path, mode) {
                    problems.push(format!("changes in {} will not be noticed: {error}", path.display()));
                }
            }
        }
        problems
    }

    /// Waits until something changed and it is quiet again. False at the end of the process.
    fn wait(&self, events: &Receiver<notify::Result<Event>>) -> bool {
        loop {
            match events.recv() {
                Ok(event) if self.targets.concern(&event) => break,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            match events.recv_timeout(QUIET) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }
}

impl Targets {
    fn of(paths: &[PathBuf]) -> Self {
        let mut targets = Self::default();
        for path in paths {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            if path.is_dir() {
                targets.trees.insert(path.canonicalize().unwrap_or(path));
                continue;
            }
            // behind a symbolic link the file itself may change, and the link may
            targets.file(path.canonicalize().ok());
            targets.file(Some(path));
        }
        let Self { trees, directories, .. } = &mut targets;
        // watched twice, a directory is watched as the second time says
        directories.retain(|directory| !trees.iter().any(|tree| directory.starts_with(tree)));
        targets
    }

    fn file(&mut self, path: Option<PathBuf>) {
        let Some(path) = path else { return };
        // the directory may not be there yet either
        if let Some(directory) = path.ancestors().skip(1).find(|directory| directory.is_dir()) {
            self.directories.insert(directory.to_owned());
        }
        self.files.insert(path);
    }

    /// Whether an event is about what is watched. An error (a full queue) may be.
    fn concern(&self, event: &notify::Result<Event>) -> bool {
        let Ok(event) = event else { return true };
        let changes =
            matches!(event.kind, EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_));
        event.need_rescan() || (changes && event.paths.iter().any(|path| self.concerns(path)))
    }

    fn concerns(&self, path: &Path) -> bool {
        let named = self.files.iter().any(|file| file.starts_with(path));
        let counts = match path.extension().and_then(|extension| extension.to_str()) {
            Some(kind) => matches!(kind, "yaml" | "yml" | "json"),
            None => path.is_dir(),
        };
        named || (counts && self.trees.iter().any(|tree| path.starts_with(tree)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_count_by_name_and_trees_by_kind() {
        let folder = std::env::temp_dir().join(format!("portico-watch-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("routes/new")).unwrap();
        let folder = folder.canonicalize().unwrap();
        let targets =
            Targets::of(&[folder.join("gateway.yaml"), folder.join("missing/keys.json"), folder.join("routes")]);
        assert!(targets.directories.contains(&folder), "the directory that holds what is missing");
        for concerned in
            ["gateway.yaml", "missing", "missing/keys.json", "routes/a.yaml", "routes/new", "routes/b/c.yml"]
        {
            assert!(targets.concerns(&folder.join(concerned)), "{concerned}");
        }
        for other in
            ["gateway.yaml~", ".gateway.yaml.swp", "other.yaml", "routes/a.yaml.swp", "routes/README", "missing/other"]
        {
            assert!(!targets.concerns(&folder.join(other)), "{other}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
