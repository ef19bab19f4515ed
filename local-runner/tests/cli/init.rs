//! `portico test --init`: what it writes passes as it stands, whatever the gateway is like, and nothing is ever overwritten.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::process::{Folder, checkout, run};

/// One of each kind of match, action and policy, and names that mean something in YAML.
const ALL_KINDS: &str = r##"
portico: 1
name: kinds
trusted_proxies: [192.0.2.0/24]
upstreams:
  app: { targets: [{ url: "http://app.internal/base" }, { url: "http://app-2.internal" }], retry: { attempts: 2 } }
  "{odd} #1, *": { targets: [{ url: "http://odd.internal:81" }], preserve_host: true }
identities:
  keys: { api_key: { header: X-Key, keys: { acme: { sha256: "8649cdebee753898fd50e01408a9e438aa5090249bc3e51b65f33dce973b0873" } } } }
  shared: { jwt: { algorithms: [HS256], secret: "${secret.SHARED}", issuer: "https://id.example/", audience: [one, two], typ: at+jwt } }
  public:
    jwt:
      algorithms: [ES256, RS256]
      consumer: client_id
      jwks: { keys: [{ kty: EC, crv: P-256, kid: k, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM }] }
      issuer: "https://other.example/"
      audience: api
defaults:
  security_headers: {}
routes:
  - { name: exact, match: { host: api.example.com, path: /exact }, upstream: app }
  - { name: below, match: { host: "*.example.com", path: /below }, upstream: app }
  - { name: parameters, match: { path: "/p/{id}/{name}.png/{*rest}" }, upstream: app, policies: { request: { path: "/${path.rest}/${path.id}" } } }
  - { name: other, match: { path: "/p/7" }, respond: { status: 204 } }
  - { name: conditions, match: { path: /c, methods: [POST, PUT], headers: { X-A: "1: 2", X-B: "*" }, query: { a b: "c&d", e: "*" } }, upstream: app }
  - { name: "a - {b} #c", match: { path: "/café/{{x}}" }, upstream: "{odd} #1, *" }
  - { name: "42", match: { path: /umbrella }, respond: { body: "☂: \"#1\"\nand more\t" } }
  - { name: "*anchor", match: { path: /anchor }, respond: { json: { "a: b": [1, "2", null, true, "yes", { c: "# d" }], text: "1e3" } } }
  - { name: A-B, match: { path: /case/upper }, respond: { body: upper } }
  - { name: a-b, match: { path: /case/lower }, respond: { body: lower } }
  - { name: key, match: { path: /key }, upstream: app, policies: { auth: { any_of: [keys] }, rate_limit: { limit: 2, per: 1m, by: consumer } } }
  - { name: either, match: { path: /either }, upstream: app, policies: { auth: { any_of: [keys, shared], scopes: ["a:read", b] }, rate_limit: { limit: 3, per: 1d, by: consumer } } }
  - { name: claims, match: { path: /claims }, respond: { body: "${claims.client_id} ${consumer}" }, policies: { auth: { any_of: [public], claims: { role: [admin, owner] } } } }
  - { name: same-claim, match: { path: /same, headers: { Authorization: "*" } }, respond: { body: a }, policies: { auth: { any_of: [public], scopes: [s], claims: { client_id: [bob], scope: ["s t"] } } } }
  - { name: optional, match: { path: /optional }, respond: { body: "hello ${consumer}" }, policies: { auth: { any_of: [shared], optional: true } } }
  - { name: watched, match: { path: /watched }, respond: { body: a }, policies: { auth: { any_of: [keys], mode: observe }, rate_limit: { limit: 1, per: 1m, mode: observe } } }
  - { name: inside, match: { path: /inside }, respond: { body: in }, policies: { ip: { allow: [10.0.0.0/8, "2001:db8::/32"], deny: [10.0.0.0/31] } } }
  - { name: closed, match: { path: /closed }, respond: { body: in }, policies: { ip: { deny: [0.0.0.0/0] } } }
  - { name: once, match: { path: /once }, respond: { body: once }, policies: { rate_limit: { limit: 1, per: 1h, by: route } } }
  - { name: often, match: { path: /often }, respond: { body: often }, policies: { rate_limit: { limit: 1000, per: 1s } } }
  - { name: costly, match: { path: /costly }, respond: { body: costly }, policies: { rate_limit: { limit: 10, burst: 30, per: 1m, cost: 7 } } }
  - { name: moved, match: { path: "/moved/{*rest}" }, redirect: { to: "https://new.example/${path.rest}?id=${request.id}", status: 307 } }
  - { name: moved-for-good, match: { path: "/old/{id}" }, redirect: { to: "/new/${path.id}" } }
  - { name: chance, match: { path: /chance }, respond: { body: "${uuid}", headers: { X-Id: "${request.id}", X-Fixed: here } } }
  - name: changed
    match: { path: /changed }
    upstream: app
    policies:
      request: { path: "/${uuid}", query: { set: { q: "a b" } }, headers: { set: { Authorization: "Bearer ${secret.APP_TOKEN}", X-Id: "${request.id}" } } }
      response: { headers: { set: { X-Served-By: portico }, add: { X-Host: "${host}" } }, json: { remove: [hello] } }
  - { name: everybody, match: { path: /everybody, methods: [DELETE] }, upstream: app, policies: { cors: { origins: ["*"] } } }
  - { name: some, match: { path: /some, headers: { X-A: "1" } }, upstream: app, policies: { cors: { origins: ["https://*.shop.example"], headers: [X-A] } } }
