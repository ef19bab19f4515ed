//! `portico serve`: logs for machines, signals, TLS.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Folder, Server, portico, run};

const PAGE: &str = "\
portico: 1
name: page
routes:
  - { name: page, match: { path: \"/page/{*rest}\" }, respond: { body: old } }
";

fn serve(folder: &Folder, more: &[&str]) -> std::process::Command {
    portico(&folder.0, &[&["serve", "--listen", "127.0.0.1:0", "--workers", "2"], more].concat())
}

#[test]
fn every_request_is_a_line_of_json() {
    let folder = Folder::with(PAGE);
    let server = Server::start(&mut serve(&folder, &[]));
    let answer =
        server.address.send("GET", "/page/a%20b?token=s3cret", &[("user-agent", "test \"1\""), ("traceparent", TRACE)]);
    let line = server.wait_for("\"request_id\"");
    assert!(!line.contains("s3cret"), "{line}");
    let line: Value = serde_json::from_str(&line).unwrap();
    let expected = serde_json::json!({
        "request_id": answer.header("x-request-id"), "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "client": "127.0.0.1", "method": "GET", "host": server.address.0.to_string(), "path": "/page/a%20b",
        "status": 200, "route": "page", "identity": null, "consumer": null, "upstream": null,
        "user_agent": "test \"1\"", "config": server.get("/-/health").json()["config"],
        "decisions": [
            { "policy": "route", "outcome": "allow", "reason": "route_matched" },
            { "policy": "forward", "outcome": "respond", "reason": "responded" },
        ],
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&line[key], value, "{key}");
    }
    assert!(line["duration_ms"].as_f64().is_some() && line["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(line.as_object().unwrap().len(), expected.as_object().unwrap().len() + 2);
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn nobody_needs_to_read_the_log() {
    let folder = Folder::with(PAGE);
    let server = Server::start_with(&mut serve(&folder, &[]), closed());
    for _ in 0..50 {
        assert_eq!(server.get("/page/").status, 200);
    }
    let told = server.wait_for_json("cannot be written");
    assert_eq!((&told["stream"], &told["level"]), (&"stdout".into(), &"WARN".into()));
    assert_eq!(server.get("/page/").status, 200);
}

/// A pipe whose reader is gone.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_bundle_is_served_and_dev_env_is_not_read() {
    let folder = Folder::with(
        "\
portico: 1
name: bundled
routes:
  - { name: a, match: { path: /a }, respond: { body: \"${secret.PORTICO_TEST_A}\" } }
  - { name: b, match: { path: /b }, respond: { body: b } }
",
    );
    folder.write("dev.env", "PORTICO_TEST_A=only for development\n");
    assert_eq!(run(&folder.0, &["build", "--out", "gateway.json"]).0, 0);
    let bundle: Value = serde_json::from_str(&std::fs::read_to_string(folder.0.join("gateway.json")).unwrap()).unwrap();
    let mut command = serve(&folder, &["--config", "gateway.json"]);
    let server = Server::start(&mut command);
    assert_eq!(server.get("/b").body, "b");
    assert_eq!(server.get("/-/health").json()["config"], bundle["hash"]);
    assert_ne!(server.get("/a").status, 200);
    let server = Server::start(command.env("PORTICO_TEST_A", "real"));
    assert_eq!(server.get("/a").body, "real");
}

#[cfg(unix)]
#[test]
fn hangup_reloads() {
    let folder = Folder::with(PAGE);
    let server = Server::start(&mut serve(&folder, &[]));
    server.signal("HUP");
    server.wait_for("nothing to do");
    folder.write("gateway.yaml", &PAGE.replace("respond", "respnod"));
    server.signal("HUP");
    let error = server.wait_for_json("\"ERROR\"");
    assert_eq!((&error["file"], &error["line"]), (&"gateway.yaml".into(), &4.into()), "{error}");
    server.wait_for("the one from before keeps serving");
    assert_eq!(server.get("/page/").body, "old");
    folder.write("gateway.yaml", &PAGE.replace("old", "new"));
    server.signal("HUP");
    let told = server.wait_for_json("reloaded the configuration");
    assert_eq!(server.get("/page/").body, "new");
    assert_eq!(server.get("/-/health").json()["config"], told["config"]);
}

#[cfg(unix)]
#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    let folder = Folder::with(&format!(
        "\
portico: 1
name: draining
upstreams: {{ slow: {{ targets: [{{ url: \"http://{address}\" }}] }} }}
routes: [{{ name: slow, match: {{ path: /slow }}, upstream: slow }}]
"
    ));
    let server = Server::start(&mut serve(&folder, &["--drain", "1h"]));
    let under_way = server.address.open("GET", "/slow", &[]);
    let (mut at_upstream, _) = upstream.accept().unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        at_upstream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    server.signal("TERM");
    assert_eq!(server.wait_for_json("open requests may end")["signal"], "SIGTERM");
    at_upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow").unwrap();
    assert_eq!(under_way.response().body, "slow");
    server.wait_for("every request was answered");
    assert_eq!(server.ended().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_second_signal_does_not_wait() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    let folder = Folder::with(&format!(
        "\
portico: 1
name: impatient
upstreams: {{ silent: {{ targets: [{{ url: \"http://{address}\" }}] }} }}
routes: [{{ name: silent, match: {{ path: /silent }}, upstream: silent }}]
"
    ));
    let server = Server::start(&mut serve(&folder, &["--drain", "1h"]));
    let _under_way = server.address.open("GET", "/silent", &[]);
    let _at_upstream = upstream.accept().unwrap();
    server.signal("TERM");
    server.wait_for("open requests may end");
    server.signal("INT");
    server.wait_for("asked a second time");
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn a_certificate_makes_it_https() {
    let folder = Folder::with(PAGE);
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    folder.write("chain.pem", &own.cert.pem());
    folder.write("key.pem", &own.signing_key.serialize_pem());
    let mut command = serve(&folder, &["--tls-cert", "chain.pem", "--tls-key", "key.pem"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let found = lines.map_while(Result::ok).find(|line| line.contains("listening on https://127.0.0.1:"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(found.is_some());
}

#[cfg(unix)]
#[test]
fn a_certificate_is_read_at_the_start_only() {
    let folder = Folder::with(PAGE);
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    folder.write("chain.pem", &own.cert.pem());
    folder.write("key.pem", &own.signing_key.serialize_pem());
    let server = Server::start(&mut portico(
        &folder.0,
        &["serve", "--listen", "127.0.0.1:0", "--tls-cert", "chain.pem", "--tls-key", "key.pem"],
    ));
    folder.write("chain.pem", "no certificate any more");
    server.signal("HUP");
    server.wait_for("nothing to do");
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0));
}
