//! What a gateway that runs tells of its decisions, and to whom.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};

use super::{GATEWAY, folder};
use crate::process::{Server, portico, run};

/// A gateway that runs: nothing that it forwards to is there.
#[test]
fn a_gateway_that_runs_tells_the_same() {
    let folder = folder();
    let server = Server::start(&mut portico(&folder.0, &["--listen", "127.0.0.1:0"]));
    let url = |path: &str| format!("http://{}{path}", server.address.0);
    let (code, stdout, stderr) = run(&folder.0, &["explain", "--live", &url("/hello?a=b")]);
    assert_eq!((code, &*stderr), (0, ""), "{stdout}");
    for text in [
        "\n  route             allow           route_matched: A route matched.\n",
        "\n                                    gateway.yaml:30:45  routes[3].respond\n",
        "\n200 OK\n",
        "\n127.0.0.1 ${secret.PORTICO_TEST_UPSTREAM}\n",
    ] {
        assert!(stdout.contains(text), "{text:?} is not in:\n{stdout}");
    }
    assert!(!stdout.contains("upstream.") && !stdout.contains("x-portico-trace"), "{stdout}");
    let live = |path: &str, fields: &[&str]| -> Value {
        let (_, stdout, stderr) =
            run(&folder.0, &[&["explain", "--live", "--format=json", &url(path)], fields].concat());
        serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stderr}"))
    };
    let refused = live("/orders/7", &["-d", "a=1"]);
    let step = |told: &Value, name: &str| {
        let mut steps = told["steps"].as_array().unwrap().iter();
        steps.find(|step| step["step"] == name).unwrap().clone()
    };
    let auth = step(&refused, "auth");
    assert_eq!([&auth["outcome"], &auth["reason"]], ["deny", "credentials_missing"]);
    assert_eq!([&auth["line"], &refused["response"]["status"]], [&json!(19), &json!(401)]);
    let failed = live("/orders/7", &["-H", "X-Key: demo-key-acme"]);
    let forward = step(&failed, "forward");
    assert_eq!([&forward["reason"], &failed["response"]["status"]], [&json!("upstream_unreachable"), &json!(502)]);
    assert_eq!(forward["place"], "upstreams.orders.targets");

    // what was told of another configuration has no lines in this one
    folder.write("other.yaml", &GATEWAY.replace("name: shop", "name: other"));
    let (code, stdout, stderr) = run(&folder.0, &["explain", "-c", "other.yaml", "--live", &url("/hello")]);
    assert!(code == 0 && stderr.contains("another configuration") && stderr.contains("other.yaml"), "{stderr}");
    assert!(stdout.contains("  routes[3].respond\n") && !stdout.contains("other.yaml:"), "{stdout}");

    let other = folder.write("else/gateway.yaml", GATEWAY);
    folder.write("else/dev.env", "PORTICO_TEST_DEBUG=another-secret-of-32-bytes-or-so\n");
    let (code, stdout, stderr) = run(&folder.0, &["explain", "-c", other.to_str().unwrap(), "--live", &url("/hello")]);
    assert_eq!((code, &*stdout), (1, ""), "{stderr}");
    assert!(stderr.contains("the answer (200) has no trace") && stderr.contains("help: "), "{stderr}");
}

#[test]
fn what_answers_cannot_command_the_terminal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hello", listener.local_addr().unwrap());
    let escape = "\\u001b[31m";
    let step = format!(r#"{{"step":"{escape}","outcome":"{escape}","reason":"{escape}","detail":"{escape}"}}"#);
    let request = r#"{"id":"","id_kept":false,"trace_id":"","trace_continued":false,"client":"","client_from":""}"#;
    let trace = format!(r#"{{"config":"{escape}","request":{request},"steps":[{step}]}}"#);
    let answer = format!("HTTP/1.1 200 OK\r\nX-Portico-Trace: {trace}\r\nContent-Length: 5\r\n\r\n\u{1b}[31m");
    let stranger = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        client.write_all(answer.as_bytes()).unwrap();
    });
    let (code, stdout, stderr) = run(&folder().0, &["explain", "--live", &url]);
    stranger.join().unwrap();
    assert_eq!(
        (code, stdout.matches("\\u{1b}[31m").count(), stderr.matches("\\u{1b}[31m").count()),
        (0, 5, 1),
        "{stdout}{stderr}"
    );
    assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'), "{stdout}{stderr}");
}

#[test]
fn a_signature_is_for_one_request_and_nobody_else_sees_it() {
    let folder = folder();
    let server = Server::start(
        portico(&folder.0, &["serve", "--listen", "127.0.0.1:0"])
            .envs([("PORTICO_TEST_DEBUG", "0123456789abcdef0123456789abcdef"), ("PORTICO_TEST_UPSTREAM", "x")]),
    );
    let url = format!("http://{}/hello", server.address.0);
    let (code, header, stderr) = run(&folder.0, &["explain", "--sign", &url]);
    assert_eq!((code, header.lines().count(), &*stderr), (0, 1, ""));
    let (name, value) = header.trim_end().split_once(": ").unwrap();
    let get = |method: &str, path: &str| server.address.send(method, path, &[(name, value)]);
    let answer = get("GET", "/hello");
    let trace: Value = serde_json::from_str(answer.header("x-portico-trace")).unwrap();
    assert_eq!([&trace["gateway"], &trace["route"]], ["shop", "hello"]);
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    for (method, path) in [("GET", "/hello?"), ("GET", "/old/7"), ("POST", "/hello"), ("HEAD", "/hello")] {
        assert_eq!(get(method, path).header("x-portico-trace"), "", "{method} {path}");
    }
    assert_eq!(server.address.get("/hello").header("x-portico-trace"), "");
    for _ in 0..6 {
        let line = server.wait_for("\"decisions\"");
        assert!(!line.contains("v1=") && !line.contains("x-portico"), "{line}");
    }
}
