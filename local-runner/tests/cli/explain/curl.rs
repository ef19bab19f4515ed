//! What is pasted from a command line of curl's.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::process::{Folder, portico};

#[test]
fn a_command_line_for_curl_is_taken_as_it_is() {
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
