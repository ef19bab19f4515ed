//! Whom these tests play: clients, and a network that loses answers; and folders.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use portico_tests::native::Node;

/// Nothing takes this long. A net under a gateway that hangs; what passes never waits for it.
const HANGS: Duration = Duration::from_secs(60);

/// A response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
}

impl Answer {
    /// The units that are left, as the response says.
    pub(crate) fn remaining(&self) -> u32 {
        let field = self.head.lines().find_map(|line| line.strip_prefix("x-ratelimit-remaining: "));
        field.unwrap_or_else(|| panic!("no limit in {}", self.head)).parse().unwrap()
    }
}

/// What a node answers to a request for `path`.
pub(crate) fn get(node: &Node, path: &str) -> Answer {
    get_with(node, path, "X-Client: a")
}

/// Asks for `path` until the answer has this status: what a gateway knows of its Redis is a tenth of a second old at times.
pub(crate) fn get_until(node: &Node, path: &str, status: u16) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = get(node, path);
        if answer.status == status {
            return answer;
        }
        assert!(begun.elapsed() < HANGS, "{path} is {} for ever", answer.status);
    }
}

/// The same as [`get`], with one more field.
pub(crate) fn get_with(node: &Node, path: &str, field: &str) -> Answer {
    ask(node.address, path, field)
}

fn ask(address: SocketAddr, path: &str, field: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANGS)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{field}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: text.split("\r\n\r\n").next().unwrap().to_owned() }
}

/// How many requests for `/` pass of `requests` from each of 64 clients at once, spread over nodes.
pub(crate) fn passed(nodes: &[&Node], requests: u32) -> u32 {
    const CLIENTS: usize = 64;
    let (passed, together) = (AtomicU32::new(0), Barrier::new(CLIENTS));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (address, passed, together) = (nodes[client % nodes.len()].address, &passed, &together);
            scope.spawn(move || {
                together.wait();
                for _ in 0..requests {
                    match ask(address, "/", "X-Client: a").status {
                        200 => drop(passed.fetch_add(1, Ordering::Relaxed)),
                        status => assert_eq!(status, 429),
                    }
                }
            });
        }
    });
    passed.into_inner()
}

/// A folder of the test's own, gone when it ends.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("portico-redis-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A network between a node and its Redis.
pub(crate) struct Network {
    pub(crate) address: SocketAddr,
    fault: Arc<AtomicU8>,
}

const LOSES: u8 = 1;
const SWALLOWS: u8 = 2;

impl Network {
    /// One that leads to `redis`.
    pub(crate) fn to(redis: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, fault) = (listener.local_addr().unwrap(), Arc::new(AtomicU8::new(0)));
        let next = Arc::clone(&fault);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(redis) else { continue };
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || {
                    // whichever end closes first
                    drop(std::io::copy(&mut from, &mut to));
                    drop(to.shutdown(Shutdown::Both));
                });
                let fault = Arc::clone(&next);
                thread::spawn(move || answers(server, client, &fault));
            }
        });
        Self { address, fault }
    }

    /// Loses the next answer: Redis gives it, and the connection breaks before it is there.
    pub(crate) fn lose_an_answer(&self) {
        self.fault.store(LOSES, Ordering::SeqCst);
    }

    /// From the next answer on nothing comes back by the connection that it is for, and nobody is told.
    pub(crate) fn swallow_a_connection(&self) {
        self.fault.store(SWALLOWS, Ordering::SeqCst);
    }
}

fn answers(mut server: TcpStream, mut client: TcpStream, fault: &AtomicU8) {
    let (mut bytes, mut swallowed) = ([0; 65536], false);
    loop {
        let read = server.read(&mut bytes).unwrap_or(0);
        let fault = if read > 0 { fault.swap(0, Ordering::SeqCst) } else { 0 };
        swallowed |= fault == SWALLOWS;
        if read == 0 || fault == LOSES || !swallowed && client.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    // either may be gone already
    drop(client.shutdown(Shutdown::Both));
    drop(server.shutdown(Shutdown::Both));
}
