//! Requests are decided by OLD with real credentials, logged as the server logs them, and replayed from that log alone.

use std::sync::OnceLock;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use portico::sign::Signer;
use portico_core::jwt::Algorithm;
use portico_core::sim::{Sim, SimStream, block_on};
use portico_core::{Body, Certificate, Country, Platform as _};
use serde_json::{Value, json};

use super::source::Lines;
use super::*;
use crate::log::Readable;

const OLD: &str = r#"
portico: 1
name: shop
upstreams:
  orders: { targets: [{ url: "http://orders" }], timeout: 1s }
  gone: { targets: [{ url: "http://gone" }] }
identities:
  partners:
    api_key:
      keys:
        # printf %s key-acme | sha256sum
        acme: { sha256: ACME, scopes: [read] }
        beta: { sha256: [BETA, SPARE], scopes: [read, write] }
  users:
    jwt: { algorithms: [HS256], secret: "${secret.USERS}", issuer: [i1, i2], audience: [a1, a2], consumer: name, typ: at+jwt }
  staff:
    jwt: { algorithms: [HS256], secret: "${secret.STAFF}", issuer: i1, audience: a1 }
  devices:
    client_cert: { certs: { d1: { sha256: CERT1, scopes: [read] }, d2: { sha256: [CERT2, CERT3] } } }
  anyone: { client_cert: { any: true } }
  apps:
    jwt: { algorithms: [EdDSA], jwks: { keys: [KEY1, KEY2] }, issuer: i1, audience: a1 }
defaults:
  cors: { origins: ["https://shop.example", "https://*.shop.example"] }
routes:
  - name: orders
    match: { path: "/orders/{id}" }
    upstream: orders
    policies:
      auth: { any_of: [partners, users, staff], scopes: [read] }
      rate_limit: { limit: 3, per: 1m, by: consumer }
      request: { path: "/v1/orders/${path.id}" }
  - name: versioned
    match: { path: "/orders/{id}", headers: { X-Version: "2" }, query: { page: "*" } }
    upstream: orders
  - name: admin
    match: { path: /admin, methods: [GET] }
    respond: { status: 204 }
    policies: { auth: { any_of: [users], claims: { role: [root, admin] } } }
  - name: open
    match: { path: /open }
    redirect: { to: /elsewhere }
    policies:
      auth: { any_of: [users], optional: true }
      ip: { deny: [192.0.2.66] }
      rate_limit: { limit: 2, per: 1m }
  - name: upload
    match: { path: /upload, methods: [POST] }
    upstream: gone
    policies: { body_limit: 1KiB, rate_limit: { limit: 1, per: 1h, by: { header: X-Tenant } } }
  - name: apps
    match: { path: /apps }
    respond: {}
    policies: { auth: { any_of: [apps] } }
  - name: devices
    match: { path: /devices }
    respond: {}
    policies: { auth: { any_of: [devices], scopes: [read] }, ip: { deny: ["asn:64496"] } }
  - name: anyone
    match: { path: /anyone }
    respond: {}
    policies: { auth: { any_of: [anyone] }, ip: { allow: ["country:DE"] } }
  - name: tried
    match: { path: /tried }
    respond: {}
    policies: { auth: { any_of: [partners], mode: observe }, rate_limit: { limit: 1, per: 1h, by: route, mode: observe } }
"#;

