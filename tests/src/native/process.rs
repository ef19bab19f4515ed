//! One `portico serve`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::Value;

use super::HANGS;
use super::tls::Certificate;

/// A process that serves. It ends when it is dropped.
pub(super) struct Process {
    child: Child,
    _directory: Directory,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// The lines of its access log.
    pub(super) access: Receiver<String>,
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
        secrets: &BTreeMap<String, String>,
        listen: IpAddr,
        certificate: Option<&Certificate>,
    ) -> Result<Started, String> {
        let trouble = |error: std::io::Error| format!("portico could not be started: {error}");
        let directory = Directory::new().map_err(trouble)?;
        let file = directory.write("gateway.json", &config.to_string()).map_err(trouble)?;
        let mut command = Command::new(binary()?);
        command.arg("serve").arg("--config").arg(file).arg("--workers").arg("1");
        command.arg("--listen").arg(SocketAddr::new(listen, 0).to_string());
        if let Some(certificate) = certificate {
            let chain = directory.write("chain.pem", &certificate.chain).map_err(trouble)?;
            let key = directory.write("key.pem", &certificate.key).map_err(trouble)?;
            command.arg("--tls-cert").arg(chain).arg("--tls-key").arg(key);
        }
        // no upstream here is https, and reading the system's certificates takes longer than all the rest
        command.env_clear().envs(secrets).env("SSL_CERT_FILE", "/dev/null");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(trouble)?;
        let (access, messages) = (lines(child.stdout.take()), lines(child.stderr.take()));
        // from here on it is ended by being dropped, whatever happens
        let unknown = SocketAddr::new(listen, 0);
        let mut process = Self { child, _directory: directory, address: unknown, access };
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

impl Drop for Process {
    fn drop(&mut self) {
        // fails only when it has ended already
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The address in `listening on http://127.0.0.1:4711`.
fn listening(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on ")?;
    let (_, rest) = rest.split_once("://")?;
    rest.split(['"', ' ']).next()?.parse().ok()
}

/// The lines of a stream, read as they come so that nobody who writes them ever waits.
fn lines(stream: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver): (Sender<String>, _) = channel();
    if let Some(stream) = stream {
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                // nobody wants them any more; they are read all the same
                drop(sender.send(line));
            }
        });
    }
    receiver
}

/// The binary, which Cargo puts beside the directory of the tests.
fn binary() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let directory = test.ancestors().nth(2).unwrap_or(Path::new("."));
    let binary = directory.join(format!("portico{}", std::env::consts::EXE_SUFFIX));
    if binary.is_file() {
        return Ok(binary);
    }
    Err(format!(
        "there is no {}: run `cargo test --workspace`, or `cargo build -p portico` before the tests of this package",
        binary.display()
    ))
}

/// A directory of its own. It is removed when it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> std::io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("portico-conformance-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, text: &str) -> std::io::Result<PathBuf> {
        let path = self.0.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
