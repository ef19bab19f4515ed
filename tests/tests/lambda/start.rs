//! How the program starts, and how it ends when it cannot: on AWS the first is known by what the template sets, the second by what was
//! posted to the Runtime API and by the log.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};

use portico_core::config::Bundle;
use portico_tests::lambda::{Front, command};
use serde_json::{Value, json};

use super::support::{ask, gateway, get, peer, server, start};

/// A file in the folder of this package.
fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A file of its own outside of it.
fn temporary(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("portico-{name}-{}.json", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

fn greeting() -> Value {
    gateway(None, json!({ "name": "a", "match": { "path": "/" }, "respond": {} }))
}

/// A Runtime API that takes what is posted to it, and has no invocations.
fn runtime_api() -> (SocketAddr, Receiver<(String, String)>) {
    let (sender, posted) = channel();
    let address = server(move |stream| {
        if let Some(post) = read_post(stream) {
            sender.send(post).unwrap();
            stream.get_mut().write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    (address, posted)
}

/// What is posted next: the path with its fields in lower case, and the body. `None` of any other request, and of none.
fn read_post(stream: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let head: Vec<_> = stream.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let head = head.join("\n").to_ascii_lowercase();
    let path = head.strip_prefix("post ")?;
    let (_, length) = head.split_once("content-length: ")?;
    let mut body = vec![0; length.lines().next()?.parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some((path.to_owned(), String::from_utf8(body).ok()?))
}

/// Waits until it has ended, which must be with the exit code 1; gives what it complained about.
fn fails(command: &mut Command) -> String {
    let ended = command.output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    String::from_utf8(ended.stderr).unwrap()
}

#[test]
fn what_cannot_start_says_why_to_lambda_and_in_its_log() {
    let broken = temporary("broken", r#"{"portico": 1}"#);
    for (variable, value, why) in [
        ("PORTICO_BUNDLE", "/nowhere/bundle.json", "/nowhere/bundle.json"),
        ("PORTICO_BUNDLE", broken.to_str().unwrap(), broken.to_str().unwrap()),
        ("PORTICO_RESPONSE", "buffer", "`whole`"),
        ("AWS_LAMBDA_FUNCTION_NAME", "", "AWS_LAMBDA_FUNCTION_NAME"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "", "AWS_LAMBDA_FUNCTION_VERSION"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
    ] {
        let (api, posted) = runtime_api();
        let mut command = command(api).unwrap();
        match value {
            "" => command.env_remove(variable),
            value => command.env(variable, value),
        };
        let said = fails(&mut command);
        let (head, body) = posted.try_recv().unwrap_or_else(|_| panic!("{said}"));
        assert!(head.starts_with("/2018-06-01/runtime/init/error "), "{head}");
        assert!(head.contains("\nlambda-runtime-function-error-type: portico.cannotstart\n"), "{head}");
        let told: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(told["errorType"], "Portico.CannotStart");
        let message = told["errorMessage"].as_str().unwrap();
        assert!(message.contains(why) && message.contains("help: "), "{message}");
        assert_eq!(said.trim_end(), message);
    }
    fs::remove_file(broken).unwrap();
}

#[test]
fn without_a_runtime_api_it_says_who_starts_it() {
    for address in [None, Some("a b")] {
        let mut command = command(runtime_api().0).unwrap();
        match address {
            None => command.env_remove("AWS_LAMBDA_RUNTIME_API"),
            Some(address) => command.env("AWS_LAMBDA_RUNTIME_API", address),
        };
        let said = fails(&mut command);
        assert!(said.contains("AWS_LAMBDA_RUNTIME_API") && said.contains("`portico serve`"), "{said}");
    }
}

#[test]
fn when_the_runtime_api_goes_away_the_function_fails() {
    let function = start(&greeting(), &[]);
    assert_eq!(ask(&function, Front::Url, &get("/")).status, 200);
    function.rests().unwrap();
    let (status, said) = function.abandon().unwrap();
    assert_eq!(status.code(), Some(1), "{said:?}");
    assert!(said.iter().any(|line| line.starts_with("the Runtime API does not answer: ")), "{said:?}");
}

#[test]
fn what_the_runtime_api_refuses_is_told_and_the_next_invocation_is_asked_for() {
    let bundle = temporary("refused", &Bundle::new(greeting()).to_string());
    let mut events = vec![Front::Url.event(&get("/"), &peer()).unwrap().to_string()];
    let api = server(move |stream| {
        let answer = match (read_post(stream), events.pop()) {
            // a function that was asked nothing posts nothing, and one that was is asked nothing more
            (None, Some(event)) => format!(
                "200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 4102444800000\r\n\
                 Content-Length: {}\r\n\r\n{event}",
                event.len(),
            ),
            (Some(_), None) => "413 Payload Too Large\r\nContent-Length: 0\r\n\r\n".to_owned(),
            _ => return,
        };
        stream
            .get_mut()
            .write_all(format!("HTTP/1.1 {answer}").replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes())
            .unwrap();
    });
    let said = fails(command(api).unwrap().env("PORTICO_BUNDLE", &bundle));
    fs::remove_file(bundle).unwrap();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[0], "the Runtime API refused what was posted with 413 Payload Too Large");
    assert!(lines[1].starts_with("the Runtime API does not answer: "), "{said}");
}

/// The lines of the template that are one level deeper than this one, without its comments.
fn below<'t>(template: &'t str, line: &str) -> Vec<&'t str> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut lines = template.lines().skip_while(|other| other.trim() != line);
    let own = lines.next().map(depth).unwrap_or_else(|| panic!("no line {line:?}"));
    let block = lines.take_while(|line| depth(line) > own).filter(|line| depth(line) == own + 2);
    block.map(str::trim).filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn what_the_template_sets_the_function_takes() {
    let template = read("../adapters/lambda/template.yaml");
    let modes = below(&template, "ResponseMode:").into_iter().find_map(|line| line.strip_prefix("AllowedValues: "));
    let modes: Vec<_> = modes.unwrap().trim_matches(['[', ']']).split(", ").collect();
    assert_eq!(modes.len(), 2, "{modes:?}");
    let variables: Vec<_> = below(&template, "Variables:").iter().map(|line| line.split_once(": ").unwrap()).collect();
    let page = read("../docs/deploy-lambda.md");
    for (name, _) in &variables {
        assert!(page.contains(&format!("\n| `{name}` |")), "docs/deploy-lambda.md says nothing about {name}");
    }
    assert!(variables.contains(&("PORTICO_RESPONSE", "!Ref ResponseMode")), "{variables:?}");
    for mode in modes {
        let environment: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, if *value == "!Ref ResponseMode" { mode } else { value.trim_matches('"') }))
            .collect();
        let function = start(&greeting(), &environment);
        assert_eq!(ask(&function, Front::Url, &get("/")).status, 200, "{mode}");
    }
}