/// The configuration above, whose keys are real, with some of it replaced.
fn side(name: &str, replaced: &[(&str, &str)]) -> Side {
    let sha256 = |key: &str| {
        let hash = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let mut text = OLD.to_owned();
    for (from, to) in replaced {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    for (word, key) in [("ACME", "key-acme"), ("BETA", "key-beta"), ("SPARE", "key-spare"), ("OTHER", "key-other")] {
        text = text.replace(word, &sha256(key));
    }
    for number in ["1", "2", "3"] {
        text = text.replace(&format!("CERT{number}"), &format!("\"{}\"", number.repeat(64)));
    }
    for (word, signer) in ["KEY1", "KEY2", "KEY3"].into_iter().zip(signers()) {
        text = text.replace(word, &signer.public().unwrap().to_string());
    }
    Side::of(name, &text)
}

/// The issuer's keys; the same in all tests.
fn signers() -> &'static [Signer; 3] {
    static SIGNERS: OnceLock<[Signer; 3]> = OnceLock::new();
    SIGNERS.get_or_init(|| std::array::from_fn(|_| Signer::for_tests(Algorithm::EdDSA).unwrap()))
}

const USERS: &str = "the secret of users: 0123456789abcdef";
const STAFF: &str = "the secret of staff: 0123456789abcdef";

/// OLD, as it serves.
struct Server {
    side: Side,
    sim: Sim,
    log: String,
}

impl Server {
    fn new() -> Self {
        let sim = Sim::new(1);
        sim.set_secret("USERS", USERS);
        sim.set_secret("STAFF", STAFF);
        sim.upstream("orders", |request| {
            let mut response = Response::new(Body::Empty);
            *response.status_mut() =
                if request.uri().path().ends_with("/0") { StatusCode::NOT_FOUND } else { StatusCode::OK };
            response
        });
        Self { side: side("old.yaml", &[]), sim, log: String::new() }
    }

    /// Serves a request, a second after the last. Returns its status.
    fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)]) -> u16 {
        self.sim.advance(Duration::from_secs(1));
        let mut request = Request::builder().method(method).uri(target).header("host", "shop.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let length =
            |(name, value): &(&str, &str)| (*name == "content-length").then(|| value.parse::<usize>().ok()).flatten();
        let body = headers.iter().find_map(length).map(|length| Body::Stream(SimStream::of([vec![0; length]])));
        let request = request.body(body.unwrap_or_default()).unwrap();
        let mut peer = Sim::peer();
        let said = |wanted: &str| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        if let Some(address) = said("from") {
            peer.address = address.parse().unwrap();
        }
        peer.country = said("country").and_then(Country::parse);
        peer.asn = said("asn").and_then(|number| number.parse().ok());
        peer.certificate = said("certificate").map(|subject| {
            let sha256 = subject.chars().last().unwrap().to_string().repeat(64);
            Certificate::new(subject.to_owned(), String::new(), String::new(), &sha256).unwrap().into()
        });
        let (response, after) = block_on(self.side.gateway().handle(&self.sim, &peer, request));
        self.log.push_str(&(after.record.to_json(self.sim.now()) + "\n"));
        response.status().as_u16()
    }

    /// What becomes of its log with a configuration in which some of it is replaced.
    fn traffic(&self, replaced: &[(&str, &str)]) -> Traffic {
        let new = side("new.yaml", replaced);
        let traffic = decide(&self.side, &new, Lines::of("log", self.log.clone()), |_| {}).unwrap();
        assert_eq!((traffic.unreadable.count, traffic.decided_by_another), (0, 0));
        traffic
    }

    /// What is told of that, but for examples and places.
    fn told(&self, replaced: &[(&str, &str)]) -> Vec<String> {
        let text = self.traffic(replaced).human(Readable { colour: false });
        let lines = text.lines().filter(|line| line.starts_with("  ") && !line.starts_with("           "));
        lines.map(|line| line.trim().to_owned()).collect()
    }
}

fn token(secret: &str, claims: Value) -> String {
    let mut all =
        json!({ "iss": "i2", "aud": ["a2", "other"], "name": "alice", "exp": 2_000_000_000, "scope": "read more" });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let header = json!({ "alg": "HS256", "typ": "at+jwt" });
    format!("Bearer {}", Signer::secret(secret).unwrap().token(&header, &all).unwrap())
}

/// Every way of being served or refused that a log can tell.
fn everything() -> Server {
    let mut server = Server::new();
    let alice = token(USERS, json!({}));
    let staff = token(STAFF, json!({ "iss": "i1", "aud": "a1", "sub": "sam" }));
    fn auth(value: &str) -> [(&str, &str); 1] {
        [("authorization", value)]
    }
    let mut sent = |method: &str, target: &str, headers: &[(&str, &str)], status: u16| {
        assert_eq!(server.send(method, target, headers), status, "{method} {target} {headers:?}");
    };
    for (target, status) in [("/orders/1", 200), ("/orders/0", 404), ("/orders/2", 200), ("/orders/3", 429)] {
        sent("GET", target, &auth(&alice), status);
    }
    sent("GET", "/orders/4", &auth(&staff), 200);
    sent("GET", "/orders/5", &[("x-api-key", "key-acme")], 200);
    sent("GET", "/orders/6", &[("x-api-key", "key-spare")], 200);
    sent("GET", "/orders/7", &[("x-api-key", "nonsense")], 401);
    sent("GET", "/orders/8", &[("x-api-key", "key-acme"), ("x-api-key", "key-beta")], 400);
    sent("GET", "/orders/9", &[], 401);
    for claims in [json!({ "exp": 1 }), json!({ "iss": "i3" }), json!({ "aud": "a3" }), json!({ "name": 1 })] {
        sent("GET", "/orders/10", &auth(&token(USERS, claims)), 401);
    }
    sent("GET", "/orders/11", &auth("Bearer nonsense"), 401);
    sent("GET", "/orders/12", &auth(&token(USERS, json!({ "scope": "write", "name": "bob" }))), 403);
    sent("GET", "/orders/13?page=2", &[("x-version", "2")], 200);
    sent("GET", "/admin", &auth(&token(USERS, json!({ "role": "admin" }))), 204);
    sent("GET", "/admin", &auth(&token(USERS, json!({ "role": "guest" }))), 403);
    sent("POST", "/admin", &[], 405);
    sent("GET", "/open", &[], 308);
    sent("GET", "/open", &auth(&alice), 308);
    sent("GET", "/open", &[], 429);
    sent("GET", "/open", &[("from", "192.0.2.66")], 403);
    sent("GET", "/open", &[("from", "198.51.100.1"), ("origin", "https://shop.example")], 308);
    sent("GET", "/open", &[("from", "198.51.100.1"), ("origin", "https://evil.example")], 308);
    sent("POST", "/upload", &[("x-tenant", "one")], 502);
    sent("POST", "/upload", &[("x-tenant", "two"), ("content-length", "1025")], 413);
    let app = json!({ "iss": "i1", "aud": "a1", "sub": "app", "exp": 2_000_000_000 });
    let app = signers()[0].token(&json!({ "alg": "EdDSA", "typ": "JWT" }), &app).unwrap();
    sent("GET", "/apps", &auth(&format!("Bearer {app}")), 200);
    for (certificate, status) in [("d1", 200), ("d2", 403), ("d3", 403), ("d4", 401)] {
        sent("GET", "/devices", &[("certificate", certificate)], status);
    }
    sent("GET", "/devices", &[], 401);
    sent("GET", "/devices", &[("certificate", "d1"), ("asn", "64496")], 403);
    sent("GET", "/anyone", &[("certificate", "CN=9"), ("country", "DE")], 200);
    sent("GET", "/anyone", &[("certificate", "CN=9"), ("country", "FR")], 403);
    sent("GET", "/anyone", &[("certificate", "CN=9")], 403);
    sent("GET", "/tried", &[], 200);
    sent("GET", "/tried", &[("x-api-key", "key-beta")], 200);
    sent("GET", "/nowhere", &[("origin", "https://a.shop.example")], 404);
    sent("GET", "/%2e%2e/a//b", &[], 400);
    sent("GET", "/-/health", &[], 200);
    server
}

