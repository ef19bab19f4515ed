//! A Redis that these tests configure, ask, end and start again.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use portico_tests::redis::{Redis as Process, free};

/// A server that saves nothing. It ends when it is dropped.
pub(crate) struct Redis {
    /// `None` once it was ended.
    process: Option<Process>,
    address: SocketAddr,
    arguments: Vec<String>,
}

impl Redis {
    /// One that anybody may ask.
    pub(crate) fn start() -> Self {
        Self::start_with(free, &["--port"])
    }

    /// One that takes only who knows the password.
    pub(crate) fn with_password(password: &str) -> Self {
        Self::start_with(free, &["--requirepass", password, "--port"])
    }

    /// One that speaks nothing but TLS, with what [`certificate`] wrote into `folder`.
    pub(crate) fn with_tls(folder: &Path) -> Self {
        let file = |name: &str| folder.join(name).display().to_string();
        let (certificate, key) = (file(CERTIFICATE), file(KEY));
        let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-auth-clients", "no"];
        Self::start_with(free, &[files.as_slice(), &["--port", "0", "--tls-port"]].concat())
    }

    /// The only node of a cluster, which has no slots yet. It writes into `folder`.
    pub(crate) fn in_cluster(folder: &Path) -> Self {
        // nodes talk to each other 10000 ports further up
        let bus = |port: u16| port.checked_add(10_000).is_some_and(|bus| TcpListener::bind(("127.0.0.1", bus)).is_ok());
        let both = || std::iter::repeat_with(free).find(|address| bus(address.port())).unwrap();
        let folder = folder.display().to_string();
        Self::start_with(both, &["--cluster-enabled", "yes", "--dir", &folder, "--port"])
    }

    /// One with these arguments, and behind them a port that is `free`.
    fn start_with(free: impl Fn() -> SocketAddr, arguments: &[&str]) -> Self {
        loop {
            let address = free();
            let port = address.port().to_string();
            let arguments: Vec<_> = arguments.iter().copied().chain([&*port]).map(str::to_owned).collect();
            if let Some(process) = Process::with(&arguments) {
                return Self { process: Some(process), address, arguments };
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it answers to a command of one line, as text: of a list a line for each element.
    pub(crate) fn ask(&self, command: &str) -> String {
        let mut words = command.split(' ');
        let mut question = redis::cmd(words.next().unwrap());
        question.arg(words.collect::<Vec<_>>());
        text(&question.query(&mut self.connect()).unwrap())
    }

    /// A connection of the test's own.
    pub(crate) fn connect(&self) -> redis::Connection {
        redis::Client::open(format!("redis://{}", self.address)).unwrap().get_connection().unwrap()
    }

    /// Sends it a signal by name: `-STOP` lets it stand still, `-CONT` go on.
    pub(crate) fn signal(&self, name: &str) {
        self.process.as_ref().expect("it runs").signal(name);
    }

    /// Ends it, as if its machine had lost power.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again after [`kill`](Self::kill), where it was, with nothing in it.
    pub(crate) fn start_again(&mut self) {
        self.process = Some(Process::with(&self.arguments).expect("nobody else took its port"));
    }
}

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

/// Writes a certificate for `localhost` and its key, and says where the certificate is.
pub(crate) fn certificate(folder: &Path) -> PathBuf {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = folder.join(CERTIFICATE);
    std::fs::write(&path, made.cert.pem()).unwrap();
    std::fs::write(folder.join(KEY), made.signing_key.serialize_pem()).unwrap();
    path
}

fn text(value: &redis::Value) -> String {
    match value {
        redis::Value::Nil => String::new(),
        redis::Value::Int(number) => number.to_string(),
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        redis::Value::SimpleString(text) => text.clone(),
        redis::Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join("\n"),
        other => format!("{other:?}"),
    }
}
