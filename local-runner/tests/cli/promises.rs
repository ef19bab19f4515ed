//! What `docs/command-line.md` promises and the other files here do not come across.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::http::Address;
use crate::process::{Folder, Server, checkout, portico, run};

#[test]
fn every_command_explains_itself() {
    let documentation = std::fs::read_to_string(checkout().join("docs/command-line.md")).unwrap();
    let (_, overview, _) = run(&checkout(), &["--help"]);
    let commands: Vec<_> = overview
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() >= 6, "{overview}");
    for command in commands {
        let (code, help, _) = run(&checkout(), &[command, "--help"]);
        assert_eq!(code, 0);
        assert!(help.contains("Usage: portico ") && help.contains("Example"), "{command}: {help}");
        assert!(documentation.contains(&format!("\n## `portico {command}`\n")), "{command} is not documented");
    }
    for (command, defaults) in [
        ("dev", &["gateway.yaml", "127.0.0.1:8080"][..]),
        ("serve", &["gateway.yaml", "127.0.0.1:8080", "30s"]),
        ("token", &["gateway.yaml", "developer", "1h"]),
    ] {
        let (_, help, _) = run(&checkout(), &[command, "--help"]);
        for default in defaults {
            assert!(help.contains(&format!("[default: {default}]")), "{command} {default}: {help}");
        }
    }
}

#[test]
fn includes_are_found_by_pattern_and_files_named_in_vain_are_errors() {
    let folder = Folder::with(
        "portico: 1\nname: teams\ninclude: [\"?.yaml\", \"team-[a-c].yaml\", \"deep/**/*.yaml\"]\n\
         routes: [{ name: own, match: { path: /own }, respond: {} }]\n",
    );
    for (file, name) in [
        ("x.yaml", "x"),
        ("xy.yaml", "not one letter"),
        ("team-b.yaml", "b"),
        ("team-d.yaml", "not of the range"),
        ("deep/one.yaml", "one"),
        ("deep/er/two.yaml", "two"),
    ] {
        folder.write(file, &format!("routes: [{{ name: {name}, match: {{ path: \"/{name}\" }}, respond: {{}} }}]\n"));
    }
    let (code, bundle, stderr) = run(&folder.0, &["build"]);
    assert_eq!(code, 0, "{stderr}");
    let bundle: Value = serde_json::from_str(&bundle).unwrap();
    let routes = bundle["config"]["routes"].as_array().unwrap();
    let names: Vec<_> = routes.iter().map(|route| route["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["own", "x", "b", "two", "one"]);
    folder.write("gateway.yaml", "portico: 1\nname: teams\ninclude: [none.yaml]\n");
    let (code, _, stderr) = run(&folder.0, &["check"]);
    assert!(code == 2 && stderr.contains("cannot read none.yaml"), "{stderr}");
}

const LIMITED: &str = "\
portico: 1
name: limited
routes:
  - { name: one, match: { path: /one }, respond: {}, policies: { rate_limit: { limit: 1, per: 1h, by: route } } }
";

#[test]
fn a_reload_forgets_no_count_and_two_processes_share_none() {
    let folder = Folder::with(LIMITED);
    let command = || portico(&folder.0, &["dev", "--listen", "127.0.0.1:0"]);
    let server = Server::start(&mut command());
    assert_eq!((server.get("/one").status, server.get("/one").status), (200, 429));
    folder.write("gateway.yaml", &LIMITED.replace("name: limited", "name: changed"));
    server.wait_for("reloaded gateway.yaml");
    assert_eq!(server.get("/one").status, 429);
    assert_eq!(Server::start(&mut command()).get("/one").status, 200);
}

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

#[cfg(unix)]
#[test]
fn a_closed_stderr_does_not_stop_the_server() {
    let folder = Folder::with(LIMITED);
    let mut command = portico(&folder.0, &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let listening = stderr.find(|line| line.contains("listening on")).unwrap();
    drop(stderr);
    let address = Address::parse(listening.split("://").nth(1).unwrap().split('"').next().unwrap());
    // a reload has something to say, and nowhere to say it
    folder.write("gateway.yaml", &LIMITED.replace("/one", "/two"));
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

#[cfg(unix)]
#[test]
fn a_certificate_is_read_at_the_start_only() {
    let folder = Folder::with(LIMITED);
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

#[test]
fn a_bundle_holds_no_secret_and_replaces_another_in_one_step() {
    let folder = shop(([127, 0, 0, 1], 9).into());
    let old = "what was there before, and is longer than nothing";
    folder.write("gateway.json", old);
    let mut reader = std::fs::File::open(folder.0.join("gateway.json")).unwrap();
    let built = portico(&folder.0, &["build", "--out", "gateway.json"]).env("PORTICO_TEST_A", "s3cret-value").output();
    let built = built.unwrap();
    assert!(built.status.success());
    let bundle = std::fs::read_to_string(folder.0.join("gateway.json")).unwrap();
    assert!(bundle.contains("PORTICO_TEST_A") && !bundle.contains("s3cret-value"), "{bundle}");
    assert_eq!(bundle.find('\n'), Some(bundle.len() - 1));
    let hash = bundle.split('"').nth(5).unwrap();
    assert!(hash.len() == 64 && String::from_utf8(built.stderr).unwrap().contains(hash));
    // whoever was reading the old one reads it to its end
    let mut read = String::new();
    reader.read_to_string(&mut read).unwrap();
    assert_eq!(read, old);
}

#[test]
fn explain_takes_a_command_line_for_curl() {
    let folder = Folder::with(
        "portico: 1\nname: curl\nupstreams: { app: { targets: [{ url: \"http://app.internal\" }] } }\n\
         routes: [{ name: app, match: { path: \"/{*rest}\" }, upstream: app }]\n",
    );
    let explain = |arguments: &[&str]| -> Value {
        let mut command = portico(&folder.0, &[&["explain", "--format", "json"], arguments].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"from stdin").unwrap();
        serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
    };
    let sent = |arguments: &[&str]| explain(arguments)["request"].clone();
    let plain = sent(&["http://shop.test/a/../b"]);
    let settings = ["-isSvkLN", "-f", "-o", "/dev/null", "-m", "5", "--compressed", "--path-as-is"];
    let pasted = sent(&[&settings[..], &["http://shop.test/a/../b"]].concat());
    for part in ["method", "url", "headers"] {
        assert_eq!(pasted[part], plain[part], "{part}");
    }
    assert_eq!(plain["url"], "http://shop.test/a/../b");
    assert_eq!(plain["headers"], json!([["host", "shop.test"]]));
    assert_eq!(sent(&["shop.test/b"])["url"], "http://shop.test/b");
    assert_eq!(
        sent(&["-A", "me/1", "-b", "a=1; b=2", "-H", "X-Empty;", "-H", "Host: other.test", "shop.test/b"])["headers"],
        json!([["host", "other.test"], ["cookie", "… (8 bytes)"], ["user-agent", "me/1"], ["x-empty", ""]])
    );
    let read = sent(&["-d", "@-", "shop.test/b"]);
    let length = ["content-length", "10"];
    assert_eq!(read["method"], "POST");
    assert!(read["headers"].as_array().unwrap().contains(&json!(length)), "{read}");
}
