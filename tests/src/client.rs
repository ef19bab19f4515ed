//! A client that says exactly what it is told to, over a connection of its own.

use std::io;
use std::net::{SocketAddr, TcpStream};

use portico::case::{Payload, Send, http1};

use crate::child::HANGS;

/// Sends one request and waits for its response.
pub(crate) fn exchange(address: SocketAddr, send: &Send) -> io::Result<(u16, http1::Message)> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(HANGS))?;
    stream.set_write_timeout(Some(HANGS))?;
    http1::exchange(stream, send)
}

/// Changes what stands at a path; `None` takes it away. Fails when that is refused.
pub(crate) fn put(address: SocketAddr, host: &str, path: &str, value: Option<&str>) -> Result<(), String> {
    let (method, body) = match value {
        Some(value) => ("PUT", Payload::Sized(value.as_bytes().to_vec())),
        None => ("DELETE", Payload::None),
    };
    let headers =
        vec![("Host".to_owned(), host.to_owned()), ("Content-Length".to_owned(), body.bytes().len().to_string())];
    let send = Send { method: method.to_owned(), target: path.to_owned(), headers, body };
    match exchange(address, &send) {
        Ok((200, _)) => Ok(()),
        Ok((status, message)) => Err(format!("{path}: {status} {}", String::from_utf8_lossy(&message.body))),
        Err(error) => Err(format!("{path}: {error}")),
    }
}
