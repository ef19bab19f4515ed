//! `portico key` and `--values`: a key is made, stored with the command that is printed, and taken away again.

use std::process::Command;

use crate::process::{Folder, Server, portico, run};

const STORED: &str = "\
portico: 1
name: keys
identities:
  partners: { api_key: { store: { fresh: 1s } } }
routes:
  - name: me
    match: { path: /me }
    respond: { body: \"${consumer}\" }
    policies: { auth: { any_of: [partners], scopes: [\"orders:read\"] } }
";

/// The command behind `store it:`, run in the folder.
fn store(folder: &Folder, told: &str) {
    let (_, command) = told.split_once("store it:\n").unwrap();
    assert!(Command::new("sh").args(["-c", command]).current_dir(&folder.0).status().unwrap().success(), "{command}");
}

fn me(server: &Server, key: &str) -> (u16, String) {
    let answer = server.address.send("GET", "/me", &[("x-api-key", key)]);
    (answer.status, answer.body)
}

#[test]
fn a_key_is_known_once_its_record_is_stored() {
    let folder = Folder::with(STORED);
    std::fs::create_dir(folder.0.join("values")).unwrap();
    let server = Server::start(&mut portico(&folder.0, &["serve", "--listen", "127.0.0.1:0", "--values", "values"]));
    let make = |arguments: &[&str]| {
        let (code, key, told) = run(&folder.0, &[&["key"], arguments].concat());
        assert_eq!((code, key.lines().count()), (0, 1), "{told}");
        let key = key.trim_end().to_owned();
        assert!(key.starts_with("pk_") && key.len() == 46 && !told.contains(&key), "{key}\n{told}");
        (key, told)
    };
    let (key, told) = make(&["o'neill & sons", "--scope", "orders:read", "--scope", "a b"]);
    store(&folder, &told);
    assert_eq!(me(&server, &key), (200, "o'neill & sons".to_owned()));
    assert_eq!(std::fs::read_dir(folder.0.join("values/keys")).unwrap().count(), 1, "nothing is left beside it");

    let (scopeless, told) = make(&["acme"]);
    assert!(told.contains(r#"{"consumer":"acme"}"#), "{told}");
    store(&folder, &told);
    assert_eq!(me(&server, &scopeless).0, 403);
    assert_ne!(key, scopeless);

    let (expired, told) = make(&["acme", "--expires", "0s"]);
    assert!(told.contains(r#""not_after":"#), "{told}");
    store(&folder, &told);
    let (status, body) = me(&server, &expired);
    assert!(status == 403 || body.contains("key_expired"), "{body}");

    let (unknown, _) = make(&["acme"]);
    assert!(me(&server, &unknown).1.contains("key_unknown"));
}

#[test]
fn the_command_for_workers_kv_names_binding_key_and_record() {
    let folder = Folder::with(STORED);
    let (code, key, told) = run(&folder.0, &["key", "acme", "--target", "cloudflare", "--prefix", "shop-live_"]);
    assert_eq!(code, 0, "{told}");
    assert!(key.starts_with("shop-live_"), "{key}");
    let hash =
        Command::new("sh").args(["-c", &format!("printf %s '{}' | sha256sum", key.trim_end())]).output().unwrap();
    let hash = String::from_utf8(hash.stdout).unwrap();
    let command = format!(
        "  npx wrangler kv key put --remote --binding PORTICO 'keys/{}' '{{\"consumer\":\"acme\"}}'\n",
        hash.split(' ').next().unwrap()
    );
    assert!(told.ends_with(&command), "{told}");
    for wrong in
        [&["key"][..], &["key", ""], &["key", "acme", "--prefix", "a b"], &["key", "acme", "--expires", "soon"]]
    {
        assert_eq!(run(&folder.0, wrong).0, 2, "{wrong:?}");
    }
}

#[test]
fn the_command_for_dynamodb_names_table_key_and_record() {
    let folder = Folder::with(STORED);
    let make = ["key", "o'neill & \"sons\"", "--target", "lambda", "--table", "portico-Table-1ABC"];
    let (code, key, told) = run(&folder.0, &make);
    assert_eq!((code, key.lines().count()), (0, 1), "{told}");
    // what the shell hands to `aws`, word by word
    folder.write("aws", "#!/bin/sh\nprintf '%s\\n' \"$@\" > said\n");
    assert!(Command::new("chmod").arg("+x").arg(folder.0.join("aws")).status().unwrap().success());
    let (_, command) = told.split_once("store it:\n").unwrap();
    assert!(command.starts_with("  aws dynamodb "), "{command}");
    let path = format!("{}:{}", folder.0.display(), std::env::var("PATH").unwrap());
    let stored = Command::new("sh").args(["-c", command]).env("PATH", path).current_dir(&folder.0).status().unwrap();
    assert!(stored.success(), "{command}");
    let said = std::fs::read_to_string(folder.0.join("said")).unwrap();
    let words: Vec<_> = said.lines().collect();
    assert_eq!(words[..5], ["dynamodb", "put-item", "--table-name", "portico-Table-1ABC", "--item"]);
    let item: serde_json::Value = serde_json::from_str(words[5]).unwrap();
    let hash = Command::new("sh").args(["-c", "printf %s \"$0\" | sha256sum", key.trim_end()]).output().unwrap();
    let hash = String::from_utf8(hash.stdout).unwrap();
    assert_eq!(item["id"], serde_json::json!({ "S": format!("keys/{}", hash.split(' ').next().unwrap()) }));
    let record: serde_json::Value = serde_json::from_str(item["value"]["S"].as_str().unwrap()).unwrap();
    assert_eq!(record, serde_json::json!({ "consumer": "o'neill & \"sons\"" }));
    assert_eq!((words.len(), item.as_object().unwrap().len()), (6, 2), "{said}");
}

#[test]
fn a_table_is_for_lambda_and_lambda_needs_one() {
    let folder = Folder::with(STORED);
    for (options, problem) in [
        (&["--target", "lambda"][..], "error: --target lambda stores keys in a table"),
        (&["--table", "portico"], "error: --table is the table of --target lambda"),
        (&["--target", "cloudflare", "--table", "portico"], "error: --table is the table of --target lambda"),
        (
            &["--target", "lambda", "--values", "values"],
            "error: --values is the directory of the native server's store",
        ),
        (&["--target", "lambda", "--table", "a b"], "letters, digits"),
        (&["--target", "lambda", "--table", ""], "letters, digits"),
        (&["--target", "lambda", "--table=--debug"], "letters, digits"),
    ] {
        let (code, key, told) = run(&folder.0, &[&["key", "acme"], options].concat());
        assert_eq!((code, &*key), (2, ""), "{options:?}: {told}");
        assert!(told.contains(problem), "{options:?}: {told}");
    }
}

#[test]
fn workers_kv_has_no_directory() {
    let folder = Folder::with(STORED);
    let (code, key, told) = run(&folder.0, &["key", "acme", "--target", "cloudflare", "--values", "values"]);
    assert_eq!((code, &*key), (2, ""), "{told}");
    assert!(told.contains("error: --values") && told.contains("help: ") && told.contains("--target native"), "{told}");
}

#[test]
fn without_a_store_nothing_starts_that_needs_one() {
    let jwks = |jwks: &str| {
        format!(
            "portico: 1\nname: keys\nidentities:\n  users: {{ jwt: {{ jwks: {jwks}, issuer: a, audience: b, algorithms: [ES256] }} }}\n\
             routes: [{{ name: a, match: {{ path: /a }}, respond: {{}}, policies: {{ auth: {{ any_of: [users] }} }} }}]\n"
        )
    };
    for (gateway, place) in [(STORED.to_owned(), "gateway.yaml:4:26"), (jwks("{ store: staff }"), "gateway.yaml:4:34")]
    {
        let folder = Folder::with(&gateway);
        for command in ["serve", "dev"] {
            let (code, _, told) = run(&folder.0, &[command, "--listen", "127.0.0.1:0"]);
            let expected = format!("{place}: error: this server has no key-value store");
            assert!(code == 2 && told.contains(&expected) && told.contains("--values DIR"), "{told}");
            let (code, _, told) = run(&folder.0, &[command, "--listen", "127.0.0.1:0", "--values", "nowhere"]);
            assert!(code == 2 && told.contains("nowhere") && told.contains("help: "), "{told}");
        }
        // what only looks at it does not need one
        assert_eq!(run(&folder.0, &["check"]).0, 0);
        assert_eq!(run(&folder.0, &["build"]).0, 0);
    }
    // an issuer's URL needs none
    let folder = Folder::with(&jwks("http://127.0.0.1:9/keys"));
    let server = Server::start(&mut portico(&folder.0, &["serve", "--listen", "127.0.0.1:0"]));
    let token = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA";
    let answer = server.address.send("GET", "/a", &[("authorization", &format!("Bearer {token}"))]);
    assert_eq!(answer.status, 503);
    let line = server.wait_for_json("keys_unavailable");
    let detail = line["decisions"].as_array().unwrap().last().unwrap()["detail"].as_str().unwrap();
    assert!(detail.starts_with("the keys cannot be had: http://127.0.0.1:9/keys: no answer"), "{detail}");
}

#[test]
fn a_reload_to_what_needs_a_store_is_refused_without_one() {
    let open = "portico: 1\nname: keys\nroutes: [{ name: a, match: { path: /a }, respond: {} }]\n";
    let folder = Folder::with(open);
    let server = Server::start(&mut portico(&folder.0, &["serve", "--listen", "127.0.0.1:0"]));
    folder.write("gateway.yaml", STORED);
    server.signal("HUP");
    server.wait_for("this server has no key-value store");
    server.wait_for("the configuration was not loaded");
    assert_eq!(server.get("/a").status, 200);
}
