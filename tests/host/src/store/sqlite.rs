//! Values in SQLite, as Spin keeps them when nothing else is configured (spinframework/spin, crates/key-value-spin/src/store.rs
//! at 193b2ef4): one connection, and the instance waits while SQLite works.
//!
//! Defects: a swap of a value that was absent writes whatever is there by now, so two first callers both succeed; `increment`
//! panics in the host when the value is not eight bytes long, which ends the instance.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::{CompareAndSwap, Error, NotSwapped, Pair, Store, other};

const NAME: &str = "default";
const GET: &str = "SELECT value FROM spin_key_value WHERE store=$1 AND key=$2";
const SET: &str = "INSERT INTO spin_key_value (store, key, value) VALUES ($1, $2, $3)
    ON CONFLICT(store, key) DO UPDATE SET value=$3";
const DELETE: &str = "DELETE FROM spin_key_value WHERE store=$1 AND key=$2";
const SWAP: &str = "UPDATE spin_key_value SET value=?4 WHERE store=?1 AND key=?2 AND value=?3";

#[derive(Clone)]
struct Shared(Arc<Mutex<Connection>>);

pub(super) struct Sqlite(Shared);

struct Swap {
    connection: Shared,
    key: String,
    seen: Mutex<Option<Vec<u8>>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        act(&mut self.lock()).map_err(other)
    }
}

impl Sqlite {
    /// In a file, or in memory.
    pub(super) fn new(path: Option<&str>) -> Result<Self, Error> {
        let connection = path.map_or_else(Connection::open_in_memory, Connection::open).map_err(other)?;
        let table = "CREATE TABLE IF NOT EXISTS spin_key_value (
            store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key))";
        connection.execute(table, []).map_err(other)?;
        Ok(Self(Shared(Arc::new(Mutex::new(connection)))))
    }
}

fn get(connection: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    connection.prepare_cached(GET)?.query_row([NAME, key], |row| row.get(0)).optional()
}

fn set(connection: &Connection, key: &str, value: &[u8]) -> rusqlite::Result<usize> {
    connection.prepare_cached(SET)?.execute(params![NAME, key, value])
}

#[async_trait::async_trait]
impl Store for Sqlite {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.0.with(|connection| get(connection, key))
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.0.with(|connection| set(connection, key, value).map(drop))
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        self.delete_many(vec![key.to_owned()]).await
    }

    async fn exists(&self, key: &str) -> Result<bool, Error> {
        Ok(self.get(key).await?.is_some())
    }

    async fn keys(&self) -> Result<Vec<String>, Error> {
        self.0.with(|connection| {
            let mut keys = connection.prepare_cached("SELECT key FROM spin_key_value WHERE store=$1")?;
            keys.query_map([NAME], |row| row.get(0))?.collect()
        })
    }

    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<(String, Option<Vec<u8>>)>, Error> {
        self.0.with(|connection| {
            let values = keys.into_iter().map(|key| get(connection, &key).map(|value| (key, value)));
            values.filter(|read| read.as_ref().map_or(true, |(_, value)| value.is_some())).collect()
        })
    }

    async fn set_many(&self, pairs: Vec<Pair>) -> Result<(), Error> {
        self.0.with(|connection| {
            let transaction = connection.transaction()?;
            for (key, value) in pairs {
                set(&transaction, &key, &value)?;
            }
            transaction.commit()
        })
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), Error> {
        self.0.with(|connection| {
            let transaction = connection.transaction()?;
            for key in keys {
                transaction.prepare_cached(DELETE)?.execute([NAME, &key])?;
            }
            transaction.commit()
        })
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        self.0.with(|connection| {
            let transaction = connection.transaction()?;
            let value = get(&transaction, key)?;
            let before = value.map_or(0, |value| i64::from_le_bytes(value.try_into().expect("incorrect length")));
            let after = before + delta;
            set(&transaction, key, &after.to_le_bytes())?;
            transaction.commit().map(|()| after)
        })
    }

    async fn compare_and_swap(&self, key: &str) -> Result<Arc<dyn CompareAndSwap>, Error> {
        Ok(Arc::new(Swap { connection: self.0.clone(), key: key.to_owned(), seen: Mutex::default() }))
    }
}

#[async_trait::async_trait]
impl CompareAndSwap for Swap {
    async fn current(&self) -> Result<Option<Vec<u8>>, Error> {
        let value = self.connection.with(|connection| get(connection, &self.key))?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&value);
        Ok(value)
    }

    async fn swap(&self, value: Vec<u8>) -> Result<(), NotSwapped> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let changed = self.connection.with(|connection| match seen {
            Some(seen) => connection.prepare_cached(SWAP)?.execute(params![NAME, self.key, seen, value]),
            None => set(connection, &self.key, &value),
        });
        match changed.map_err(NotSwapped::Other)? {
            1 => Ok(()),
            _ => Err(NotSwapped::Changed),
        }
    }
}