"##;

/// The files in a folder, and what is in them.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.iter().map(read).collect()
}

fn file<'f>(files: &'f [(String, String)], name: &str) -> &'f str {
    let found = files.iter().find(|(other, _)| other == name);
    &found.unwrap_or_else(|| panic!("no {name} among {:?}", files.iter().map(|(name, _)| name).collect::<Vec<_>>())).1
}

#[test]
fn what_is_written_passes_for_every_kind_of_route() {
    let folder = Folder::with(ALL_KINDS);
    let (code, stdout, stderr) = run(&folder.0, &["test", "--init"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let written = files(&folder.0.join("cases"));
    assert_eq!(stdout.lines().collect::<BTreeSet<_>>().len(), ALL_KINDS.matches("- { name: ").count() + 1, "{stdout}");
    assert_eq!(stdout.lines().count(), written.len(), "{stdout}");
    let (code, stdout, stderr) = run(&folder.0, &["test"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains(" passed, 0 failed, 0 skipped"), "{stdout}");

    for (name, lines) in [
        (
            "exact.yaml",
            &[
                "url: \"http://api.example.com/exact\"",
                "config: { include: \"../gateway.yaml\" }",
                "app: [{ method: GET, path: /base/exact }]",
            ][..],
        ),
        ("below.yaml", &["http://www.example.com/below"]),
        ("parameters.yaml", &["http://gateway.example/p/7/example.png/some/path", "path: /base/some/path/7"]),
        (
            "conditions.yaml",
            &["method: POST", "http://gateway.example/c?a%20b=c%26d&e=example", "X-A: \"1: 2\"", "X-B: example"],
        ),
        (
            "a-b-c.yaml",
            &["# Cases for the route `a - {b} #c`.", "\"{odd} #1, *\": [{ method: GET", "/caf%C3%A9/%7Bx%7D"],
        ),
        ("42.yaml", &["☂"]),
        ("anchor.yaml", &[]),
        (
            "key.yaml",
            &["is refused as credentials_missing", "headers: { X-Key: KEY }", "keys of `keys`", "upstream: {}"],
        ),
        (
            "either.yaml",
            &[
                "scope: \"a:read b\"",
                "auth: allow token_valid",
                "without credentials it is refused",
                "repeat: 3",
                "problem: rate_limited",
            ],
        ),
        ("claims.yaml", &["client_id: alice, role: admin", "body: alice alice", "auth: deny credentials_missing"]),
        ("same-claim.yaml", &["claims: { client_id: bob, scope: s t }", "auth: allow token_valid"]),
        ("inside.yaml", &["peer: { address: \"2001:db8::1\" }", "address_denied", "address: \"203.0.113.7\""]),
        ("closed.yaml", &["is refused as address_denied"]),
        ("once.yaml", &["it passes once and is refused then", "Retry-After: \"3600\""]),
        ("costly.yaml", &["repeat: 4"]),
        ("moved.yaml", &["status: 307", "Location: { present: true }"]),
        ("moved-for-good.yaml", &["status: 308", "Location: /new/7"]),
        ("chance.yaml", &["X-Fixed: here", "X-Id: { present: true }"]),
        (
            "changed.yaml",
            &[
                "APP_TOKEN: for-tests-only",
                "Authorization: Bearer for-tests-only",
                "query: \"q=a%20b\"",
                "X-Served-By: portico",
                "X-Id: { present: true }",
                "body: \"{}\"",
            ],
        ),
        (
            "everybody.yaml",
            &["Access-Control-Request-Method: DELETE", "Access-Control-Allow-Origin: \"https://app.example\""],
        ),
        ("some.yaml", &["Origin: \"https://www.shop.example\"", "preflight_allowed"]),
    ] {
        let text = file(&written, name);
        for line in lines {
            assert!(text.contains(line), "{name} has no {line}:\n{text}");
        }
    }
    for (name, word) in [
        ("chance.yaml", "body:"),
        ("often.yaml", "rate_limited"),
        ("watched.yaml", "refused"),
        ("watched.yaml", "repeat"),
        ("optional.yaml", "without credentials"),
        ("key.yaml", "repeat"),
        ("other.yaml", "body:"),
        ("exact.yaml", "tokens:"),
        ("exact.yaml", "secrets:"),
        ("changed.yaml", "SHARED"),
    ] {
        assert!(!file(&written, name).contains(word), "{name} has {word}:\n{}", file(&written, name));
    }
    // two names that some file systems take for one
    assert!(file(&written, "A-B.yaml").contains("body: upper") && file(&written, "a-b-2.yaml").contains("body: lower"));
}

#[test]
fn the_demo_gateway_gets_cases_that_pass() {
    let folder = Folder::with("");
    let config = checkout().join("gateway.yaml");
    let (code, stdout, stderr) = run(&folder.0, &["test", "--init", "-c", config.to_str().unwrap(), "new/cases"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(
        stdout.contains("wrote new/cases/orders.yaml\n") && stderr.contains("portico test new/cases"),
        "{stdout}{stderr}"
    );
    let (code, stdout, stderr) = run(&folder.0, &["test", "new/cases"]);
    assert!(code == 0 && stdout.contains("23 passed, 0 failed, 0 skipped"), "{stdout}{stderr}");
    let written = files(&folder.0.join("new/cases"));
    for secret in ["for-development-only", "demo-key"] {
        assert!(written.iter().all(|(_, text)| !text.contains(secret)));
    }
}

#[test]
fn what_is_there_stays_as_it_is() {
    let folder = Folder::with(ALL_KINDS);
    folder.write("tests/cases/exact.yaml", "mine\n");
    let (code, stdout, stderr) = run(&folder.0, &["test", "--init"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("kept tests/cases/exact.yaml") && !stdout.contains("exact"), "{stdout}{stderr}");
    let before = files(&folder.0.join("tests/cases"));
    assert_eq!(file(&before, "exact.yaml"), "mine\n");
    let (code, stdout, stderr) = run(&folder.0, &["test", "--init"]);
    assert_eq!((code, &*stdout), (0, ""), "{stderr}");
    assert_eq!(files(&folder.0.join("tests/cases")), before);
}

#[test]
fn a_route_that_nothing_reaches_is_told() {
    let folder = Folder::with(
        "\
portico: 1
name: hidden
routes:
  - { name: any, match: { path: \"/{id}\" }, respond: { body: any } }
  - { name: seven, match: { path: /7 }, respond: { body: a } }
  - { name: forty-two, match: { path: /42 }, respond: { body: b } }
  - { name: example, match: { path: /example }, respond: { body: c } }
",
    );
    let (code, stdout, stderr) = run(&folder.0, &["test", "--init"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.lines().count() == 3 && stderr.contains("no case for the route \"any\""), "{stdout}{stderr}");
}

#[test]
fn cases_that_cannot_be_run_are_not_written() {
    let folder = Folder::with(
        "\
portico: 1
name: alike
upstreams:
  one: { targets: [{ url: \"http://app.internal/one\" }] }
  two: { targets: [{ url: \"http://app.internal/two\" }] }
routes:
  - { name: one, match: { path: /one }, upstream: one }
",
    );
    let (code, stdout, stderr) = run(&folder.0, &["test", "--init"]);
    assert_eq!((code, &*stdout), (1, ""), "{stderr}");
    assert!(
        stderr.contains("no case could be written for the route \"one\": two targets are called app.internal"),
        "{stderr}"
    );
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_written() {
    let folder = Folder::with("portico: 1\nname: wrong\nroutes:\n  - { name: a, match: { path: a }, respond: {} }\n");
    folder.write("empty.yaml", "portico: 1\nname: empty\n");
    folder.write(
        "right.yaml",
        "portico: 1\nname: right\nroutes: [{ name: a, match: { path: /a }, respond: { body: a } }]\n",
    );
    let (code, _, stderr) = run(&folder.0, &["build", "-c", "right.yaml", "--out", "gateway.json"]);
    assert_eq!(code, 0, "{stderr}");
    folder.write("in-the-way", "");
    for (arguments, told) in [
        (&["--init"][..], "gateway.yaml:4:31: error: "),
        (&["--init", "-c", "none.yaml"], "none.yaml"),
        (&["--init", "-c", "empty.yaml"], "has no routes"),
        (&["--init", "-c", "gateway.json"], "is a bundle"),
        (&["--init", "-c", "right.yaml", "a", "b"], "one folder"),
        (&["--init", "-c", "right.yaml", "in-the-way"], "in-the-way cannot be written"),
        (&["--init", "--filter", "a"], "cannot be used with"),
        (&["-c", "right.yaml"], "--init"),
    ] {
        let (code, stdout, stderr) = run(&folder.0, &[&["test"][..], arguments].concat());
        assert_eq!((code, &*stdout), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    }
    assert!(!folder.0.join("cases").exists() && !folder.0.join("a").exists());
}
