//! Against an extension that answers what it is told to.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use portico_native::tls;
use rustls::RootCertStore;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/key-a1b2c3";
const PARAMETER: &str = "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/shop/token";

/// Answers so many requests, one connection each, and hands back their heads.
struct FakeExtension {
    port: u16,
    heads: JoinHandle<Vec<String>>,
}

impl FakeExtension {
    fn start(answers: &[(u16, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers: VecDeque<_> = answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        let heads = std::thread::spawn(move || {
            answers.into_iter().map(|(status, body)| answer(&listener, status, &body)).collect()
        });
        Self { port, heads }
    }

    /// What it was asked, once all of its answers were given.
    fn asked(self) -> Vec<String> {
        self.heads.join().unwrap()
    }
}

fn answer(listener: &TcpListener, status: u16, body: &str) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let head = read_head(&stream);
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
    head
}

fn read_head(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The secrets KEY and PLAIN, of an environment with these variables.
fn secrets(port: u16, variables: &[(&str, &str)]) -> Secrets {
    let names = ["KEY", "MISSING", "PLAIN"].into_iter();
    let port = port.to_string();
    let own = [("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", &*port), ("AWS_SESSION_TOKEN", "token"), ("PLAIN", "text")];
    let variable = |name: &str| {
        let mut all = own.iter().chain(variables);
        all.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    Secrets::of(names, variable, Upstreams::new(|| tls::client(RootCertStore::empty()).unwrap()))
}

/// An invocation that may take as long as it likes.
const LONG: Duration = Duration::from_secs(60);

async fn key(secrets: &Secrets, now: Timestamp) -> Option<String> {
    let read = secrets.read(now, LONG).await;
    assert_eq!(read.get("PLAIN").map(String::as_str), Some("text"));
    assert_eq!(read.get("MISSING"), None);
    read.get("KEY").cloned()
}

const FIRST: (u16, &str) = (200, r#"{"Name":"shop/key","SecretString":"first \" value","VersionId":"1"}"#);
const SECOND: (u16, &str) = (200, r#"{"SecretString":"second"}"#);
const DENIED: (u16, &str) = (400, r#"{"message":"AccessDeniedException"}"#);

#[tokio::test]
async fn the_environment_alone_asks_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let secrets = secrets(listener.local_addr().unwrap().port(), &[("KEY", "arn:of:my:own")]);
    assert_eq!(key(&secrets, NOW).await.as_deref(), Some("arn:of:my:own"));
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_secret_is_remembered_for_five_minutes() {
    let extension = FakeExtension::start(&[FIRST, SECOND]);
    let secrets = secrets(extension.port, &[("KEY", SECRET)]);
    for after in [0, 1, 299] {
        let value = key(&secrets, NOW + Duration::from_secs(after)).await;
        assert_eq!(value.as_deref(), Some("first \" value"), "after {after} seconds");
    }
    for after in [300, 599] {
        assert_eq!(key(&secrets, NOW + Duration::from_secs(after)).await.as_deref(), Some("second"));
    }
    let asked = extension.asked();
    let path = "/secretsmanager/get?secretId=arn%3Aaws%3Asecretsmanager%3Aeu%2Dcentral%2D1%3A123456789012%3Asecret%3Ashop%2Fkey%2Da1b2c3";
    for head in &asked {
        assert!(head.starts_with(&format!("GET {path} HTTP/1.1\n")), "{head}");
        assert!(head.to_ascii_lowercase().contains("\nx-aws-parameters-secrets-token: token"), "{head}");
    }
}

#[tokio::test]
async fn a_parameter_is_read_decrypted() {
    let extension =
        FakeExtension::start(&[(200, r#"{"Parameter":{"Name":"/shop/token","Value":"p"},"ResultMetadata":{}}"#)]);
    let secrets = secrets(extension.port, &[("KEY", PARAMETER)]);
    assert_eq!(key(&secrets, NOW).await.as_deref(), Some("p"));
    let head = extension.asked().remove(0);
    let path = "/systemsmanager/parameters/get?withDecryption=true&name=arn%3Aaws%2Dcn%3Assm%3A";
    assert!(head.starts_with(&format!("GET {path}")), "{head}");
}

#[tokio::test]
async fn what_cannot_be_read_again_keeps_its_last_value() {
    let extension = FakeExtension::start(&[FIRST, DENIED, (200, "{}"), SECOND]);
    let secrets = secrets(extension.port, &[("KEY", SECRET)]);
    let at = |seconds| NOW + Duration::from_secs(seconds);
    let first = key(&secrets, at(0)).await;
    assert!(first.is_some());
    // denied at 300, and not asked again before 330; an answer without a text then
    for seconds in [300, 301, 329, 330, 359] {
        assert_eq!(key(&secrets, at(seconds)).await, first, "{seconds}");
    }
    assert_eq!(key(&secrets, at(360)).await.as_deref(), Some("second"));
    assert_eq!(extension.asked().len(), 4);
}

#[tokio::test]
async fn what_was_never_read_is_missing_and_asked_for_by_each_request() {
    let extension = FakeExtension::start(&[DENIED, (200, r#"{"SecretBinary":"AAAA"}"#), SECOND]);
    let secrets = secrets(extension.port, &[("KEY", SECRET)]);
    assert_eq!(key(&secrets, NOW).await, None);
    assert_eq!(key(&secrets, NOW).await, None);
    assert_eq!(key(&secrets, NOW).await.as_deref(), Some("second"));
    assert_eq!(extension.asked().len(), 3);
}

#[tokio::test]
async fn without_an_extension_a_secret_is_missing() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let secrets = secrets(port, &[("KEY", SECRET)]);
    assert_eq!(key(&secrets, NOW).await, None);
}

/// An extension that says so much and then nothing, for as long as anybody listens.
fn silent(said: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&stream);
        stream.write_all(said.as_bytes()).unwrap();
        // until the other side goes away
        drop(stream.read_to_end(&mut Vec::new()));
    });
    port
}

#[tokio::test]
async fn an_extension_that_is_silent_is_given_up_when_the_invocation_has_no_time_left() {
    for said in ["", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"Secret"] {
        let secrets = secrets(silent(said), &[("KEY", SECRET)]);
        let read = tokio::time::timeout(LONG, secrets.read(NOW, Duration::from_millis(50)));
        assert_eq!(read.await.unwrap().get("KEY"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_is_silent_is_given_up_after_two_seconds() {
    for (left, waited) in [(LONG, 2_000), (Duration::from_millis(100), 100), (Duration::ZERO, 0)] {
        let secrets = secrets(silent(""), &[("KEY", SECRET)]);
        let started = tokio::time::Instant::now();
        assert_eq!(secrets.read(NOW, left).await.get("KEY"), None);
        // tokio counts in milliseconds
        assert!(started.elapsed() <= Duration::from_millis(waited + 1), "{left:?}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn of_a_json_object_one_member_is_the_secret() {
    let stored = r#"{"SecretString":"{\"username\":\"portico\",\"password\":\"p\\\"w\"}"}"#;
    let extension = FakeExtension::start(&[(200, stored)]);
    let secrets = secrets(extension.port, &[("KEY", &[SECRET, ":password::"].concat())]);
    assert_eq!(key(&secrets, NOW).await.as_deref(), Some("p\"w"));
    let head = extension.asked().remove(0);
    let (target, _) = head.split_once(" HTTP").unwrap();
    assert!(target.ends_with("shop%2Fkey%2Da1b2c3"), "{head}");
}

#[tokio::test]
async fn a_member_that_is_none_is_missing() {
    let stored = |text: &str| serde_json::json!({ "SecretString": text }).to_string();
    let answers = ["text", "[]", "{}", r#"{"password":1}"#, r#"{"password":"p"}"#].map(stored);
    let answers: Vec<_> = answers.iter().map(|answer| (200, answer.as_str())).collect();
    let extension = FakeExtension::start(&answers);
    let secrets = secrets(extension.port, &[("KEY", &[SECRET, ":password::"].concat())]);
    for _ in 0..4 {
        assert_eq!(key(&secrets, NOW).await, None);
    }
    assert_eq!(key(&secrets, NOW).await.as_deref(), Some("p"));
}

#[test]
fn nothing_secret_is_in_what_is_shown_of_it() {
    let secrets = secrets(1, &[("KEY", SECRET)]);
    let shown = format!("{secrets:?}");
    assert!(!shown.contains("text") && !shown.contains("\"token\""), "{shown}");
}
