//! Secrets that are elsewhere, read through an extension.

use std::collections::VecDeque;
use std::io::Write as _;

use portico_tests::lambda::Front;
use serde_json::json;

use super::support::{ask, gateway, get, read_request, server, start};

const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-a1b2c3:password::";

#[test]
fn a_secret_that_cannot_be_read_is_told_once_and_read_as_soon_as_it_can_be() {
    let stored = |text: &str| (200, json!({ "SecretString": text }).to_string());
    let denied = |id: &str| (400, format!("RequestID: {id}, AccessDeniedException"));
    let (text, other) = (stored("hunter2"), stored("{\"username\":\"hunter2\"}"));
    let answers = [
        denied("1"),
        denied("2"),
        text.clone(),
        text.clone(),
        denied("3"),
        other.clone(),
        other,
        stored("{\"password\":\"p\"}"),
    ];
    let requests = answers.len();
    let mut answers = VecDeque::from(answers);
    let extension = server(move |stream| {
        while read_request(stream) {
            let Some((status, body)) = answers.pop_front() else { return };
            let length = body.len();
            write!(stream.get_mut(), "HTTP/1.1 {status} \r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        }
    });
    let route = json!({ "name": "a", "match": { "path": "/" }, "respond": { "body": "${secret.PASSWORD}" } });
    let port = extension.port().to_string();
    let function =
        start(&gateway(None, route), &[("PASSWORD", ARN), ("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", &port)]);
    for _ in 1..requests {
        assert_eq!(ask(&function, Front::Url, &get("/")).status, 500);
    }
    for _ in 0..2 {
        assert_eq!(ask(&function, Front::Url, &get("/")).body, b"p");
    }
    function.rests().unwrap();
    let said = function.said();
    let told = ["AccessDeniedException", "no JSON object", "no key `password`"].map(|told| said.matches(told).count());
    assert_eq!(told, [2, 1, 1], "{said}");
    assert!(!said.contains("hunter2") && said.contains("secret PASSWORD: "), "{said}");
}
