//! One host.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use portico::case::Case;
use serde_json::Value;

use super::control;
use crate::access_log::AccessLog;
use crate::bundle;
use crate::child::{self, Directory, HANGS, lines};
use crate::origins::Origins;

/// The port that clients are said to come from.
const PORT: u16 = 50000;

/// A host that serves. It ends when it is dropped.
#[derive(Debug)]
pub struct Host {
    child: child::Running,
    _directory: Directory,
    /// Where it listens for clients.
    pub clients: SocketAddr,
    /// Where its store can be changed.
    pub control: SocketAddr,
    /// What it tells of requests.
    pub(super) access: AccessLog,
    messages: Receiver<String>,
}

impl Host {
    /// Starts the component with a case's configuration, and waits until it is served.
    pub(super) fn start(case: &Case, origins: &Origins) -> Result<Self, String> {
        let mut arguments = vec![
            format!("--client={}", SocketAddr::new(case.peer.address, PORT)),
            format!("--scheme={}", if case.peer.secure { "https" } else { "http" }),
            // cases mean one instance: it is kept, and no request comes while it is not looking
            "--threads=1".to_owned(),
            "--idle=60000".to_owned(),
            "--variable=portico_access_log=json".to_owned(),
        ];
        // names of Spin's variables are in lower case
        let secrets = case.secrets.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        arguments.extend(secrets.map(|(name, value)| format!("--variable={name}={value}")));
        let host = Self::serve(&origins.config, &arguments)?;
        for (key, value) in &case.values {
            control(host.control, &format!("/values/{key}"), Some(value))?;
        }
        Ok(host)
    }

    /// Starts the component with a configuration, the host with further arguments, and waits until it is served.
    pub fn serve(config: &Value, arguments: &[String]) -> Result<Self, String> {
        Self::run(component()?, "spin", config, arguments)
    }

    /// Likewise the component that needs nothing but WASI, on a host that has nothing else, with the bundle that was built for a
    /// platform.
    pub fn plain(target: &str, config: &Value, arguments: &[String]) -> Result<Self, String> {
        Self::run(plain_component()?, target, config, &[&["--plain".to_owned()], arguments].concat())
    }

    fn run(component: PathBuf, target: &str, config: &Value, arguments: &[String]) -> Result<Self, String> {
        let trouble = |error: std::io::Error| format!("the host could not be started: {error}");
        let binary = binary()?;
        let directory = Directory::new().map_err(trouble)?;
        let files = directory.path("files");
        std::fs::create_dir(&files).map_err(trouble)?;
        if let Err(said) = bundle::build(&directory, "files/bundle.json", target, config)? {
            return Err(format!("`portico build` refused the configuration:\n{said}"));
        }
        let mut command = Command::new(binary);
        command.arg("serve").arg(component).arg("--mount").arg(files);
        command.args(["--listen=127.0.0.1:0", "--control=127.0.0.1:0"]).args(arguments);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(trouble)?;
        let (output, messages) = (lines(child.stdout.take()), lines(child.stderr.take()));
        // from here on it is ended by being dropped, whatever happens
        let child = child::Running(child);
        let control_address = listening("Control http://", &output, &messages)?;
        let clients = listening("Serving http://", &output, &messages)?;
        let access = AccessLog(output);
        Ok(Self { child, _directory: directory, clients, control: control_address, access, messages })
    }

    /// Ends it; gives all that was written to stdout since it listened.
    pub fn end(self) -> Vec<String> {
        let Self { child, access, .. } = self;
        drop(child);
        access.0.iter().collect()
    }

    /// Ends it; gives all that it complained about, each on a line of its own.
    pub fn complaints(self) -> String {
        let Self { child, messages, .. } = self;
        drop(child);
        messages.iter().collect::<Vec<_>>().join("\n")
    }

    /// What it has complained about so far, each on a line of its own.
    pub fn said(&self) -> String {
        self.messages.try_iter().map(|message| format!("\nthe host said: {message}")).collect()
    }
}

/// `wasmtime serve`: a host that is not ours, for the component that needs nothing but WASI. It ends when it is dropped.
#[derive(Debug)]
pub struct Wasmtime {
    _child: child::Running,
    _directory: Directory,
    /// Where it listens for clients.
    pub clients: SocketAddr,
}

impl Wasmtime {
    /// Starts the component with a configuration, as a gateway for the host `a`, and waits until it is served.
    pub fn serve(config: &Value) -> Result<Self, String> {
        let component = plain_component()?;
        let directory = Directory::new().map_err(|error| error.to_string())?;
        if let Err(said) = bundle::build(&directory, "bundle.json", "wasi", config)? {
            return Err(format!("`portico build` refused the configuration:\n{said}"));
        }
        let mut command = Command::new("wasmtime");
        command.args(["serve", "-S", "cli", "--addr", "127.0.0.1:0", "--env", "PORTICO_HOST=a", "--dir"]);
        command.arg(format!("{}::/", directory.path("").display())).arg(component);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            format!("wasmtime: {error}\nhelp: run scripts/setup, and put ~/.cache/portico/tools/bin into PATH as scripts/test does")
        })?;
        let messages = lines(child.stderr.take());
        let child = child::Running(child);
        let clients = listening("Serving HTTP on http://", &messages, &std::sync::mpsc::channel().1)?;
        Ok(Self { _child: child, _directory: directory, clients })
    }
}

/// Waits until it listens, and is told where.
fn listening(what: &str, output: &Receiver<String>, messages: &Receiver<String>) -> Result<SocketAddr, String> {
    loop {
        let line = match output.recv_timeout(HANGS) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => {
                let said: Vec<_> = messages.iter().collect();
                return Err(format!("the host ended and said:\n{}", said.join("\n")));
            }
            Err(RecvTimeoutError::Timeout) => return Err("the host neither listens nor ends".to_owned()),
        };
        if let Some(address) = line.strip_prefix(what) {
            return address
                .trim_end_matches('/')
                .parse()
                .map_err(|_| format!("the host listens at no address: {line}"));
        }
    }
}

/// The host: `PORTICO_WASI_HOST`, or where Cargo puts it when it builds the workspace of `tests/host`.
fn binary() -> Result<PathBuf, String> {
    let help = "build it with `cargo build --manifest-path tests/host/Cargo.toml`";
    let beside = child::portico()?.with_file_name(format!("portico-wasi-host{}", std::env::consts::EXE_SUFFIX));
    let own = checkout().join("tests/host/target/debug").join(beside.file_name().unwrap_or_default());
    named("PORTICO_WASI_HOST", [beside, own], help)
}

/// The component: `PORTICO_SPIN_COMPONENT`, or that of the last build.
fn component() -> Result<PathBuf, String> {
    named("PORTICO_SPIN_COMPONENT", [checkout().join("build/spin/portico.wasm")], "run scripts/build-spin")
}

/// The component for hosts that have nothing but WASI: `PORTICO_WASI_COMPONENT`, or that of the last build.
fn plain_component() -> Result<PathBuf, String> {
    named("PORTICO_WASI_COMPONENT", [checkout().join("build/wasi/portico.wasm")], "run scripts/build-spin")
}

fn named<const N: usize>(variable: &str, places: [PathBuf; N], help: &str) -> Result<PathBuf, String> {
    let places = match std::env::var_os(variable) {
        Some(path) => vec![PathBuf::from(path)],
        None => places.to_vec(),
    };
    let missing = || format!("there is no {}: {help}", places.first().unwrap_or(&PathBuf::new()).display());
    places.iter().find(|path| path.is_file()).cloned().ok_or_else(missing)
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
