//! Responses in a folder of this machine: they outlive the process.
//!
//! The response under a key is the file `4f/e2…`, named after the SHA-256 of the key. It begins with the SHA-256 of all that follows, so that
//! one that is broken is known and goes; nothing waits for the disk to have it. Files are written beside their place and renamed into it. All
//! together they take no more than was given them, those that are being written included: what was read longest ago makes room. One server
//! uses a folder at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use portico_core::StoreError;
use portico_core::cache::Purge;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use super::LARGEST;
use super::index::{Index, Name, taken};
use super::purges::Purged;

/// The responses in one folder.
#[derive(Debug, Clone)]
pub struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    index: Mutex<Index>,
    purged: Mutex<Purged>,
    /// Whether the last read or write failed, and the log says so.
    read_fails: AtomicBool,
    write_fails: AtomicBool,
    /// Locked as long as the server runs.
    _lock: File,
}

impl Folder {
    /// The responses in `directory`, which must be there, and may take `bound` bytes. What is there already remains, as far as there is
    /// room. Other files than its own it leaves alone, and does not count.
    pub fn open(directory: &Path, bound: u64) -> io::Result<Self> {
        let directory = fs::canonicalize(directory)?;
        let lock = private().create(true).truncate(false).open(directory.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::new(ErrorKind::ResourceBusy, "another server uses it"),
            fs::TryLockError::Error(error) => error,
        })?;
        let mut files = files(&directory)?;
        let path = directory.join("purges");
        let purged = match Purged::open(&path)? {
            Some(purged) => purged,
            None => {
                // what may have been purged must not be served
                files.drain(..).try_for_each(|file| fs::remove_file(place(&directory, &file.name)))?;
                fs::remove_file(&path)?;
                Purged::open(&path)?.ok_or(ErrorKind::InvalidData)?
            }
        };
        let mut index = Index::new(bound);
        for OneFile { name, size, .. } in files {
            match index.make_room(size) {
                Some(gone) => {
                    gone.iter().for_each(|name| remove(&directory, name));
                    index.written(name, size);
                }
                None => remove(&directory, &name),
            }
        }
        let (index, purged) = (Mutex::new(index), Mutex::new(purged));
        let (read_fails, write_fails) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self(Arc::new(Inner { directory, index, purged, read_fails, write_fails, _lock: lock })))
    }

    /// The bytes under `key`.
    pub(super) async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let name = name(key);
        self.blocking(move |inner| tell(&inner.read_fails, "read", inner.read(&name))).await
    }

    /// Puts `record` under `key`; without one, or when there is no room for it, nothing is there.
    pub(super) async fn write(&self, key: &str, record: Option<Bytes>) -> Result<(), StoreError> {
        let name = name(key);
        self.blocking(move |inner| match record {
            Some(record) => tell(&inner.write_fails, "written", inner.write(name, &record)),
            None => {
                inner.forget(&name);
                Ok(())
            }
        })
        .await
    }

    /// What was purged here.
    pub(super) async fn purges(&self) -> Result<Vec<Purge>, StoreError> {
        self.blocking(|inner| Ok(inner.purged().list())).await
    }

    /// Adds to what was purged.
    pub(super) async fn purge(&self, purges: &[Purge]) -> Result<(), StoreError> {
        let purges = purges.to_vec();
        self.blocking(move |inner| tell(&inner.write_fails, "written", inner.purged().add(&purges))).await
    }

    /// Files are read and written where waiting for a disk holds nobody up.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(|_| StoreError)?
    }
}

/// Lets the log say once that there is an error, and once that there is none any more.
fn tell<T>(fails: &AtomicBool, what: &str, done: io::Result<T>) -> Result<T, StoreError> {
    match &done {
        Ok(_) if fails.swap(false, Ordering::Relaxed) => {
            tracing::info!("files of the response cache can be {what} again");
        }
        Err(error) if !fails.swap(true, Ordering::Relaxed) => {
            let help = "look at the disk of --cache-dir, and at who may read and write there";
            tracing::error!(help, "a file of the response cache cannot be {what}: {error}");
        }
        Ok(_) | Err(_) => {}
    }
    done.map_err(|_| StoreError)
}

