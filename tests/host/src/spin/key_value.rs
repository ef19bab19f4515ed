//! `spin:key-value` 3.0.0 (spinframework/spin, crates/factor-key-value/src/host.rs): asynchronous in WIT too, so that the
//! instance goes on while a store works.

use std::sync::Arc;

use wasmtime::component::{Accessor, FutureReader, HasSelf, Resource, StreamReader};

use crate::app::{App, State};
use crate::bindings::spin_wit::key_value::key_value::{Error, Host, HostStore, HostStoreWithStore};
use crate::store::{self, Open};

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::AccessDenied => Self::AccessDenied,
            store::Error::Other(said) => Self::Other(said),
        }
    }
}

/// The store behind a handle.
fn opened<T: Send>(accessor: &Accessor<T, HasSelf<State>>, store: &Resource<Open>) -> Result<(Arc<App>, Open), Error> {
    accessor.with(|mut access| {
        let state = access.get();
        let open = state.table.get(store).cloned().map_err(|_| Error::NoSuchStore)?;
        Ok((Arc::clone(&state.app), open))
    })
}

impl Host for State {}

impl HostStore for State {
    async fn drop(&mut self, store: Resource<Open>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl<T: Send> HostStoreWithStore<T> for HasSelf<State> {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Result<Resource<Open>, Error> {
        accessor.with(|mut access| {
            let state = access.get();
            let open = state.app.stores.open(&label)?;
            state.table.push(open).map_err(|_| Error::StoreTableFull)
        })
    }

    async fn get(accessor: &Accessor<T, Self>, store: Resource<Open>, key: String) -> Result<Option<Vec<u8>>, Error> {
        let (app, store) = opened(accessor, &store)?;
        Ok(app.faults.read(store.0.get(&key)).await?)
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<Open>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        let (app, store) = opened(accessor, &store)?;
        Ok(app.faults.change(store.0.set(&key, &value)).await?)
    }

    async fn delete(accessor: &Accessor<T, Self>, store: Resource<Open>, key: String) -> Result<(), Error> {
        let (app, store) = opened(accessor, &store)?;
        Ok(app.faults.change(store.0.delete(&key)).await?)
    }

    async fn exists(accessor: &Accessor<T, Self>, store: Resource<Open>, key: String) -> Result<bool, Error> {
        let (app, store) = opened(accessor, &store)?;
        Ok(app.faults.read(store.0.exists(&key)).await?)
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Resource<Open>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let read = async {
            let (app, store) = opened(accessor, &store)?;
            Ok(app.faults.read(store.0.keys()).await?)
        };
        let (keys, result) = match read.await {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        accessor.with(|mut access| {
            let end = FutureReader::new(&mut access, async { wasmtime::error::Ok(result) })?;
            Ok((StreamReader::new(&mut access, keys)?, end))
        })
    }
}
