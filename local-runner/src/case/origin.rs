//! Real origin servers for what runs a gateway for real: one for each target of each upstream, on loopback, at ports of the system's
//! choosing.

use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use socket2::{Domain, Socket, Type};

use super::http1;
use super::subject::Received;
use super::{Outcome, Payload, Respond, Rule};

/// What reached the origins, by the names of their upstreams.
pub type Inbox = Arc<Mutex<BTreeMap<String, Vec<Received>>>>;

/// A poisoned lock only means that another thread panicked, which fails the test elsewhere.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One target of an upstream. It ends, with all its connections, when it is dropped.
pub struct Origin {
    /// Where it is.
    pub address: SocketAddr,
    shared: Option<Arc<Shared>>,
    accepting: Option<JoinHandle<()>>,
    /// Holds a port at which nobody listens.
    _closed: Option<Socket>,
}

struct Shared {
    upstream: String,
    /// What the configuration calls the target.
    authority: String,
    address: SocketAddr,
    rules: Option<Vec<Rule>>,
    inbox: Inbox,
    ending: AtomicBool,
    open: Mutex<Vec<(TcpStream, Option<JoinHandle<()>>)>>,
}

impl Origin {
    /// Starts one. With rules of which one is `connect_error` there is a port and nobody behind it.
    pub fn start(upstream: &str, authority: &str, rules: Option<Vec<Rule>>, inbox: Inbox) -> io::Result<Self> {
        let gone = |rule: &Rule| matches!(rule.outcome, Outcome::ConnectError);
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        if rules.iter().flatten().any(gone) {
            // bound and not listening: connections are refused, and nobody else gets the port
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&any.into())?;
            let address = socket.local_addr()?.as_socket().unwrap_or(any);
            return Ok(Self { address, shared: None, accepting: None, _closed: Some(socket) });
        }
        let listener = TcpListener::bind(any)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            authority: authority.to_owned(),
            address,
            rules,
            inbox,
            ending: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.accept(&listener))
        };
        Ok(Self { address, shared: Some(shared), accepting: Some(accepting), _closed: None })
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let Some(shared) = &self.shared else { return };
        shared.ending.store(true, Ordering::SeqCst);
        // wakes whoever accepts
        drop(TcpStream::connect(self.address));
        drop(self.accepting.take().map(JoinHandle::join));
        for (stream, thread) in lock(&shared.open).drain(..) {
            drop(stream.shutdown(Shutdown::Both));
            drop(thread.map(JoinHandle::join));
        }
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((stream, _)) = listener.accept() {
            if self.ending.load(Ordering::SeqCst) {
                return;
            }
            let Ok(handle) = stream.try_clone() else { continue };
            let shared = Arc::clone(self);
            // how a connection ends is the gateway's affair
            let thread = std::thread::spawn(move || drop(shared.serve(&stream)));
            lock(&self.open).push((handle, Some(thread)));
        }
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        while let Some(message) = http1::read_request(&mut reader)? {
            let mut received = self.receive(message);
            let rule = self.rules.as_ref().map(|rules| received.rule(rules));
            received.unexpected = matches!(rule, Some(None));
            let (head, outcome) = (received.method == "HEAD", rule.flatten().map(|rule| rule.outcome.clone()));
            // before the answer, so that whoever has the answer finds this
            lock(&self.inbox).entry(self.upstream.clone()).or_default().push(received);
            match outcome {
                None => http1::write(&mut writer, "HTTP/1.1 200 OK", &length(0), &Payload::None)?,
                Some(Outcome::Respond(respond)) => respond_with(&mut writer, &respond, head)?,
                Some(Outcome::Timeout) => {
                    // no answer until the gateway gives up; what it sends until then is nothing
                    drop(http1::read_request(&mut reader));
                    return Ok(());
                }
                Some(Outcome::Reset | Outcome::ConnectError) => return stream.shutdown(Shutdown::Both),
            }
        }
        Ok(())
    }

    fn receive(&self, message: http1::Message) -> Received {
        let mut words = message.start.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let here = self.address.to_string();
        let named = |(name, value): (String, String)| match name.as_str() {
            "host" if value == here => (name, self.authority.clone()),
            _ => (name, value),
        };
        Received {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: message.headers.into_iter().map(named).collect(),
            body: message.body,
            unexpected: false,
        }
    }
}

fn length(length: usize) -> Vec<(String, String)> {
    vec![("content-length".to_owned(), length.to_string())]
}

fn respond_with(writer: &mut impl io::Write, respond: &Respond, head: bool) -> io::Result<()> {
    let mut headers = respond.headers.clone();
    match &respond.body {
        Payload::None if matches!(respond.status, 204 | 304) => {}
        Payload::None => headers.extend(length(0)),
        Payload::Sized(bytes) => headers.extend(length(bytes.len())),
        Payload::Chunked(_) => headers.push(("transfer-encoding".to_owned(), "chunked".to_owned())),
    }
    let body = if head { &Payload::None } else { &respond.body };
    http1::write(writer, &format!("HTTP/1.1 {} -", respond.status), &headers, body)
}
