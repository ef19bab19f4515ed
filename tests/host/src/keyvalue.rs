//! `wasi:keyvalue` as Spin has it (spinframework/spin, crates/factor-key-value/src/host.rs at 10d4e24d). Its functions are not
//! asynchronous in WIT: while one waits for the store, nothing else runs in the instance.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::app::State;
use crate::bindings::keyvalue_wit::atomics::{self, CasError};
use crate::bindings::keyvalue_wit::batch;
use crate::bindings::keyvalue_wit::store::{self, Error, KeyResponse};
use crate::store::{self as stores, CompareAndSwap, NotSwapped, Open};

/// The most handles that an instance may have, those that were swapped included: what the table in `KeyValueDispatch` has room for
/// where nothing else is said. Spin's own `build` (`lib.rs` beside that file) says 2^32, and no test would ever notice what is wasted.
const HANDLES: usize = 256;

/// A value that is to be swapped.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "generated traits are public, and name it")]
pub struct Cas {
    store: Open,
    key: String,
    swap: Arc<dyn CompareAndSwap>,
}

impl From<stores::Error> for Error {
    fn from(error: stores::Error) -> Self {
        match error {
            stores::Error::AccessDenied => Self::AccessDenied,
            stores::Error::Other(said) => Self::Other(said),
        }
    }
}

/// A resource that is not there.
fn gone<T>(_: T) -> Error {
    Error::NoSuchStore
}

impl State {
    fn bucket(&self, bucket: &Resource<Open>) -> Result<Open, Error> {
        self.table.get(bucket).cloned().map_err(gone)
    }

    async fn new_cas(&mut self, store: Open, key: String) -> Result<Resource<Cas>, Error> {
        let swap = self.app.faults.read(store.0.compare_and_swap(&key)).await?;
        if self.table.iter_mut().filter(|entry| entry.is::<Cas>()).count() >= HANDLES {
            return Err(Error::Other("too many compare_and_swaps opened".to_owned()));
        }
        self.table.push(Cas { store, key, swap }).map_err(gone)
    }
}

impl store::Host for State {
    async fn open(&mut self, identifier: String) -> Result<Resource<Open>, Error> {
        let open = self.app.stores.open(&identifier)?;
        self.table.push(open).map_err(gone)
    }
}

impl store::HostBucket for State {
    async fn get(&mut self, bucket: Resource<Open>, key: String) -> Result<Option<Vec<u8>>, Error> {
        let store = self.bucket(&bucket)?;
        Ok(self.app.faults.read(store.0.get(&key)).await?)
    }

    async fn set(&mut self, bucket: Resource<Open>, key: String, value: Vec<u8>) -> Result<(), Error> {
        let store = self.bucket(&bucket)?;
        Ok(self.app.faults.change(store.0.set(&key, &value)).await?)
    }

    async fn delete(&mut self, bucket: Resource<Open>, key: String) -> Result<(), Error> {
        let store = self.bucket(&bucket)?;
        Ok(self.app.faults.change(store.0.delete(&key)).await?)
    }

    async fn exists(&mut self, bucket: Resource<Open>, key: String) -> Result<bool, Error> {
        let store = self.bucket(&bucket)?;
        Ok(self.app.faults.read(store.0.exists(&key)).await?)
    }

    async fn list_keys(&mut self, bucket: Resource<Open>, cursor: Option<String>) -> Result<KeyResponse, Error> {
        if cursor.is_some() {
            return Err(Error::Other("list_keys: cursor not supported".to_owned()));
        }
        let store = self.bucket(&bucket)?;
        let keys = self.app.faults.read(store.0.keys()).await?;
        Ok(KeyResponse { keys, cursor: None })
    }

    async fn drop(&mut self, bucket: Resource<Open>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl batch::Host for State {
    async fn get_many(
        &mut self,
        bucket: Resource<Open>,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, Error> {
        let store = self.bucket(&bucket)?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.app.faults.read(store.0.get_many(keys)).await?)
    }

    async fn set_many(&mut self, bucket: Resource<Open>, pairs: Vec<stores::Pair>) -> Result<(), Error> {
        let store = self.bucket(&bucket)?;
        if pairs.is_empty() {
            return Ok(());
        }
        Ok(self.app.faults.change(store.0.set_many(pairs)).await?)
    }

    async fn delete_many(&mut self, bucket: Resource<Open>, keys: Vec<String>) -> Result<(), Error> {
        let store = self.bucket(&bucket)?;
        if keys.is_empty() {
            return Ok(());
        }
        Ok(self.app.faults.change(store.0.delete_many(keys)).await?)
    }
}

impl atomics::Host for State {
    async fn increment(&mut self, bucket: Resource<Open>, key: String, delta: i64) -> Result<i64, Error> {
        let store = self.bucket(&bucket)?;
        let step = store.0.increment(&key, delta);
        // by nothing: whoever makes a key so has changed no number
        Ok(if delta == 0 { self.app.faults.read(step).await } else { self.app.faults.change(step).await }?)
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> Result<(), CasError> {
        // Spin leaves the handle in its table: it is given away, and nothing takes it out
        let Cas { store, key, swap } =
            self.table.get(&cas).cloned().map_err(|error| CasError::StoreError(gone(error)))?;
        match self.app.faults.change(swap.swap(value)).await {
            Ok(()) => Ok(()),
            Err(NotSwapped::Other(error)) => Err(CasError::StoreError(error.into())),
            Err(NotSwapped::Changed) => {
                let fresh = self.new_cas(store, key).await.map_err(CasError::StoreError)?;
                let again = Resource::new_borrow(fresh.rep());
                atomics::HostCas::current(self, again).await.map_err(CasError::StoreError)?;
                Err(CasError::CasFailed(fresh))
            }
        }
    }
}

impl atomics::HostCas for State {
    async fn new(&mut self, bucket: Resource<Open>, key: String) -> Result<Resource<Cas>, Error> {
        let store = self.bucket(&bucket)?;
        self.new_cas(store, key).await
    }

    async fn current(&mut self, cas: Resource<Cas>) -> Result<Option<Vec<u8>>, Error> {
        let swap = Arc::clone(&self.table.get(&cas).map_err(gone)?.swap);
        Ok(self.app.faults.read(swap.current()).await?)
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}
