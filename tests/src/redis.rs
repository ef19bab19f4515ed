//! A Redis of a test's own: `redis-server`, which scripts/setup installs.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use crate::child::Running;

/// A Redis that keeps nothing on disk. It ends when this is dropped.
#[derive(Debug)]
pub struct Redis(Running);

impl Redis {
    /// Starts one, and waits until it listens.
    pub fn start() -> (Self, SocketAddr) {
        // a port that was free a moment ago: Redis takes no other kind
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("no port: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("no port: {error}"));
        drop(listener);
        let arguments = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"];
        let mut command = Command::new("redis-server");
        command.args(arguments).arg(address.port().to_string()).stdout(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("redis-server: {error}\nhelp: run scripts/setup"));
        let output = child.stdout.take();
        let redis = Self(Running(child));
        let mut lines = output.into_iter().flat_map(|output| BufReader::new(output).lines().map_while(Result::ok));
        assert!(lines.any(|line| line.contains("Ready to accept connections")), "redis-server ended");
        (redis, address)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.0.0.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }
}
