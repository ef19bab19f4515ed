//! As much of HTTP/1.1 (RFC 9112) as both ends of the native subject need: they are raw on purpose, so that a case can send
//! what no client library would.

use std::io::{self, BufRead, Read as _, Write};

use super::Payload;

/// A message: its first line, its fields, its body.
#[derive(Debug, Default)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    /// Header fields, names in lower case, one entry a line.
    pub headers: Vec<(String, String)>,
    /// The body, whatever its framing was.
    pub body: Vec<u8>,
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
    if message.is_chunked() {
        message.body = read_chunks(reader)?;
    } else if let Some(length) = message.length() {
        message.body = read_exactly(reader, length)?;
    }
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
        if message.is_chunked() {
            message.body = read_chunks(reader)?;
        } else if let Some(length) = message.length() {
            message.body = read_exactly(reader, length)?;
        } else {
            reader.read_to_end(&mut message.body)?;
        }
        return Ok((status, message));
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

fn read_exactly(reader: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = reader.by_ref().take(length).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = line.split(';').next().and_then(|size| u64::from_str_radix(size.trim(), 16).ok());
        let size = size.ok_or_else(|| malformed(&line))?;
        body.extend(read_exactly(reader, size)?);
        // what ends a chunk, or the trailers after the last one
        while read_line(reader)?.is_some_and(|line| size == 0 && !line.is_empty()) {}
        if size == 0 {
            return Ok(body);
        }
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
            read_response(&mut text.as_bytes(), method).map(|(status, message)| (status, message.body))
        };
        assert_eq!(read("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhixx", "GET").unwrap(), (200, b"hi".to_vec()));
        assert_eq!(read("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", "HEAD").unwrap(), (200, Vec::new()));
        assert_eq!(
            read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nall", "GET").unwrap(),
            (200, b"all".to_vec())
        );
        assert_eq!(read("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", "GET").unwrap(), (304, Vec::new()));
        assert!(read("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", "GET").is_err());
    }
}
