//! What Redis is asked: one command, or core's script by the hash that Redis knows it by.

use std::sync::Arc;

use portico_core::limit::script::SCRIPT;
use redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind, Value};

use super::link::Connection;

/// One question. It can be asked more than once.
#[derive(Debug)]
pub(super) enum Question {
    /// A command.
    Command(Cmd),
    /// A step of a limit.
    Script {
        /// The SHA-1 of the script, in hex.
        sha1: Arc<str>,
        /// The one key that it reads and writes.
        key: String,
        /// What it is told.
        arguments: [u64; 3],
    },
}

impl Question {
    /// Asks by `connection`: in one round trip, or in two when Redis does not know the script.
    pub(super) async fn put(&self, mut connection: Connection) -> RedisResult<Value> {
        let (sha1, key, arguments) = match self {
            Self::Command(command) => return command.query_async(&mut connection).await,
            Self::Script { sha1, key, arguments } => (sha1, key, arguments),
        };
        let call = |command: &str, script: &str| {
            let mut call = redis::cmd(command);
            call.arg(script).arg(1).arg(key).arg(arguments);
            call
        };
        let by_hash = call("EVALSHA", sha1);
        match by_hash.query_async(&mut connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                // from then on it knows it
                call("EVAL", SCRIPT).query_async(&mut connection).await
            }
            answer => answer,
        }
    }
}
