//! Real origin servers for what runs a gateway for real: each plays the targets of a case's upstreams at an address of its own.

mod serve;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::subject::{Received, Script};

/// What reached the origins, by the names of their upstreams.
pub type Inbox = Arc<Mutex<BTreeMap<String, Vec<Received>>>>;

/// A poisoned lock only means that another thread panicked, which fails the case elsewhere.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a gateway may take to notice that its connections are being closed. They are cut off then.
const FAREWELL: Duration = Duration::from_secs(5);

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// What an origin plays: one target of an upstream.
#[derive(Debug, Clone)]
pub struct Part {
    /// The upstream's name.
    pub upstream: String,
    /// What the configuration calls the target: host, and port if there is one.
    pub authority: String,
    /// What is answered.
    pub script: Arc<Script>,
}

/// A server at one address. It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    door: Door,
    shared: Arc<Shared>,
}

/// Whether anybody is there.
#[derive(Debug)]
enum Door {
    /// Connections are taken.
    Open(JoinHandle<()>),
    /// Bound and not listening: connections are refused, and nobody else gets the port.
    Closed(Socket),
    /// The address is not ours any more.
    Lost,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    parts: Mutex<Vec<Part>>,
    inbox: Inbox,
    connections: Mutex<Connections>,
}

/// Those that are open, and whether more are taken.
#[derive(Debug, Default)]
struct Connections {
    open: Vec<Connection>,
    closing: bool,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    thread: JoinHandle<()>,
    /// Nothing ever comes; it ends with the thread.
    ended: Receiver<()>,
}

impl Origin {
    /// Takes an address; port 0 is any that is free. Nobody is there until it has something to
    /// [`play`](Self::play).
    pub fn bind(address: SocketAddr, inbox: Inbox) -> io::Result<Self> {
        let socket = bound(address)?;
        let address = socket.local_addr()?.as_socket().unwrap_or(address);
        let shared = Shared { address, parts: Mutex::default(), inbox, connections: Mutex::default() };
        Ok(Self { address, door: Door::Closed(socket), shared: Arc::new(shared) })
    }

    /// One for one part, on loopback; where that is gone nobody is there.
    pub fn start(part: Part, inbox: Inbox) -> io::Result<Self> {
        let mut origin = Self::bind((Ipv4Addr::LOCALHOST, 0).into(), inbox)?;
        if !part.script.is_gone() {
            origin.play(vec![part])?;
        }
        Ok(origin)
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on plays these. Several are told apart by `Host`.
    pub fn play(&mut self, parts: Vec<Part>) -> io::Result<()> {
        *lock(&self.shared.parts) = parts;
        if let Door::Open(_) = self.door {
            return Ok(());
        }
        let socket = match std::mem::replace(&mut self.door, Door::Lost) {
            Door::Closed(socket) => socket,
            Door::Open(_) | Door::Lost => bound(self.address)?,
        };
        // what it accepts has to allow it, too
        reuse(&socket, true)?;
        socket.listen(BACKLOG)?;
        let (listener, shared) = (TcpListener::from(socket), Arc::clone(&self.shared));
        lock(&self.shared.connections).closing = false;
        self.door = Door::Open(std::thread::spawn(move || shared.accept(&listener)));
        Ok(())
    }

    /// From now on nobody is there: connections that are open are closed, new ones refused.
    pub fn leave(&mut self) -> io::Result<()> {
        if let Door::Open(_) = self.door {
            self.close(FAREWELL);
            self.door = Door::Closed(bound(self.address)?);
        }
        Ok(())
    }

    fn close(&mut self, patience: Duration) {
        if let Door::Open(accepting) = std::mem::replace(&mut self.door, Door::Lost) {
            self.shared.close(accepting, patience);
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.close(Duration::ZERO);
    }
}

/// Bound and not listening.
fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // connections of a moment ago still wait for their last packets there
    reuse(&socket, address.port() != 0)?;
    socket.bind(&address.into())?;
    // while nobody listens, nobody else may have the port either
    reuse(&socket, false)?;
    Ok(socket)
}

/// On Windows the option would let anybody take the port, and its absence keeps nobody from it.
fn reuse(socket: &Socket, allowed: bool) -> io::Result<()> {
    if cfg!(unix) { socket.set_reuse_address(allowed) } else { Ok(()) }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((stream, _)) = listener.accept() {
            let mut connections = lock(&self.connections);
            if connections.closing {
                return;
            }
            connections.open.retain(|connection| !connection.thread.is_finished());
            let Ok(handle) = stream.try_clone() else { continue };
            let shared = Arc::clone(self);
            let (running, ended): (Sender<()>, _) = channel();
            let thread = std::thread::spawn(move || {
                // how a connection ends is the gateway's affair
                drop(shared.serve(&stream));
                drop(running);
            });
            connections.open.push(Connection { stream: handle, thread, ended });
        }
    }

    /// Takes no more connections and ends those that are open: says that no more will come, and waits for the other side to close,
    /// so that a gateway does not still take one of them for good.
    fn close(&self, accepting: JoinHandle<()>, patience: Duration) {
        let open = {
            let mut connections = lock(&self.connections);
            connections.closing = true;
            std::mem::take(&mut connections.open)
        };
        // wakes whoever accepts
        drop(TcpStream::connect(reachable(self.address)));
        drop(accepting.join());
        for connection in &open {
            drop(connection.stream.shutdown(Shutdown::Write));
        }
        let deadline = Instant::now() + patience;
        for connection in open {
            let left = deadline.saturating_duration_since(Instant::now());
            if connection.ended.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                drop(connection.stream.shutdown(Shutdown::Both));
            }
            drop(connection.thread.join());
        }
    }
}

/// An address that leads to a listener at `address`, which may be all of the machine's.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests;
