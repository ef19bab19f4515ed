//! What starting a program takes: the binary, a folder for its files, the lines that it writes.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::clock;

/// Nothing takes this long. A net under a gateway that hangs; what passes never waits for it.
pub(crate) const HANGS: Duration = Duration::from_secs(60);

/// A process. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // fails only when it has ended already
        drop(self.0.kill());
        drop(self.0.wait());
        clock::clean_up(self.0.id());
    }
}

/// The lines of a stream, read as they come so that nobody who writes them ever waits.
pub(crate) fn lines(stream: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver): (Sender<String>, _) = channel();
    if let Some(stream) = stream {
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                // nobody wants them any more; they are read all the same
                drop(sender.send(line));
            }
        });
    }
    receiver
}

/// The binary `portico`, which Cargo puts beside the directory of the tests.
pub(crate) fn portico() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let directory = test.ancestors().nth(2).unwrap_or(Path::new("."));
    let binary = directory.join(format!("portico{}", std::env::consts::EXE_SUFFIX));
    if binary.is_file() {
        return Ok(binary);
    }
    Err(format!(
        "there is no {}: run `cargo test --workspace`, or `cargo build -p portico` before the tests of this package",
        binary.display()
    ))
}

/// A directory of its own. It is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> std::io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("portico-conformance-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// Where a file of this name is, or would be.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> std::io::Result<PathBuf> {
        let path = self.path(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
