//! What cases cannot show of the function on its Runtime API: every front, streams, sizes, many functions at once, and what is done
//! after a response.

#[path = "lambda/certificates.rs"]
mod certificates;
#[path = "lambda/fronts.rs"]
mod fronts;
#[path = "lambda/secrets.rs"]
mod secrets;
#[path = "lambda/start.rs"]
mod start;
#[path = "lambda/support.rs"]
mod support;

use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use portico_tests::lambda::{Front, Part};
use serde_json::{Value, json};

use self::support::{ask, dynamodb, gateway, get, peer, start, upstream};

const FUNCTIONS: usize = 4;
const REQUESTS: usize = 40;
const LIMIT: u32 = 100;
/// A unit of it comes back after so long: none does while a test runs.
const UNIT: Duration = Duration::from_secs(7 * 86_400 / LIMIT as u64);
/// More than Lambda takes in one piece.
const LARGE: usize = 7_000_000;
/// More than a load balancer does, and not more than Lambda.
const MEDIUM: usize = 1_100_000;

fn passing() -> Value {
    json!({ "name": "a", "match": { "path": "/{*rest}" }, "upstream": "origin" })
}

fn limited(on_error: &str) -> Value {
    let policies = json!({ "rate_limit": { "limit": LIMIT, "per": "7d", "by": "global", "on_error": on_error } });
    json!({ "name": "a", "match": { "path": "/" }, "respond": {}, "policies": policies })
}

#[test]
fn of_many_functions_at_once_exactly_the_limit_passes() {
    let table = dynamodb().create().unwrap();
    let mut environment = dynamodb().environment().to_vec();
    environment.push(("PORTICO_TABLE", table.clone()));
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let config = gateway(None, limited("deny"));
    let functions: Vec<_> = (0..FUNCTIONS).map(|_| start(&config, &environment)).collect();
    let (passed, unanswered, together) = (AtomicU32::new(0), AtomicU32::new(0), Barrier::new(FUNCTIONS));
    let started = SystemTime::now();
    thread::scope(|scope| {
        for function in functions {
            let (passed, unanswered, together) = (&passed, &unanswered, &together);
            scope.spawn(move || {
                together.wait();
                for _ in 0..REQUESTS {
                    match ask(&function, Front::Url, &get("/")).status {
                        200 => drop(passed.fetch_add(1, Ordering::Relaxed)),
                        // a machine under load leaves moto no time, and the gateway waits for a second only, here as anywhere
                        503 => drop(unanswered.fetch_add(1, Ordering::Relaxed)),
                        status => assert_eq!(status, 429, "{}", function.said()),
                    }
                }
            });
        }
    });
    let (passed, unanswered) = (passed.into_inner(), unanswered.into_inner());
    let drawn = support::drawn(&table, started, UNIT);
    // who was not answered does not pass, and has drawn twice at most
    assert!(
        passed <= drawn && drawn <= passed + 2 * unanswered,
        "{passed} passed, {unanswered} unanswered, {drawn} drawn"
    );
    assert!(drawn == LIMIT || unanswered > 0 && drawn < LIMIT, "{drawn} drawn, {unanswered} unanswered");
}

#[test]
fn without_a_table_on_error_decides_and_says_so_once() {
    for (on_error, status) in [("deny", 503), ("allow", 200)] {
        let function = start(&gateway(None, limited(on_error)), &[]);
        let statuses = [0; 3].map(|_| ask(&function, Front::Url, &get("/")).status);
        assert_eq!(statuses, [status; 3]);
        function.rests().unwrap();
        let said = function.complaints();
        assert_eq!(said.matches("PORTICO_TABLE").count(), 1, "{said}");
    }
}

#[test]
fn a_response_passes_on_as_it_comes_when_it_is_streamed() {
    [Front::Url, Front::Rest].into_iter().for_each(passes_on_as_it_comes);
}

fn passes_on_as_it_comes(front: Front) {
    let (go_on, wait) = mpsc::channel();
    let address = upstream(move |stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nfirst")
            .unwrap();
        wait.recv().unwrap();
        stream.write_all(b" last").unwrap();
    });
    let function = start(&gateway(Some(address), passing()), &[("PORTICO_RESPONSE", "stream")]);
    let posted = function.invoke(&front.event(&get("/a"), &peer()).unwrap()).unwrap();
    let mut came = Vec::new();
    while !came.ends_with(b"first") {
        match posted.recv().unwrap() {
            Part::Piece(piece) => came.extend(piece),
            other => panic!("{other:?}"),
        }
    }
    go_on.send(()).unwrap();
    // what came goes before what is left
    let (sender, receiver) = mpsc::channel();
    sender.send(Part::Piece(came)).unwrap();
    posted.iter().for_each(|part| sender.send(part).unwrap());
    let answered = front.answer(&receiver, "GET").unwrap();
    assert_eq!((answered.status, answered.body, answered.broke), (200, b"first last".to_vec(), false));
    let cookies = answered.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.as_str());
    assert_eq!(cookies.collect::<Vec<_>>(), ["a=1", "b=2"]);
}

