//! Where nodes count, and what goes wrong there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use portico_tests::dynamodb::DynamoDb;
use portico_tests::lambda::{Shared, Way};
use portico_tests::redis::Redis;

use crate::plan::Weather;
use crate::store::Store;

/// Where nodes count, if that is not within them. It ends when this is dropped.
pub(super) enum Behind {
    Nothing,
    /// A file or a folder of this name, which outlasts a node.
    Disk(PathBuf),
    Redis {
        _redis: Redis,
        address: SocketAddr,
    },
    Table(Shared),
}

/// What goes wrong in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// It does what it is asked to, and answers get lost.
    LosesAnswers,
    /// It refuses much, and does nothing of that.
    Refuses,
    /// It is asked everything twice.
    HearsTwice,
}

impl Behind {
    /// A place that is empty.
    pub(super) fn start(store: Store, weather: Weather) -> Result<Self, String> {
        Ok(match (store, weather) {
            (Store::Objects, _) | (Store::KeyValue, Weather::Restart) => Self::Disk(unused()),
            (Store::Memory | Store::KeyValue, _) => Self::Nothing,
            (Store::Cluster | Store::Redis, _) => {
                let (redis, address) = Redis::start();
                Self::Redis { _redis: redis, address }
            }
            (Store::Table, _) => Self::Table(Shared::new(dynamodb()?)?),
        })
    }

    /// What goes wrong here from now on, as far as it does not do so in the nodes.
    pub(super) fn set(&self, trouble: Trouble) -> Result<(), String> {
        match self {
            Self::Nothing | Self::Disk(_) => Ok(()),
            // without memory it refuses what writes, and answers what reads
            Self::Redis { address, .. } => match trouble {
                Trouble::Refuses => set_memory(*address, 1),
                Trouble::None => set_memory(*address, 0),
                Trouble::LosesAnswers | Trouble::HearsTwice => Ok(()),
            },
            Self::Table(table) => {
                table.set_way(match trouble {
                    Trouble::None => Way::Open,
                    Trouble::LosesAnswers => Way::LosesAnswers,
                    Trouble::Refuses => Way::Throttles,
                    Trouble::HearsTwice => Way::Doubles,
                });
                Ok(())
            }
        }
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        if let Self::Disk(path) = self {
            // one of the two
            drop(std::fs::remove_file(&path));
            drop(std::fs::remove_dir_all(path));
        }
    }
}

/// How much a Redis may hold, in bytes; 0 is as much as there is.
fn set_memory(address: SocketAddr, bytes: u32) -> Result<(), String> {
    let set = || {
        let mut connection = redis::Client::open(format!("redis://{address}"))?.get_connection()?;
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).exec(&mut connection)
    };
    set().map_err(|error| format!("redis: {error}"))
}

/// One for all runs. It ends with this process, which is its standard input.
fn dynamodb() -> Result<&'static Arc<DynamoDb>, String> {
    static SHARED: OnceLock<Result<Arc<DynamoDb>, String>> = OnceLock::new();
    SHARED.get_or_init(|| DynamoDb::start().map(Arc::new)).as_ref().map_err(Clone::clone)
}

/// A name on disk under which there is nothing yet.
fn unused() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("portico-limits-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    // of an earlier process of this number
    drop(std::fs::remove_file(&path));
    drop(std::fs::remove_dir_all(&path));
    path
}
