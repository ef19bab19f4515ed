//! What the server says about itself and about requests, for those who run it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::http::Address;
use crate::process::{Folder, Server, portico};

/// A gateway in front of `address`, with a key for acme and a route that needs a secret.
fn shop(address: std::net::SocketAddr) -> Folder {
    Folder::with(&format!(
        "\
portico: 1
name: shop
trusted_proxies: [\"127.0.0.1\"]
upstreams: {{ app: {{ targets: [{{ url: \"http://{address}\" }}] }} }}
identities:
  # sha256 of \"k-acme\"
  keys: {{ api_key: {{ keys: {{ acme: {{ sha256: 0b131655124822cb1cf254042086d2bf26a4f1c6cd82727aab583e915346aca3 }} }} }} }}
routes:
  - {{ name: app, match: {{ path: /app }}, upstream: app, policies: {{ auth: {{ any_of: [keys] }} }} }}
  - {{ name: secret, match: {{ path: /secret }}, respond: {{ body: \"${{secret.PORTICO_TEST_A}} ${{secret.PORTICO_TEST_B}}\" }} }}
"
    ))
}

#[test]
fn the_log_tells_what_only_the_operator_should_know_and_no_secret() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut tcp, _) = upstream.accept().unwrap();
        BufReader::new(&tcp).lines().map_while(Result::ok).find(String::is_empty);
        tcp.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    });
    let folder = shop(address);
    let server = Server::start(
        portico(&folder.0, &["serve", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"])
            .env("PORTICO_TEST_A", "s3cret-value"),
    );
    let second = server.wait_for_json("listening on http://127.0.0.1:");
    assert_eq!((&second["level"], second["timestamp"].is_string()), (&"INFO".into(), true), "{second}");

    let caller = [("x-api-key", "k-acme"), ("x-forwarded-for", "198.51.100.7"), ("user-agent", "test")];
    assert_eq!(server.address.send("GET", "/app", &caller).status, 204);
    let line = server.wait_for_json("\"request_id\"");
    for (key, value) in [
        ("client", json!("198.51.100.7")),
        ("identity", json!("keys")),
        ("consumer", json!("acme")),
        ("upstream", json!(format!("app http://{address}"))),
        ("user_agent", json!("test")),
    ] {
        assert_eq!(line[key], value, "{line}");
    }

    let second = second["message"].as_str().unwrap().rsplit('/').next().unwrap();
    let answer = Address::parse(second).get("/secret");
    assert_eq!((answer.status, answer.json()["code"].as_str()), (500, Some("secret_missing")));
    assert!(!answer.body.contains("PORTICO_TEST_B"), "{}", answer.body);
    let line = server.wait_for("\"request_id\"");
    assert!(line.contains("PORTICO_TEST_B") && !line.contains("s3cret-value"), "{line}");
}

#[test]
fn a_server_says_at_its_start_what_it_serves_and_which_secrets_are_missing() {
    let folder = shop(([127, 0, 0, 1], 9).into());
    let mut command = portico(&folder.0, &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told: Vec<_> = lines.take_while(|line| !line.contains("listening on")).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    let told =
        |text: &str| -> Value { serde_json::from_str(told.iter().find(|line| line.contains(text)).unwrap()).unwrap() };
    let missing = told("PORTICO_TEST_B is not set");
    assert_eq!(
        (&missing["level"], &missing["file"], &missing["line"]),
        (&"WARN".into(), &"gateway.yaml".into(), &10.into())
    );
    assert_eq!(told("starting")["name"], "shop");
}

const PAGE: &str = "\
portico: 1
name: page
routes: [{ name: one, match: { path: /one }, respond: {} }]
";

#[cfg(unix)]
#[test]
fn a_closed_stderr_does_not_stop_the_server() {
    let folder = Folder::with(PAGE);
    let mut command = portico(&folder.0, &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let listening = stderr.find(|line| line.contains("listening on")).unwrap();
    drop(stderr);
    let address = Address::parse(listening.split("://").nth(1).unwrap().split('"').next().unwrap());
    // a reload has something to say, and nowhere to say it
    folder.write("gateway.yaml", &PAGE.replace("/one", "/two"));
    let hangup = format!("kill -HUP {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &hangup]).status().unwrap().success());
    while address.get("/two").status == 404 {
        std::thread::yield_now();
    }
    assert_eq!(address.get("/-/health").status, 200);
    assert_eq!(child.try_wait().unwrap(), None);
    child.kill().unwrap();
    child.wait().unwrap();
}
