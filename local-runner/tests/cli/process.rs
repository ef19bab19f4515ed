//! A running portico, its output line by line, and folders to run it in.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::Value;

use crate::http::{Address, Response};

/// The checkout, whose `gateway.yaml` is the demo.
pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The command `portico ARGUMENTS` in `folder`, without the secrets of whoever runs the tests.
pub(crate) fn portico(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
    command.current_dir(folder).args(arguments).env_remove("DEMO_JWT_SECRET").env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs a command to its end: its exit code, stdout and stderr.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = portico(folder, arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A server; it is killed when the test is over.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    pub(crate) address: Address,
}

impl Server {
    /// Starts one, and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::piped())
    }

    /// The same; its stdout is only read if it is a pipe.
    pub(crate) fn start_with(command: &mut Command, stdout: Stdio) -> Self {
        let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            forward(stdout, sender.clone());
        }
        forward(child.stderr.take().unwrap(), sender);
        let mut server = Self { child, lines, address: Address::default() };
        let line = server.wait_for("listening on http");
        let (_, address) = line.split_once("://").unwrap();
        server.address = Address::parse(address.split('"').next().unwrap());
        server
    }

    /// Reads lines of stdout and stderr up to the one that contains `text`.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            // no assertion about time: only so that a test that fails ends
            let Ok(line) = self.lines.recv_timeout(Duration::from_secs(120)) else {
                panic!("no line with {text:?} in:\n{seen}");
            };
            if line.contains(text) {
                return line;
            }
            seen.push_str(&line);
            seen.push('\n');
        }
    }

    /// The next line with `text`, as JSON.
    pub(crate) fn wait_for_json(&self, text: &str) -> Value {
        serde_json::from_str(&self.wait_for(text)).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.address.get(path)
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        // a shell's own `kill` is everywhere
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may have ended by itself
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn forward(stream: impl Read + Send + 'static, sender: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // the test is over: what is left is read so that the child does not wait for it
            drop(sender.send(line));
        }
    });
}

/// A folder of the test's own, gone when it ends.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// With a `gateway.yaml`.
    pub(crate) fn with(gateway: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("portico-cli-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        let folder = Self(path);
        folder.write("gateway.yaml", gateway);
        folder
    }

    /// Writes a file as editors do: beside it, then into its place.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let beside = path.with_extension("new~");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(&beside, &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
