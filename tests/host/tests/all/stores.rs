//! The stores, as Spin 4.1 has them: what holds, and what does not. Each defect has a test, so that an adapter which stands on a
//! store that is better than Spin's is found out here.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::support::{Host, Process};

/// A server of Redis on a port of its own. It ends when it is dropped.
struct Redis {
    _process: Process,
    url: String,
}

impl Redis {
    fn start() -> Self {
        // another could take the port between these two: then it says so, and the next is tried
        loop {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut command = Command::new("redis-server");
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
            let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
            let mut child = started.expect("redis-server is needed: scripts/setup installs it");
            let output = BufReader::new(child.stdout.take().unwrap());
            let process = Process(child);
            if output.lines().map_while(Result::ok).any(|line| line.contains("Ready to accept connections")) {
                return Self { _process: process, url: format!("redis://127.0.0.1:{port}") };
            }
        }
    }
}

/// What every store does.
fn values(host: &Host) {
    assert_eq!(host.get("/values/a"), "nothing");
    assert_eq!(host.send("PUT", "/values/a", "one"), (200, String::new()));
    assert_eq!(host.get("/values/a"), "one");
    assert_eq!(host.get("/values"), "a");
    assert_eq!(host.send("DELETE", "/values/a", ""), (200, String::new()));
    assert_eq!(host.get("/values/a"), "nothing");
    host.put("/values/b", "from outside");
    assert_eq!(host.get("/values/b"), "from outside");
}

#[test]
fn sqlite_keeps_values_in_memory_or_in_a_file() {
    values(&Host::start(&[]));
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.db", std::process::id()));
    let store = format!("--store=sqlite:{}", file.display());
    values(&Host::start(&[&store]));
    assert_eq!(Host::start(&[&store]).get("/values/b"), "from outside");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn sqlite_counts_in_eight_bytes() {
    let host = Host::start(&[]);
    assert_eq!(host.get("/increment/n/5"), "5");
    assert_eq!(host.get("/increment/n/-2"), "3");
    assert_eq!(host.get("/increment/n/0"), "3");
    assert_eq!(host.get("/values/n"), "\u{3}\0\0\0\0\0\0\0");
    // defect: a value of another length ends the instance
    host.put("/values/n", "text");
    assert_eq!(host.send("GET", "/increment/n/1", ""), (500, String::new()));
}

#[test]
fn sqlite_swaps_what_is_there_only_once() {
    let host = Host::start(&[]);
    host.put("/values/k", "old");
    assert_eq!(host.get("/race/k"), "swapped, failed at by 0");
    assert_eq!(host.get("/values/k"), "by 0");
}

#[test]
fn sqlite_swaps_what_is_absent_for_everybody() {
    let host = Host::start(&[]);
    // defect: both succeed, and the second overwrites the first
    assert_eq!(host.get("/race/k"), "swapped, swapped");
    assert_eq!(host.get("/values/k"), "by 1");
    // the way out: whoever comes first makes the key
    assert_eq!(host.get("/increment/l/0"), "0");
    assert_eq!(host.get("/race/l"), "swapped, failed at by 0");
}

#[test]
fn sqlite_takes_several_values_at_once() {
    assert_eq!(Host::start(&[]).get("/batch/x"), "xa=xa xb=xb left 0");
}

#[test]
fn redis_keeps_values() {
    let redis = Redis::start();
    let host = Host::start(&["--store", &redis.url]);
    values(&host);
    assert_eq!(host.get("/increment/n/5"), "5");
    assert_eq!(host.get("/increment/n/-2"), "3");
    assert_eq!(host.get("/values/n"), "3");
    assert_eq!(Host::start(&["--store", &redis.url]).get("/values/n"), "3");
}

#[test]
fn redis_swaps_cannot_be_relied_on() {
    let redis = Redis::start();
    let host = Host::start(&["--store", &redis.url]);
    host.put("/values/k", "old");
    // defect: the first is told that it failed, though it swapped. Spin ends each swap by a command that Redis does not take
    assert_eq!(host.get("/race/k"), "failed at by 0, failed at by 0");
    assert_eq!(host.get("/values/k"), "by 0");
}

#[test]
fn redis_reads_no_several_values_at_once() {
    let redis = Redis::start();
    let (status, said) = Host::start(&["--store", &redis.url]).send("GET", "/batch/x", "");
    // defect: Spin asks for names by a pattern, and gives several
    assert_eq!((status, said.contains("wrong number of arguments for 'keys'")), (502, true), "{said}");
}

#[test]
fn a_component_executes_what_it_likes_on_redis() {
    let redis = Redis::start();
    let host = Host::start(&[&format!("--variable=redis={}", redis.url)]);
    let execute = |command: &str| host.send("POST", "/redis", command);
    assert_eq!(execute("SET\nk\nv"), (200, "OK".to_owned()));
    assert_eq!(execute("GET\nk"), (200, "v".to_owned()));
    assert_eq!(execute("GET\nl"), (200, "nil".to_owned()));
    // nested answers come flattened
    let script = "EVAL\nreturn {redis.call('INCR', KEYS[1]), {'a', {'b'}}}\n1\nn";
    assert_eq!(execute(script), (200, "1 a b".to_owned()));
    let (status, said) = execute("NO-SUCH-COMMAND");
    assert_eq!((status, said.contains("unknown command")), (502, true), "{said}");
}

#[test]
fn an_answer_that_is_lost_counts_all_the_same() {
    let host = Host::start(&["--fault=lose-response:2"]);
    assert_eq!(host.get("/increment/n/1"), "1");
    assert_eq!(host.send("GET", "/increment/n/1", "").0, 502);
    assert_eq!(host.get("/increment/n/1"), "3");
}

#[test]
fn a_step_that_is_refused_changes_nothing_and_the_next_is_taken() {
    let host = Host::start(&["--fault=refuse:2"]);
    assert_eq!(host.get("/increment/n/1"), "1");
    assert_eq!(host.send("GET", "/increment/n/1", "").0, 502);
    assert_eq!(host.get("/increment/n/1"), "2");
}

#[test]
fn answers_to_changes_get_lost_and_what_is_read_is_answered() {
    let host = Host::start(&["--fault=lose-changes"]);
    assert_eq!(host.get("/increment/n/0"), "0");
    assert_eq!(host.send("GET", "/increment/n/1", "").0, 502);
    assert_eq!(host.get("/increment/n/0"), "1");
    assert_eq!(host.send("PUT", "/values/a", "one").0, 502);
    assert_eq!(host.get("/values/a"), "one");
}

#[test]
fn a_store_that_is_down_changes_nothing() {
    let host = Host::start(&[]);
    host.put("/fault", "down");
    assert_eq!(host.send("GET", "/increment/n/1", "").0, 502);
    assert_eq!(host.send("PUT", "/values/a", "one").0, 502);
    host.put("/fault", "none");
    assert_eq!(host.get("/increment/n/1"), "1");
    assert_eq!(host.get("/values/a"), "nothing");
}

#[test]
fn many_clients_count_on_one_key_exactly() {
    let host = Host::start(&["--concurrent=4"]);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| host.get("/increment/n/1"));
        }
    });
    assert_eq!(host.get("/increment/n/0"), "64");
}
