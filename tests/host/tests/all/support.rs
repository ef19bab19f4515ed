//! A host with the component of `guest/`, and a client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A process that ends when this is dropped.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // fails only when it has ended already
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A host that serves. It ends when it is dropped.
pub(crate) struct Host {
    _process: Process,
    /// What the component writes to stdout.
    pub(crate) output: BufReader<ChildStdout>,
    pub(crate) clients: SocketAddr,
    control: SocketAddr,
}

impl Host {
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portico-wasi-host"));
        command.arg("serve").arg(guest()).arg("--control=127.0.0.1:0").args(options).env_clear();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let process = Process(child);
        let control = listening(&mut output, "Control http://");
        let clients = listening(&mut output, "Serving http://");
        Self { _process: process, output, clients, control }
    }

    /// Status and body of an answer.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        request(self.clients, method, path, &[], body)
    }

    /// The body of an answer that says that all went well.
    pub(crate) fn get(&self, path: &str) -> String {
        let (status, body) = self.send("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Changes something at the control address.
    pub(crate) fn put(&self, path: &str, body: &str) {
        assert_eq!(request(self.control, "PUT", path, &[], body), (200, String::new()));
    }

    /// A number of those that the host counts.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let counts: serde_json::Value =
            serde_json::from_str(&request(self.control, "GET", "/counts", &[], "").1).unwrap();
        counts[name].as_u64().unwrap()
    }
}

fn listening(output: &mut BufReader<ChildStdout>, what: &str) -> SocketAddr {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix(what);
    address.unwrap_or_else(|| panic!("the host said {line:?}")).parse().unwrap()
}

/// The component of `guest/`.
pub(crate) fn guest() -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_portico-wasi-host")).ancestors().nth(2).unwrap().to_owned();
    let guest = target.join("wasm32-wasip2/release/portico_host_guest.wasm");
    assert!(guest.is_file(), "there is no {}: README.md says how it is built", guest.display());
    guest
}

/// Sends one request over a connection of its own.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nContent-Length: {length}\r\n");
    stream.write_all(format!("{head}{fields}\r\n{body}").as_bytes()).unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    let text = String::from_utf8_lossy(&text);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response, but {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    (status, if chunked { joined(body) } else { body.to_owned() })
}

/// The chunks of a body, together.
fn joined(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.push_str(&rest[..length]);
        body = rest[length..].trim_start_matches("\r\n");
    }
    whole
}
