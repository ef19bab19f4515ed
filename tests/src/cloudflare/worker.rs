//! A Worker that a test starts, asks and ends as it likes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use portico::case::{Peer, Send};
use serde_json::Value;

use super::edge;
use super::workerd::Workerd;
use crate::alone;
use crate::origins::Origins;

/// A workerd of a test's own. It ends when this is dropped.
pub struct Worker {
    _workerd: Workerd,
    /// Where it listens for the edge.
    pub edge: SocketAddr,
}

impl Worker {
    /// Starts the Worker with a configuration without upstreams, and waits until it listens. What its Durable Objects store is in a
    /// folder, and still there when it has ended.
    pub fn start(config: &Value, objects: &Path) -> Result<Self, String> {
        let case = alone::case(config, &[])?;
        let workerd = Workerd::start(&case, &Origins::start(&case)?, Some(objects))?;
        Ok(Self { edge: workerd.clients, _workerd: workerd })
    }

    /// What the edge makes of a request of some client.
    pub fn pass(send: &Send) -> Send {
        edge::pass(send, &Peer::new(Ipv4Addr::LOCALHOST.into(), true))
    }
}
