//! The fourth subject: the component that `spin.toml` deploys, on a WASI host that does as Spin does, before real origins.
//!
//! `scripts/build-spin` builds the component, and the host is a program of its own (`tests/host`); the cases share both, each
//! with a bundle and a process of its own, so that its store is fresh: a start takes some milliseconds. The store is what Spin
//! has when nothing else is configured, SQLite.

mod host;

pub use self::host::{Host, Wasmtime};

use std::net::SocketAddr;

use crate::origins::Origins;
use crate::{bundle, client};
use portico::case::http1;
use portico::case::subject::{Answer, Refusal, Session, Subject};
use portico::case::{Case, Need, Send, Store};

/// The component.
#[derive(Debug)]
pub struct Spin;

struct Running {
    // in the order in which they have to end
    host: Host,
    origins: Origins,
}

impl Subject for Spin {
    fn name(&self) -> &'static str {
        "spin"
    }

    fn lacks(&self, case: &Case, need: Need) -> Option<String> {
        match need {
            Need::Clock => Some("a real clock cannot be moved".to_owned()),
            Need::Client => Some("Spin knows nothing of a client but its address".to_owned()),
            Need::Binding => Some("Spin has no bindings".to_owned()),
            Need::Store if case.faults().any(|fault| matches!(fault, Store::Duplicate | Store::StaleRead)) => {
                Some("the host's stores refuse steps and lose answers, and do nothing else on demand".to_owned())
            }
            // the host says who the client is, and that it came by https
            Need::Store | Need::Peer | Need::Ipv6 | Need::Tls | Need::Keys => None,
        }
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Session>, String> {
        let origins = Origins::start(case)?;
        let host = Host::start(case, &origins)?;
        Ok(Box::new(Running { host, origins }))
    }

    fn refuse(&self, case: &Case) -> Result<Refusal, String> {
        // a component gets a bundle, and what is wrong makes none
        bundle::refuse("spin", &case.config)
    }
}

impl Session for Running {
    fn exchange(&mut self, send: &Send) -> Result<Answer, String> {
        drop(self.origins.received());
        let (status, message) = client::exchange(self.host.clients, send)
            .map_err(|error| format!("no response: {error}{}", self.host.said()))?;
        let told = self.host.access.told(message.values("x-request-id").next());
        let (route, decisions) = told.map_err(|error| format!("{error}{}", self.host.said()))?;
        let http1::Message { headers, body, broke, .. } = message;
        Ok(Answer { status, headers, body, broke, upstream: self.origins.received(), route, decisions })
    }

    fn set_store(&mut self, store: Store) -> Result<(), String> {
        let fault = match store {
            Store::Up => "none",
            Store::Down => "down",
            // one step of a limit is several of the store
            Store::LostResponse => "lose-changes",
            Store::Duplicate | Store::StaleRead => return Err(format!("the host does not do {store:?}")),
        };
        control(self.host.control, "/fault", Some(fault))
    }

    fn set_value(&mut self, key: &str, value: Option<&str>) -> Result<(), String> {
        control(self.host.control, &format!("/values/{key}"), value)
    }
}

/// What happens from now on to the steps of a host's store, in its words (`tests/host/README.md`).
pub fn set_fault(host: &Host, fault: &str) -> Result<(), String> {
    control(host.control, "/fault", Some(fault))
}

fn control(address: SocketAddr, path: &str, value: Option<&str>) -> Result<(), String> {
    client::put(address, "control", path, value)
}
