//! The suite's own judgement: what is wrong must be told, and nothing that is wrong may pass.

use std::path::Path;

use portico::case::offline::Offline;
use portico::case::run::{Verdict, run};
use portico::case::subject::{Refusal, Session, Subject};
use portico::case::{Case, Need, parse};
use portico_tests::skips::{Settled, Skip, settle};

fn read(text: &str) -> Result<Vec<Case>, String> {
    parse(text, Path::new("some/case.yaml"), "some/case").map_err(|report| report.to_string())
}

fn case(text: &str) -> Case {
    let cases = read(text).unwrap_or_else(|wrong| panic!("{wrong}"));
    cases.into_iter().next().unwrap()
}

/// The differences of a case that must fail.
fn failure(case: &Case) -> String {
    match run(case, &Offline) {
        Verdict::Failed(why) => why.to_string(),
        other => panic!("{other:?}"),
    }
}

const GATEWAY: &str = r#"
config:
  portico: 1
  name: engine
  upstreams: { app: { targets: [{ url: "http://app.internal" }] } }
  routes:
    - { name: app, match: { path: /app }, upstream: app }
    - { name: here, match: { path: /here }, respond: { json: { a: 1, b: [1, 2] }, headers: { X-A: one } } }
"#;

/// A case of one step, on the gateway above.
fn step(step: &str) -> Case {
    case(&format!("{GATEWAY}steps:\n  - {step}\n"))
}

#[test]
fn what_is_as_expected_passes() {
    for text in [
        r#"{ send: { url: "http://a/here" }, expect: { status: 200 } }"#,
        r#"{ send: { url: "http://a/here" }, expect: { status: 200, json: { b: [1, 2] }, headers: { X-A: one, X-B: { present: false } } } }"#,
        r#"{ send: { url: "http://a/here" }, expect: { status: 200, headers: { X-A: { matches: "o.e" } }, upstream: {}, decisions: { auth: none } } }"#,
        r#"{ send: { url: "http://a/app" }, expect: { status: 200, upstream: { app: [{ path: /app }] }, decisions: { forward: allow forwarded } } }"#,
        r#"{ send: { url: "http://a/nothing" }, expect: { status: 404, problem: no_route, headers: { Content-Type: { contains: application/problem+json } } } }"#,
    ] {
        assert_eq!(run(&step(text), &Offline), Verdict::Passed, "{text}");
    }
}

