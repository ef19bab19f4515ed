//! What a function posts to the Runtime API, read as it comes: a response may be a stream, with an error in its trailers.

use std::io::{self, BufRead, Read as _};
use std::sync::mpsc::Sender;

use super::api::Part;

/// The head of a request.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) path: String,
    fields: Vec<(String, String)>,
}

impl Head {
    /// Reads one; `None` when the connection ended.
    pub(super) fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let start = line(reader)?;
        if start.is_empty() {
            return Ok(None);
        }
        let mut words = start.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Ok(Some(Self { method, path, fields: fields(reader)? }))
    }

    fn field(&self, name: &str) -> Option<&str> {
        value(&self.fields, name)
    }
}

/// Reads what is posted for an invocation, and hands it to whoever waits. An error is posted in place of a response. Fails when the
/// connection ends before it does.
pub(super) fn read(
    reader: &mut impl BufRead,
    head: &Head,
    response: bool,
    sender: &Sender<Part>,
    limit: usize,
) -> io::Result<()> {
    // whoever waited may have given up
    let tell = |part| drop(sender.send(part));
    let stream = response && head.field("lambda-runtime-function-response-mode") == Some("streaming");
    let read = if stream {
        pieces(reader, head, |piece| tell(Part::Piece(piece)))
    } else {
        whole(reader, head).map(|body| {
            let part = match (response, body.len()) {
                (false, _) => Part::Failed(format!("the function failed: {}", String::from_utf8_lossy(&body))),
                (true, length) if length > limit => {
                    Part::Failed(format!("AWS refuses a response of {length} bytes: it may have {limit}"))
                }
                (true, _) => Part::Whole(body),
            };
            tell(part);
            Vec::new()
        })
    };
    match read {
        Ok(trailers) if stream => {
            let error = value(&trailers, "lambda-runtime-function-error-type");
            tell(error.map_or(Part::End, |error| Part::Failed(format!("the stream broke off: {error}"))));
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(error) => {
            tell(Part::Failed(format!("the stream broke off: {error}")));
            Err(error)
        }
    }
}

/// Reads all of a body.
pub(super) fn whole(reader: &mut impl BufRead, head: &Head) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    pieces(reader, head, |piece| body.extend(piece))?;
    Ok(body)
}

/// Reads a body piece by piece; gives its trailers.
fn pieces(reader: &mut impl BufRead, head: &Head, mut tell: impl FnMut(Vec<u8>)) -> io::Result<Vec<(String, String)>> {
    if head.field("transfer-encoding").is_none() {
        let length = head.field("content-length").map_or(Ok(0), |length| number(length, 10))?;
        tell(exactly(reader, length)?);
        return Ok(Vec::new());
    }
    loop {
        let length = number(&line(reader)?, 16)?;
        if length == 0 {
            return fields(reader);
        }
        tell(exactly(reader, length)?);
        line(reader)?;
    }
}

fn number(text: &str, radix: u32) -> io::Result<u64> {
    u64::from_str_radix(text, radix)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("no length: {text:?}")))
}

fn exactly(reader: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = reader.by_ref().take(length).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Fields up to the empty line after them, names in lower case.
fn fields(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = line(reader)?;
        let Some((name, value)) = line.split_once(':') else { return Ok(fields) };
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn value<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    line.truncate(line.trim_end().len());
    Ok(line)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn read_all(text: &str) -> Vec<String> {
        let mut reader = text.as_bytes();
        let head = Head::read(&mut reader).unwrap().unwrap();
        let (sender, receiver) = channel();
        drop(read(&mut reader, &head, head.path.ends_with("response"), &sender, 9));
        drop(sender);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let told = |part| match part {
            Part::Whole(bytes) => format!("whole {}", text(bytes)),
            Part::Piece(bytes) => text(bytes),
            Part::End => "end".to_owned(),
            Part::Failed(why) => why,
        };
        receiver.into_iter().map(told).collect()
    }

    #[test]
    fn a_response_is_whole_or_a_stream_or_an_error() {
        let streaming = "POST /response HTTP/1.1\r\nTransfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\r\n";
        assert_eq!(read_all("POST /response HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"), ["whole {}"]);
        assert_eq!(
            read_all("POST /response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
            ["whole {}"]
        );
        assert_eq!(
            read_all("POST /response HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789"),
            ["AWS refuses a response of 10 bytes: it may have 9"]
        );
        assert_eq!(read_all("POST /error HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"), ["the function failed: {}"]);
        assert_eq!(read_all(&format!("{streaming}1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")), ["a", "bc", "end"]);
        let trailer = "Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n";
        assert_eq!(
            read_all(&format!("{streaming}1\r\na\r\n0\r\n{trailer}\r\n")),
            ["a", "the stream broke off: Runtime.StreamError"]
        );
        for broken in ["1\r\na\r\n", "1\r\na\r\n3\r\nb"] {
            let told = read_all(&format!("{streaming}{broken}"));
            assert!(told.len() == 2 && told[1].starts_with("the stream broke off"), "{told:?}");
        }
    }
}