impl Inner {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn purged(&self) -> MutexGuard<'_, Purged> {
        self.purged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, name: &Name) -> io::Result<Option<Bytes>> {
        if !self.index().read(name) {
            return Ok(None);
        }
        let file = match File::open(place(&self.directory, name)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.forget(name);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        // so that a server that is started again knows what was read; it is no matter if not
        let _ = file.set_modified(SystemTime::now());
        let mut sealed = Vec::new();
        file.take((LARGEST + SHA256_OUTPUT_LEN) as u64 + 1).read_to_end(&mut sealed)?;
        let record = unseal(sealed);
        if record.is_none() {
            tracing::warn!("a file of the response cache was broken, and is removed");
            self.forget(name);
        }
        Ok(record)
    }

    fn write(&self, name: Name, record: &[u8]) -> io::Result<()> {
        let size = taken((record.len() + SHA256_OUTPUT_LEN) as u64);
        {
            let mut index = self.index();
            let Some(gone) = index.make_room(size) else {
                drop(index);
                self.forget(&name);
                return Ok(());
            };
            // files go and come under the lock, so that it knows which are there
            gone.iter().for_each(|name| remove(&self.directory, name));
        }
        let place = place(&self.directory, &name);
        let written = write_beside(&place, record);
        let mut index = self.index();
        let done = written.and_then(|beside| {
            fs::rename(&beside, &place).inspect_err(|_| {
                let _ = fs::remove_file(&beside);
            })
        });
        match &done {
            Ok(()) => index.written(name, size),
            Err(_) => index.not_written(size),
        }
        done
    }

    fn forget(&self, name: &Name) {
        let mut index = self.index();
        index.remove(name);
        remove(&self.directory, name);
    }
}

fn name(key: &str) -> Name {
    let mut name = [0; SHA256_OUTPUT_LEN];
    name.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    name
}

/// Where the file of this name is: in one of 256 folders.
fn place(directory: &Path, name: &Name) -> PathBuf {
    let hex: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    let (folder, file) = hex.split_at(2);
    directory.join(folder).join(file)
}

/// It is as well if there is none.
fn remove(directory: &Path, name: &Name) {
    let _ = fs::remove_file(place(directory, name));
}

/// Responses may be for one caller only.
pub(super) fn private() -> OpenOptions {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

const BESIDE: &str = ".new-";

fn write_beside(place: &Path, record: &[u8]) -> io::Result<PathBuf> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let folder = place.parent().ok_or(ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let beside = folder.join(format!("{BESIDE}{}", WRITTEN.fetch_add(1, Ordering::Relaxed)));
    let written = private().create_new(true).open(&beside).and_then(|mut file| {
        file.write_all(digest(&SHA256, record).as_ref())?;
        file.write_all(record)
    });
    match written {
        Ok(()) => Ok(beside),
        Err(error) => {
            // what failed says more than that its remains could not be removed
            let _ = fs::remove_file(&beside);
            Err(error)
        }
    }
}

/// What a file holds, if it is whole.
fn unseal(sealed: Vec<u8>) -> Option<Bytes> {
    let sealed = Bytes::from(sealed);
    let (seal, record) = sealed.split_at_checked(SHA256_OUTPUT_LEN)?;
    (digest(&SHA256, record).as_ref() == seal).then(|| sealed.slice(SHA256_OUTPUT_LEN..))
}

/// A file as it is found.
struct OneFile {
    name: Name,
    size: u64,
    read: SystemTime,
}

/// The files that are there, those first that were read longest ago. What was being written when a server ended is removed.
fn files(directory: &Path) -> io::Result<Vec<OneFile>> {
    let mut files = Vec::new();
    for folder in (0..=u8::MAX).map(|first| format!("{first:02x}")) {
        let found = match fs::read_dir(directory.join(&folder)) {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(error),
        };
        for entry in found {
            let entry = entry?;
            let file = entry.file_name();
            let Some(file) = file.to_str() else { continue };
            if file.starts_with(BESIDE) {
                fs::remove_file(entry.path())?;
            } else if let Some(name) = unhex(&format!("{folder}{file}")) {
                let about = entry.metadata()?;
                let read = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push(OneFile { name, size: taken(about.len()), read });
            }
        }
    }
    files.sort_by_key(|file| file.read);
    Ok(files)
}

/// The name in 64 lower-case hexadecimal digits.
fn unhex(hex: &str) -> Option<Name> {
    let mut name = [0; SHA256_OUTPUT_LEN];
    let digits = hex.as_bytes();
    if digits.len() != 2 * name.len() || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, pair) in name.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(name)
}

#[cfg(test)]
pub(super) mod tests;
