//! A client that keeps its connection, as browsers do: one for each request would leave no port in a long run.

use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use portico::case::{Send, http1};

/// Nothing takes this long. A net under a gateway that hangs; what passes never waits for it.
const HANGS: Duration = Duration::from_secs(60);

/// A connection, made when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Connection(Option<(SocketAddr, BufReader<TcpStream>)>);

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Connection {
    /// Sends a request and waits for its response. A connection that failed is made anew for the next one.
    pub(crate) fn ask(&mut self, address: SocketAddr, send: &Send) -> Result<Response, String> {
        let kept = self.0.take().filter(|(to, _)| *to == address).map(|(_, stream)| Ok(stream));
        let asked = kept.unwrap_or_else(|| connect(address)).and_then(|mut stream| {
            let start = format!("{} {} HTTP/1.1", send.method, send.target);
            http1::write(stream.get_mut(), &start, &send.headers, &send.body)?;
            let (status, message) = http1::read_response(&mut stream, &send.method)?;
            if !message.values("connection").any(|option| option.eq_ignore_ascii_case("close")) {
                self.0 = Some((address, stream));
            }
            Ok(Response { status, headers: message.headers })
        });
        asked.map_err(|error| error.to_string())
    }
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(HANGS))?;
    stream.set_write_timeout(Some(HANGS))?;
    Ok(BufReader::new(stream))
}

impl Response {
    /// The value of a field that there is once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }
}
