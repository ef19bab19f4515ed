//! How instances are kept: by the same machinery and the same numbers as Spin, which has them in `InstanceReuseConfig` and
//! `HttpWorkerState` (spinframework/spin, crates/trigger-http/src/lib.rs and server.rs at 0502aa08).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use wasmtime::component::GuestTaskId;
use wasmtime::{Result, Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};

use crate::app::{App, State};

/// How long instances are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reuse {
    /// How many requests one serves.
    pub(crate) requests: usize,
    /// How many at the same time.
    pub(crate) concurrent: usize,
    /// How long one is kept that has nothing to do.
    pub(crate) idle: Duration,
}

/// What makes instances.
pub(crate) struct Instances {
    pub(crate) app: Arc<App>,
    pub(crate) component: ProxyPre<State>,
    pub(crate) reuse: Reuse,
}

/// Ends an instance that has nothing to do.
pub(crate) struct Expiration {
    idle: Duration,
    sleep: Pin<Box<Sleep>>,
}

/// What is known of an instance while it lives.
pub(crate) struct Worker {
    reuse: Reuse,
}

impl HandlerState for Instances {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> Result<Instance<State, Expiration, Worker>> {
        let pre = &self.component;
        let ProxyPre::P3(service) = pre;
        let mut store = Store::new(service.engine(), State::new(Arc::clone(&self.app))?);
        store.limiter(|state| state);
        let proxy = pre.instantiate_async(&mut store).await?;
        Ok(Instance {
            store,
            proxy,
            view: |state| state.http(),
            expiration: Expiration { idle: self.reuse.idle, sleep: Box::pin(tokio::time::sleep(self.reuse.idle)) },
            state: Worker { reuse: self.reuse },
        })
    }
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, status: WorkerStatus, since: Instant) -> Poll<()> {
        // Spin has no limit for requests unless it is told one
        if status != WorkerStatus::Idle {
            return Poll::Pending;
        }
        let ends = (since + self.idle).into();
        if self.sleep.deadline() != ends {
            self.sleep.as_mut().reset(ends);
        }
        self.sleep.as_mut().poll(cx)
    }
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, concurrent: usize, served: usize) -> ShouldAccept {
        if served >= self.reuse.requests {
            ShouldAccept::Never
        } else if concurrent >= self.reuse.concurrent {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        store: StoreContextMut<'_, State>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        store.data().app.counts.requests.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<State>, result: Result<()>) {
        if let Err(error) = result {
            store.data().app.counts.trapped.fetch_add(1, Ordering::Relaxed);
            eprintln!("an instance ended: {error:?}");
        }
    }
}
