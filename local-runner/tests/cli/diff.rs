//! `portico diff`: what changes in meaning, and for which recorded requests.

use std::process::Command;

use serde_json::Value;

use crate::process::{Folder, Server, portico, run};

const OLD: &str = r#"portico: 1
name: shop
upstreams:
  orders: { targets: [{ url: "http://127.0.0.1:9" }], timeout: 5s }
identities:
  users: { jwt: { algorithms: [HS256], secret: "${secret.PORTICO_TEST_DIFF}", issuer: "https://id.example/", audience: shop } }
defaults:
  rate_limit: { limit: 60, per: 1m, by: ip }
routes:
  - name: orders
    match: { host: shop.example, path: "/orders/{id}", methods: [GET] }
    upstream: orders
    policies: { auth: { any_of: [users], scopes: ["orders:read"] } }
  - name: order
    match: { host: shop.example, path: /orders, methods: [POST] }
    upstream: orders
    policies: { auth: { any_of: [users] }, body_limit: 1KiB }
  - name: status
    match: { path: /status }
    respond: { json: { up: true } }
"#;

/// The secret of `users`, and what is behind the tokens in `browser.har`.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn new(replaced: &[(&str, &str)]) -> String {
    replaced.iter().fold(OLD.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

/// A folder with `old.yaml` and a `gateway.yaml` in which some of it is replaced.
fn folder(replaced: &[(&str, &str)]) -> Folder {
    let folder = Folder::with(&new(replaced));
    folder.write("old.yaml", OLD);
    folder
}

/// A line of an access log, of a request that `status` served.
fn line(time: &str, path: &str, status: u16) -> String {
    let route = if path == "/status" { "status" } else { "gone" };
    let decided =
        |policy, outcome, reason| serde_json::json!({ "policy": policy, "outcome": outcome, "reason": reason });
    let decisions = [decided("rate_limit", "allow", "within_rate_limit"), decided("forward", "respond", "responded")];
    let line = serde_json::json!({
        "time": time, "client": "192.0.2.1", "method": "GET", "path": path, "host": "a.example", "status": status,
        "route": route, "decisions": decisions, "config": "",
    });
    line.to_string()
}

fn diff(folder: &Folder, more: &[&str]) -> (i32, String, String) {
    run(&folder.0, &[&["diff", "old.yaml", "gateway.yaml"], more].concat())
}

#[test]
fn another_spelling_means_the_same() {
    let folder = folder(&[
        ("timeout: 5s", "timeout: 5000ms, balance: round_robin"),
        ("defaults:\n  rate_limit: { limit: 60, per: 1m, by: ip }\n", ""),
        (
            "{ auth: { any_of: [users], ",
            "{ rate_limit: { limit: 60, per: 60s }, auth: { mode: enforce, any_of: [users], ",
        ),
        ("body_limit: 1KiB }", "body_limit: 1024B, rate_limit: { burst: 60, limit: 60, per: 1m } }"),
        (
            "respond: { json: { up: true } }",
            "respond: { json: { up: true } }\n    policies: { rate_limit: { per: 1m, limit: 60 } }",
        ),
    ]);
    assert_eq!(diff(&folder, &[]), (0, "old.yaml and gateway.yaml mean the same\n".to_owned(), String::new()));
    let (code, json, _) = diff(&folder, &["--format", "json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&json).unwrap()), (0, serde_json::json!({ "changes": [] })));
}

#[test]
fn differences_are_told_with_their_place_looser_ones_first() {
    let folder = folder(&[
        ("timeout: 5s", "timeout: 10s"),
        ("audience: shop", "audience: [shop, partners]"),
        ("limit: 60", "limit: 600"),
        (", scopes: [\"orders:read\"]", ""),
        ("any_of: [users] }, body_limit: 1KiB", "any_of: [users], scopes: [\"orders:write\"] }"),
        ("name: status", "name: health"),
    ]);
    folder.write("routes/more.yaml", "routes:\n  - { name: more, match: { path: /more }, respond: {} }\n");
    let yaml = std::fs::read_to_string(folder.0.join("gateway.yaml")).unwrap();
    folder.write("gateway.yaml", &yaml.replace("name: shop\n", "name: shop\ninclude: [\"routes/*.yaml\"]\n"));
    let (code, stdout, stderr) = diff(&folder, &[]);
    assert_eq!((code, &*stderr), (1, ""));
    assert_eq!(
        stdout,
        "\
old.yaml → gateway.yaml: 8 differences in meaning: 5 looser, 1 tighter, 2 changed

looser
  old.yaml:13:42        route orders: auth.scopes now without orders:read
  old.yaml:17:56        route order: body_limit removed; it was: max 1KiB
  gateway.yaml:7:110    identity users: jwt.audience now with partners
  gateway.yaml:9:24     routes orders, order, health: rate_limit.limit 60 → 600
  routes/more.yaml:2:5  route more: added: /more, responds, with rate_limit

tighter
  gateway.yaml:18:42    route order: auth.scopes now with orders:write

changed
  gateway.yaml:5:64     upstream orders: timeout 5s → 10s
  gateway.yaml:19:11    route status: is now called health; its rate limits count anew
"
    );
    let (code, json, _) = diff(&folder, &["--format", "json", "--deny", "looser"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(code, 1);
    assert_eq!(
        json["changes"][3],
        serde_json::json!({
            "judgement": "looser", "subject": "route", "names": ["orders", "order", "health"], "kind": "value",
            "key": "rate_limit.limit", "old": 60, "new": 600, "message": "rate_limit.limit 60 → 600",
            "in": "new", "file": "gateway.yaml", "line": 9, "column": 24, "pointer": "defaults.rate_limit.limit",
        })
    );
    let kinds: Vec<_> =
        json["changes"].as_array().unwrap().iter().map(|change| change["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["elements", "removed", "elements", "value", "added", "elements", "value", "renamed"]);
}

#[test]
fn only_what_lets_more_pass_can_be_denied() {
    let tighter = folder(&[("limit: 60", "limit: 6")]);
    assert_eq!(diff(&tighter, &[]).0, 1);
    assert_eq!(diff(&tighter, &["--deny", "looser"]).0, 0);
    let (code, stdout, _) = diff(&folder(&[("limit: 60", "limit: 600")]), &["--deny", "looser"]);
    assert!(code == 1 && stdout.contains("rate_limit.limit 60 → 600"), "{stdout}");
}

#[test]
fn a_configuration_may_come_through_a_pipe_or_be_a_bundle() {
    let folder = folder(&[("limit: 60", "limit: 6")]);
    folder.write("routes/more.yaml", "routes:\n  - { name: more, match: { path: /more }, respond: {} }\n");
    folder.write("inner/gateway.yaml", &new(&[("name: shop\n", "name: shop\ninclude: [\"../routes/*.yaml\"]\n")]));
    assert_eq!(run(&folder.0, &["build", "--config", "old.yaml", "--out", "old.json"]).0, 0);
    folder.write("access.log", &line("2026-03-01T13:00:00+01:00", "/nothing", 200));
    let line = "gateway.yaml:8:24  routes orders, order, status: rate_limit.limit 60 → 6";
    for (command, expected) in [
        ("cat old.yaml | portico diff - gateway.yaml", line),
        ("cat old.yaml | portico diff /dev/stdin gateway.yaml", line),
        ("cat old.json | portico diff - gateway.yaml", line),
        ("portico diff old.json gateway.yaml", line),
        (
            "portico diff gateway.yaml old.json",
            "old.json:defaults.rate_limit.limit  routes orders, order, status: rate_limit.limit 6 → 60",
        ),
        (
            "cat access.log | portico diff old.yaml gateway.yaml --traffic -",
            "stdin:1  2026-03-01T12:00:00.000Z  GET /nothing",
        ),
        // what a piped configuration names is beside the one that it is compared with
        ("cat inner/gateway.yaml | portico diff - inner/gateway.yaml", "stdin and inner/gateway.yaml mean the same"),
    ] {
        let portico = format!("alias portico={}\n{command}", env!("CARGO_BIN_EXE_portico"));
        let output = Command::new("sh").current_dir(&folder.0).args(["-c", &portico]).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(stdout.contains(expected), "{command}:\n{stdout}{stderr}");
        assert_eq!((output.status.code(), &*stderr), (Some(i32::from(expected.contains("60"))), ""), "{command}");
    }
}

#[test]
fn what_is_wrong_has_a_way_out() {
    let folder = folder(&[("upstream: orders", "upstrem: orders")]);
    folder.write("empty.log", "");
    folder.write("nonsense.log", "one\ntwo\n");
    for (arguments, texts) in [
        (&["old.yaml"][..], &["<NEW>"][..]),
        (&["old.yaml", "none.yaml"], &["cannot read none.yaml", "help: name a configuration file"]),
        (&["old.yaml", "."], &["cannot read .:"]),
        (&["old.yaml", "gateway.yaml"], &["gateway.yaml:12:5: error", "upstream"]),
        (&["-", "-"], &["only one of the files can be stdin"]),
        (&["-", "old.yaml", "--traffic", "-"], &["only one of the files can be stdin"]),
        (&["old.yaml", "old.yaml", "--traffic", "none.log"], &["cannot read none.log", "help: --traffic takes"]),
        (&["old.yaml", "old.yaml", "--traffic", "empty.log"], &["there are no requests in empty.log"]),
        (
            &["old.yaml", "old.yaml", "--traffic", "nonsense.log"],
            &["there are no requests in nonsense.log; nonsense.log:1: not JSON"],
        ),
        (&["old.yaml", "old.yaml", "--deny", "all"], &["looser"]),
    ] {
        let (code, stdout, stderr) = run(&folder.0, &[&["diff"], arguments].concat());
        assert_eq!((code, &*stdout), (2, ""), "{arguments:?}: {stderr}");
        for text in texts {
            assert!(stderr.contains(text), "{arguments:?} does not say {text:?}:\n{stderr}");
        }
    }
}

#[test]
fn the_log_of_a_real_server_is_replayed() {
    // a test's client asks for the host that it connects to
    let any_host = ("host: shop.example, ", "");
    let folder = folder(&[any_host, ("[\"orders:read\"]", "[\"orders:write\"]"), ("up: true", "up: false")]);
    folder.write("old.yaml", &new(&[any_host]));
    let mut serve = portico(&folder.0, &["serve", "--config", "old.yaml", "--listen", "127.0.0.1:0"]);
    let server = Server::start(serve.env("PORTICO_TEST_DIFF", SECRET));
    let token = |more: &[&str]| {
        let arguments = [&["token", "--config", "old.yaml", "--sub", "alice"], more].concat();
        let output = portico(&folder.0, &arguments).env("PORTICO_TEST_DIFF", SECRET).output().unwrap();
        format!("Bearer {}", String::from_utf8(output.stdout).unwrap().trim_end())
    };
    let reads = token(&["--scope", "orders:read"]);
    let mut log = String::new();
    let mut send = |path: &str, headers: &[(&str, &str)], status: u16| {
        let answer = server.address.send("GET", path, headers);
        assert_eq!(answer.status, status, "{path}");
        log.push_str(&server.wait_for("\"request_id\""));
        log.push('\n');
    };
    send("/orders/7?secret=yes", &[("authorization", &reads)], 502);
    send("/orders/8", &[("authorization", &reads)], 502);
    send("/orders/9", &[], 401);
    send("/status", &[], 200);
    send("/orders/10", &[("authorization", &token(&[]))], 403);
    let time = |line: usize| {
        let line: Value = serde_json::from_str(log.lines().nth(line - 1).unwrap()).unwrap();
        line["time"].as_str().unwrap().to_owned()
    };
    folder.write("access.log", &format!("{log}nonsense\n{}", &log[..100]));

    let (code, stdout, stderr) = diff(&folder, &["--traffic", "access.log"]);
    assert_eq!((code, &*stderr), (1, ""));
    let (_, traffic) = stdout.split_once("requests would be decided differently\n").unwrap();
    assert!(stdout.contains("\n2 of 5 requests would be decided differently\n"), "{stdout}");
    assert_eq!(
        traffic,
        format!(
            "
        2  route orders: 502 forward deny upstream_unreachable → 403 auth deny scope_missing
           decided at old.yaml:4:13, then gateway.yaml:13:42
           access.log:1  {}  GET /orders/7
           access.log:2  {}  GET /orders/8

1 record is no request:
  access.log:6: not JSON: expected ident, at column 2
",
            time(1),
            time(2)
        )
    );
    let (_, json, _) = diff(&folder, &["--traffic", "access.log", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let example = |line: usize, path: &str| {
        serde_json::json!({
            "file": "access.log", "line": line, "entry": null, "time": time(line), "method": "GET", "path": path,
            "upstream": null,
        })
    };
    assert_eq!(
        json["traffic"],
        serde_json::json!({
            "requests": 5, "different": 2, "decided_by_another": 0, "notes": [], "not_reproducible": [],
            "groups": [{
                "count": 2, "route": { "old": "orders", "new": "orders" },
                "old": "502 forward deny upstream_unreachable", "new": "403 auth deny scope_missing",
                "decided_at": {
                    "old": { "file": "old.yaml", "line": 4, "column": 13 },
                    "new": { "file": "gateway.yaml", "line": 13, "column": 42 },
                },
                "examples": [example(1, "/orders/7"), example(2, "/orders/8")],
            }],
            "unreadable": { "count": 1, "examples": ["access.log:6: not JSON: expected ident, at column 2"] },
        })
    );
    // what differs in meaning and in no request
    folder.write("gateway.yaml", &new(&[any_host, ("limit: 60", "limit: 600"), ("up: true", "up: false")]));
    let (code, stdout, _) = diff(&folder, &["--traffic", "access.log"]);
    assert!(code == 0 && stdout.contains("\nnone of 5 requests would be decided differently\n"), "{stdout}");
    assert_eq!(diff(&folder, &["--traffic", "access.log", "--deny", "looser"]).0, 1);
}

#[test]
fn what_a_browser_saved_is_replayed_as_it_was_sent() {
    let folder = folder(&[("[\"orders:read\"]", "[\"orders:write\"]"), ("body_limit: 1KiB", "body_limit: 32B")]);
    folder.write("browser.har", include_str!("diff/browser.har"));
    folder.write("access.log", &line("2026-03-01T12:00:03.500Z", "/status", 200));
    let diff = |secret: &str| {
        let files = ["--traffic", "browser.har", "--traffic", "access.log"];
        let mut command = portico(&folder.0, &[&["diff", "old.yaml", "gateway.yaml"][..], &files].concat());
        let output = command.env("PORTICO_TEST_DIFF", secret).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let at = stdout.find(" would be decided differently").and_then(|at| stdout[..at].rfind('\n')).unwrap();
        (output.status.code(), stdout[at + 1..].to_owned())
    };
    let (code, traffic) = diff(SECRET);
    assert_eq!(code, Some(1));
    assert_eq!(
        traffic,
        "\
2 of 6 requests would be decided differently

        1  route order: forwarded to orders → 413 body_limit deny body_too_large
           decided at old.yaml:16:15, then gateway.yaml:17:56
           browser.har: entry 2  2026-03-01T12:00:02.000Z  POST /orders

        1  route orders: forwarded to orders → 403 auth deny scope_missing
           decided at old.yaml:12:15, then gateway.yaml:13:42
           browser.har: entry 1  2026-03-01T12:00:01.000Z  GET /orders/7

2 requests cannot be replayed from the record, and not counted:
        1  200 in the record, 401 auth deny credentials_missing in a replay on OLD
           browser.har: entry 3  2026-03-01T12:00:03.000Z  GET /orders/8
        1  200 in the record, 404 route deny no_route in a replay on OLD
           browser.har: entry 4  2026-03-01T12:00:04.000Z  GET /shop.js

1 record is no request:
  browser.har: entry 6: it has no response

note: 1 request was decided by another configuration than OLD
"
    );
    // with another secret than the one that signed, OLD refuses what was served
    let (code, traffic) = diff("another secret, that signed nothing of it");
    assert_eq!(code, Some(0), "{traffic}");
    for status in [200, 201] {
        let expected = format!("        1  {status} in the record, 401 auth deny token_signature in a replay on OLD\n");
        assert!(traffic.contains(&expected), "{traffic}");
    }
}

#[test]
fn what_a_browser_saved_comes_from_an_address_for_documentation() {
    let limit = "rate_limit: { limit: 60, per: 1m, by: ip }";
    let folder = folder(&[(limit, &format!("{limit}\n  ip: {{ deny: [192.0.2.1] }}"))]);
    folder.write("browser.har", include_str!("diff/browser.har"));
    folder.write("access.log", &line("2026-03-01T12:00:03.500Z", "/status", 200));
    let (code, stdout, _) = diff(&folder, &["--traffic", "browser.har"]);
    assert!(code == 1 && stdout.contains("→ 403 ip deny address_denied\n"), "{stdout}");
}
