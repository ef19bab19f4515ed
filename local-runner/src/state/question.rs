//! What Redis is asked: one command, or core's script by the hash that Redis knows it by.

use std::sync::Arc;

use portico_core::limit::Draw;
use portico_core::limit::script::SCRIPT;
use redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind, Value};

use super::server::Connection;

/// One question.
#[derive(Debug)]
pub(super) enum Question {
    /// A command, and what it is for.
    Command(Purpose, Cmd),
    /// A step of a limit.
    Script {
        /// The SHA-1 of the script, in hex.
        sha1: Arc<str>,
        /// The one key that it reads and writes.
        key: String,
        /// What it is told.
        arguments: Vec<u64>,
        /// What is done to the key.
        draw: Draw,
    },
}

/// What an answer is for. Of each there may be answers when there are none of another: a replica is read from, but neither counts nor
/// is written to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// A decision about a limit.
    Limits,
    /// A value is read.
    Reads,
    /// A value is written.
    Writes,
    /// A response is looked for.
    Responses,
    /// A response is shared, or removed.
    Shares,
    /// What was purged is looked for.
    Purged,
    /// Something is purged.
    Purges,
}

impl Purpose {
    /// A bit of its own.
    pub(super) const fn bit(self) -> u8 {
        match self {
            Self::Limits => 1,
            Self::Reads => 2,
            Self::Writes => 4,
            Self::Responses => 8,
            Self::Shares => 16,
            Self::Purged => 32,
            Self::Purges => 64,
        }
    }

    /// What it has to do with.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Reads => "values that are read",
            Self::Writes => "values that are written",
            Self::Responses => "cached responses",
            Self::Shares => "responses to be shared",
            Self::Purged => "what was purged",
            Self::Purges => "purges",
        }
    }

    /// What becomes of a request without an answer.
    pub(super) const fn otherwise(self) -> &'static str {
        match self {
            Self::Limits => "`on_error` decides",
            Self::Reads => "what needs one fails",
            Self::Writes => "none is kept",
            Self::Responses => "there are those of this node",
            Self::Shares => "none is shared",
            Self::Purged => "what this node knows of it holds",
            Self::Purges => "they fail",
        }
    }
}

impl Question {
    /// What it is asked for.
    pub(super) const fn purpose(&self) -> Purpose {
        match self {
            Self::Command(purpose, _) => *purpose,
            Self::Script { .. } => Purpose::Limits,
        }
    }

    /// Whether it may be asked once more when its answer was lost.
    pub(super) const fn may_be_repeated(&self) -> bool {
        match self {
            Self::Command(..) => true,
            Self::Script { draw, .. } => draw.may_be_repeated(),
        }
    }

    /// Asks by `connection`: in one round trip, or in two when Redis does not know the script.
    pub(super) async fn put(&self, mut connection: Connection) -> RedisResult<Value> {
        let (sha1, key, arguments) = match self {
            Self::Command(_, command) => return command.query_async(&mut connection).await,
            Self::Script { sha1, key, arguments, .. } => (sha1, key, arguments),
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
