//! The component that needs nothing but WASI, on a host that has nothing else: what it does there, and what it says that it cannot.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use portico_tests::spin::{Host, Wasmtime};
use serde_json::{Value, json};

/// Nothing takes this long. A net under a gateway that hangs; what passes never waits for it.
const HANGS: Duration = Duration::from_secs(60);
const SECRET: &str = "a shared secret of thirty-two bytes!";
/// Of alice, signed with that secret; it ends in the year 2100.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJzaG9wIiwic3ViIjoiYWxpY2UiLCJleHAiOjQxMDI0NDQ4MDB9.NIdukr_F2NRhO27bzgr-GpwSYuECYfFyS-o5yWVDoxM";

fn gateway(more: Value, route: Value) -> Value {
    let mut config = json!({ "portico": 1, "name": "test", "routes": [route] });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

/// A host with one thread, which keeps its instance, and with a name for the gateway.
fn serve(config: &Value, arguments: &[&str]) -> Host {
    let arguments = [&["--threads=1", "--idle=60000", "--env=PORTICO_HOST=a"], arguments].concat();
    let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
    Host::plain("wasi", config, &arguments).unwrap()
}

/// Sends a request with these fields besides; its status and its body.
fn ask(address: SocketAddr, target: &str, fields: &str) -> (u16, String) {
    let mut stream = connect(address);
    write!(stream, "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANGS)).unwrap();
    stream
}

/// Whoever connects first.
fn accept(listener: TcpListener) -> BufReader<TcpStream> {
    let (sender, accepted) = channel();
    thread::spawn(move || sender.send(listener.accept().unwrap().0));
    let stream = accepted.recv_timeout(HANGS).expect("somebody connects");
    stream.set_read_timeout(Some(HANGS)).unwrap();
    BufReader::new(stream)
}

/// The lines of a head, up to the empty one.
fn head(stream: &mut BufReader<TcpStream>) -> Vec<String> {
    stream.lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect()
}

fn expect(stream: &mut impl std::io::Read, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    stream.read_exact(&mut read).unwrap();
    assert_eq!(String::from_utf8_lossy(&read), String::from_utf8_lossy(bytes));
}

#[test]
fn nobody_says_who_the_client_is_but_a_proxy_that_is_trusted() {
    let route = json!({ "name": "a", "match": { "path": "/" }, "respond": { "body": "${ip} ${host}" } });
    let claims = "spin-client-addr: 192.0.2.1:1\r\nX-Forwarded-For: 192.0.2.7\r\n";
    let host = serve(&gateway(json!({}), route.clone()), &[]);
    assert_eq!(ask(host.clients, "/", claims), (200, ":: a".to_owned()), "{}", host.said());
    let host = serve(&gateway(json!({ "trusted_proxies": ["::"] }), route), &[]);
    assert_eq!(ask(host.clients, "/", claims), (200, "192.0.2.7 a".to_owned()), "{}", host.said());
}

#[test]
fn a_host_that_is_not_told_has_to_be_named() {
    let route = json!({ "name": "a", "match": { "path": "/" }, "respond": { "body": "${host}" } });
    let config = gateway(json!({}), route);
    let host = Host::plain("wasi", &config, &[]).unwrap();
    let (status, problem) = ask(host.clients, "/", "");
    assert!(status == 400 && problem.contains("host_missing"), "{problem}");
    assert_eq!(ask(host.clients, "http://told.example/", ""), (200, "told.example".to_owned()));
    let said = host.complaints();
    assert!(said.contains("help: say which it is with PORTICO_HOST"), "{said}");
    // it holds for all requests
    assert_eq!(ask(serve(&config, &[]).clients, "http://told.example/", ""), (200, "a".to_owned()));
}

#[test]
fn bodies_stream_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let more = json!({ "upstreams": { "up": { "targets": [{ "url": format!("http://{}", listener.local_addr().unwrap()) }] } } });
    let host = serve(&gateway(more, json!({ "name": "a", "match": { "path": "/" }, "upstream": "up" })), &[]);

    let mut client = BufReader::new(connect(host.clients));
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\none";
    client.get_mut().write_all(request.as_bytes()).unwrap();
    let mut upstream = accept(listener);
    assert_eq!(head(&mut upstream)[0], "POST / HTTP/1.1", "{}", host.said());
    // each part arrives before the next one is sent
    expect(&mut upstream, b"one");
    client.get_mut().write_all(b"two").unwrap();
    expect(&mut upstream, b"two");
    upstream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nthr").unwrap();
    assert_eq!(head(&mut client)[0], "HTTP/1.1 200 OK");
    expect(&mut client, b"thr");
    upstream.get_mut().write_all(b"ee!").unwrap();
    expect(&mut client, b"ee!");
}

/// The upstream's timeout counts anew whenever a part of the body went out, of one that is kept for another attempt, too. Time passes by
/// requests that get no answer: each is over a twentieth of that timeout later, and all of them together take longer than it.
#[test]
fn a_kept_body_may_take_its_time_to_go_up() {
    const PART: usize = 1 << 20;
    const PARTS: usize = 30;
    let (slow, silent) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let upstreams = json!({
        "slow": { "targets": [{ "url": url(&slow) }], "timeout": "5s", "retry": { "attempts": 2, "on": ["connect_error"], "buffer": "30MiB" } },
        "silent": { "targets": [{ "url": url(&silent) }], "timeout": "250ms" },
    });
    let mut config = gateway(
        json!({ "upstreams": upstreams }),
        json!({ "name": "slow", "match": { "path": "/" }, "upstream": "slow" }),
    );
    let route = json!({ "name": "silent", "match": { "path": "/silent" }, "upstream": "silent" });
    config["routes"].as_array_mut().unwrap().push(route);
    let host = serve(&config, &[]);

    let mut client = BufReader::new(connect(host.clients));
    write!(client.get_mut(), "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", PART * PARTS).unwrap();
    for _ in 0..PARTS {
        client.get_mut().write_all(&vec![b'0'; PART]).unwrap();
    }
    let mut upstream = accept(slow);
    head(&mut upstream);
    for _ in 0..PARTS {
        assert_eq!(ask(host.clients, "/silent", "").0, 504, "{}", host.said());
        let read = std::io::copy(&mut upstream.by_ref().take(PART as u64), &mut std::io::sink()).unwrap();
        assert_eq!(read, PART as u64, "{}", host.said());
    }
    upstream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(head(&mut client)[0], "HTTP/1.1 200 OK", "{}", host.said());
}

#[test]
fn secrets_are_variables_of_the_environment() {
    let users = json!({ "jwt": { "secret": "${secret.USERS_KEY}", "issuer": "https://id.example", "audience": "shop", "algorithms": ["HS256"] } });
    let policies = json!({ "auth": { "any_of": ["users"] } });
    let route =
        json!({ "name": "a", "match": { "path": "/" }, "respond": { "body": "${claims.sub}" }, "policies": policies });
    let config = gateway(json!({ "identities": { "users": users } }), route);
    let token = format!("Authorization: Bearer {TOKEN}\r\n");

    let host = serve(&config, &[&format!("--env=USERS_KEY={SECRET}")]);
    assert_eq!(ask(host.clients, "/", &token), (200, "alice".to_owned()), "{}", host.said());
    assert_eq!(ask(host.clients, "/", "").0, 401);
    // as it stands, in no other case
    let host = serve(&config, &[&format!("--env=users_key={SECRET}")]);
    let (status, problem) = ask(host.clients, "/", &token);
    assert!(status == 500 && problem.contains("secret_missing"), "{problem}");
}

#[test]
fn each_instance_counts_for_itself() {
    let policies = json!({ "rate_limit": { "limit": 3, "per": "7d", "by": "route", "guarantee": "approximate" } });
    let route = json!({ "name": "a", "match": { "path": "/" }, "respond": {}, "policies": policies });
    let config = gateway(json!({}), route);
    let statuses = |host: &Host| [(); 5].map(|()| ask(host.clients, "/", "").0);
    assert_eq!(statuses(&serve(&config, &[])), [200, 200, 200, 429, 429]);
    // one instance a request
    assert_eq!(statuses(&serve(&config, &["--requests=1"])), [200; 5]);
}

#[test]
fn what_needs_a_store_is_refused() {
    let identities = json!({ "identities": { "partners": { "api_key": { "store": {} } } } });
    let policies = json!({ "auth": { "any_of": ["partners"] } });
    let route = json!({ "name": "a", "match": { "path": "/" }, "respond": {}, "policies": policies });
    let config = gateway(identities, route);
    let refused = Host::plain("wasi", &config, &[]).err().unwrap();
    assert!(refused.contains("wasi has no key-value store [store_missing]"), "{refused}");
    // a bundle of another platform
    let host = Host::plain("spin", &config, &["--env=PORTICO_HOST=a".to_owned()]).unwrap();
    let (status, problem) = ask(host.clients, "/", "X-API-Key: a-key-that-might-be-in-the-store\r\n");
    assert!(status == 503 && problem.contains("store_unavailable"), "{status} {problem}");
}

#[test]
fn a_key_set_of_an_issuer_needs_no_store() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let issuer = thread::spawn(move || {
        let mut stream = accept(listener);
        assert_eq!(head(&mut stream)[0], "GET /keys HTTP/1.1");
        let (x, y) = ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        let set = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "alg": "ES256", "x": x, "y": y }] }).to_string();
        write!(stream.get_mut(), "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{set}", set.len()).unwrap();
    });
    let users = json!({ "jwt": { "jwks": { "url": url }, "issuer": "https://id.example", "audience": "shop", "algorithms": ["ES256"] } });
    let policies = json!({ "auth": { "any_of": ["users"] } });
    let route = json!({ "name": "a", "match": { "path": "/" }, "respond": {}, "policies": policies });
    let host = serve(&gateway(json!({ "identities": { "users": users } }), route), &[]);
    let (status, problem) = ask(host.clients, "/", &format!("Authorization: Bearer {TOKEN}\r\n"));
    // with the keys at hand it is the token that is wrong
    assert!(status == 401 && problem.contains("token_algorithm"), "{status} {problem}");
    issuer.join().unwrap();
}

