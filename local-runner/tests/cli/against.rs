//! `portico test --against`: the same cases on a gateway that runs, with stubs behind it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};

use rcgen::PKCS_ECDSA_P256_SHA256;
use serde_json::Value;

use crate::process::{Folder, Server, portico};
use crate::token;

/// Addresses that nobody listens on. Systems hand out ports from 32768 on by themselves; these are below, so that nobody gets one
/// between now and when the stub takes it. Where to begin differs between processes.
fn free<const N: usize>() -> [SocketAddr; N] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id().wrapping_mul(101) % 20_000;
    [(); N].map(|()| {
        let mut ports = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed) % 1_000);
        let address = ports.find_map(|port| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000 + u16::try_from(first).unwrap() + port));
            TcpListener::bind(address).is_ok().then_some(address)
        });
        address.unwrap()
    })
}

fn gateway(app: &str, other: &str) -> String {
    format!(
        "\
portico: 1
name: live
upstreams:
  app: {{ targets: [{{ url: \"{app}\" }}], timeout: 5s }}
  other: {{ targets: [{{ url: \"{other}\" }}] }}
routes:
  - {{ name: app, match: {{ path: \"/app/{{*rest}}\" }}, upstream: app, policies: {{ request: {{ headers: {{ set: {{ X-By: portico }} }} }} }} }}
  - {{ name: other, match: {{ path: /other }}, upstream: other }}
  - {{ name: here, match: {{ path: /here }}, respond: {{ body: here }} }}
  - {{ name: limited, match: {{ path: /limited }}, respond: {{ body: in }}, policies: {{ rate_limit: {{ limit: 1, per: 1h, by: {{ header: X-Who }} }} }} }}
"
    )
}

fn url(address: &SocketAddr) -> String {
    format!("http://{address}")
}

/// A folder with a gateway and cases for it.
fn folder(gateway: &str, cases: &str) -> Folder {
    let folder = Folder::with(gateway);
    folder.write("cases/live.yaml", &format!("config: {{ include: ../gateway.yaml }}\n{cases}"));
    folder
}

fn serve(folder: &Folder, more: &[&str]) -> Server {
    Server::start(&mut portico(&folder.0, &[&["serve", "--listen", "127.0.0.1:0", "--workers", "2"], more].concat()))
}

/// `portico test --against`, with the results as JSON.
fn against(folder: &Folder, url: &str, more: &[&str]) -> Command {
    portico(&folder.0, &[&["test", "--against", url, "--format", "json"], more].concat())
}

/// What came of a run.
struct Ran {
    code: i32,
    document: Value,
    told: String,
}

fn run(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let document = serde_json::from_slice(&stdout).unwrap_or_default();
    Ran { code: status.code().unwrap(), document, told: String::from_utf8(stderr).unwrap() }
}

impl Ran {
    /// `passed`, or what else came of a case and why, in one text.
    fn of(&self, name: &str) -> String {
        let cases = self.document["cases"].as_array().unwrap_or_else(|| panic!("no results: {}", self.told));
        let case = cases.iter().find(|case| case["name"].as_str().unwrap().ends_with(&format!("/{name}")));
        let case = case.unwrap_or_else(|| panic!("no case {name}: {}", self.document));
        match (case["outcome"].as_str().unwrap(), &case["why"], &case["failure"]) {
            (outcome, Value::Null, Value::Null) => outcome.to_owned(),
            (outcome, why, Value::Null) => format!("{outcome}: {}", why.as_str().unwrap()),
            (outcome, _, failure) => format!("{outcome}: {failure}"),
        }
    }

    fn all_passed(&self) {
        assert_eq!((self.code, &self.document["failed"]), (0, &0.into()), "{} {}", self.told, self.document);
        assert_eq!(self.document["skipped"], 0, "{}", self.document);
        assert_ne!(self.document["passed"], 0, "{}", self.document);
    }
}

const CASES: &str = r#"
upstreams:
  app:
    - { when: { path: /app/7 }, respond: { json: { id: 7 }, headers: { X-From: app } } }
    - { when: { path: /app/reset }, fail: reset }
    - { when: { method: POST }, respond: { status: 201, body: made } }
cases:
  - name: forwarded
    steps:
      - send: { url: "http://client.example/app/7?a=b" }
        expect:
          status: 200
          headers: { X-From: app }
          json: { id: 7 }
          upstream: { app: [{ method: GET, path: /app/7, query: a=b, headers: { X-By: portico, X-Forwarded-Host: client.example } }] }
      - { send: { url: "http://client.example/other" }, expect: { status: 200, upstream: { other: [{ path: /other }] } } }
      - { send: { url: "http://client.example/here" }, expect: { status: 200, body: here, upstream: {} } }
  - name: nobody is there
    upstreams: { app: [{ fail: connect_error }] }
    steps:
      - { send: { url: "http://a/app/7" }, repeat: 2, expect: { status: 502, problem: upstream_unreachable, upstream: {} } }
      - { send: { url: "http://a/other" }, expect: { status: 200, upstream: { other: [{}] } } }
  - name: somebody is there again
    steps:
      - { send: { method: POST, url: "http://a/app/new", body: hello }, expect: { status: 201, body: made, upstream: { app: [{ body: hello }] } } }
      - { send: { method: POST, url: "http://a/app/new", chunks: [he, llo] }, expect: { status: 201, upstream: { app: [{ body: hello }] } } }
  - name: broken off
    steps:
      - { send: { url: "http://a/app/reset" }, expect: { status: 502, problem: upstream_broken } }
  - name: wrong about the status
    steps:
      - { send: { url: "http://a/here" }, expect: { status: 200 } }
      - { send: { url: "http://a/here" }, expect: { status: 201 } }
  - name: wrong about what reaches an upstream
    steps: [{ send: { url: "http://a/app/7" }, expect: { status: 200, upstream: { app: [{ path: /7 }] } } }]
  - name: a request that no rule answers
    steps: [{ send: { url: "http://a/app/nothing" }, expect: { status: 200 } }]
  - name: time goes on
    steps:
      - { send: { url: "http://a/limited", headers: { X-Who: somebody } }, expect: { status: 200 } }
      - { advance: 1h }
      - { send: { url: "http://a/limited", headers: { X-Who: somebody } }, expect: { status: 200 } }
  - name: time goes on after what is wrong
    steps:
      - { send: { url: "http://a/here" }, expect: { status: 404 } }
      - { advance: 1h }
  - name: time stands still
    needs: [clock]
    steps: [{ send: { url: "http://a/here" }, expect: { status: 200 } }]
  - name: late
    upstreams: { app: [{ respond: { delay: 1s } }] }
    steps: [{ send: { url: "http://a/app/7" }, expect: { status: 200 } }]
  - name: the store fails
    steps:
      - { store: down }
      - { send: { url: "http://a/limited" }, expect: { status: 503 } }
  - name: from elsewhere
    peer: { address: 192.0.2.7 }
    steps: [{ send: { url: "http://a/here" }, expect: { status: 200 } }]
  - name: from elsewhere on this machine
    peer: { address: 127.0.0.2 }
    steps: [{ send: { url: "http://a/here" }, expect: { status: 200 } }]
  - name: from IPv6
    peer: { address: "::1" }
    steps: [{ send: { url: "http://a/here" }, expect: { status: 200 } }]
  - name: encrypted
    peer: { secure: true }
    steps: [{ send: { url: "http://a/here" }, expect: { status: 200 } }]
  - name: refused
    config: { portico: 1, name: a, routes: [{ name: a, match: { path: a }, respond: {} }] }
    refused: [{ at: "routes[0].match.path", says: starts with }]
"#;

#[test]
fn what_can_be_done_is_done_and_the_rest_is_skipped() {
    let [app, other] = free();
    let folder = folder(&gateway(&url(&app), &url(&other)), CASES);
    let server = serve(&folder, &[]);
    let ran = run(&mut against(&folder, &url(&server.address.0), &[]));
    for name in ["forwarded", "nobody is there", "somebody is there again", "broken off"] {
        assert_eq!(ran.of(name), "passed");
    }
    for (name, wanted) in [
        ("wrong about the status", r#""number":2"#),
        ("wrong about what reaches an upstream", r#""got":"/app/7""#),
        ("a request that no rule answers", "one that a rule answers"),
        ("time goes on after what is wrong", r#""expected":404"#),
    ] {
        let got = ran.of(name);
        assert!(got.starts_with("failed: ") && got.contains(wanted), "{name}: {got}");
    }
    for (name, wanted) in [
        ("time goes on", "skipped: steps 2 to 3: a real clock"),
        ("time stands still", "skipped: a real clock"),
        ("late", "skipped: a real clock"),
        ("the store fails", "skipped: its store"),
        ("from elsewhere", "skipped: clients have the address"),
        ("from elsewhere on this machine", "skipped: its client has the address 127.0.0.2"),
        ("from IPv6", "skipped: it is not reached by IPv6"),
        ("encrypted", "skipped: it is reached without TLS"),
        ("refused", "skipped: a gateway that runs"),
    ] {
        assert!(ran.of(name).starts_with(wanted), "{name}: {}", ran.of(name));
    }
    assert_eq!((ran.code, &ran.document["subject"]), (1, &"live".into()));
    assert_eq!(ran.told, "");
}

#[test]
fn decisions_are_compared_by_whoever_has_the_secret() {
    let secret = "0123456789abcdef0123456789abcdef";
    let [app, other] = free();
    let debug = "debug: { secret: \"${secret.PORTICO_TEST_DEBUG}\" }\nupstreams:";
    let folder = folder(
        &gateway(&url(&app), &url(&other)).replacen("upstreams:", debug, 1),
        r#"
upstreams: { app: [{ respond: { headers: { Cache-Control: max-age=5 } } }] }
cases:
  - name: right
    steps:
      - send: { url: "http://A.example:81/app/7?a=b", headers: { X-Who: right } }
        expect: { status: 200, headers: { X-Portico-Trace: { present: false } }, decisions: { forward: allow forwarded, auth: none } }
      - send: { method: POST, url: "http://a/app/7", target: "http://b.example/app/7", body: a }
        expect: { status: 200, decisions: { forward: allow forwarded } }
  - name: wrong
    steps: [{ send: { url: "http://a/app/7" }, expect: { status: 200, decisions: { forward: respond responded } } }]
  - name: a field that traces change
    steps: [{ send: { url: "http://a/app/7" }, expect: { status: 200, headers: { Cache-Control: max-age=5 }, decisions: { forward: allow } } }]
"#,
    );
    let command = ["serve", "--listen", "127.0.0.1:0", "--workers", "2"];
    let server = Server::start(portico(&folder.0, &command).env("PORTICO_TEST_DEBUG", secret));
    let gateway = url(&server.address.0);
    let test = |value: &str| {
        run(against(&folder, &gateway, &["--debug-secret-env", "PORTICO_TEST_DEBUG"]).env("PORTICO_TEST_DEBUG", value))
    };

    let ran = test(secret);
    assert_eq!((ran.of("right"), ran.of("a field that traces change")), ("passed".into(), "passed".into()));
    assert!(
        ran.of("wrong").contains("decision of forward") && ran.of("wrong").contains("gateway.yaml"),
        "{}",
        ran.of("wrong")
    );
    assert_eq!(ran.told.lines().count(), 1, "{}", ran.told);
    assert!(ran.told.contains("decisions of 1 case were not compared: Cache-Control is expected"), "{}", ran.told);

    let ran = run(&mut against(&folder, &gateway, &[]));
    ran.all_passed();
    assert!(ran.told.contains("decisions of 3 cases were not compared: give the secret"), "{}", ran.told);

    let ran = test("another secret, just as long as that one");
    ran.all_passed();
    assert!(ran.told.contains("decisions of 3 answers were not compared: they came without a trace"), "{}", ran.told);

    let ran = test("short");
    assert!(ran.code == 2 && ran.told.contains("has 5 bytes"), "{}", ran.told);
}

#[test]
fn secrets_that_are_set_here_are_taken_for_set_there() {
    let [app, other] = free();
    let folder = folder(
        &gateway(&url(&app), &url(&other)).replace("body: here", "body: \"${secret.PORTICO_TEST_A}\""),
        "\
secrets: { PORTICO_TEST_A: known }
steps: [{ send: { url: \"http://a/here\" }, expect: { status: 200, body: known } }]
",
    );
    let command = ["serve", "--listen", "127.0.0.1:0", "--workers", "2"];
    let server = Server::start(portico(&folder.0, &command).env("PORTICO_TEST_A", "known"));
    let test = || against(&folder, &url(&server.address.0), &[]);
    for other in [&mut test(), test().env("PORTICO_TEST_A", "another")] {
        let ran = run(other);
        assert!(
            ran.of("live").contains("skipped: its secrets cannot be set there") && ran.code == 0,
            "{}",
            ran.of("live")
        );
    }
    run(test().env("PORTICO_TEST_A", "known")).all_passed();
}

#[test]
fn tokens_are_signed_with_keys_that_the_gateway_knows() {
    let folder = folder(
        "\
portico: 1
name: tokens
identities: { users: { jwt: { algorithms: [ES256], jwks: keys.json, issuer: \"https://id.example/\", audience: api } } }
routes: [{ name: me, match: { path: /me }, respond: { body: \"${claims.sub}\" }, policies: { auth: { any_of: [users] } } }]
",
        r#"
cases:
  - name: a key of ones own
    tokens: { alice: { claims: { sub: alice }, key: ../own.pem } }
    steps: &steps
      - { send: { url: "http://a/me", headers: { Authorization: "Bearer ${token.alice}" } }, expect: { status: 200, body: alice } }
      - { send: { url: "http://a/me" }, expect: { status: 401, problem: credentials_missing } }
  - { name: a key that is made, tokens: { alice: { claims: { sub: alice } } }, steps: *steps }
"#,
    );
    token::key(&folder, &PKCS_ECDSA_P256_SHA256);
    let server = serve(&folder, &[]);
    let ran = run(&mut against(&folder, &url(&server.address.0), &[]));
    assert_eq!(ran.of("a key of ones own"), "passed");
    assert!(ran.of("a key that is made").starts_with("skipped: its configuration has other keys"));
}

#[test]
fn what_earlier_runs_left_is_still_there() {
    let [app, other] = free();
    let limited = "steps: [{ send: { url: \"http://a/limited\" }, expect: { status: 200 } }]\n";
    let folder = folder(&gateway(&url(&app), &url(&other)), limited);
    let server = serve(&folder, &[]);
    let test = || run(&mut against(&folder, &url(&server.address.0), &[]));
    test().all_passed();
    let ran = test();
    assert!(ran.code == 1 && ran.of("live").contains("\"got\":429"), "{}", ran.of("live"));
}

#[test]
fn stubs_listen_where_they_are_told_to() {
    let [app, other] = free();
    // the gateway has other targets than the cases
    let there = Folder::with(&gateway(&url(&app), &url(&other)));
    let server = serve(&there, &[]);
    let gateway_url = url(&server.address.0);
    let cases = r#"
cases:
  - name: both
    steps:
      - { send: { url: "http://a/app/7" }, expect: { status: 200, upstream: { app: [{ headers: { Host: app.internal } }] } } }
      - { send: { url: "http://a/other" }, expect: { status: 200, upstream: { other: [{ headers: { Host: "other.internal:81" } }] } } }
  - name: none
    steps: [{ send: { url: "http://a/here" }, expect: { status: 200 } }]
"#;
    let folder = folder(&gateway("http://app.internal", "http://other.internal:81"), cases);
    let (app_is, other_is) = (format!("app={app}"), format!("other={other}"));
    let ran = run(&mut against(&folder, &gateway_url, &["--origin", &app_is, "--origin", &other_is]));
    ran.all_passed();
    assert!(ran.told.contains("note: 2 cases are for the configuration "), "{}", ran.told);
    run(&mut against(&folder, &gateway_url, &["--origin", &app_is, "--origin", &other.to_string()])).all_passed();

    let ran = run(&mut against(&folder, &gateway_url, &["--origin", &app_is]));
    assert_eq!(ran.code, 2, "{}", ran.told);
    assert!(
        ran.told.contains("no stub can listen where these upstreams are: other (http://other.internal:81/)"),
        "{}",
        ran.told
    );
    // nobody reaches an upstream there
    run(&mut against(&folder, &gateway_url, &["--filter", "none"])).all_passed();
}

#[test]
fn one_stub_can_be_several_upstreams() {
    let [shared] = free();
    let named = format!("http://localhost:{}", shared.port());
    let folder = folder(
        &gateway(&url(&shared), &named),
        r#"
upstreams: { app: [{ respond: { body: app } }], other: [{ respond: { body: other } }] }
cases:
  - name: told apart
    steps:
      - { send: { url: "http://a/app/7" }, expect: { status: 200, body: app, upstream: { app: [{}] } } }
      - { send: { url: "http://a/other" }, expect: { status: 200, body: other, upstream: { other: [{}] } } }
"#,
    );
    let server = serve(&folder, &[]);
    run(&mut against(&folder, &url(&server.address.0), &[])).all_passed();
}

#[test]
fn a_gateway_that_goes_elsewhere_is_told_where_to_go() {
    let [app, other, elsewhere] = free();
    let there = Folder::with(&gateway(&url(&elsewhere), &url(&other)));
    let server = serve(&there, &[]);
    let folder = folder(
        &gateway(&url(&app), &url(&other)),
        "steps: [{ send: { url: \"http://a/app/7\" }, expect: { status: 200 } }]\n",
    );
    let ran = run(&mut against(&folder, &url(&server.address.0), &[]));
    let got = ran.of("live");
    assert!(
        got.contains("upstream_unreachable") && got.contains(&format!("`app` is expected at http://{app}")),
        "{got}"
    );
    assert_eq!(ran.code, 1);
}

#[test]
fn demo_upstreams_are_skipped() {
    let folder = folder(
        &gateway("demo://echo", "demo://orders"),
        r#"
cases:
  - { name: demo, steps: [{ send: { url: "http://a/app/7" }, expect: { status: 200 } }] }
  - { name: here, steps: [{ send: { url: "http://a/here" }, expect: { status: 200, upstream: {} } }] }
"#,
    );
    let server = Server::start(&mut portico(&folder.0, &["dev", "--listen", "127.0.0.1:0"]));
    let ran = run(&mut against(&folder, &url(&server.address.0), &[]));
    assert_eq!((ran.code, ran.of("here").as_str()), (0, "passed"), "{}", ran.told);
    assert!(ran.of("demo").starts_with("skipped: its upstream `app` is demo://echo"), "{}", ran.of("demo"));
}

#[test]
fn cases_that_ask_what_is_known_of_clients_are_skipped() {
    let [app, other] = free();
    let folder = folder(
        &gateway(&url(&app), &url(&other)),
        r#"
cases:
  - { name: country, peer: { country: DE }, steps: [{ send: { url: "http://a/here" }, expect: { status: 200 } }] }
  - { name: network, peer: { asn: 64496 }, steps: [{ send: { url: "http://a/here" }, expect: { status: 200 } }] }
  - { name: needed, needs: [client], steps: [{ send: { url: "http://a/here" }, expect: { status: 200 } }] }
  - { name: here, steps: [{ send: { url: "http://a/here" }, expect: { status: 200 } }] }
"#,
    );
    let server = serve(&folder, &[]);
    let ran = run(&mut against(&folder, &url(&server.address.0), &[]));
    assert_eq!((ran.code, ran.of("here").as_str()), (0, "passed"), "{}", ran.told);
    for case in ["country", "network", "needed"] {
        assert!(ran.of(case).starts_with("skipped: what its platform knows"), "{case}: {}", ran.of(case));
    }
}

#[test]
fn https_with_an_authority_of_ones_own() {
    let [app, other] = free();
    let folder = folder(
        &gateway(&url(&app), &url(&other)),
        r#"
cases:
  - { name: encrypted, peer: { secure: true }, steps: [{ send: { url: "http://a/app/7" }, expect: { status: 200, upstream: { app: [{ headers: { X-Forwarded-Proto: https } }] } } }] }
  - { name: whatever, steps: [{ send: { url: "http://a/here" }, expect: { status: 200, body: here } }] }
"#,
    );
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    folder.write("chain.pem", &own.cert.pem());
    folder.write("key.pem", &own.signing_key.serialize_pem());
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    folder.write("stranger.pem", &stranger.cert.pem());
    let server = serve(&folder, &["--tls-cert", "chain.pem", "--tls-key", "key.pem"]);
    let gateway = format!("https://localhost:{}", server.address.0.port());
    run(against(&folder, &gateway, &[]).env("SSL_CERT_FILE", "chain.pem")).all_passed();
    let ran = run(against(&folder, &gateway, &[]).env("SSL_CERT_FILE", "stranger.pem"));
    assert!(
        ran.code == 2 && ran.told.contains("SSL_CERT_FILE") && ran.told.contains("invalid peer certificate"),
        "{}",
        ran.told
    );
}

#[test]
fn what_keeps_everything_from_running_ends_with_2() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = taken.local_addr().map(|address| (taken, address)).unwrap();
    let [other, nobody] = free();
    let folder = folder(
        &gateway(&url(&taken.1), &url(&other)),
        "steps: [{ send: { url: \"http://a/app/7\" }, expect: { status: 200 } }]\n",
    );
    let server = serve(&folder, &[]);
    let there = url(&server.address.0);
    let in_use = format!("the stub for the upstream `app` cannot listen on {}: the address is in use", taken.1);
    for (url, more, told) in [
        (&*there, &[][..], &*in_use),
        (&url(&nobody), &[], "nothing answers at http://127.0.0.1:"),
        ("127.0.0.1:8080", &[], "does not begin with http:// or https://"),
        ("ftp://127.0.0.1", &[], "does not begin with http:// or https://"),
        ("http://", &[], "is no URL"),
        ("http://127.0.0.1/prefix", &[], "has a path"),
        ("http://user@127.0.0.1", &[], "names a user"),
        (&there, &["--origin", "app"], "expected ADDRESS:PORT"),
        (&there, &["--jobs", "2"], "cannot be used with"),
        (&there, &["--debug-secret-env", "PORTICO_TEST_UNSET"], "--debug-secret-env is not set"),
    ] {
        let ran = run(&mut against(&folder, url, more));
        assert_eq!((ran.code, &ran.document), (2, &Value::Null), "{url} {more:?}: {}", ran.told);
        assert!(ran.told.contains(told) && !ran.told.contains("PORTICO_TEST_UNSET"), "{url} {more:?}: {}", ran.told);
    }
    let (code, _, stderr) = crate::process::run(&folder.0, &["test", "--origin", "127.0.0.1:9001"]);
    assert!(code == 2 && stderr.contains("--against"), "{stderr}");
}
