//! A node of the native server, for tests that ask it themselves and read what it says of itself.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;

use serde_json::Value;

use super::process::listening;
use crate::child::{self, Directory, HANGS, lines};

/// A `portico serve` that listens. It ends when it is dropped.
#[derive(Debug)]
pub struct Node {
    running: child::Running,
    directory: Directory,
    messages: Receiver<String>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Node {
    /// Starts one with these environment variables and no others. The error is all that it said when it ended by itself.
    pub fn serve(config: &Value, environment: &[(&str, &str)], arguments: &[&str]) -> Result<Self, String> {
        let trouble = |error: std::io::Error| format!("portico could not be started: {error}");
        let directory = Directory::new().map_err(trouble)?;
        let file = directory.write("gateway.json", &config.to_string()).map_err(trouble)?;
        let mut command = Command::new(child::portico()?);
        command.args(["serve", "--workers", "2", "--listen", "127.0.0.1:0", "--config"]).arg(file).args(arguments);
        command.env_clear().env("SSL_CERT_FILE", "/dev/null").envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(trouble)?;
        let messages = lines(child.stderr.take());
        let mut node = Self {
            running: child::Running(child),
            directory,
            messages,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let mut said = String::new();
        while let Ok(line) = node.messages.recv_timeout(HANGS) {
            if let Some(address) = listening(&line) {
                node.address = address;
                return Ok(node);
            }
            said.push_str(&line);
            said.push('\n');
        }
        Err(said)
    }

    /// All messages up to the first one with `text`, that one last.
    pub fn messages_until(&self, text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let line = self.messages.recv_timeout(HANGS);
            seen.push(line.unwrap_or_else(|_| panic!("no message with {text:?} in:\n{}", seen.join("\n"))));
            if seen.last().is_some_and(|line| line.contains(text)) {
                return seen;
            }
        }
    }

    /// Writes its configuration anew.
    pub fn configure(&self, config: &Value) {
        self.directory.write("gateway.json", &config.to_string()).unwrap();
    }

    /// Sends it a signal by name, such as `-HUP`.
    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.running.0.id().to_string()]).status().unwrap().success());
    }
}
