//! Every event of `adapters/lambda/fixtures/`, and what must come out of it, in the file beside it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use http::Request;
use portico_core::digest;

use crate::event::{self, Incoming, Refused};

#[test]
fn every_event_becomes_what_stands_beside_it() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut differ = Vec::new();
    let mut count = 0;
    for folder in ["aws_lambda_events", "lambda_http", "own"] {
        for entry in fs::read_dir(fixtures.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                count += 1;
                differ.extend(check(path));
            }
        }
    }
    assert!(count > 60, "{count} events");
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// How what comes out of an event differs from what must.
fn check(path: PathBuf) -> Option<String> {
    let is = describe(event::request(&fs::read(&path).unwrap()));
    let beside = path.with_extension("txt");
    if std::env::var("PORTICO_FIXTURES").is_ok_and(|what| what == "write") {
        fs::write(beside, is).unwrap();
        return None;
    }
    let must = fs::read_to_string(&beside).unwrap_or_default();
    (is != must).then(|| format!("{}\n--- must be\n{must}\n--- is\n{is}", path.display()))
}

fn describe(outcome: Result<Incoming, Refused>) -> String {
    let Incoming { front, peer, request } = match outcome {
        Ok(incoming) => incoming,
        Err(refused @ Refused::Event(_)) => return format!("the invocation fails: {refused}\n"),
        Err(Refused::Request { front, detail }) => return format!("front {front:?}\nthe client is told: {detail}\n"),
    };
    let mut text = format!("front {front:?}\nfrom {} {}\n", peer.address, if peer.secure { "https" } else { "http" });
    if let Some(certificate) = &peer.certificate {
        let (subject, issuer, serial) = (&certificate.subject, &certificate.issuer, &certificate.serial);
        writeln!(text, "certificate of {subject} by {issuer}, {serial}, {}", digest::hex(&certificate.sha256)).unwrap();
    }
    writeln!(text, "\n{}", head(&request)).unwrap();
    match std::str::from_utf8(request.body()) {
        Ok(body) => writeln!(text, "{body}").unwrap(),
        Err(_) => writeln!(text, "hex {}", digest::hex(request.body())).unwrap(),
    }
    text
}

fn head(request: &Request<bytes::Bytes>) -> String {
    let mut text = format!("{} {} {:?}\n", request.method(), request.uri(), request.version());
    for name in request.headers().keys() {
        for value in request.headers().get_all(name) {
            writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes())).unwrap();
        }
    }
    text
}