#[test]
fn the_log_can_be_turned_off() {
    let route = json!({ "name": "a", "match": { "path": "/" }, "respond": {} });
    for (value, lines) in [("off", 0), ("on", 1)] {
        let host = serve(&gateway(json!({}), route.clone()), &[&format!("--env=PORTICO_ACCESS_LOG={value}")]);
        // a line is written after its response, but before the same instance serves another one
        for _ in 0..2 {
            assert_eq!(ask(host.clients, "/", "").0, 200);
        }
        let told = host.end().iter().filter(|line| line.starts_with('{')).count();
        assert!(told >= lines && (lines > 0 || told == 0), "{value}: {told}");
    }
}

#[test]
fn without_its_bundle_it_says_where_it_looked() {
    let route = json!({ "name": "a", "match": { "path": "/" }, "respond": {} });
    let host = serve(&gateway(json!({}), route), &["--env=PORTICO_BUNDLE=/elsewhere.json"]);
    let (status, problem) = ask(host.clients, "/", "");
    assert!(status == 500 && problem.contains("internal_error"), "{problem}");
    let said = host.complaints();
    assert!(
        said.contains("/elsewhere.json: ") && said.contains("help: make one with `portico build --target wasi"),
        "{said}"
    );
}

/// What it does on a host that is not ours.
#[test]
fn wasmtime_serves_it() {
    const LENGTH: usize = 8 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let more = json!({ "upstreams": { "up": { "targets": [{ "url": format!("http://{}", listener.local_addr().unwrap()) }] } } });
    let mut config = gateway(more, json!({ "name": "up", "match": { "path": "/up" }, "upstream": "up" }));
    let hello = json!({ "name": "hello", "match": { "path": "/" }, "respond": { "body": "hello" } });
    config["routes"].as_array_mut().unwrap().push(hello);
    let host = Wasmtime::serve(&config).unwrap();
    assert_eq!(ask(host.clients, "/", ""), (200, "hello".to_owned()));
    assert_eq!(ask(host.clients, "/elsewhere", "").0, 404);

    let upstream = thread::spawn(move || {
        let mut stream = accept(listener);
        assert_eq!(head(&mut stream)[0], "POST /up HTTP/1.1");
        // neither a length nor a part of it is lost on the way
        let mut text = String::new();
        while !text.ends_with("end") {
            let read = stream.fill_buf().unwrap();
            assert!(!read.is_empty(), "the upload broke after {} bytes", text.len());
            text.push_str(std::str::from_utf8(read).unwrap());
            let length = read.len();
            stream.consume(length);
        }
        write!(stream.get_mut(), "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").unwrap();
        stream.get_mut().write_all(&vec![b'0'; LENGTH]).unwrap();
        text.matches('1').count()
    });
    let mut client = BufReader::new(connect(host.clients));
    write!(client.get_mut(), "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", LENGTH + 3).unwrap();
    client.get_mut().write_all(&vec![b'1'; LENGTH]).unwrap();
    client.get_mut().write_all(b"end").unwrap();
    assert_eq!(head(&mut client)[0], "HTTP/1.1 200 OK");
    expect(&mut client, &vec![b'0'; LENGTH]);
    assert_eq!(upstream.join().unwrap(), LENGTH);
}
