//! `portico test`: what it says about cases that fail, in every format, and how it ends.

use serde_json::{Value, json};

use crate::process::{Folder, run};
use crate::token;

const GATEWAY: &str = "\
portico: 1
name: shop
upstreams:
  orders: { targets: [{ url: \"https://orders.internal\" }] }
identities:
  partners: { api_key: { keys: {} } }
routes:
  - name: orders
    match: { path: \"/orders/{id}\" }
    upstream: orders
    policies:
      auth: { any_of: [partners] }
  - name: free
    match: { path: /free }
    upstream: orders
    policies:
      request: { path: /v1/free }
      response: { headers: { set: { X-Shop: one } } }
  - name: text
    match: { path: /text }
    respond: { body: \"one\\ntwo\\nthree\\n\" }
";

/// Two cases that are right, and three that are wrong on purpose.
const CASES: &str = "\
about: what a shop promises
config: { include: ../gateway.yaml }
cases:
  - name: a key is needed
    steps:
      - { send: { url: \"http://shop/orders/7\" }, expect: { status: 401 } }
  - name: wrong about the key
    steps:
      - { send: { url: \"http://shop/free\" }, expect: { status: 200 } }
      - { send: { url: \"http://shop/orders/7\" }, expect: { status: 200 } }
      - { advance: 1s }
  - name: wrong about what goes on
    about: services see their own paths
    steps:
      - send: { url: \"http://shop/free\" }
        expect: { status: 200, headers: { X-Shop: two }, upstream: { orders: [{ path: /free }] } }
  - name: wrong about a text
    steps:
      - { send: { url: \"http://shop/text\" }, expect: { status: 200, body: \"one\\n2\\nthree\\n\" } }
  - name: what is free needs none
    steps:
      - { send: { url: \"http://shop/free\" }, expect: { status: 200 }, repeat: 3 }
";

fn shop() -> Folder {
    let folder = Folder::with(GATEWAY);
    folder.write("cases/orders.yaml", CASES);
    folder
}

/// Without what differs from run to run.
fn stable(text: &str) -> String {
    let lines = text.lines().map(|line| match line.rsplit_once(" in ") {
        Some((before, time)) if time.ends_with(" s") || time.ends_with(" ms") => before,
        _ => line,
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn a_case_that_is_wrong_is_told_with_step_field_values_and_the_line_that_decided() {
    let (code, stdout, stderr) = run(&shop().0, &["test", "--filter", "wrong about"]);
    assert_eq!((code, &*stderr), (1, ""));
    let told = stdout.split("FAILED ").collect::<Vec<_>>();
    let key = "\
orders/wrong about the key
  step 2 of 3: GET /orders/7 (cases/orders.yaml:10)

  status
    expected  200
    got       401
    decided   auth deny credentials_missing  gateway.yaml:12:7 (routes[0].policies.auth)
              12 |       auth: { any_of: [partners] }
                 |       ^^^^

  decisions
    route  allow  route_matched                                       gateway.yaml:9:5 (routes[0].match)
    auth   deny   credentials_missing  Send an API key in x-api-key.  gateway.yaml:12:7 (routes[0].policies.auth)

  response: 401
    content-type: application/problem+json
    www-authenticate: ApiKey realm=\"shop\"
    x-request-id: ";
    assert!(told[1].starts_with(key), "{stdout}");
    assert!(told[1].contains("\n  about: what a shop promises\n"), "{stdout}");
    let onward = "\
orders/wrong about what goes on
  step 1 of 1: GET /free (cases/orders.yaml:15)

  header x-shop
    expected  two
    got       one
    decided   response allow transformed  gateway.yaml:18:45 (routes[1].policies.response.headers.set.X-Shop)
              18 |       response: { headers: { set: { X-Shop: one } } }
                 |                                             ^^^

  orders got path
    expected  /free
    got       /v1/free
    decided   request allow transformed  gateway.yaml:17:24 (routes[1].policies.request.path)
              17 |       request: { path: /v1/free }
                 |                        ^^^^^^^^

  decisions
";
    assert!(told[2].starts_with(onward), "{stdout}");
    assert!(told[2].contains("\n  orders got: GET /v1/free\n"), "{stdout}");
    assert!(told[2].contains("\n  about: services see their own paths\n"), "{stdout}");
    let text = "
  body
    expected - and got +
      one
    - 2
    + two
      three
    decided   forward respond responded  gateway.yaml:21:22 (routes[2].respond.body)
              21 |     respond: { body: \"one\\ntwo\\nthree\\n\" }
                 |                      ^^^^^^^^^^^^^^^^^^^
";
    assert!(told[3].contains(text), "{stdout}");
    assert!(stable(&stdout).ends_with("\n0 passed, 3 failed, 0 skipped\n"), "{stdout}");
}

#[test]
fn an_inline_configuration_is_found_in_the_file_with_the_cases() {
    let folder = Folder::with("");
    folder.write(
        "cases/own.yaml",
        "\
shared:
  limit: &limit { limit: 1, per: 1m }
cases:
  - name: own
    config:
      portico: 1
      name: own
      defaults: { rate_limit: *limit }
      routes: [{ name: a, match: { path: /a }, respond: {} }]
    steps: [{ send: { url: \"http://a/a\" }, expect: { status: 200 }, repeat: 2 }]
",
    );
    let (code, stdout, _) = run(&folder.0, &["test"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("  step 1 of 1: GET /a, time 2 of 2 (cases/own.yaml:10)\n"), "{stdout}");
    let line = "    decided   rate_limit deny rate_limited  cases/own.yaml:8:31 (defaults.rate_limit)\n";
    assert!(stdout.contains(line), "{stdout}");
}

#[test]
fn a_configuration_that_cannot_be_used_is_told_with_its_place() {
    let folder = shop();
    folder.write("gateway.yaml", &GATEWAY.replace("upstream: orders", "upstream: order"));
    let (code, stdout, _) = run(&folder.0, &["test", "--filter", "need"]);
    assert_eq!(code, 1);
    let told = "FAILED orders/a key is needed
  cases/orders.yaml:4
  the configuration is refused:

  gateway.yaml:10:15: error: ";
    assert!(stdout.starts_with(told), "{stdout}");
    assert!(stdout.contains("\n   10 |     upstream: order\n      |               ^^^^^\n"), "{stdout}");
    assert!(
        stdout.contains("\nFAILED orders/what is free needs none\n  cases/orders.yaml:20: the same\n\n"),
        "{stdout}"
    );
}

#[test]
fn json_tells_the_same() {
    let folder = shop();
    let (code, stdout, stderr) = run(&folder.0, &["test", "--format", "json"]);
    assert_eq!((code, &*stderr), (1, ""));
    let told: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        [&told["subject"], &told["passed"], &told["failed"], &told["skipped"], &told["malformed"]],
        [&json!("offline"), &json!(2), &json!(3), &json!(0), &json!([])]
    );
    let names: Vec<_> = told["cases"].as_array().unwrap().iter().map(|case| case["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "orders/a key is needed",
            "orders/wrong about the key",
            "orders/wrong about what goes on",
            "orders/wrong about a text",
            "orders/what is free needs none",
        ]
    );
    let case = &told["cases"][1];
    assert_eq!(
        [&case["outcome"], &case["file"], &case["line"]],
        [&json!("failed"), &json!("cases/orders.yaml"), &json!(7)]
    );
    assert!(case["duration_ms"].is_number() && told["duration_ms"].is_number(), "{case}");
    let failure = &case["failure"];
    assert_eq!(failure["step"], json!({ "number": 2, "of": 3, "line": 10, "request": "GET /orders/7" }));
    let decided = json!({
        "policy": "auth", "outcome": "deny", "reason": "credentials_missing", "detail": "Send an API key in x-api-key.",
        "pointer": "routes[0].policies.auth", "file": "gateway.yaml", "line": 12, "column": 7,
    });
    let difference = json!({ "field": "status", "expected": 200, "got": 401, "decided": decided });
    assert_eq!(failure["differences"], json!([difference]));
    assert_eq!(failure["decisions"][1], decided);
    assert_eq!(failure["response"]["status"], 401);
    assert_eq!(told["cases"][0].get("failure"), None);
}

#[test]
fn junit_is_xml_whatever_stands_in_a_case() {
    let folder = shop();
    folder.write(
        "cases/odd.yaml",
        "\
config: { portico: 1, name: odd, routes: [{ name: a, match: { path: /a }, respond: { body: \"\\e[31m<]]>&\\\"\" } }] }
cases:
  - name: <&\"'> and é
    steps: [{ send: { url: \"http://a/a\" }, expect: { status: 200, body: \"\\u0001\" } }]
",
    );
    folder.write("cases/unread.yaml", "cases: [{ nam: a }]\n");
    let (code, stdout, _) = run(&folder.0, &["test", "--format", "junit", "--output", "report.xml"]);
    assert_eq!((code, &*stdout), (2, ""), "a file could not be read");
    let report = std::fs::read_to_string(folder.0.join("report.xml")).unwrap();
    let document = roxmltree::Document::parse(&report).unwrap_or_else(|error| panic!("{error}\n{report}"));
    let root = document.root_element();
    let counts = |node: &roxmltree::Node<'_, '_>| {
        ["tests", "failures", "errors", "skipped"].map(|name| node.attribute(name).unwrap().to_owned())
    };
    assert_eq!((root.tag_name().name(), counts(&root)), ("testsuites", ["7", "4", "1", "0"].map(str::to_owned)));
    let suites: Vec<_> = root.children().filter(roxmltree::Node::is_element).collect();
    let names: Vec<_> = suites.iter().map(|suite| suite.attribute("name").unwrap()).collect();
    assert_eq!(names, ["odd", "orders", "files"]);
    assert_eq!(counts(&suites[1]), ["5", "3", "0", "0"].map(str::to_owned));
    let cases: Vec<_> = suites[1].children().filter(roxmltree::Node::is_element).collect();
    let case = &cases[1];
    let attributes = ["name", "classname", "file", "line"].map(|name| case.attribute(name).unwrap());
    assert_eq!(attributes, ["wrong about the key", "orders", "cases/orders.yaml", "7"]);
    let failure = case.first_element_child().unwrap();
    assert_eq!(failure.tag_name().name(), "failure");
    assert_eq!(failure.attribute("message"), Some("step 2 of 3: GET /orders/7: status: expected 200, got 401"));
    assert!(failure.text().unwrap().contains("gateway.yaml:12:7"), "{report}");
    assert_eq!(cases[0].first_element_child(), None);
    let odd = suites[0].first_element_child().unwrap();
    assert_eq!(odd.attribute("name"), Some("<&\"'> and é"));
    let text = odd.first_element_child().unwrap().text().unwrap();
    assert!(text.contains("<]]>&\"") && !text.contains('\u{1b}'), "{text}");
    let unread = suites[2].first_element_child().unwrap();
    assert_eq!(unread.attribute("name"), Some("cases/unread.yaml"));
    assert!(unread.first_element_child().unwrap().text().unwrap().contains("cases/unread.yaml:1:11"), "{report}");
}

#[test]
fn what_is_run_is_what_is_asked_for() {
    let folder = shop();
    folder.write("more/deep/text.yml", &CASES.replace("../gateway", "../../gateway"));
    let names = |arguments: &[&str]| {
        let (code, stdout, stderr) = run(&folder.0, &[&["test", "--list"], arguments].concat());
        assert_eq!((code, &*stderr), (0, ""));
        stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]).len(), 5);
    assert_eq!(names(&["--filter", "needed"]), ["orders/a key is needed"]);
    assert_eq!(names(&["--filter", "needed", "--filter", "orders/*free"]).len(), 2);
    assert_eq!(names(&["more", "--filter", "needed"]), ["deep/text/a key is needed"]);
    assert_eq!(names(&["more/deep/text.yml", "--filter", "needed"]), ["text/a key is needed"]);
    let both = ["cases/orders/a key is needed", "more/deep/text/a key is needed"];
    assert_eq!(names(&["cases", "more/deep/text.yml", "cases/orders.yaml", "--filter", "needed"]), both);
}

#[test]
fn several_topics_are_told_in_a_table() {
    let folder = shop();
    folder.write("cases/text.yaml", CASES);
    let (code, stdout, _) = run(&folder.0, &["test"]);
    assert_eq!(code, 1);
    let table = "
topic   offline
orders  2 passed, 3 failed
text    2 passed, 3 failed
all     4 passed, 6 failed

4 passed, 6 failed, 0 skipped
";
    assert!(stable(&stdout).ends_with(table), "{stdout}");
}

#[test]
fn the_end_says_how_it_went() {
    let folder = shop();
    let ends = |arguments: &[&str], expected: i32, texts: &[&str]| {
        let (code, stdout, stderr) = run(&folder.0, &[&["test"], arguments].concat());
        assert_eq!(code, expected, "{arguments:?}: {stdout}{stderr}");
        for text in texts {
            assert!(format!("{stdout}{stderr}").contains(text), "{arguments:?} does not say {text}: {stdout}{stderr}");
        }
    };
    ends(&["--filter", "need"], 0, &["2 passed, 0 failed, 0 skipped"]);
    ends(&[], 1, &["2 passed, 3 failed, 0 skipped"]);
    ends(&["none"], 2, &["cannot read none", "portico test --init"]);
    ends(&["--filter", "nothing at all"], 2, &["none of 5 cases has nothing at all in its name", "--list"]);
    ends(&["--format", "xml"], 2, &["junit"]);
    ends(&["--jobs", "0"], 2, &["--jobs"]);
    ends(&["--filter", "need", "--output", "none/report"], 1, &["cannot write none/report", "--output"]);
    std::fs::create_dir(folder.0.join("empty")).unwrap();
    ends(&["empty"], 2, &["there are no cases in empty", "portico test --init"]);
    folder.write("cases/first.yaml", "steps: []\nstep: []\nconfig: 1\n");
    folder.write("cases/last.yaml", "steps: [\n");
    // all that is wrong, and what could be run was
    ends(
        &[],
        2,
        &[
            "cases/first.yaml:2:1: error: unknown key \"step\"",
            "cases/first.yaml:3:9: error: ",
            "cases/last.yaml:1:8: error: ",
            "2 files could not be read",
            "2 passed, 3 failed, 0 skipped",
        ],
    );
    ends(&["--list"], 2, &["orders/a key is needed", "cases/first.yaml:2:1"]);

    let nowhere = Folder::with(GATEWAY);
    let (code, _, stderr) = run(&nowhere.0, &["test"]);
    assert!(code == 2 && stderr.contains("cases or tests/cases") && stderr.contains("--init"), "{stderr}");
    nowhere.write("tests/cases/orders.yaml", &CASES.replace("../gateway", "../../gateway"));
    assert_eq!(run(&nowhere.0, &["test", "--filter", "need"]).0, 0);
}

#[test]
fn it_says_the_same_however_many_run_at_once() {
    let folder = shop();
    for number in 0..40 {
        folder
            .write(&format!("cases/topic{}/{number}.yaml", number % 7), &CASES.replace("../gateway", "../../gateway"));
    }
    let said = |jobs: &str| {
        let (code, stdout, stderr) = run(&folder.0, &["test", "--jobs", jobs]);
        assert_eq!((code, &*stderr), (1, ""));
        stable(&stdout)
    };
    let one = said("1");
    assert!(one.ends_with("\n82 passed, 123 failed, 0 skipped\n"), "{one}");
    for jobs in ["2", "8", "64"] {
        assert_eq!(said(jobs), one, "with {jobs} jobs");
    }
}

#[test]
fn tokens_can_be_signed_with_a_key_of_ones_own() {
    let folder = Folder::with(
        "\
portico: 1
name: keys
identities: { users: { jwt: { jwks: keys.json, algorithms: [ES256], issuer: \"https://id.example/\", audience: shop } } }
routes: [{ name: me, match: { path: /me }, respond: { body: \"${claims.sub}\" }, policies: { auth: { any_of: [users] } } }]
",
    );
    token::key(&folder, &rcgen::PKCS_ECDSA_P256_SHA256);
    folder.write("other/own.pem", &rcgen::KeyPair::generate().unwrap().serialize_pem());
    let case = "\
config: { include: ../gateway.yaml }
tokens:
  made: { claims: { sub: made } }
";
    let steps =
        "steps: [{ send: { url: \"http://a/me\", headers: { Authorization: \"Bearer ${token.me}\" } }, expect: ";
    for (name, token, expect) in [
        ("own", "{ key: ../own.pem, claims: { sub: alice } }", "{ status: 200, body: alice }"),
        ("other", "{ key: ../other/own.pem, claims: { sub: alice } }", "{ status: 401, problem: token_signature }"),
        ("made", "{ claims: { sub: alice } }", "{ status: 200, body: alice }"),
    ] {
        let case = case.replace("made: { claims: { sub: made } }", &format!("me: {token}"));
        folder.write(&format!("cases/{name}.yaml"), &format!("{case}{steps}{expect} }}]\n"));
    }
    let (code, stdout, stderr) = run(&folder.0, &["test"]);
    assert!(code == 0 && stdout.contains("3 passed"), "{stdout}{stderr}");
}