#[test]
fn a_log_is_enough_to_decide_as_it_was_decided() {
    assert_eq!(everything().told(&[]), [""; 0]);
}

#[test]
fn what_a_log_cannot_tell_is_told() {
    let mut server = Server::new();
    let preflight = [("origin", "https://shop.example"), ("access-control-request-method", "GET")];
    assert_eq!(server.send("OPTIONS", "/open", &preflight), 204);
    assert_eq!(server.send("GET", &format!("/{}", "x".repeat(3_000)), &[]), 404);
    assert_eq!(server.send("POST", "/upload", &[("x-tenant", "one")]), 502);
    assert_eq!(server.send("POST", "/upload", &[("x-tenant", "one")]), 429);
    assert_eq!(server.send("GET", "/open", &[]), 308);
    assert_eq!(server.send("GET", "/open", &[]), 308);
    assert_eq!(server.send("GET", "/open", &[]), 429);
    // the log begins after the first of them
    let begins = server.log.rfind("\"path\":\"/open\"").and_then(|at| server.log[..at].rfind('\n')).unwrap();
    let (before, last) = server.log.split_at(begins + 1);
    server.log = format!("{}{last}", before.lines().take(4).map(|line| format!("{line}\n")).collect::<String>());
    assert_eq!(
        server.told(&[]),
        [
            "1  cors: the log does not hold what a preflight asked for",
            "1  path: the log cut it off",
            "1  rate_limit deny rate_limited in the record, forward respond redirected in a replay on OLD",
            "1  rate_limit deny rate_limited in the record, forwarded to gone in a replay on OLD",
        ]
    );
}

#[test]
fn what_limits_count_by_and_no_log_holds_is_told() {
    let notes = |replaced| everything().traffic(replaced).notes;
    let by_header = "limits by the header x-tenant count each request for itself: the log does not hold it";
    assert_eq!(notes(&[]), [by_header]);
    let by_claim = "limits by the claim team count each consumer for itself: the log does not hold it";
    assert_eq!(notes(&[("by: consumer", "by: { claim: team }")]), [by_header, by_claim]);
    // who called is what the log does hold
    assert_eq!(
        notes(&[("any_of: [partners, users, staff]", "any_of: [users]"), ("by: consumer", "by: { claim: name }")]),
        [by_header]
    );
}

