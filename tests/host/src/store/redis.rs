//! Values in Redis, as Spin keeps them there (spinframework/spin, crates/key-value-redis/src/store.rs at 0bfcaef3).
//!
//! Defects: each compare-and-swap opens a connection of its own; a transaction that Redis aborts because the value changed is
//! taken for a success; then comes `UNWATCH` with a key, which Redis takes without one only, so that every swap is told as a
//! failure, whether it swapped or not. Several keys cannot be read at once: names by a pattern are asked for instead, and with
//! several patterns Redis refuses. `increment` keeps decimal digits here, and eight bytes in SQLite.

use std::sync::Arc;

use redis::aio::ConnectionManager;
use redis::{AsyncCommands, Client};

use super::{CompareAndSwap, Error, NotSwapped, Pair, Store, other};

pub(super) struct Redis {
    client: Client,
    connection: ConnectionManager,
}

struct Swap {
    key: String,
    connection: ConnectionManager,
}

impl Redis {
    pub(super) async fn new(url: &str) -> Result<Self, Error> {
        let client = Client::open(url).map_err(other)?;
        let connection = client.get_connection_manager().await.map_err(other)?;
        Ok(Self { client, connection })
    }

    fn connection(&self) -> ConnectionManager {
        self.connection.clone()
    }
}

#[async_trait::async_trait]
impl Store for Redis {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.connection().get(key).await.map_err(other)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.connection().set(key, value).await.map_err(other)
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        self.connection().del(key).await.map_err(other)
    }

    async fn exists(&self, key: &str) -> Result<bool, Error> {
        self.connection().exists(key).await.map_err(other)
    }

    async fn keys(&self) -> Result<Vec<String>, Error> {
        self.connection().keys("*").await.map_err(other)
    }

    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<(String, Option<Vec<u8>>)>, Error> {
        redis::cmd("KEYS").arg(keys).query_async(&mut self.connection()).await.map_err(other)
    }

    async fn set_many(&self, pairs: Vec<Pair>) -> Result<(), Error> {
        self.connection().mset(&pairs).await.map_err(other)
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), Error> {
        self.connection().del(keys).await.map_err(other)
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        self.connection().incr(key, delta).await.map_err(other)
    }

    async fn compare_and_swap(&self, key: &str) -> Result<Arc<dyn CompareAndSwap>, Error> {
        let connection = self.client.get_connection_manager().await.map_err(other)?;
        Ok(Arc::new(Swap { key: key.to_owned(), connection }))
    }
}

#[async_trait::async_trait]
impl CompareAndSwap for Swap {
    async fn current(&self) -> Result<Option<Vec<u8>>, Error> {
        let mut connection = self.connection.clone();
        redis::cmd("WATCH").arg(&self.key).exec_async(&mut connection).await.map_err(other)?;
        connection.get(&self.key).await.map_err(other)
    }

    async fn swap(&self, value: Vec<u8>) -> Result<(), NotSwapped> {
        let mut connection = self.connection.clone();
        // the answer to an aborted transaction is nil, which can be read as `()`
        let swapped: Result<(), _> = redis::pipe().atomic().set(&self.key, value).query_async(&mut connection).await;
        let unwatched = redis::cmd("UNWATCH").arg(&self.key).exec_async(&mut connection).await;
        match unwatched.and(swapped) {
            Ok(()) => Ok(()),
            Err(_) => Err(NotSwapped::Changed),
        }
    }
}
