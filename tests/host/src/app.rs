//! What all instances share, what each has of its own, and everything that a component may import.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, ResourceLimiter, Result};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::bindings::{keyvalue_wit, spin_wit};
use crate::faults::Faults;
use crate::outbound::Outbound;
use crate::store::Stores;

/// Which host this one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It does as Spin 4.
    Spin,
    /// It has WASI and nothing else.
    Plain,
}

impl Kind {
    /// What `--plain` means.
    pub(crate) const fn new(plain: bool) -> Self {
        if plain { Self::Plain } else { Self::Spin }
    }
}

/// What all instances share.
pub(crate) struct App {
    pub(crate) stores: Stores,
    pub(crate) faults: Faults,
    pub(crate) outbound: Outbound,
    /// Spin's variables.
    pub(crate) variables: BTreeMap<String, String>,
    /// The environment, which Spin keeps empty unless its manifest says otherwise.
    pub(crate) environment: Vec<(String, String)>,
    /// A folder that components see as `/`, read-only; `None` for none.
    pub(crate) files: Option<PathBuf>,
    /// The most bytes that the linear memories of one instance may take.
    pub(crate) memory: usize,
    pub(crate) counts: Counts,
}

/// What came to pass so far.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) requests: AtomicUsize,
    /// Instances that were made.
    pub(crate) instances: AtomicUsize,
    /// Instances that trapped.
    pub(crate) trapped: AtomicUsize,
    /// The most bytes that the linear memories of one instance took at once.
    pub(crate) memory: AtomicUsize,
}

/// What an instance has of its own.
pub(crate) struct State {
    pub(crate) app: Arc<App>,
    pub(crate) table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    /// How many bytes its linear memories take.
    memory: usize,
}

impl State {
    /// The state of a new instance.
    pub(crate) fn new(app: Arc<App>) -> Result<Self> {
        let mut wasi = WasiCtx::builder();
        wasi.inherit_stdout().inherit_stderr().envs(&app.environment);
        if let Some(files) = &app.files {
            wasi.preopened_dir(files, "/", FsPerms::ReadOnly)?;
        }
        app.counts.instances.fetch_add(1, Ordering::Relaxed);
        let outbound = app.outbound.clone();
        let (table, http) = (ResourceTable::new(), WasiHttpCtx::new());
        Ok(Self { app, table, wasi: wasi.build(), http, outbound, memory: 0 })
    }
}

/// Everything that a component may import from a host of this kind.
pub(crate) fn linker(engine: &Engine, kind: Kind) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    if kind == Kind::Plain {
        return Ok(linker);
    }
    spin_wit::key_value::key_value::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    spin_wit::redis::redis::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    spin_wit::variables::variables::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    keyvalue_wit::store::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    keyvalue_wit::batch::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    keyvalue_wit::atomics::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let taken = self.memory.saturating_sub(current).saturating_add(desired);
        if taken > self.app.memory {
            return Ok(false);
        }
        self.memory = taken;
        self.app.counts.memory.fetch_max(taken, Ordering::Relaxed);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool> {
        Ok(true)
    }
}
