//! What an origin does on one connection.

use std::io::{self, BufReader, Write};
use std::net::{Shutdown, TcpStream};

use super::{Part, Shared, lock};
use crate::case::subject::Received;
use crate::case::{Outcome, Payload, Respond, http1};

impl Shared {
    /// Answers requests until one side ends the connection.
    pub(super) fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        while let Some(message) = http1::read_request(&mut reader)? {
            let host = message.values("host").next().unwrap_or_default().to_owned();
            let part = self.part(&host);
            let mut received = receive(message);
            let outcome = part.as_ref().map(|part| part.answer(&mut received, self.address.port()));
            let head = received.method == "HEAD";
            let name = match part {
                Some(meant) => meant.part.upstream,
                None => {
                    received.unexpected = true;
                    format!("no upstream (Host: {host})")
                }
            };
            // before the answer, so that whoever has the answer finds this
            lock(&self.inbox).entry(name).or_default().push(received);
            match outcome {
                None => http1::write(&mut writer, "HTTP/1.1 421 Misdirected Request", &length(0), &Payload::None)?,
                Some(None) => http1::write(&mut writer, "HTTP/1.1 200 OK", &length(0), &Payload::None)?,
                Some(Some(Outcome::Respond(respond))) => match respond.break_after {
                    Some(after) if respond.body != Payload::None => {
                        break_off(&mut writer, &respond, after)?;
                        return stream.shutdown(Shutdown::Both);
                    }
                    _ => respond_with(&mut writer, &respond, head)?,
                },
                Some(Some(Outcome::Timeout)) => {
                    // no answer until the gateway gives up; what it sends until then is nothing
                    drop(http1::read_request(&mut reader));
                    return Ok(());
                }
                Some(Some(Outcome::Reset | Outcome::ConnectError)) => return stream.shutdown(Shutdown::Both),
            }
        }
        Ok(())
    }

    /// Whom a request to `host` means: the only part; or the one that is called so, where the port may be another, as a gateway can
    /// be led here under a target's name; or any, if all are of one upstream.
    fn part(&self, host: &str) -> Option<Meant> {
        let parts = lock(&self.parts);
        let name = |authority| split_port(authority).0;
        let called = || {
            let exact = parts.iter().find(|part| part.authority.eq_ignore_ascii_case(host));
            let mut named = parts.iter().filter(|part| name(&part.authority).eq_ignore_ascii_case(name(host)));
            exact.or_else(|| named.next().filter(|_| named.next().is_none()))
        };
        let (first, others) = parts.split_first()?;
        let known = if others.is_empty() { Some(first) } else { called() };
        let of_one = || Some(first).filter(|_| others.iter().all(|part| part.upstream == first.upstream));
        let part = known.or_else(of_one)?.clone();
        Some(Meant { part, known: known.is_some() })
    }
}

/// The part that a request is for.
struct Meant {
    part: Part,
    /// Whether it is this target, or any of its upstream.
    known: bool,
}

impl Meant {
    fn answer(&self, received: &mut Received, port: u16) -> Option<Outcome> {
        let port = port.to_string();
        // whoever names this port, or the target in whatever letters, means it; a client's own host, passed on, does not
        let means = |value: &str| split_port(value).1 == port || value.eq_ignore_ascii_case(&self.part.authority);
        let here = |(name, value): &(String, String)| name == "host" && means(value);
        for (_, host) in received.headers.iter_mut().filter(|line| self.known && here(line)) {
            host.clone_from(&self.part.authority);
        }
        self.part.script.answer(received)
    }
}

fn receive(message: http1::Message) -> Received {
    let mut words = message.start.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Received {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: message.headers,
        body: message.body,
        unexpected: false,
    }
}

/// Host and port of an authority; the port is empty when there is none.
fn split_port(authority: &str) -> (&str, &str) {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (authority, ""),
    }
}

fn length(length: usize) -> Vec<(String, String)> {
    vec![("content-length".to_owned(), length.to_string())]
}

fn chunked() -> Vec<(String, String)> {
    vec![("transfer-encoding".to_owned(), "chunked".to_owned())]
}

fn respond_with(writer: &mut impl Write, respond: &Respond, head: bool) -> io::Result<()> {
    let framing = match &respond.body {
        Payload::None if matches!(respond.status, 204 | 304) => Vec::new(),
        Payload::None => length(0),
        Payload::Sized(bytes) => length(bytes.len()),
        Payload::Chunked(_) => chunked(),
    };
    let body = if head { &Payload::None } else { &respond.body };
    http1::write(writer, &status_line(respond), &[respond.headers.clone(), framing].concat(), body)
}

/// Announces the whole and writes `after` bytes at most; the connection is for the caller to end.
fn break_off(writer: &mut impl Write, respond: &Respond, after: usize) -> io::Result<()> {
    let bytes = respond.body.bytes();
    let sent = bytes.get(..after).unwrap_or(&bytes);
    let (framing, part) = match &respond.body {
        Payload::Chunked(_) if sent.is_empty() => (chunked(), Vec::new()),
        Payload::Chunked(_) => (chunked(), [format!("{:x}\r\n", sent.len()).as_bytes(), sent, b"\r\n"].concat()),
        Payload::None | Payload::Sized(_) => (length(bytes.len()), sent.to_vec()),
    };
    let headers = [respond.headers.clone(), framing].concat();
    http1::write(writer, &status_line(respond), &headers, &Payload::None)?;
    writer.write_all(&part)?;
    writer.flush()
}

fn status_line(respond: &Respond) -> String {
    format!("HTTP/1.1 {} -", respond.status)
}