#[test]
fn each_change_shows_in_the_requests_that_it_is_about() {
    let server = everything();
    for (from, to, expected) in [
        (
            "limit: 3, per: 1m, by: consumer",
            "limit: 2, per: 1m, by: consumer",
            &["1  route orders: forwarded to orders → 429 rate_limit deny rate_limited"][..],
        ),
        (
            "limit: 3, per: 1m, by: consumer",
            "limit: 9, per: 60s, by: consumer",
            &["1  route orders: 429 rate_limit deny rate_limited → forwarded to orders"],
        ),
        (
            "acme: { sha256: ACME",
            "acme: { sha256: OTHER",
            &["1  route orders: forwarded to orders → 401 auth deny key_unknown"],
        ),
        ("sha256: [BETA, SPARE]", "sha256: SPARE", &[]),
        (
            "acme: { sha256: ACME, scopes: [read] }\n",
            "apex: { sha256: ACME, scopes: [read] }\n",
            &["1  route orders: authenticated by partners → another consumer of partners"],
        ),
        ("audience: [a1, a2]", "audience: [a2, a3]", &[]),
        (
            "audience: [a1, a2]",
            "audience: a3",
            &[
                "3  route orders: forwarded to orders → 401 auth deny token_audience",
                "1  route admin: 204 responded → 401 auth deny token_audience",
                "1  route admin: 403 auth deny claim_refused → 401 auth deny token_audience",
                "1  route open: 308 redirected → 401 auth deny token_audience",
                "1  route orders: 403 auth deny scope_missing → 401 auth deny token_audience",
                "1  route orders: 429 rate_limit deny rate_limited → 401 auth deny token_audience",
            ],
        ),
        (
            "secret: \"${secret.STAFF}\"",
            "secret: \"${secret.ANOTHER}\"",
            &["1  route orders: forwarded to orders → 401 auth deny token_signature"],
        ),
        (
            "any_of: [partners, users, staff], scopes: [read]",
            "any_of: [partners, users], scopes: [read]",
            &["1  route orders: forwarded to orders → 401 auth deny token_signature"],
        ),
        (
            "any_of: [partners, users, staff], scopes: [read]",
            "any_of: [partners, users, staff], scopes: [read, write]",
            &[
                "5  route orders: forwarded to orders → 403 auth deny scope_missing",
                "1  route orders: 429 rate_limit deny rate_limited → 403 auth deny scope_missing",
            ],
        ),
        ("keys: [KEY1, KEY2]", "keys: [KEY3, KEY2]", &[]),
        ("keys: [KEY1, KEY2]", "keys: [KEY3]", &["1  route apps: 200 responded → 401 auth deny token_unknown_key"]),
        ("role: [root, admin]", "role: [admin]", &[]),
        ("role: [root, admin]", "role: [owner]", &["1  route admin: 204 responded → 403 auth deny claim_refused"]),
        (
            "\"/v1/orders/${path.id}\"",
            "\"/v2/orders/${path.id}\"",
            &["6  route orders: forwarded to orders → another path or query goes upstream"],
        ),
        (
            "X-Version: \"2\"",
            "X-Version: \"3\"",
            &["1  route versioned, then orders: forwarded to orders → 401 auth deny credentials_missing"],
        ),
        (
            "methods: [GET] }\n    respond: { status: 204 }",
            "methods: [POST] }\n    respond: { status: 204 }",
            &[
                "1  route admin, then none: 204 responded → 405 route deny method_not_allowed",
                "1  route admin, then none: 403 auth deny claim_refused → 405 route deny method_not_allowed",
                "1  route none, then admin: 405 route deny method_not_allowed → goes on to auth, and who called is not in the log",
            ],
        ),
        (
            "deny: [192.0.2.66]",
            "deny: [192.0.2.66, 198.51.100.0/24]",
            &["2  route open: 308 redirected → 403 ip deny address_denied"],
        ),
        (
            "    upstream: orders\n    policies:\n",
            "    upstream: gone\n    policies:\n",
            &["6  route orders: forwarded to orders → forwarded to gone"],
        ),
        ("\"http://orders\"", "\"http://elsewhere\"", &[]),
        (
            "body_limit: 1KiB",
            "body_limit: 1MiB",
            &["1  route upload: 413 body_limit deny body_too_large → forwarded to gone"],
        ),
        ("by: { header: X-Tenant }", "by: route", &[]),
        ("https://*.shop.example", "https://a.shop.example", &[]),
        ("\"https://shop.example\", ", "", &[]),
        (
            "\"https://shop.example\", \"https://*.shop.example\"",
            "\"https://other.example\"",
            &[
                "1  route none: cors allow origin_allowed → cors deny origin_refused",
                "1  route open: cors allow origin_allowed → cors deny origin_refused",
            ],
        ),
        ("origins: [\"https://shop.example\"", "origins: [\"https://evil.example\"", &[]),
        (
            ", mode: observe }, rate_limit",
            ", mode: enforce }, rate_limit",
            &["1  route tried: 200 responded → 401 auth deny credentials_missing"],
        ),
        ("name: tried", "name: tested", &[]),
    ] {
        let mut told = server.told(&[(from, to)]);
        told.sort();
        let mut expected: Vec<_> = expected.iter().map(|line| (*line).to_owned()).collect();
        expected.sort();
        assert_eq!(told, expected, "{from} ▶ {to}");
    }
}
