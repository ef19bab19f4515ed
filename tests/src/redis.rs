//! A Redis of a test's own: `redis-server`, which scripts/setup installs, or the server that `PORTICO_REDIS_SERVER` names, such as
//! `valkey-server`.

use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use crate::child::{Running, lines};

/// A Redis that keeps nothing on disk. It ends when this is dropped.
#[derive(Debug)]
pub struct Redis(Running);

impl Redis {
    /// Starts one, and waits until it listens.
    pub fn start() -> (Self, SocketAddr) {
        loop {
            let address = free();
            if let Some(redis) = Self::with(&["--port", &address.port().to_string()]) {
                return (redis, address);
            }
        }
    }

    /// Starts one that listens, and is set up, as these arguments say. `None` when something else has the port.
    pub fn with(arguments: &[impl AsRef<str>]) -> Option<Self> {
        let server = std::env::var_os("PORTICO_REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
        let mut command = Command::new(server);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]).stdout(Stdio::piped());
        command.args(arguments.iter().map(AsRef::as_ref));
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("redis-server: {error}\nhelp: run scripts/setup"));
        let output = lines(child.stdout.take());
        let redis = Self(Running(child));
        let mut said = Vec::new();
        for line in output {
            // Valkey says the same
            if line.contains("Ready to accept connections") {
                return Some(redis);
            }
            if line.contains("Address already in use") {
                return None;
            }
            said.push(line);
        }
        panic!("redis-server ended:\n{}", said.join("\n"));
    }

    /// Sends it a signal by name: `-STOP` lets it stand still, `-CONT` go on.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.0.0.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }
}

/// A port that was free a moment ago, which somebody else may take before Redis does: Redis chooses none by itself.
pub fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("no port: {error}"));
    listener.local_addr().unwrap_or_else(|error| panic!("no port: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_started_at_a_port_that_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        assert!(Redis::with(&["--port", &port]).is_none());
    }
}
