//! As much of HTTP/1.1 (RFC 9112) as both ends of the native subject need: they are raw on purpose, so that a case can send
//! what no client library would.

use std::io::{self, BufRead, BufReader, Read, Write};

use super::{Payload, Send};

/// A message: its first line, its fields, its body.
#[derive(Debug, Default)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    /// Header fields, names in lower case, one entry a line.
    pub headers: Vec<(String, String)>,
    /// The body, whatever its framing was.
    pub body: Vec<u8>,
    /// Whether the connection ended before the body did. Only responses are read that far.
    pub broke: bool,
}

impl Message {
    /// The values of a field.
    pub fn values<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m str> {
        self.headers.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn is_chunked(&self) -> bool {
        self.values("transfer-encoding").any(|value| value.to_ascii_lowercase().contains("chunked"))
    }

    fn length(&self) -> Option<u64> {
        self.values("content-length").next()?.parse().ok()
    }
}

/// Reads a request; `None` when the connection ended between requests.
pub fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Message>> {
    let Some(mut message) = read_head(reader)? else { return Ok(None) };
    read_body(reader, &mut message)?;
    Ok(Some(message))
}

/// Reads the final response to a request of `method`.
pub fn read_response(reader: &mut impl BufRead, method: &str) -> io::Result<(u16, Message)> {
    loop {
        let mut message = read_head(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = message.start.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status: u16 = status.ok_or_else(|| malformed(&message.start))?;
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        if method == "HEAD" || matches!(status, 101 | 204 | 304) {
            return Ok((status, message));
        }
        let read = match message.is_chunked() || message.length().is_some() {
            true => read_body(reader, &mut message),
            false => reader.read_to_end(&mut message.body).map(drop),
        };
        match read {
            Err(error) if is_end(&error) => message.broke = true,
            read => read?,
        }
        return Ok((status, message));
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
}

/// As much as comes of a body whose framing says where it ends.
fn read_body(reader: &mut impl BufRead, message: &mut Message) -> io::Result<()> {
    if message.is_chunked() {
        read_chunks(reader, &mut message.body)
    } else {
        let length = message.length().unwrap_or(0);
        read_exactly(reader, length, &mut message.body)
    }
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {line:?}"))
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let line = String::from_utf8_lossy(&line).into_owned();
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(Some(line.to_owned())),
        None => Err(malformed(&line)),
    }
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Message>> {
    let Some(start) = read_line(reader)? else { return Ok(None) };
    let mut message = Message { start, ..Message::default() };
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(Some(message));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
        message.headers.push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()));
    }
}

fn read_exactly(reader: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let read = reader.by_ref().take(length).read_to_end(body)?;
    if read as u64 == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = line.split(';').next().and_then(|size| u64::from_str_radix(size.trim(), 16).ok());
        let size = size.ok_or_else(|| malformed(&line))?;
        read_exactly(reader, size, body)?;
        // what ends a chunk, or the trailers after the last one
        while read_line(reader)?.is_some_and(|line| size == 0 && !line.is_empty()) {}
        if size == 0 {
            return Ok(());
        }
    }
}

/// Sends a request over a connection of its own and reads the response.
pub fn exchange<S: Read + Write>(mut stream: S, send: &Send) -> io::Result<(u16, Message)> {
    let start = format!("{} {} HTTP/1.1", send.method, send.target);
    // who refuses a request early need not read the rest of it; then the answer says why
    let written = write(&mut stream, &start, &send.headers, &send.body);
    let answer = read_response(&mut BufReader::new(stream), &send.method);
    match (written, answer) {
        (_, Ok(answer)) => Ok(answer),
        (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
    }
}

/// Writes a head and a body. `headers` say how the body is framed.
pub fn write(writer: &mut impl Write, start: &str, headers: &[(String, String)], body: &Payload) -> io::Result<()> {
    let mut message = format!("{start}\r\n").into_bytes();
    for (name, value) in headers {
        message.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    message.extend(b"\r\n");
    match body {
        Payload::None => {}
        Payload::Sized(bytes) => message.extend(bytes),
        Payload::Chunked(chunks) => {
            for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                message.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                message.extend(chunk);
                message.extend(b"\r\n");
            }
            message.extend(b"0\r\n\r\n");
        }
    }
    writer.write_all(&message)?;
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for body in [
            Payload::None,
            Payload::Sized(b"hello".to_vec()),
            Payload::Chunked(vec![b"he".to_vec(), Vec::new(), b"llo".to_vec()]),
        ] {
            let framing = match &body {
                Payload::None => None,
                Payload::Sized(bytes) => Some(("Content-Length".to_owned(), bytes.len().to_string())),
                Payload::Chunked(_) => Some(("Transfer-Encoding".to_owned(), "chunked".to_owned())),
            };
            let headers: Vec<_> = framing.into_iter().chain([("X-A".to_owned(), "1".to_owned())]).collect();
            let mut wire = Vec::new();
            write(&mut wire, "GET / HTTP/1.1", &headers, &body).unwrap();
            let mut reader = wire.as_slice();
            let message = read_request(&mut reader).unwrap().unwrap();
            assert_eq!((message.start.as_str(), message.body), ("GET / HTTP/1.1", body.bytes()));
            assert!(read_request(&mut reader).unwrap().is_none());
        }
    }

    #[test]
    fn responses_end_where_their_framing_says() {
        let read = |text: &str, method| {
            let (status, message) = read_response(&mut text.as_bytes(), method).unwrap();
            (status, String::from_utf8(message.body).unwrap(), message.broke)
        };
        let whole = |status, body: &str| (status, body.to_owned(), false);
        let broken = |body: &str| (200, body.to_owned(), true);
        assert_eq!(read("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhixx", "GET"), whole(200, "hi"));
        assert_eq!(read("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", "HEAD"), whole(200, ""));
        assert_eq!(read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nall", "GET"), whole(200, "all"));
        assert_eq!(read("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", "GET"), whole(304, ""));
        assert_eq!(read("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", "GET"), broken("short"));
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(read(&format!("{chunks}2\r\nhi\r\n"), "GET"), broken("hi"));
        assert_eq!(read(&format!("{chunks}4\r\nhi"), "GET"), broken("hi"));
        assert_eq!(read(&format!("{chunks}2\r\nhi\r\n0\r\n\r\n"), "GET"), whole(200, "hi"));
    }
}
