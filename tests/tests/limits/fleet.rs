//! The gateways of a run: nodes of one kind that count in one store, which can be asked by many at once, and ended.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use portico::case::{Payload, Peer, Send, Store as Faults};
use portico_tests::cloudflare::Worker;
use portico_tests::dynamodb::DynamoDb;
use portico_tests::lambda::{Front, Function, Shared};
use portico_tests::native::Node as Server;
use portico_tests::redis::Redis;
use portico_tests::spin::{Host, set_fault};
use serde_json::{Value, json};

use crate::client::{Connection, Response};
use crate::history::Limit;
use crate::plan::Weather;
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
}

/// Where nodes count, if that is not within them.
enum Behind {
    Nothing,
    File(PathBuf),
    Redis { _redis: Redis, address: SocketAddr },
    Table(Shared),
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
    /// Starts all nodes with this limit, so that they outlast this weather.
    pub(crate) fn start(store: Store, limit: &Limit, weather: Weather) -> Result<Self, String> {
        let behind = match store {
            Store::Memory | Store::Objects => Behind::Nothing,
            Store::KeyValue if weather == Weather::Restart => Behind::File(file()),
            Store::KeyValue => Behind::Nothing,
            Store::Cluster | Store::Redis => {
                let (redis, address) = Redis::start();
                Behind::Redis { _redis: redis, address }
            }
            Store::Table => Behind::Table(Shared::new(dynamodb()?)?),
        };
        let mut fleet = Self { nodes: Vec::new(), lives: AtomicU32::new(0), behind, store, config: config(limit) };
        for _ in 0..store.nodes() {
            let node = fleet.node()?;
            fleet.nodes.push(Mutex::new(Some(node)));
        }
        Ok(fleet)
    }

    fn node(&self) -> Result<Node, String> {
        let host = |argument: String| Host::serve(&self.config, &[argument]).map(Node::Host);
        match &self.behind {
            Behind::Nothing => match self.store {
                Store::Objects => Worker::start(&self.config).map(Node::Worker),
                Store::KeyValue => host("--store=memory".to_owned()),
                _ => Server::serve(&self.config, &[], &[]).map(Node::Server),
            },
            Behind::File(path) => host(format!("--store=sqlite:{}", path.display())),
            Behind::Redis { address, .. } if self.store == Store::Cluster => {
                let mut config = self.config.clone();
                config["state"] = json!({ "redis": "${secret.REDIS_URL}" });
                let secret = format!("redis://{address}");
                Server::serve(&config, &[("REDIS_URL", &secret)], &[]).map(Node::Server)
            }
            Behind::Redis { address, .. } => host(format!("--variable=portico_limits=redis://{address}")),
            Behind::Table(table) => {
                table.function(&self.config).map(|function| Node::Function(Arc::new(Mutex::new(function))))
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
    pub(crate) fn restart(&self, node: usize) -> Result<(), String> {
        let Some(node) = self.nodes.get(node) else { return Ok(()) };
        let mut node = lock(node);
        *node = None;
        if matches!(self.behind, Behind::Nothing) {
            self.lives.fetch_add(1, Ordering::Relaxed);
        }
        *node = Some(self.node()?);
        Ok(())
    }

    /// Whether answers of the store get lost from now on.
    pub(crate) fn lose_answers(&self, lose: Lose) -> Result<(), String> {
        if let Behind::Table(table) = &self.behind {
            table.fail(if lose == Lose::Many { Faults::LostResponse } else { Faults::Up });
        }
        for node in &self.nodes {
            if let Some(Node::Host(host)) = &*lock(node) {
                set_fault(host, if lose == Lose::Many { "lose-response:7" } else { "none" })?;
            }
        }
        Ok(())
    }
}

/// How many answers of the store get lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lose {
    None,
    Many,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.nodes.clear();
        if let Behind::File(path) = &self.behind {
            drop(std::fs::remove_file(path));
        }
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
        "burst": limit.burst,
        "cost": limit.cost,
        "by": { "header": "X-Key" },
        "on_error": "deny",
    });
    if let Some(lease) = limit.lease {
        written["lease"] = lease.into();
    }
    let route = json!({ "name": "a", "match": { "path": "/" }, "respond": {}, "policies": { "rate_limit": written } });
    json!({ "portico": 1, "name": "limits", "routes": [route] })
}

/// One for all runs. It ends with this process, which is its standard input.
fn dynamodb() -> Result<&'static Arc<DynamoDb>, String> {
    static SHARED: OnceLock<Result<Arc<DynamoDb>, String>> = OnceLock::new();
    SHARED.get_or_init(|| DynamoDb::start().map(Arc::new)).as_ref().map_err(Clone::clone)
}

/// A file that is not there yet.
fn file() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("portico-limits-{}-{}.db", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    // of an earlier process of this number
    drop(std::fs::remove_file(&path));
    path
}

/// A poisoned lock only means that another thread panicked, which fails the test elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
