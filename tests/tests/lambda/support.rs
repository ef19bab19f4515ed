//! Whom these tests play: clients, and upstreams.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, SystemTime};

use portico::case::{Payload, Peer, Send};
use portico_tests::dynamodb::DynamoDb;
use portico_tests::lambda::{Answered, Front, Function};
use serde_json::{Value, json};

/// One for all tests. It ends with this process, which is its standard input.
pub(super) fn dynamodb() -> &'static DynamoDb {
    static SHARED: OnceLock<DynamoDb> = OnceLock::new();
    SHARED.get_or_init(|| DynamoDb::start().unwrap())
}

/// How many units, each of which takes so long to come back, have been drawn from the only limit in a table since its bucket was full.
/// That it was at some time after `since`.
pub(super) fn drawn(table: &str, since: SystemTime, unit: Duration) -> u32 {
    let items = dynamodb().call("Scan", &json!({ "TableName": table })).unwrap();
    assert_eq!(items["Count"], 1, "{items}");
    let tat = items["Items"][0]["tat"]["N"].as_str().unwrap().parse().unwrap();
    let ahead = Duration::from_micros(tat) - since.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (ahead.as_secs() / unit.as_secs()).try_into().unwrap()
}

pub(super) fn gateway(upstream: Option<SocketAddr>, route: Value) -> Value {
    let mut config = json!({ "portico": 1, "name": "test", "routes": [route] });
    if let Some(address) = upstream {
        config["upstreams"] = json!({ "origin": { "targets": [{ "url": format!("http://{address}") }] } });
    }
    config
}

pub(super) fn start(config: &Value, environment: &[(&str, &str)]) -> Function {
    Function::start(config, environment).unwrap()
}

pub(super) fn get(path: &str) -> Send {
    let headers = vec![("Host".to_owned(), "a".to_owned())];
    Send { method: "GET".to_owned(), target: path.to_owned(), headers, body: Payload::None }
}

pub(super) fn peer() -> Peer {
    Peer::new(Ipv4Addr::LOCALHOST.into(), true)
}

/// Sends a request through a front, and waits for all of its response.
pub(super) fn ask(function: &Function, front: Front, send: &Send) -> Answered {
    let posted = function.invoke(&front.event(send, &peer()).unwrap()).unwrap();
    front.answer(&posted, &send.method).unwrap_or_else(|error| panic!("{error}{}", function.said()))
}

/// An upstream for one request: it reads that and does as it is told.
pub(super) fn upstream(mut answer: impl FnMut(&mut TcpStream) + std::marker::Send + 'static) -> SocketAddr {
    server(move |stream| {
        read_request(stream);
        answer(stream.get_mut());
    })
}

/// A server that does as it is told with each connection, one after the other.
pub(super) fn server(mut serve: impl FnMut(&mut BufReader<TcpStream>) + std::marker::Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(&mut BufReader::new(stream.unwrap()));
        }
    });
    address
}

/// Reads a request without a body. Whether there was one.
pub(super) fn read_request(stream: &mut BufReader<TcpStream>) -> bool {
    let lines = stream.lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    lines.count() > 0
}
