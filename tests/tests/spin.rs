//! What cases cannot show of the component on the WASI host: many clients at once, large bodies, and what is left after a trap.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use portico_tests::spin::Host;
use serde_json::{Value, json};

const CLIENTS: usize = 64;
const REQUESTS: usize = 10;
const LIMIT: u32 = 100;
const LARGE: usize = 100_000_000;

fn gateway(upstream: Option<SocketAddr>, route: Value) -> Value {
    let mut config = json!({ "portico": 1, "name": "test", "routes": [route] });
    if let Some(address) = upstream {
        config["upstreams"] = json!({ "origin": { "targets": [{ "url": format!("http://{address}") }] } });
    }
    config
}

/// A limit that gives nothing back while a test runs.
fn limited() -> Value {
    let policies = json!({ "rate_limit": { "limit": LIMIT, "per": "7d", "by": "global" } });
    gateway(None, json!({ "name": "a", "match": { "path": "/" }, "respond": {}, "policies": policies }))
}

fn serve(config: &Value, arguments: &[&str]) -> Host {
    let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    Host::serve(config, &arguments).unwrap()
}

/// Sends a request and reads all of the response: its status and the length of its body.
fn ask(address: SocketAddr, path: &str, body: Option<usize>) -> (u16, usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    let method = if body.is_some() { "POST" } else { "GET" };
    let length = body.unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
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
fn origin() -> SocketAddr {
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
fn told(host: &Host, request: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(host.control).unwrap();
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// What the host counted.
fn counts(host: &Host) -> Value {
    serde_json::from_str(&told(host, "GET /counts", "")).unwrap()
}

/// How many requests pass of those that 64 clients send at once, spread over hosts.
fn passed(hosts: &[&Host]) -> u32 {
    let (passed, together) = (AtomicU32::new(0), Barrier::new(CLIENTS));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (address, passed, together) = (hosts[client % hosts.len()].clients, &passed, &together);
            scope.spawn(move || {
                together.wait();
                for _ in 0..REQUESTS {
                    match ask(address, "/", None).0 {
                        200 => drop(passed.fetch_add(1, Ordering::Relaxed)),
                        status => assert_eq!(status, 429),
                    }
                }
            });
        }
    });
    passed.into_inner()
}

#[test]
fn of_64_clients_at_once_exactly_the_limit_passes_in_memory() {
    let host = serve(&limited(), &[]);
    assert_eq!(passed(&[&host]), LIMIT, "{}", host.said());
    assert!(counts(&host)["instances"].as_u64() > Some(1), "{}", counts(&host));
}

#[test]
fn of_64_clients_at_once_exactly_the_limit_passes_in_a_file() {
    let file = std::env::temp_dir().join(format!("portico-limits-{}.db", std::process::id()));
    // of an earlier process of this number
    drop(std::fs::remove_file(&file));
    let host = serve(&limited(), &[&format!("--store=sqlite:{}", file.display())]);
    let (first, said) = (passed(&[&host]), host.said());
    drop(host);
    // another process goes on where the first one ended
    let host = serve(&limited(), &[&format!("--store=sqlite:{}", file.display())]);
    let second = passed(&[&host]);
    std::fs::remove_file(file).unwrap();
    assert_eq!((first, second), (LIMIT, 0), "{said}{}", host.said());
}

#[test]
fn what_limits_left_behind_is_deleted_and_nothing_else() {
    let host = serve(&limited(), &["--threads=1", "--idle=60000"]);
    for index in 0..1_500 {
        told(&host, &format!("PUT /values/limits/1/5/{index}"), "8 bytes!");
    }
    told(&host, "PUT /values/keys/of-somebody", "{}");
    // it is done after a response, but before the same instance serves another one
    for _ in 0..2 {
        assert_eq!(ask(host.clients, "/", None).0, 200, "{}", host.said());
    }
    let keys = told(&host, "GET /values", "");
    let (limits, others): (Vec<_>, Vec<_>) = keys.lines().partition(|key| key.starts_with("limits/"));
    assert_eq!(others, ["keys/of-somebody"]);
    // the limit that is in force, and when it was last done
    assert_eq!(limits.len(), 2, "{limits:?}");
}

/// A Redis of the test's own. It ends when it is dropped.
struct Redis(Child);

impl Redis {
    fn start() -> (Self, SocketAddr) {
        // a port that was free a moment ago: Redis takes no other kind
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let arguments = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"];
        let mut command = Command::new("redis-server");
        command.args(arguments).arg(address.port().to_string()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("redis-server is there after scripts/setup");
        let output = BufReader::new(child.stdout.take().unwrap());
        let ready = output.lines().map_while(Result::ok).any(|line| line.contains("Ready to accept connections"));
        assert!(ready, "redis-server ended");
        (Self(child), address)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn of_64_clients_at_once_exactly_the_limit_passes_in_a_redis_that_two_hosts_share() {
    let (_redis, address) = Redis::start();
    let limits = format!("--variable=portico_limits=redis://{address}");
    let hosts = [serve(&limited(), &[&limits]), serve(&limited(), &[&limits])];
    assert_eq!(passed(&[&hosts[0], &hosts[1]]), LIMIT, "{}{}", hosts[0].said(), hosts[1].said());
}

#[test]
fn a_body_of_100_mb_passes_both_ways_in_little_memory() {
    let route = json!({ "name": "a", "match": { "path": "/{*rest}" }, "upstream": "origin" });
    let host = serve(&gateway(Some(origin()), route), &[]);
    assert_eq!(ask(host.clients, &format!("/{LARGE}"), Some(LARGE)), (200, LARGE), "{}", host.said());
    let memory = counts(&host)["memory"].as_u64().unwrap();
    assert!(memory > 0 && memory < 8 << 20, "{memory}");
}

#[test]
fn after_a_trap_the_next_request_is_served() {
    let policies = json!({ "response": { "json": { "remove": ["secret"], "max": "64MiB" } } });
    let route = json!({ "name": "a", "match": { "path": "/{*rest}" }, "upstream": "origin", "policies": policies });
    // what the policy reads is more than the instance may hold
    let host = serve(&gateway(Some(origin()), route), &["--memory=8388608"]);
    assert_eq!(ask(host.clients, "/40000000", None).0, 500, "{}", host.said());
    assert_eq!(ask(host.clients, "/1", None), (200, 1), "{}", host.said());
    assert_eq!(counts(&host)["trapped"], 1);
}

#[test]
fn the_log_can_be_turned_off() {
    for (variable, lines) in [("off", 0), ("on", 2)] {
        let variable = format!("--variable=portico_access_log={variable}");
        let host = serve(&limited(), &[&variable, "--threads=1", "--idle=60000"]);
        // a line is written after its response, but before the same instance serves another one
        for _ in 0..3 {
            assert_eq!(ask(host.clients, "/", None).0, 200);
        }
        let told = host.end().iter().filter(|line| line.starts_with('{')).count();
        assert!(if lines == 0 { told == 0 } else { told >= lines }, "{variable}: {told}");
    }
}
