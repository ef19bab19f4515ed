//! The gateways of a run: nodes of one kind that count in one store, which can be asked by many at once, and ended.

mod behind;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portico::case::{Payload, Peer, Send};
use portico_tests::clock;
use portico_tests::cloudflare::Worker;
use portico_tests::lambda::{Front, Function};
use portico_tests::native::Node as Server;
use portico_tests::spin::{Host, set_fault};
use serde_json::{Value, json};

use self::behind::Behind;
pub(crate) use self::behind::Trouble;
use crate::client::{Connection, Response};
use crate::history::{Algorithm, Limit};
use crate::plan::Plan;
use crate::store::Store;

/// Nodes that serve. They end when this is dropped.
pub(crate) struct Fleet {
    // in the order in which they have to end
    nodes: Vec<Mutex<Option<Node>>>,
    /// How often what the store knew was forgotten.
    lives: AtomicU32,
    behind: Behind,
    store: Store,
    config: Value,
    /// By how much the clock of each node is ahead, in microseconds; none for those that have the machine's.
    clocks: Vec<i64>,
}

enum Node {
    Server(Server),
    Worker(Worker),
    Host(Host),
    Function(Arc<Mutex<Function>>),
}

/// Whom a request is sent to.
pub(crate) enum To {
    Address(SocketAddr),
    /// The same through Cloudflare's edge.
    Edge(SocketAddr),
    Function(Arc<Mutex<Function>>),
}

impl Fleet {
    /// Starts all nodes that a plan needs.
    pub(crate) fn start(store: Store, plan: &Plan) -> Result<Self, String> {
        let behind = Behind::start(store, plan.weather)?;
        let (config, clocks) = (config(&plan.limit), plan.clocks.clone());
        let mut fleet = Self { nodes: Vec::new(), lives: AtomicU32::new(0), behind, store, config, clocks };
        for number in 0..store.nodes() {
            let node = fleet.node(number)?;
            fleet.nodes.push(Mutex::new(Some(node)));
        }
        Ok(fleet)
    }

    fn node(&self, number: usize) -> Result<Node, String> {
        let host = |argument: String| Host::serve(&self.config, &[argument]).map(Node::Host);
        let ahead = self.clocks.get(number).copied();
        match &self.behind {
            Behind::Nothing if self.store == Store::KeyValue => host("--store=memory".to_owned()),
            Behind::Nothing => Server::serve(&self.config, &[], &[]).map(Node::Server),
            Behind::Disk(path) if self.store == Store::Objects => Worker::start(&self.config, path).map(Node::Worker),
            Behind::Disk(path) => host(format!("--store=sqlite:{}", path.display())),
            Behind::Redis { address, .. } if self.store == Store::Cluster => {
                let mut config = self.config.clone();
                config["state"] = json!({ "redis": "${secret.REDIS_URL}" });
                let clock = ahead.map(clock::ahead).transpose()?;
                let address = [("REDIS_URL", format!("redis://{address}"))];
                let environment = address.iter().chain(clock.iter().flatten());
                let environment: Vec<_> = environment.map(|(name, value)| (*name, value.as_str())).collect();
                Server::serve(&config, &environment, &[]).map(Node::Server)
            }
            Behind::Redis { address, .. } => host(format!("--variable=portico_limits=redis://{address}")),
            Behind::Table(table) => {
                let function = table.function(&self.config, ahead)?;
                Ok(Node::Function(Arc::new(Mutex::new(function))))
            }
        }
    }

    /// Where a node is, and in which of the lives of what it knows. Waits while it is started.
    pub(crate) fn locate(&self, node: usize) -> Result<(To, u32), String> {
        let to = match self.nodes.get(node).map(lock).as_deref() {
            Some(Some(Node::Server(server))) => To::Address(server.address),
            Some(Some(Node::Worker(worker))) => To::Edge(worker.edge),
            Some(Some(Node::Host(host))) => To::Address(host.clients),
            Some(Some(Node::Function(function))) => To::Function(Arc::clone(function)),
            Some(None) | None => return Err(format!("node {node} did not start again")),
        };
        Ok((to, self.lives.load(Ordering::Relaxed)))
    }

    /// Ends a node and starts another in its place.
    pub(crate) fn restart(&self, number: usize) -> Result<(), String> {
        let Some(node) = self.nodes.get(number) else { return Ok(()) };
        let mut node = lock(node);
        *node = None;
        if matches!(self.behind, Behind::Nothing) {
            self.lives.fetch_add(1, Ordering::Relaxed);
        }
        *node = Some(self.node(number)?);
        Ok(())
    }

    /// What goes wrong in the store from now on.
    pub(crate) fn set(&self, trouble: Trouble) -> Result<(), String> {
        let fault = match trouble {
            Trouble::None | Trouble::HearsTwice => "none",
            Trouble::LosesAnswers => "lose-response:7",
            // a Redis does so itself
            Trouble::Refuses if self.store == Store::Redis => "none",
            Trouble::Refuses => "refuse:4",
        };
        for node in &self.nodes {
            if let Some(Node::Host(host)) = &*lock(node) {
                set_fault(host, fault)?;
            }
        }
        self.behind.set(trouble)
    }
}

impl To {
    /// Sends a request there, and waits for the response.
    pub(crate) fn ask(
        &self,
        connection: &mut Connection,
        send: &Send,
        sent: impl FnOnce(),
    ) -> Result<Response, String> {
        match self {
            Self::Address(address) => {
                sent();
                connection.ask(*address, send)
            }
            Self::Edge(address) => {
                sent();
                connection.ask(*address, &Worker::pass(send))
            }
            Self::Function(function) => {
                let peer = Peer::new(Ipv4Addr::LOCALHOST.into(), true);
                let event = Front::Url.event(send, &peer)?;
                // an environment has one invocation at a time
                let function = lock(function);
                sent();
                let answered = Front::Url.answer(&function.invoke(&event)?, &send.method)?;
                Ok(Response { status: answered.status, headers: answered.headers })
            }
        }
    }
}

/// A request that draws from the bucket of a key.
pub(crate) fn request(key: &str) -> Send {
    let headers = vec![("Host".to_owned(), "a".to_owned()), ("X-Key".to_owned(), key.to_owned())];
    Send { method: "GET".to_owned(), target: "/".to_owned(), headers, body: Payload::None }
}

fn config(limit: &Limit) -> Value {
    let mut written = json!({
        "limit": limit.limit,
        "per": format!("{}ms", limit.per / 1_000),
        "cost": limit.cost,
        "by": { "header": "X-Key" },
        "on_error": "deny",
    });
    match limit.algorithm {
        Algorithm::Gcra => written["burst"] = limit.burst.into(),
        Algorithm::SlidingWindow => written["algorithm"] = "sliding_window".into(),
        Algorithm::FixedWindow => written["algorithm"] = "fixed_window".into(),
    }
    if let Some(lease) = limit.lease {
        written["lease"] = lease.into();
    }
    let route = json!({ "name": "a", "match": { "path": "/" }, "respond": {}, "policies": { "rate_limit": written } });
    json!({ "portico": 1, "name": "limits", "routes": [route] })
}

/// A poisoned lock only means that another thread panicked, which fails the test elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
