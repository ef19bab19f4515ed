//! As much of an HTTP client as these tests need.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use serde_json::Value;

/// Where a server listens.
#[derive(Clone, Copy)]
pub(crate) struct Address(pub(crate) SocketAddr);

/// A whole response.
pub(crate) struct Response {
    pub(crate) status: u16,
    head: Vec<(String, String)>,
    pub(crate) body: String,
}

/// A response that is still coming.
pub(crate) struct Stream(BufReader<TcpStream>);

impl Default for Address {
    fn default() -> Self {
        Self((Ipv4Addr::LOCALHOST, 0).into())
    }
}

impl Address {
    pub(crate) fn parse(text: &str) -> Self {
        Self(text.trim_end_matches('/').parse().unwrap())
    }

    pub(crate) fn get(self, path: &str) -> Response {
        self.send("GET", path, &[])
    }

    pub(crate) fn send(self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        self.open(method, path, headers).response()
    }

    /// Sends a request; its response is for the caller to read.
    pub(crate) fn open(self, method: &str, path: &str, headers: &[(&str, &str)]) -> Stream {
        let mut tcp = TcpStream::connect(self.0).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(tcp, "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n", self.0).unwrap();
        Stream(BufReader::new(tcp))
    }
}

impl Stream {
    /// Reads lines up to the one that contains `text`.
    pub(crate) fn wait_for(&mut self, text: &str) {
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "ended before {text:?}");
            if line.contains(text) {
                return;
            }
        }
    }

    pub(crate) fn response(mut self) -> Response {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let field = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Response { status, head: lines.filter_map(field).collect(), body: body.to_owned() }
    }
}

impl Response {
    /// The first value of a field; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.head.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}
