//! One `portico serve`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};

use portico::case::Case;
use serde_json::Value;

use super::tls::Certificate;
use crate::access_log::AccessLog;
use crate::child::{self, Directory, HANGS, lines};

/// A process that serves. It ends when it is dropped.
pub(super) struct Process {
    _child: child::Running,
    directory: Directory,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// What it tells of requests.
    pub(super) access: AccessLog,
}

/// What came of a start.
pub(super) enum Started {
    /// It listens.
    Serving(Process),
    /// It ended by itself, and said this.
    Ended(String),
}

impl Process {
    /// Starts one, and waits until it listens or has ended.
    pub(super) fn start(
        config: &Value,
        case: &Case,
        listen: IpAddr,
        certificate: Option<&Certificate>,
    ) -> Result<Started, String> {
        let trouble = |error: io::Error| format!("portico could not be started: {error}");
        let directory = Directory::new().map_err(trouble)?;
        let file = directory.write("gateway.json", &config.to_string()).map_err(trouble)?;
        for (key, value) in &case.values {
            store(&directory, key, value).map_err(trouble)?;
        }
        let values = directory.path(VALUES);
        std::fs::create_dir_all(&values).map_err(trouble)?;
        let mut command = Command::new(child::portico()?);
        command.arg("serve").arg("--config").arg(file).arg("--workers").arg("1");
        command.arg("--listen").arg(SocketAddr::new(listen, 0).to_string()).arg("--values").arg(values);
        if let Some(certificate) = certificate {
            let chain = directory.write("chain.pem", &certificate.chain).map_err(trouble)?;
            let key = directory.write("key.pem", &certificate.key).map_err(trouble)?;
            command.arg("--tls-cert").arg(chain).arg("--tls-key").arg(key);
        }
        // no upstream here is https, and reading the system's certificates takes longer than all the rest
        command.env_clear().envs(&case.secrets).env("SSL_CERT_FILE", "/dev/null");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(trouble)?;
        let (access, messages) = (lines(child.stdout.take()), lines(child.stderr.take()));
        // from here on it is ended by being dropped, whatever happens
        let unknown = SocketAddr::new(listen, 0);
        let (child, access) = (child::Running(child), AccessLog(access));
        let mut process = Self { _child: child, directory, address: unknown, access };
        let mut said = String::new();
        loop {
            let line = match messages.recv_timeout(HANGS) {
                Ok(line) => line,
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Ok(Started::Ended(said)),
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    return Err(format!("portico neither listens nor ends; it said:\n{said}"));
                }
            };
            if let Some(address) = listening(&line) {
                process.address = address;
                return Ok(Started::Serving(process));
            }
            said.push_str(&line);
            said.push('\n');
        }
    }
}

impl Process {
    /// Puts a value into its store, or takes it away.
    pub(super) fn set_value(&self, key: &str, value: Option<&str>) -> io::Result<()> {
        match value {
            Some(value) => store(&self.directory, key, value),
            None => match std::fs::remove_file(self.directory.path(VALUES).join(key)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            },
        }
    }
}

/// The directory of the store, in the process's own.
const VALUES: &str = "values";

/// Writes a value beside its place and moves it there, as the server may read it any moment.
fn store(directory: &Directory, key: &str, value: &str) -> io::Result<()> {
    let path = directory.path(VALUES).join(key);
    std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
    let beside = directory.write("value", value)?;
    std::fs::rename(beside, path)
}

/// The address in `listening on http://127.0.0.1:4711`.
pub(super) fn listening(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on ")?;
    let (_, rest) = rest.split_once("://")?;
    rest.split(['"', ' ']).next()?.parse().ok()
}
