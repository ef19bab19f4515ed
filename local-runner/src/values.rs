//! The native server's key-value store: a directory, in which the file `keys/4f…` holds the value under `keys/4f…`.
//!
//! Whoever may write files there gives values and takes them away, with no other tool. A value is written beside its place
//! and renamed into it, so that nobody reads half of one; do likewise. Nothing is ever deleted: the store cannot forget.

use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use portico_core::{MAX_KEY, MAX_VALUE, StoreError};

/// The values in one directory.
#[derive(Debug, Clone)]
pub struct Values {
    directory: Arc<Path>,
}

impl Values {
    /// The values in `directory`, which must be there.
    pub fn open(directory: &Path) -> io::Result<Self> {
        if !fs::metadata(directory)?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        Ok(Self { directory: directory.into() })
    }

    /// The value under `key`, `None` when there is no such file.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let path = self.path(key)?;
        blocking(move || read(&path)).await
    }

    /// Puts `value` under `key`.
    pub(crate) async fn write(&self, key: &str, value: Bytes) -> Result<(), StoreError> {
        let path = self.path(key)?;
        if value.len() > MAX_VALUE {
            return Err(StoreError);
        }
        blocking(move || write(&path, &value)).await
    }

    /// Where the value under `key` is. A key is made of words that are plain names of files, so that none leads out of
    /// the directory.
    fn path(&self, key: &str) -> Result<PathBuf, StoreError> {
        if is_key(key) { Ok(self.directory.join(key)) } else { Err(StoreError) }
    }
}

/// Whether this can be the key of a value.
pub(crate) fn is_key(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    // what begins with a dot is `..`, or a value that is being written
    let word = |word: &str| !word.is_empty() && !word.starts_with('.') && word.bytes().all(plain);
    key.len() <= MAX_KEY && key.split('/').all(word)
}

/// Files are read and written where waiting for a disk holds nobody up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError)?.map_err(|_| StoreError)
}

fn read(path: &Path) -> io::Result<Option<Bytes>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut value = Vec::new();
    file.take(MAX_VALUE as u64 + 1).read_to_end(&mut value)?;
    if value.len() > MAX_VALUE { Err(ErrorKind::FileTooLarge.into()) } else { Ok(Some(value.into())) }
}

fn write(path: &Path, value: &[u8]) -> io::Result<()> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let directory = path.parent().ok_or(ErrorKind::InvalidInput)?;
    fs::create_dir_all(directory)?;
    let beside = format!(".{}-{}", std::process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed));
    let beside = directory.join(beside);
    let written = fs::File::create_new(&beside)
        .and_then(|mut file| file.write_all(value).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // what failed says more than that its remains could not be removed
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str) -> (PathBuf, Values) {
        let directory = std::env::temp_dir().join(format!("portico-values-{}-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let values = Values::open(&directory).unwrap();
        (directory, values)
    }

    #[tokio::test]
    async fn what_is_written_is_read_and_leaves_nothing_else() {
        let (directory, values) = values("written");
        assert_eq!(values.read("jwks/one").await, Ok(None));
        for text in ["first", "second"] {
            values.write("jwks/one", Bytes::from(text)).await.unwrap();
            assert_eq!(values.read("jwks/one").await, Ok(Some(Bytes::from(text))));
        }
        let names: Vec<_> =
            fs::read_dir(directory.join("jwks")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["one"]);
        // below a value there is none
        assert_eq!(values.read("jwks/one/more").await, Ok(None));
        fs::remove_dir_all(directory).unwrap();
    }

    #[tokio::test]
    async fn no_key_leads_out_of_the_directory() {
        let (directory, values) = values("escape");
        fs::write(directory.with_extension("secret"), "secret").unwrap();
        let name = directory.with_extension("secret").file_name().unwrap().to_str().unwrap().to_owned();
        let long = "a".repeat(MAX_KEY + 1);
        for key in [
            "",
            "/etc/hostname",
            "a//b",
            "a/",
            "..",
            "a/../b",
            ".hidden",
            "a b",
            "a\\b",
            "a\0b",
            &long,
            &format!("../{name}"),
        ] {
            assert_eq!(values.read(key).await, Err(StoreError), "{key:?}");
            assert_eq!(values.write(key, Bytes::new()).await, Err(StoreError), "{key:?}");
        }
        fs::remove_file(directory.with_extension("secret")).unwrap();
        fs::remove_dir_all(directory).unwrap();
    }

    #[tokio::test]
    async fn a_value_beyond_the_bound_cannot_be_read_or_written() {
        let (directory, values) = values("bound");
        let fits = Bytes::from(vec![b'x'; MAX_VALUE]);
        values.write("fits", fits.clone()).await.unwrap();
        assert_eq!(values.read("fits").await, Ok(Some(fits)));
        let large = Bytes::from(vec![b'x'; MAX_VALUE + 1]);
        assert_eq!(values.write("large", large.clone()).await, Err(StoreError));
        fs::write(directory.join("large"), large).unwrap();
        assert_eq!(values.read("large").await, Err(StoreError));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn only_a_directory_is_opened() {
        let error = |path: &str| Values::open(Path::new(path)).unwrap_err().kind();
        assert_eq!(error("/proc/self/status"), ErrorKind::NotADirectory);
        assert_eq!(error("/no/such/directory"), ErrorKind::NotFound);
    }
}
