//! The stores behind `spin:key-value` and `wasi:keyvalue`: as Spin 4's own, their defects included.

mod redis;
mod sqlite;

use std::str::FromStr;
use std::sync::Arc;

use self::redis::Redis;
use self::sqlite::Sqlite;
use crate::faults::Lost;

/// Where values are kept.
#[derive(Debug, Clone)]
pub(crate) enum Location {
    /// In SQLite, in memory.
    Memory,
    /// In a file of SQLite, which is made if it is not there.
    Sqlite(String),
    /// In Redis, at this URL.
    Redis(String),
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self::Memory),
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.to_owned())),
            Some(("redis", _)) => Ok(Self::Redis(text.to_owned())),
            _ => Err(format!("{text:?} is no store\nhelp: write memory, sqlite:PATH or redis://HOST:PORT")),
        }
    }
}

/// Why a store did not answer. Spin has more for stores that are not there; here every name but `default` is refused.
#[derive(Debug)]
pub(crate) enum Error {
    /// No store of this name may be opened.
    AccessDenied,
    /// Whatever the store said.
    Other(String),
}

/// All failures of SQLite and Redis are told alike.
fn other(error: impl std::fmt::Debug) -> Error {
    Error::Other(format!("{error:?}"))
}

impl From<Lost> for Error {
    fn from(lost: Lost) -> Self {
        Self::Other(lost.to_string())
    }
}

/// Why a value was not swapped.
#[derive(Debug)]
pub(crate) enum NotSwapped {
    /// It is another by now.
    Changed,
    /// Whatever the store said.
    Other(Error),
}

impl From<Lost> for NotSwapped {
    fn from(lost: Lost) -> Self {
        Self::Other(lost.into())
    }
}

/// The store that may be opened, under the name that Spin allows every component: `default`.
pub(crate) struct Stores(Arc<dyn Store>);

/// A store that a component has opened.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "generated traits are public, and name it")]
pub struct Open(pub(crate) Arc<dyn Store>);

impl Stores {
    /// Fails when the file cannot be opened, or Redis not be reached.
    pub(crate) async fn new(location: &Location) -> Result<Self, Error> {
        Ok(Self(match location {
            Location::Memory => Arc::new(Sqlite::new(None)?),
            Location::Sqlite(path) => Arc::new(Sqlite::new(Some(path))?),
            Location::Redis(url) => Arc::new(Redis::new(url).await?),
        }))
    }

    pub(crate) fn open(&self, name: &str) -> Result<Open, Error> {
        if name == "default" { Ok(Open(self.default())) } else { Err(Error::AccessDenied) }
    }

    pub(crate) fn default(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0)
    }
}

/// A key and its value.
pub(crate) type Pair = (String, Vec<u8>);

/// What a store does: `Store` in spinframework/spin, crates/factor-key-value/src/host.rs.
#[async_trait::async_trait]
pub(crate) trait Store: Send + Sync {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error>;
    async fn set(&self, key: &str, value: &[u8]) -> Result<(), Error>;
    async fn delete(&self, key: &str) -> Result<(), Error>;
    async fn exists(&self, key: &str) -> Result<bool, Error>;
    async fn keys(&self) -> Result<Vec<String>, Error>;
    /// Those of the values that are there.
    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<(String, Option<Vec<u8>>)>, Error>;
    async fn set_many(&self, pairs: Vec<Pair>) -> Result<(), Error>;
    async fn delete_many(&self, keys: Vec<String>) -> Result<(), Error>;
    async fn increment(&self, key: &str, delta: i64) -> Result<i64, Error>;
    async fn compare_and_swap(&self, key: &str) -> Result<Arc<dyn CompareAndSwap>, Error>;
}

/// A value that is read, and then changed if it is still the same.
#[async_trait::async_trait]
pub(crate) trait CompareAndSwap: Send + Sync {
    async fn current(&self) -> Result<Option<Vec<u8>>, Error>;
    async fn swap(&self, value: Vec<u8>) -> Result<(), NotSwapped>;
}
