//! Where servers keep cached responses.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{Folder, Server, portico, run};

/// What `store` says, of a target that `portico dev` answers by itself.
fn gateway(store: &str, target: &str) -> String {
    format!(
        "portico: 1\nname: shop\nupstreams:\n  orders: {{ targets: [{{ url: \"{target}\" }}] }}\nroutes:\n  - name: orders\n    \
         match: {{ path: / }}\n    upstream: orders\n    policies: {{ cache: {{ ttl: 1h, store: {store} }} }}\n"
    )
}

#[test]
fn what_is_shared_without_a_place_is_told_at_the_start() {
    let folder = Folder::with(&gateway("shared", "http://127.0.0.1:9"));
    let serve = |more: &[&str]| portico(&folder.0, &[&["serve", "--listen", "127.0.0.1:0"], more].concat());
    let server = Server::start(&mut serve(&[]));
    let told = server.wait_for_json("`store: shared` has no place here");
    assert!(told["help"].as_str().unwrap().contains("--cache-dir DIR"), "{told}");
    assert_eq!(told["level"], "WARN");

    // with one, nothing is said: the next message is about the end
    folder.write("responses/.keep", "");
    let server = Server::start(&mut serve(&["--cache-dir", "responses"]));
    server.signal("TERM");
    assert!(server.wait_for("\"timestamp\"").contains("ending"));
}

#[test]
fn a_directory_must_be_there_and_not_in_use() {
    let folder = Folder::with(&gateway("shared", "http://127.0.0.1:9"));
    for command in ["serve", "dev"] {
        let refused = |more: &[&str], why: &str| {
            let (code, _, told) = run(&folder.0, &[&[command, "--listen", "127.0.0.1:0"], more].concat());
            assert!(code == 2 && told.contains(why) && told.contains("help: "), "{told}");
        };
        refused(&["--cache-dir", "nowhere"], "error: nowhere: No such file or directory");
        refused(&["--cache-dir", "gateway.yaml"], "error: gateway.yaml: Not a directory");
        let (code, _, told) = run(&folder.0, &[command, "--cache-size", "64"]);
        assert!(code == 2 && told.contains("expected a size such as"), "{told}");
        let (code, _, told) = run(&folder.0, &[command, "--cache-disk-size", "1GiB"]);
        assert!(code == 2 && told.contains("--cache-dir"), "{told}");
        folder.write("responses/.keep", "");
        let other = portico(&folder.0, &["serve", "--listen", "127.0.0.1:0", "--cache-dir", "responses"]);
        let _other = Server::start(&mut { other });
        refused(&["--cache-dir", "responses"], "error: responses: another server uses it");
    }
}

/// Waits until a file of a response is there: responses are sent before they are kept.
fn wait_for_a_file(directory: &Path) {
    let begun = Instant::now();
    let is_there = || {
        let folders = fs::read_dir(directory).unwrap().filter_map(|entry| fs::read_dir(entry.unwrap().path()).ok());
        folders.flatten().any(|file| !file.unwrap().file_name().to_string_lossy().starts_with('.'))
    };
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no response is ever kept");
        std::thread::yield_now();
    }
}

/// What the gateway says of its cache to a request whose host does not depend on the port.
fn status(server: &Server) -> String {
    let mut tcp = TcpStream::connect(server.address.0).unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    let field = answer.lines().find_map(|line| line.strip_prefix("cache-status: "));
    field.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn what_is_shared_outlives_the_process_and_what_is_local_does_not() {
    for (store, expected) in [("shared", "portico; hit"), ("local", "portico; fwd=uri-miss")] {
        let folder = Folder::with(&gateway(store, "demo://orders"));
        folder.write("responses/.keep", "");
        let start =
            || Server::start(&mut portico(&folder.0, &["dev", "--listen", "127.0.0.1:0", "--cache-dir", "responses"]));
        let server = start();
        let first = status(&server);
        assert!(first.starts_with("portico; fwd=uri-miss"), "{first}");
        if store == "shared" {
            wait_for_a_file(&folder.0.join("responses"));
        }
        drop(server);
        let again = status(&start());
        assert!(again.starts_with(expected), "{store}: {again}");
    }
}
