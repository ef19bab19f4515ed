//! What cases cannot show of the component on the WASI host: many clients at once, large bodies, and what is left after a trap.

#[path = "spin/support.rs"]
mod support;

use std::net::SocketAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use portico_tests::redis::Redis;
use portico_tests::spin::Host;
use serde_json::{Value, json};

use self::support::{ask, ask_as, counts, limits, origin, silent, told};

const CLIENTS: usize = 64;
const REQUESTS: usize = 10;
const LIMIT: u32 = 100;
const LARGE: usize = 100_000_000;
/// How many requests one instance is to count: more than Spin gives it, and than half the handles that the host has for it.
const INSTANCE: usize = 200;
/// In which 100 units come back, in microseconds.
const WEEK: u64 = 7 * 24 * 3_600 * 1_000_000;

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
    let host = serve(&limited(), &["--threads=8"]);
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

/// Makes a limit as if it had been last used a while ago, in the span of time before this one.
fn let_a_span_pass(host: &Host, limit: &str, time: u64) {
    let parts: Vec<_> = limit.split('/').collect();
    let [_, hours, span, key] = parts[..] else { panic!("{limit}") };
    let before = span.parse::<u64>().unwrap() - 1;
    told(host, &format!("DELETE /values/{limit}"), "");
    told(host, &format!("PUT /values/limits/{hours}/{before}/{key}"), time.to_le_bytes());
}

/// The time of now, in microseconds.
fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

#[test]
fn of_64_clients_at_once_exactly_what_a_span_has_left_passes_in_the_next() {
    let host = serve(&limited(), &["--threads=8"]);
    assert_eq!(ask(host.clients, "/", None).0, 200);
    let [limit] = &limits(&host)[..] else { panic!("one limit") };
    let_a_span_pass(&host, limit, now() + WEEK * 60 / 100);
    assert_eq!(passed(&[&host]), 40, "{}", host.said());
}

#[test]
fn an_instance_can_count_each_of_its_requests_even_where_a_span_begins() {
    let policies = json!({ "rate_limit": { "limit": 1, "per": "7d", "by": { "header": "X-Client" } } });
    let route = json!({ "name": "a", "match": { "path": "/" }, "respond": {}, "policies": policies });
    let requests = format!("--requests={INSTANCE}");
    let host = serve(&gateway(None, route), &["--threads=1", "--idle=60000", &requests]);
    let statuses =
        || -> Vec<_> { (0..INSTANCE).map(|client| ask_as(host.clients, &client.to_string(), "/", None).0).collect() };
    assert_eq!(statuses(), [200; INSTANCE], "{}", host.said());
    let limits = limits(&host);
    assert_eq!(limits.len(), INSTANCE);
    // every second one has its unit back
    for (index, limit) in limits.iter().enumerate() {
        let_a_span_pass(&host, limit, if index % 2 == 0 { now() - 1 } else { now() + WEEK });
    }
    let statuses = statuses();
    let with = |status| statuses.iter().filter(|told| **told == status).count();
    assert_eq!((with(200), with(429)), (INSTANCE / 2, INSTANCE / 2), "{statuses:?} {}", host.said());
    assert_eq!(counts(&host)["instances"], 2);
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
    // when it was last done
    let (done, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|key| key.starts_with("cleaned/"));
    assert_eq!((done.len(), others), (1, vec!["keys/of-somebody"]));
    // the limit that is in force
    assert_eq!(limits.len(), 1, "{limits:?}");
}

#[test]
fn of_64_clients_at_once_exactly_the_limit_passes_in_a_redis_that_two_hosts_share() {
    let (_redis, address) = Redis::start();
    let limits = format!("--variable=portico_limits=redis://{address}");
    let hosts = [serve(&limited(), &[&limits]), serve(&limited(), &[&limits])];
    assert_eq!(passed(&[&hosts[0], &hosts[1]]), LIMIT, "{}{}", hosts[0].said(), hosts[1].said());
}

/// A route for each way to go on without a store.
fn on_errors() -> Value {
    let route = |on_error| {
        let policies = json!({ "rate_limit": { "limit": 1, "per": "7d", "by": "route", "on_error": on_error } });
        json!({ "name": on_error, "match": { "path": format!("/{on_error}") }, "respond": {}, "policies": policies })
    };
    json!({ "portico": 1, "name": "test", "routes": [route("deny"), route("allow"), route("local")] })
}

#[test]
fn without_an_answer_of_redis_on_error_decides() {
    let limits = format!("--variable=portico_limits=redis://{}", silent());
    let host = serve(&on_errors(), &[&limits, "--threads=1", "--idle=60000"]);
    let asked = ["/deny", "/allow", "/allow", "/local", "/local", "/deny"];
    let statuses = asked.map(|path| ask(host.clients, path, None).0);
    assert_eq!(statuses, [503, 200, 200, 200, 429, 503], "{}", host.said());
    let said = host.said();
    assert!(said.contains("redis: no answer in time"), "{said}");
    // the last line may have had no time
    let lines: Vec<Value> = host.end().iter().filter_map(|line| serde_json::from_str(line).ok()).take(5).collect();
    // the first decision of each is about the route
    let reasons: Vec<_> = lines.iter().map(|line| line["decisions"][1]["reason"].as_str().unwrap()).collect();
    let unavailable = "store_unavailable";
    assert_eq!(reasons, [unavailable, unavailable, unavailable, unavailable, "rate_limited"], "{lines:?}");
}

#[test]
fn a_redis_that_stands_still_is_asked_again_by_the_next_request() {
    let (redis, address) = Redis::start();
    let limits = format!("--variable=portico_limits=redis://{address}");
    let host = serve(&limited(), &[&limits, "--threads=1", "--idle=60000"]);
    let ask = || ask(host.clients, "/", None).0;
    assert_eq!(ask(), 200, "{}", host.said());
    redis.signal("-STOP");
    assert_eq!([ask(), ask()], [503, 503], "{}", host.said());
    redis.signal("-CONT");
    assert_eq!(ask(), 200, "{}", host.said());
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
