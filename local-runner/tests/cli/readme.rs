//! The README's calls, taken from the README, against the gateway that they are written for.

use crate::http::Response;
use crate::process::{Folder, Server, checkout, portico, run};
use crate::token;

#[test]
fn the_calls_of_the_readme_show_what_it_says() {
    let server = Server::start(&mut portico(&checkout(), &["--listen", "127.0.0.1:0"]));
    let readme = std::fs::read_to_string(checkout().join("README.md")).unwrap();
    let calls: Vec<_> =
        readme.lines().filter(|line| line.starts_with("curl ") || line.starts_with("for i in")).collect();
    let [key, none, often, preflight, token] = calls.as_slice() else { panic!("five calls, not {calls:#?}") };

    let answer = call(&server, key);
    assert_eq!((answer.status, &answer.json()["item"]), (200, &"teapot".into()));
    assert_eq!(answer.header("ratelimit"), "\"consumer\";r=59;t=1");

    let answer = call(&server, none);
    assert_eq!((answer.status, answer.header("content-type")), (401, "application/problem+json"));
    assert_eq!(answer.header("www-authenticate"), "ApiKey realm=\"demo\"");
    assert_eq!(answer.json()["code"], "credentials_missing");

    let times = often.split(" in ").nth(1).unwrap().split(';').next().unwrap().split_whitespace().count();
    assert_eq!(times, 6);
    // a slow machine may be given more, a fast one never less
    let answer = (0..100).map(|_| call(&server, often)).find(|answer| answer.status != 200).unwrap();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (429, Some("rate_limited")));
    assert!(answer.header("ratelimit").starts_with("\"ip\";r=0;t="));
    assert_eq!(answer.header("ratelimit-policy"), "\"ip\";q=5;w=60");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() <= 12);

    let answer = call(&server, preflight);
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example");
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("access-control-allow-methods"), "GET");
    assert_eq!(answer.header("access-control-allow-headers"), "authorization, content-type, x-api-key");
    assert_eq!(answer.header("access-control-max-age"), "3600");

    let answer = call(&server, token);
    assert_eq!((answer.status, &*answer.body), (200, "Hello alice, you come from 127.0.0.1.\n"));

    let health = server.get("/-/health").json();
    assert_eq!((&health["status"], health["config"].as_str().map(str::len)), (&"ok".into(), Some(64)));
    assert!(server.wait_for("rate_limited").contains("rate_limit deny rate_limited (Try again in"));
}

#[test]
fn the_examples_of_the_documentation_can_be_used() {
    let mut found = 0;
    for file in ["README.md", "docs/configuration.md"] {
        let text = std::fs::read_to_string(checkout().join(file)).unwrap();
        let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        for example in blocks.filter(|block| block.starts_with("portico: 1")) {
            let folder = Folder::with(example);
            token::key(&folder, &rcgen::PKCS_ECDSA_P256_SHA256);
            std::fs::rename(folder.0.join("keys.json"), folder.0.join("issuer-keys.json")).unwrap();
            let (code, _, stderr) = run(&folder.0, &["check", "--production"]);
            assert_eq!((code, &*stderr), (0, ""), "{file}");
            found += 1;
        }
    }
    assert_eq!(found, 2);
}

/// Does what a line with `curl` says.
fn call(server: &Server, line: &str) -> Response {
    let (_, arguments) = line.split_once("curl ").unwrap();
    let (mut method, mut headers, mut path) = ("GET".to_owned(), Vec::new(), String::new());
    let mut words = words(arguments.trim_end_matches("; done")).into_iter();
    while let Some(word) = words.next() {
        match &*word {
            "-i" => {}
            "-X" => method = words.next().unwrap(),
            "-H" => headers.push(words.next().unwrap()),
            url => path = url.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned(),
        }
    }
    let headers: Vec<_> = headers.iter().map(|header| header.split_once(": ").unwrap()).collect();
    server.address.send(&method, &path, &headers)
}

/// Words as a shell makes them: split at spaces outside quotes, what is in `$(…)` replaced by its output.
fn words(line: &str) -> Vec<String> {
    let mut line = line.to_owned();
    if let Some((before, rest)) = line.clone().split_once("$(cargo run -q --release -- ") {
        let (command, after) = rest.split_once(')').unwrap();
        let (code, token, complaint) = run(&checkout(), &command.split(' ').collect::<Vec<_>>());
        assert_eq!((code, &*complaint), (0, ""));
        line = format!("{before}{}{after}", token.trim_end());
    }
    let mut words = vec![String::new()];
    let mut quoted = false;
    for char in line.chars() {
        match char {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            char => words.last_mut().unwrap().push(char),
        }
    }
    words
}
