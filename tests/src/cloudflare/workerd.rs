//! One workerd.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use portico::case::Case;
use serde_json::Value;

use super::capnp::{CLIENTS, Setup, VALUES};
use super::wrangler::Wrangler;
use crate::access_log::AccessLog;
use crate::bundle;
use crate::child::{self, Directory, HANGS, lines};
use crate::origins::Origins;

/// A workerd that serves. It ends when it is dropped.
pub(super) struct Workerd {
    _child: child::Running,
    _directory: Directory,
    /// Where it listens for the edge.
    pub(super) clients: SocketAddr,
    /// Where its key-value store listens.
    pub(super) values: SocketAddr,
    /// What it tells of requests.
    pub(super) access: AccessLog,
    messages: Receiver<String>,
}

impl Workerd {
    /// Starts the Worker with a case's configuration, and waits until it listens. What Durable Objects store is in this folder, or else
    /// ends with it.
    pub(super) fn start(case: &Case, origins: &Origins, objects: Option<&Path>) -> Result<Self, String> {
        let trouble = |error: std::io::Error| format!("workerd could not be started: {error}");
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let wrangler = Wrangler::read(&checkout)?;
        let (binary, worker) = (binary(&checkout)?, built(&checkout)?);
        let directory = Directory::new().map_err(trouble)?;
        if let Err(said) = bundle::build(&directory, "bundle.json", "cloudflare", &origins.config)? {
            return Err(format!("`portico build` refused the configuration:\n{said}"));
        }
        let objects = objects.map_or_else(|| directory.path("objects"), Path::to_path_buf);
        std::fs::create_dir_all(&objects).map_err(trouble)?;
        let setup = Setup {
            wrangler: &wrangler,
            secrets: case.secrets.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            services: &origins.bindings,
            values: serde_json::json!(case.values).to_string(),
            objects: &objects,
        };
        let config = directory.write("config.capnp", &setup.config()).map_err(trouble)?;
        let mut command = Command::new(binary);
        // control messages go where the Worker's own lines go
        command.arg("serve").arg("--control-fd=1").arg("-I").arg(worker).arg(config);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(trouble)?;
        let (output, messages) = (lines(child.stdout.take()), lines(child.stderr.take()));
        // from here on it is ended by being dropped, whatever happens
        let child = child::Running(child);
        let clients = listening(CLIENTS, &output, &messages)?;
        let values = listening(VALUES, &output, &messages)?;
        let access = AccessLog(output);
        Ok(Self { _child: child, _directory: directory, clients, values, access, messages })
    }
}

impl Workerd {
    /// What it has complained about so far, each on a line of its own.
    pub(super) fn said(&self) -> String {
        self.messages.try_iter().map(|message| format!("\nworkerd said: {message}")).collect()
    }
}

/// Waits until a socket is open, and is told its port. workerd tells of its sockets in the order of its configuration.
fn listening(name: &str, output: &Receiver<String>, messages: &Receiver<String>) -> Result<SocketAddr, String> {
    loop {
        let line = match output.recv_timeout(HANGS) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => {
                let said: Vec<_> = messages.iter().collect();
                return Err(format!("workerd ended and said:\n{}", said.join("\n")));
            }
            Err(RecvTimeoutError::Timeout) => return Err("workerd neither listens nor ends".to_owned()),
        };
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        if event.get("socket").and_then(Value::as_str) == Some(name) {
            let port = event.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
            let port = port.ok_or_else(|| format!("workerd opened a socket without a port: {line}"))?;
            return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
        }
    }
}

/// workerd itself. What npm links to it may be a script that starts it.
fn binary(checkout: &Path) -> Result<PathBuf, String> {
    let packages = checkout.join("node_modules/@cloudflare");
    let found = std::fs::read_dir(&packages).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut binaries = found.map(|package| package.join("bin/workerd")).filter(|binary| binary.is_file());
    binaries.next().ok_or_else(|| format!("there is no workerd in {}: run scripts/setup", packages.display()))
}

/// The folder of the Worker that was built.
fn built(checkout: &Path) -> Result<PathBuf, String> {
    let folder = checkout.join("build/cloudflare");
    let missing = ["worker.js", "portico.wasm"].into_iter().find(|name| !folder.join(name).is_file());
    match missing {
        None => Ok(folder),
        Some(name) => Err(format!("there is no {}: run scripts/build-cloudflare", folder.join(name).display())),
    }
}