#[test]
fn what_takes_no_stream_gets_a_whole_response() {
    let address = upstream(|stream| stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap());
    let function = start(&gateway(Some(address), passing()), &[("PORTICO_RESPONSE", "stream")]);
    for front in [Front::Http, Front::Alb, Front::AlbMulti] {
        let answered = ask(&function, front, &get("/a"));
        assert_eq!((answered.status, answered.body), (200, b"hello".to_vec()), "{}", front.name());
    }
}

#[test]
fn a_response_that_breaks_off_is_a_problem_or_breaks_off() {
    let breaking =
        || upstream(|stream| stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfirst").unwrap());
    let function = start(&gateway(Some(breaking()), passing()), &[("PORTICO_RESPONSE", "stream")]);
    for front in [Front::Url, Front::Rest] {
        let answered = ask(&function, front, &get("/a"));
        assert_eq!((answered.status, answered.body, answered.broke), (200, b"first".to_vec(), true));
    }
    let function = start(&gateway(Some(breaking()), passing()), &[]);
    let answered = ask(&function, Front::Url, &get("/a"));
    let problem: Value = serde_json::from_slice(&answered.body).unwrap();
    assert_eq!((answered.status, &problem["code"]), (502, &json!("upstream_broken")));
}

#[test]
fn what_is_too_large_for_the_front_is_a_problem_unless_it_is_streamed() {
    let large = |size: usize| {
        upstream(move |stream| {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n").unwrap();
            // whoever reads may have seen enough
            drop(stream.write_all(&vec![b'a'; size]));
        })
    };
    for front in Front::ALL {
        let is_alb = matches!(front, Front::Alb | Front::AlbMulti);
        let function = start(&gateway(Some(large(if is_alb { MEDIUM } else { LARGE })), passing()), &[]);
        let answered = ask(&function, front, &get("/a"));
        let problem: Value = serde_json::from_slice(&answered.body).unwrap();
        assert_eq!((answered.status, &problem["code"]), (502, &json!("response_too_large")), "{}", front.name());
        // the line in the log says what the client saw
        function.rests().unwrap();
        let lines = function.end();
        assert!(lines.iter().any(|line| line.contains("response_too_large")), "{lines:?}");
    }
    let function = start(&gateway(Some(large(MEDIUM)), passing()), &[]);
    assert_eq!(ask(&function, Front::Url, &get("/a")).body.len(), MEDIUM);
    let function = start(&gateway(Some(large(LARGE)), passing()), &[("PORTICO_RESPONSE", "stream")]);
    for front in [Front::Url, Front::Rest] {
        assert_eq!(ask(&function, front, &get("/a")).body.len(), LARGE);
    }
}

#[test]
fn connections_to_upstreams_are_kept_between_invocations() {
    let connections = AtomicU32::new(0);
    let connections: &'static AtomicU32 = Box::leak(Box::new(connections));
    let address = support::server(move |stream| {
        connections.fetch_add(1, Ordering::Relaxed);
        while support::read_request(stream) {
            stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        }
    });
    let function = start(&gateway(Some(address), passing()), &[]);
    for _ in 0..5 {
        assert_eq!(ask(&function, Front::Url, &get("/a")).status, 204, "{}", function.said());
        function.rests().unwrap();
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[test]
fn a_line_is_written_before_the_function_rests_unless_the_log_is_off() {
    for (log, lines) in [("on", 3), ("off", 0)] {
        let route = json!({ "name": "a", "match": { "path": "/" }, "respond": {} });
        let function = start(&gateway(None, route), &[("PORTICO_ACCESS_LOG", log)]);
        for _ in 0..3 {
            assert_eq!(ask(&function, Front::Url, &get("/")).status, 200);
        }
        function.rests().unwrap();
        let told = function.end();
        assert_eq!(told.iter().filter(|line| line.starts_with('{')).count(), lines, "{log}: {told:?}");
    }
}

#[test]
fn what_is_no_http_request_fails_and_the_next_one_is_served() {
    let function = start(&gateway(None, limited("allow")), &[]);
    let websocket = json!({
        "requestContext": { "routeKey": "$connect", "eventType": "CONNECT", "connectionId": "JKJaXmPLvHcESHA=", "stage": "prod" },
        "headers": { "Host": "a" }, "isBase64Encoded": false,
    });
    let queue = json!({ "Records": [{ "eventSource": "aws:sqs", "body": "hello" }] });
    for (event, why) in [(websocket, "WebSocket"), (queue, "no HTTP request")] {
        let posted = function.invoke(&event).unwrap();
        match posted.recv().unwrap() {
            Part::Failed(said) => assert!(said.contains(why) && said.contains("help: "), "{said}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(ask(&function, Front::Url, &get("/")).status, 200);
    }
}
