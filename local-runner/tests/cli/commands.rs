//! Commands that end by themselves, and what they say when something is wrong.

use std::io::Read as _;
use std::net::TcpListener;

use serde_json::Value;

use crate::process::{Folder, checkout, portico, run};

/// Three mistakes in three places.
const WRONG: &str = "\
portico: 1
name: wrong
upstreams:
  one: { targets: [{ url: \"ftp://one\" }] }
routes:
  - name: a
    match: { path: /a }
    upstrem: one
  - name: b
    match: { path: /b }
    upstream: two
";

#[test]
fn a_wrong_configuration_starts_nothing_and_is_reported_whole() {
    let folder = Folder::with(WRONG);
    for command in ["check", "dev", "serve", "build", "token"] {
        let (code, stdout, stderr) = run(&folder.0, &[command]);
        assert_eq!((code, &*stdout), (2, ""), "{command}: {stderr}");
        for place in ["gateway.yaml:4:", "gateway.yaml:8:", "gateway.yaml:11:"] {
            assert!(stderr.contains(place), "{command} does not name {place}:\n{stderr}");
        }
        assert!(stderr.contains("did you mean"), "{stderr}");
    }
}

#[test]
fn usage_errors_have_a_way_out() {
    let folder = Folder::with("portico: 1\nname: empty\n");
    let certificate = folder.write("chain.pem", "nothing of the kind");
    let certificate = certificate.to_str().unwrap();
    for (arguments, code, texts) in [
        (&["check", "--config", "none.yaml"][..], 2, &["no file none.yaml", "--config"][..]),
        (&["--lisen", "127.0.0.1:0"], 2, &["--lisen", "--listen"]),
        (&["serv"], 2, &["serve"]),
        (&["--listen", "8080"], 2, &["127.0.0.1:8080"]),
        (&["serve", "--drain", "5"], 2, &["5s"]),
        (&["serve", "--tls-cert", "chain.pem"], 2, &["--tls-key"]),
        (
            &["serve", "--tls-cert", certificate, "--tls-key", certificate],
            2,
            &["chain.pem", "certificate", "--tls-cert"],
        ),
        (&["build", "--out", "none/gateway.json"], 1, &["none/gateway.json", "--out"]),
        (&["dev", "--listen", "192.0.2.1:0"], 1, &["192.0.2.1", "--listen 127.0.0.1:8080"]),
    ] {
        let (ended, stdout, stderr) = run(&folder.0, arguments);
        assert_eq!((ended, &*stdout), (code, ""), "{arguments:?}: {stderr}");
        for text in texts {
            assert!(stderr.contains(text), "{arguments:?} does not say {text:?}:\n{stderr}");
        }
    }
}

#[test]
fn a_port_in_use_is_told_with_another() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = Folder::with("portico: 1\nname: empty\n");
    for command in ["dev", "serve"] {
        let (code, _, stderr) = run(&folder.0, &[command, "--listen", &address.to_string()]);
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains("is in use") && stderr.contains("--listen 127.0.0.1:"), "{stderr}");
    }
}

#[test]
fn demo_upstreams_are_for_development() {
    for arguments in [&["serve"][..], &["check", "--production"]] {
        let (code, _, stderr) = run(&checkout(), arguments);
        assert_eq!(code, 2, "{stderr}");
        assert_eq!(stderr.matches("answered by `portico dev` only").count(), 5, "{stderr}");
        assert!(stderr.contains("gateway.yaml:"), "{stderr}");
    }
    let (code, stdout, stderr) = run(&checkout(), &["check"]);
    assert_eq!((code, &*stderr), (0, "4 waived\n"));
    assert!(stdout.contains("gateway.yaml can be used"), "{stdout}");
    let folder = Folder::with("{ portico: 1, name: a, upstreams: { a: { targets: [{ url: \"demo://ehco\" }] } } }");
    let (code, _, stderr) = run(&folder.0, &["check"]);
    assert!(code == 2 && stderr.contains("known: demo://echo"), "{stderr}");
}

#[test]
fn a_missing_secret_is_a_warning() {
    let folder = Folder::with(
        "\
portico: 1
name: secretive
routes:
  - name: a
    match: { path: /a }
    respond: { headers: { X-A: \"${secret.PORTICO_TEST_A} ${secret.PORTICO_TEST_B}\" } }
",
    );
    folder.write("dev.env", "PORTICO_TEST_A=a\n");
    let (code, _, stderr) = run(&folder.0, &["check"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("gateway.yaml:6:") && stderr.contains("the secret PORTICO_TEST_B is not set"), "{stderr}");
    assert!(!stderr.contains("the secret PORTICO_TEST_A"), "{stderr}");
    let (_, _, stderr) = run(&folder.0, &["check", "--production"]);
    assert!(stderr.contains("the secret PORTICO_TEST_A is not set"), "{stderr}");
    folder.write("dev.env", "PORTICO_TEST_A=a\nnonsense\n");
    let (code, _, stderr) = run(&folder.0, &["check"]);
    assert!(code == 2 && stderr.contains("dev.env:2:"), "{stderr}");
}

#[test]
fn the_same_meaning_is_the_same_bundle() {
    let one = Folder::with("portico: 1\nname: same\ninclude: [\"routes/*.yaml\"]\n");
    one.write("routes/a.yaml", "routes:\n  - name: a\n    match: { path: /a, methods: [GET] }\n    respond: {}\n");
    let other = Folder::with(
        "# another style\nname: same\nroutes: [{ respond: {}, match: { methods: [\"GET\"], path: \"/a\" }, name: a }]\nportico: 1\n",
    );
    let (code, bundle, stderr) = run(&one.0, &["build"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(bundle.starts_with("{\"bundle\":1,\"hash\":\""), "{bundle}");
    assert_eq!(run(&other.0, &["build"]).1, bundle);
    assert_eq!(run(&other.0, &["build", "--out", "gateway.json"]).1, "");
    assert_eq!(std::fs::read_to_string(other.0.join("gateway.json")).unwrap(), bundle);

    assert_eq!(run(&other.0, &["build", "-c", "gateway.json"]).1, bundle);
    other.write("gateway.json", &bundle.replace("/a", "/b"));
    let (code, _, stderr) = run(&other.0, &["check", "--config", "gateway.json"]);
    assert!(code == 2 && stderr.contains("was changed after it was built"), "{stderr}");
}

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

#[test]
fn a_bundle_holds_no_secret_and_replaces_another_in_one_step() {
    let folder = Folder::with(
        "portico: 1\nname: secretive\nroutes: [{ name: a, match: { path: /a }, respond: { body: \"${secret.PORTICO_TEST_A}\" } }]\n",
    );
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
fn the_table_of_routes_says_where_bodies_do_not_stream() {
    let folder = Folder::with(
        "portico: 1\nname: table\nupstreams: { app: { targets: [{ url: \"http://app.internal\" }] } }\n\
         routes:\n  - { name: a, match: { path: /a }, upstream: app, policies: { response: { json: { remove: [x] } } } }\n  \
         - { name: b, match: { path: /b }, upstream: app, policies: { response: { headers: { remove: [X-A] } } } }\n",
    );
    let (_, table, _) = run(&folder.0, &["check"]);
    let whole: Vec<_> = table.lines().filter(|line| line.contains("reads JSON bodies whole")).collect();
    assert!(matches!(whole.as_slice(), [line] if line.contains("/a ")), "{table}");
}