#[test]
fn every_difference_is_told() {
    for (expect, told) in [
        ("status: 201", "status"),
        ("status: 200, headers: { X-A: two }", "header x-a"),
        ("status: 200, headers: { X-A: [one, one] }", "header x-a"),
        ("status: 200, headers: { X-A: { present: false } }", "header x-a"),
        ("status: 200, headers: { X-B: { present: true } }", "header x-b"),
        (r#"status: 200, headers: { X-A: { matches: "o" } }"#, "header x-a"),
        ("status: 200, headers: { X-A: { contains: on } }", "header x-a"),
        ("status: 200, headers: { X-A: { lacks: on } }", "header x-a"),
        ("status: 200, json: { a: 2 }", "json a"),
        ("status: 200, json: { c: 1 }", "json c"),
        ("status: 200, json: { b: [1] }", "json b"),
        ("status: 200, json: { b: [1, 3] }", "json b[1]"),
        ("status: 200, breaks: true", "body"),
        ("status: 200, body: nothing", "body"),
        ("status: 200, problem: no_route", "problem"),
        ("status: 200, upstream: { app: [{}] }", "requests to app"),
        ("status: 200, decisions: { forward: allow }", "decision of forward"),
        ("status: 200, decisions: { forward: respond forwarded }", "decision of forward"),
        ("status: 200, decisions: { forward: none }", "decision of forward"),
        ("status: 200, decisions: { auth: allow }", "decision of auth"),
    ] {
        let why = failure(&step(&format!(r#"{{ send: {{ url: "http://a/here" }}, expect: {{ {expect} }} }}"#)));
        let lines: Vec<_> = why.lines().collect();
        assert!(lines.contains(&format!("  {told}").as_str()), "{expect}: {why}");
        assert!(why.starts_with("  step 1 of 1: GET /here (some/case.yaml:10)\n"), "{why}");
        let first = "  decisions\n    route    allow    route_matched  some/case.yaml:8:21 (routes[1].match)\n";
        assert!(why.contains(first), "{why}");
    }
}

#[test]
fn what_reaches_an_upstream_is_compared() {
    for (expect, told) in [
        ("{}", "requests to app"),
        ("{ app: [] }", "requests to app"),
        ("{ app: [{}, {}] }", "requests to app"),
        ("{ app: [{ method: GET }] }", "app got method"),
        ("{ app: [{ path: /other }] }", "app got path"),
        ("{ app: [{ query: x=2 }] }", "app got query"),
        ("{ app: [{ headers: { X-Forwarded-For: { present: false } } }] }", "app got header x-forwarded-for"),
        ("{ app: [{ body: other }] }", "app got body"),
        ("{ app: [{ body_bytes: 6 }] }", "app got body size"),
    ] {
        let send = r#"{ method: POST, url: "http://a/app?x=1", body: hello }"#;
        let why = failure(&step(&format!("{{ send: {send}, expect: {{ status: 200, upstream: {expect} }} }}")));
        assert!(why.lines().any(|line| line == format!("  {told}")), "{expect}: {why}");
    }
}

#[test]
fn a_request_that_no_rule_answers_fails_the_case() {
    let rules = "upstreams: { app: [{ when: { path: /other }, respond: {} }] }\n";
    let steps = "steps: [{ send: { url: \"http://a/app\" }, expect: { status: 200 } }]\n";
    assert!(failure(&case(&format!("{GATEWAY}{rules}{steps}"))).contains("one that a rule answers"));
}

#[test]
fn a_refusal_must_be_the_expected_one_and_complete() {
    let routes =
        "[{ name: a, match: { path: a }, respond: {} }, { name: b, match: { path: /b }, respond: { status: 99 } }]";
    let config = format!("config: {{ portico: 1, name: a, routes: {routes} }}\n");
    let refused = |list: &str| run(&case(&format!("{config}refused: [{list}]\n")), &Offline);
    let (path, status) = ("{ at: match.path, says: starts with }", "{ at: respond.status, says: final status }");
    assert_eq!(refused(&format!("{path}, {status}")), Verdict::Passed);
    assert!(matches!(refused(path), Verdict::Failed(why) if why.to_string().contains("not expected")));
    let other = "{ at: match.path, says: something else }";
    let refused = refused(&format!("{other}, {status}"));
    assert!(matches!(refused, Verdict::Failed(why) if why.to_string().contains("not said")));
    let taken = case(&format!("{GATEWAY}refused: [{path}]\n"));
    assert!(failure(&taken).contains("the configuration was taken"));
}

#[test]
fn what_is_wrong_with_a_file_has_its_place() {
    let wrong = |text: &str| read(&format!("{GATEWAY}{text}")).unwrap_err();
    for (text, place, message) in [
        ("step: []", "some/case.yaml:9:1: ", "unknown key"),
        ("steps:\n  - { sand: {} }", "some/case.yaml:10:7: ", "unknown key"),
        ("steps:\n  - { send: { url: \"http://a/\" } }", "some/case.yaml:10:5: ", "a step is"),
        ("steps:\n  - { advance: soon }", "some/case.yaml:10:16: ", "expected a duration"),
        (
            "steps:\n  - send: { url: \"a/\" }\n    expect: { status: 200 }",
            "some/case.yaml:10:18: ",
            "expected http://",
        ),
        (
            "steps:\n  - send: { url: \"http://a/\" }\n    expect: { status: 200, problem: nope }",
            "some/case.yaml:11:37: ",
            "no reason code",
        ),
        ("upstreams: { ap: [] }\nsteps: []", "some/case.yaml:9:14: ", "no upstream `ap`"),
        ("peer: { address: here }\nsteps: []", "some/case.yaml:9:18: ", "no IP address"),
        ("peer: { country: Germany }\nsteps: []", "some/case.yaml:9:18: ", "two capital letters"),
        ("peer: { asn: AS64496 }\nsteps: []", "some/case.yaml:9:14: ", "expected a number"),
        ("peer: { secure: true, certificate: { sha256: ab } }\nsteps: []", ":9:46: ", "64 hex digits"),
        ("peer: { certificate: { subject: CN=a } }\nsteps: []", ":9:9: ", "add `secure: true`"),
        ("upstreams: { app: [{ fail: timeout, respond: {} }] }\nsteps: []", "some/case.yaml:9:20: ", "either"),
        ("steps: []\ncases: [{ name: a, steps: [] }]", "some/case.yaml:2:1: ", "either `cases`"),
        ("steps:\n  - { advance: 1s, store: up }", "some/case.yaml:10:5: ", "a step is"),
        ("steps:\n  - { send: { url: \"http://a/\" }, expect: { status: 200 }, repeat: 0 }", ":10:68: ", "1 at least"),
        (
            "steps:\n  - { send: { url: \"http://a/\" }, expect: { status: 200, decisions: { auht: allow } } }",
            ":10:71: ",
            "known: path",
        ),
        ("upstreams: { app: [{ times: 0, fail: timeout }] }\nsteps: []", ":9:29: ", "1 at least"),
        ("upstreams: { app: [{ times: 1, fail: connect_error }] }\nsteps: []", ":9:14: ", "only rule"),
        ("upstreams: { app: [{ respond: { delay: soon } }] }\nsteps: []", ":9:40: ", "expected a duration"),
        (
            "upstreams: { app: [{ respond: { body: four, break_after: 4 } }] }\nsteps: []",
            ":9:58: ",
            "nothing would break",
        ),
        ("cases:\n  - { name: a, steps: [] }\n  - { name: a, steps: [] }", "some/case.yaml:11:", "is there twice"),
        ("steps: []", ":9:1: ", "proves nothing"),
        ("steps: [{ advance: 1s }]", ":9:1: ", "proves nothing"),
        ("steps: [", "some/case.yaml:", ""),
    ] {
        let told = wrong(text);
        assert!(told.contains(place) && told.contains(message), "{text}: {told}");
    }
}

#[test]
fn nothing_is_told_with_a_place_that_may_be_wrong() {
    // what is no rule is left out, so that the second one would be taken for the first
    let text = "upstreams: { app: [7, { times: 0, fail: reset }] }\nsteps: [{ advance: 1s }]\n";
    let told = read(&format!("{GATEWAY}{text}")).unwrap_err();
    assert!(told.contains(":9:20: ") && told.ends_with("\n1 error\n"), "{told}");
}

const IDENTITIES: &str = r#"
config:
  portico: 1
  name: engine
  identities:
    shared: { jwt: { secret: "${secret.S}", algorithms: [HS256] } }
    keys: { jwt: { jwks: { keys: [] }, algorithms: [ES256] } }
  routes: [{ name: a, match: { path: /a }, respond: {} }]
"#;

#[test]
fn what_is_wrong_with_tokens_has_its_place() {
    for (text, place, message) in [
        ("tokens: { a: {} }", ":9:11: ", "there are: `keys`, `shared`"),
        ("tokens: { a: { identity: none } }", ":9:26: ", "there are: `keys`, `shared`"),
        ("tokens: { a: { identity: shared } }", ":9:11: ", "no secret S"),
        ("tokens: { a: { identity: shared } }\nsecrets: { S: short }", ":9:11: ", "32"),
        ("tokens: { a: { identity: keys, algorithm: HS256 } }", ":9:43: ", "no secret"),
        ("tokens: { a: { identity: keys, algorithm: none } }", ":9:43: ", "known: ES256"),
        ("tokens: { a: { identity: keys, key: none.pem } }", ":9:37: ", "PEM file"),
        ("tokens: { a: { identity: keys, age: old } }", ":9:37: ", "expected a duration"),
        ("tokens: { a: { identity: keys, expires_in: 1 } }", ":9:44: ", "expected"),
        ("tokens: { a: { identity: keys, claim: {} } }", ":9:32: ", "did you mean"),
    ] {
        let told = read(&format!("{IDENTITIES}{text}\nsteps: []\n")).unwrap_err();
        assert!(told.contains(place) && told.contains(message), "{text}: {told}");
    }
    for (name, help) in [("b", "known: ${token.a}"), ("a", "")] {
        let step = format!(
            "{{ send: {{ url: \"http://a/a\", headers: {{ X-A: \"1${{token.{name}}}2\" }} }}, expect: {{ status: 200 }} }}"
        );
        let read = read(&format!("{IDENTITIES}tokens: {{ a: {{ identity: keys }} }}\nsteps:\n  - {step}\n"));
        assert_eq!(
            read.as_ref().err().is_none_or(|told| !told.contains("stands for no token")),
            help.is_empty(),
            "{read:?}"
        );
        assert!(read.err().unwrap_or_default().contains(help));
    }
    let without = "config: { portico: 1, name: a }\ntokens: { a: {} }\nsteps: []\n";
    assert!(read(without).unwrap_err().contains("no identity that takes tokens"));
}

#[test]
fn keys_are_made_only_where_the_case_has_none() {
    let needs = |token: &str| {
        let text = format!(
            "{IDENTITIES}secrets: {{ S: 0123456789abcdef0123456789abcdef }}\ntokens: {{ a: {token} }}\n\
             steps: [{{ send: {{ url: \"http://a/a\" }}, expect: {{ status: 200 }} }}]\n"
        );
        let case = case(&text);
        (
            case.needs.contains(&Need::Keys),
            case.config["identities"]["keys"]["jwt"]["jwks"]["keys"].as_array().unwrap().len(),
        )
    };
    assert_eq!(needs("{ identity: shared }"), (false, 0));
    assert_eq!(needs("{ identity: keys }"), (true, 1));
}

/// Offline, with a clock that nobody can move.
struct RealTime;

impl Subject for RealTime {
    fn name(&self) -> &'static str {
        "real time"
    }

    fn lacks(&self, _: &Case, need: Need) -> Option<String> {
        (need == Need::Clock).then(|| "time flies".to_owned())
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Session>, String> {
        Offline.start(case)
    }

    fn refuse(&self, case: &Case) -> Result<Refusal, String> {
        Offline.refuse(case)
    }
}

#[test]
fn what_a_subject_cannot_do_is_skipped_and_never_passed() {
    let right = r#"{ send: { url: "http://a/here" }, expect: { status: 200 } }"#;
    let wrong = r#"{ send: { url: "http://a/here" }, expect: { status: 201 } }"#;
    let steps = |steps: &[&str]| {
        let steps: String = steps.iter().map(|step| format!("  - {step}\n")).collect();
        run(&case(&format!("{GATEWAY}steps:\n{steps}")), &RealTime)
    };
    let skipped = |why: &str| Verdict::Skipped(why.to_owned());
    assert_eq!(steps(&[right]), Verdict::Passed);
    assert_eq!(steps(&[right, "{ advance: 1s }", wrong]), skipped("steps 2 to 3: time flies"));
    assert_eq!(steps(&[right, "{ advance: 1s }"]), skipped("step 2: time flies"));
    assert_eq!(steps(&["{ advance: 1s }", right]), skipped("time flies"));
    assert!(matches!(steps(&[wrong, "{ advance: 1s }"]), Verdict::Failed(_)), "what comes before counts");
    let whole = case(&format!("{GATEWAY}needs: [clock]\nsteps: [{wrong}]\n"));
    assert_eq!(run(&whole, &RealTime), skipped("time flies"));
    let slow = "upstreams: { app: [{ respond: { delay: 1s } }] }\n";
    let slow = case(&format!("{GATEWAY}{slow}steps: [{right}]\n"));
    assert_eq!(run(&slow, &RealTime), skipped("time flies"));
}

#[test]
fn a_rule_answers_as_often_as_it_says_for_all_targets_together() {
    let two = GATEWAY.replace(
        r#"{ url: "http://app.internal" }"#,
        r#"{ url: "http://one.internal" }, { url: "http://two.internal" }"#,
    );
    let rules = "upstreams: { app: [{ times: 3, respond: { body: first } }, { when: { path: /app }, respond: { body: then } }] }\n";
    let first = r#"{ send: { url: "http://a/app" }, expect: { status: 200, body: first }, repeat: 3 }"#;
    let then = r#"{ send: { url: "http://a/app" }, expect: { status: 200, body: then }, repeat: 3 }"#;
    let case = case(&format!("{two}{rules}steps:\n  - {first}\n  - {then}\n"));
    // each run begins anew
    for _ in 0..2 {
        assert_eq!(run(&case, &Offline), Verdict::Passed);
    }
}

#[test]
fn a_skip_that_would_pass_fails() {
    let skip = Skip { subject: "offline".into(), case: "a".into(), reason: "known".into() };
    let failed = || run(&step(r#"{ send: { url: "http://a/here" }, expect: { status: 201 } }"#), &Offline);
    assert_eq!(settle(Verdict::Passed, None), Settled::Passed);
    assert!(matches!(settle(failed(), None), Settled::Failed(why) if why.contains("201")));
    assert_eq!(settle(failed(), Some(&skip)), Settled::Ignored("known".into()));
    assert_eq!(settle(Verdict::Skipped("why".into()), None), Settled::Ignored("why".into()));
    assert!(matches!(settle(Verdict::Passed, Some(&skip)), Settled::Failed(_)));
    assert!(matches!(settle(Verdict::Skipped("why".into()), Some(&skip)), Settled::Failed(_)));
}

const OUTSIDE: &str = r#"
config:
  portico: 1
  name: engine
  identities:
    users: { jwt: { jwks: "https://id.example/keys", issuer: a, audience: b, algorithms: [EdDSA] } }
    staff: { jwt: { jwks: { store: staff }, issuer: a, audience: b, algorithms: [EdDSA] } }
    shared: { jwt: { secret: "${secret.S}", algorithms: [HS256] } }
  routes: [{ name: a, match: { path: /a }, respond: {}, policies: { auth: { any_of: [users] } } }]
secrets: { S: 0123456789abcdef0123456789abcdef }
"#;

#[test]
fn what_is_outside_the_configuration_is_the_cases() {
    let steps = "\nsteps: [{ send: { url: \"http://a/a\" }, expect: { status: 401 } }]\n";
    for (text, place, message) in [
        ("issuers: { https://id.example/other: [] }", ":11:12: ", "has its keys at https://id.example/other"),
        ("issuers: { https://id.example/keys: [{ respond: { keys_of: [none] } }] }", ":11:61: ", "no token \"none\""),
        (
            "issuers: { https://id.example/keys: [{ respond: { keys_of: [], body: a } }] }",
            ":11:40: ",
            "a body of its own",
        ),
        ("issuers: { https://id.example/keys: [{ fail: connect_error }, { fail: reset }] }", ":11:12: ", "only rule"),
        ("values: { ../a: b }", ":11:11: ", "cannot be the key of a value"),
        ("values: { jwks/a: { keys_of: [a] } }\ntokens: { a: { identity: shared } }", ":11:31: ", "no token \"a\""),
    ] {
        let told = read(&format!("{OUTSIDE}{text}{steps}")).unwrap_err();
        assert!(told.contains(place) && told.contains(message), "{text}: {told}");
    }
    // without tokens nobody is at the URL, and nothing in the store
    let bare = case(&format!("{OUTSIDE}{steps}"));
    assert!(bare.issuer("https://id.example/keys").is_gone() && bare.values.is_empty());
    let tokens = "tokens: { a: { identity: users, kid: a }, b: { identity: users, kid: b }, c: { identity: staff } }";
    let kept = case(&format!("{OUTSIDE}{tokens}\nvalues: {{ jwks/other: text }}{steps}"));
    assert_eq!(kept.config, bare.config, "the configuration stays as it is");
    assert!(!kept.issuer("https://id.example/keys").is_gone());
    assert_eq!(kept.values["jwks/staff"].matches("\"kty\"").count(), 1);
    assert_eq!(kept.values["jwks/other"], "text");
    for case in [bare, kept] {
        assert!(case.needs.contains(&Need::Keys), "whatever runs elsewhere has other keys");
    }
    // what an issuer gets tells as an upstream does
    let step = "\nsteps: [{ send: { url: \"http://a/a\", headers: { Authorization: \"Bearer ${token.a}\" } }, expect: { status: 200, upstream: {} } }]\n";
    let told = failure(&case(&format!("{OUTSIDE}{tokens}{step}")));
    assert!(told.contains("requests to https://id.example/keys"), "{told}");
}
