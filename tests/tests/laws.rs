//! What every step of every case checks without being asked: a gateway that did otherwise is caught.

use std::path::Path;

use portico::case::offline::Offline;
use portico::case::run::{Verdict, run};
use portico::case::subject::{Answer, Refusal, Session, Subject};
use portico::case::{Case, Need, Send, parse};

/// What is done to an answer.
type Breach = fn(&mut Answer);

/// Offline, with something done to each answer.
struct Tampering(Breach);

struct Tampered(Box<dyn Session>, Breach);

impl Subject for Tampering {
    fn name(&self) -> &'static str {
        "tampering"
    }

    fn lacks(&self, _: &Case, _: Need) -> Option<String> {
        None
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Session>, String> {
        Ok(Box::new(Tampered(Offline.start(case)?, self.0)))
    }

    fn refuse(&self, case: &Case) -> Result<Refusal, String> {
        Offline.refuse(case)
    }
}

impl Session for Tampered {
    fn exchange(&mut self, send: &Send) -> Result<Answer, String> {
        let mut answer = self.0.exchange(send)?;
        (self.1)(&mut answer);
        Ok(answer)
    }
}

/// One request that is forwarded, and one that is refused.
const CASE: &str = r#"
config:
  portico: 1
  name: laws
  upstreams: { app: { targets: [{ url: "http://app.internal" }] } }
  routes: [{ name: app, match: { path: /app }, upstream: app }]
steps:
  - { send: { url: "http://a/app" }, expect: { status: 200 } }
  - { send: { url: "http://a/none" }, expect: { status: 404 } }
"#;

fn verdict(tamper: Breach) -> Verdict {
    let case = parse(CASE, Path::new("laws.yaml"), "laws").unwrap().remove(0);
    run(&case, &Tampering(tamper))
}

fn replace(answer: &mut Answer, text: &str, other: &str) {
    answer.body = String::from_utf8_lossy(&answer.body).replace(text, other).into();
}

#[test]
fn what_always_holds_is_always_checked() {
    assert_eq!(verdict(|_| {}), Verdict::Passed);
    let breaches: [(&str, Breach); 9] = [
        ("response: x-request-id", |answer| answer.headers.retain(|(name, _)| name != "x-request-id")),
        ("response: x-request-id", |answer| answer.headers.push(("x-request-id".into(), "another".into()))),
        ("app: x-request-id", |answer| {
            let first = answer.headers.iter_mut().find(|(name, _)| name == "x-request-id");
            first.unwrap().1 = "another".into();
        }),
        ("problem: instance", |answer| replace(answer, "\"instance\":\"", "\"instance\":\"not ")),
        ("problem: status", |answer| replace(answer, "404", "403")),
        ("problem: JSON", |answer| replace(answer, "{", "")),
        ("app: keep-alive", |answer| received(answer, |headers| headers.push(("keep-alive".into(), "x".into())))),
        ("app: host", |answer| received(answer, |headers| headers.retain(|(name, _)| name != "host"))),
        ("app: host", |answer| received(answer, |headers| headers.push(("host".into(), "other".into())))),
    ];
    for (field, breach) in breaches {
        let Verdict::Failed(why) = verdict(breach) else { panic!("{field} was not noticed") };
        assert!(why.to_string().contains(field), "{field}: {why}");
    }
}

fn received(answer: &mut Answer, change: impl Fn(&mut Vec<(String, String)>)) {
    answer.upstream.values_mut().flatten().for_each(|received| change(&mut received.headers));
}
