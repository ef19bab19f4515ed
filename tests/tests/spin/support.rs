//! Whom these tests play: clients, an upstream, a Redis that says nothing, and the one who asks the host what came to pass.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use portico_tests::spin::Host;
use serde_json::Value;

/// Nothing takes this long. A net under a gateway that hangs; what passes never waits for it.
const HANGS: Duration = Duration::from_secs(60);

/// Sends a request and reads all of the response: its status and the length of its body.
pub(super) fn ask(address: SocketAddr, path: &str, body: Option<usize>) -> (u16, usize) {
    ask_as(address, "a", path, body)
}

/// Likewise, with a field `X-Client`.
pub(super) fn ask_as(address: SocketAddr, client: &str, path: &str, body: Option<usize>) -> (u16, usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANGS)).unwrap();
    let method = if body.is_some() { "POST" } else { "GET" };
    let length = body.unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Client: {client}\r\n");
    write!(stream, "{head}Content-Length: {length}\r\n\r\n").unwrap();
    write_zeros(&mut stream, length);
    let mut stream = BufReader::new(stream);
    let (status, _) = read_head(&mut stream);
    if status.contains(" 502") {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        panic!("{text}");
    }
    let read = std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    (status.split(' ').nth(1).unwrap().parse().unwrap(), usize::try_from(read).unwrap())
}

fn write_zeros(stream: &mut impl std::io::Write, length: usize) {
    let part = [b'0'; 65536];
    let mut left = length;
    while left > 0 {
        let some = left.min(part.len());
        // whoever reads may have seen enough
        if stream.write_all(&part[..some]).is_err() {
            return;
        }
        left -= some;
    }
}

/// The first line of a message, and the length that it declares.
fn read_head(stream: &mut impl std::io::BufRead) -> (String, usize) {
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        match line.trim_end().split_once(':') {
            None => return (first, length),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap()
            }
            Some(_) => {}
        }
    }
}

/// An upstream: it reads what is sent and answers with as many bytes as its path says.
pub(super) fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                let (line, length) = read_head(&mut stream);
                let sent = std::io::copy(&mut stream.by_ref().take(length as u64), &mut std::io::sink()).unwrap();
                assert_eq!(sent, length as u64, "the upload is whole");
                let answer: usize = line.split(' ').nth(1).unwrap()[1..].parse().unwrap();
                let stream = stream.get_mut();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
                let head = format!("{head}Content-Length: {answer}\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
                write_zeros(stream, answer);
            });
        }
    });
    address
}

/// What the host says at its other address.
pub(super) fn told(host: &Host, request: &str, body: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(host.control).unwrap();
    let body = body.as_ref();
    let length = body.len();
    write!(stream, "{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n").unwrap();
    stream.write_all(body).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// What the host counted.
pub(super) fn counts(host: &Host) -> Value {
    serde_json::from_str(&told(host, "GET /counts", "")).unwrap()
}

/// The names of limits in the store.
pub(super) fn limits(host: &Host) -> Vec<String> {
    let keys = told(host, "GET /values", "");
    keys.lines().filter(|key| key.starts_with("limits/")).map(str::to_owned).collect()
}

/// A Redis that takes connections, reads and never says a word.
pub(super) fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
        }
    });
    address
}
