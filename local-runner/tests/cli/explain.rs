//! `portico explain`: what becomes of a request.

mod curl;
mod live;

use serde_json::{Value, json};

use crate::process::{Folder, run};

/// `demo-key-acme` is the key.
const GATEWAY: &str = r#"portico: 1
name: shop
debug: { secret: "${secret.PORTICO_TEST_DEBUG}" }
upstreams:
  orders: { targets: [{ url: "http://orders.internal:8081" }] }
identities:
  partners:
    api_key:
      header: X-Key
      keys: { acme: { sha256: 8649cdebee753898fd50e01408a9e438aa5090249bc3e51b65f33dce973b0873 } }
defaults:
  cors: { origins: ["https://shop.example"] }
routes:
  - name: orders
    match: { path: "/orders/{id}", methods: [GET, POST] }
    upstream: orders
    policies:
      ip: { deny: [203.0.113.0/24], mode: observe }
      auth: { any_of: [partners] }
      request:
        path: "/v1/${path.id}"
        query: { remove: [debug], set: { key: "${secret.PORTICO_TEST_UPSTREAM}" } }
        headers:
          set: { Authorization: "Basic ${secret.PORTICO_TEST_UPSTREAM}", X-Consumer: "${consumer}" }
  - name: admin
    match: { host: admin.shop.example, path: "/admin/{*rest}", headers: { X-Version: "2" } }
    upstream: orders
    policies: { auth: { any_of: [partners] } }
  - { name: old, match: { path: "/old/{id}" }, redirect: { to: "/orders/${path.id}" } }
  - { name: hello, match: { path: /hello }, respond: { body: "${ip} ${secret.PORTICO_TEST_UPSTREAM}" } }
"#;

const SECRETS: &str = "PORTICO_TEST_DEBUG=0123456789abcdef0123456789abcdef\nPORTICO_TEST_UPSTREAM=up+stream/secret\n";

fn folder() -> Folder {
    let folder = Folder::with(GATEWAY);
    folder.write("dev.env", SECRETS);
    folder
}

/// What `portico explain` says about a request, with ids that differ from version to version made the same.
fn explain(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = run(&folder().0, &[&["explain"], arguments].concat());
    assert_eq!((code, &*stderr), (0, ""), "{arguments:?}");
    let id = regex_lite::Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    let trace = regex_lite::Regex::new("00-[0-9a-f]{32}-[0-9a-f]{16}").unwrap();
    trace.replace_all(&id.replace_all(&stdout, "ID"), "TRACE").into_owned()
}

fn explain_json(arguments: &[&str]) -> Value {
    serde_json::from_str(&explain(&[&["--format", "json"], arguments].concat())).unwrap()
}

#[test]
fn a_request_that_goes_upstream() {
    let url = "https://api.shop.example/orders/./7?debug=1&page=2";
    let fields = ["-H", "X-Key: demo-key-acme", "-H", "Origin: https://shop.example", "-H", "X_User_Id: ada"];
    assert_eq!(
        explain(&[&[url, "--from", "203.0.113.9", "--status", "404"], &fields[..]].concat()),
        "\
GET https://api.shop.example/orders/./7?debug=1&page=2

  path              done            in its canonical form /orders/7
  identify          done            client 203.0.113.9, who connected; a new request id; a new trace
  route             allow           route_matched: A route matched.
                                    route orders
                                    gateway.yaml:15:5  routes[0].match
  cors              allow           origin_allowed: The origin may read the response.
                                    gateway.yaml:12:11  defaults.cors.origins
  ip                would deny      address_denied: The client's address may not pass.
                                    the address is on `deny`
                                    gateway.yaml:18:7  routes[0].policies.ip
  body_limit        not configured
  rate_limit        not configured
  quota             not configured
  in_flight         not configured
  auth              allow           key_valid: The API key is known.
                                    consumer acme, by identity partners
                                    gateway.yaml:19:7  routes[0].policies.auth
  plan              not configured
  cache             not configured
  request           allow           transformed: The message was rewritten.
                                    gateway.yaml:20:7  routes[0].policies.request
  forward           allow           forwarded: The upstream answered.
                                    upstream orders http://orders.internal:8081
                                    gateway.yaml:16:15  routes[0].upstream
  response          not configured
  security_headers  not configured
  after             done

What goes upstream, to http://orders.internal:8081:

--- request
+++ upstream
@@ -1,5 +1,12 @@
-GET /orders/./7?debug=1&page=2
-host: api.shop.example
+GET /v1/7?page=2&key=${secret.PORTICO_TEST_UPSTREAM}
+host: orders.internal:8081
+authorization: Basic ${secret.PORTICO_TEST_UPSTREAM}
+forwarded: for=203.0.113.9;host=api.shop.example;proto=https
 origin: https://shop.example
-x-key: … (13 bytes)
-x_user_id: ada
+traceparent: TRACE-00
+via: 1.1 portico
+x-consumer: acme
+x-forwarded-for: 203.0.113.9
+x-forwarded-host: api.shop.example
+x-forwarded-proto: https
+x-request-id: ID

What the client gets, if the upstream answers 404:

404 Not Found
access-control-allow-origin: https://shop.example
vary: Origin
x-request-id: ID
"
    );
}

#[test]
fn a_request_that_is_refused() {
    assert_eq!(
        explain(&["http://admin.shop.example/admin/x", "-H", "X-Version: 2", "-d", "a=1"]),
        r#"POST http://admin.shop.example/admin/x

  path              done
  identify          done            client 127.0.0.1, who connected; a new request id; a new trace
  route             allow           route_matched: A route matched.
                                    route admin
                                    gateway.yaml:26:5  routes[1].match
  cors              not applicable
  ip                not configured
  body_limit        not configured
  rate_limit        not configured
  quota             not configured
  in_flight         not configured
  auth              deny            credentials_missing: Credentials are required.
                                    Send an API key in x-key.
                                    gateway.yaml:28:17  routes[1].policies.auth
  plan              not configured
  cache             not configured
  request           not configured
  forward           not reached
  response          not configured
  security_headers  not configured
  after             done

Nothing goes upstream.

What the client gets:

401 Unauthorized
content-type: application/problem+json
vary: Origin
www-authenticate: ApiKey realm="shop"
x-request-id: ID

{
  "code": "credentials_missing",
  "detail": "Send an API key in x-key.",
  "instance": "ID",
  "status": 401,
  "title": "Credentials are required.",
  "type": "urn:portico:problem:credentials_missing"
}
"#
    );
}

#[test]
fn answers_that_need_no_upstream() {
    let preflight = [
        "-XOPTIONS",
        "-HOrigin: https://shop.example",
        "-HAccess-Control-Request-Method: POST",
        "-HAccess-Control-Request-Headers: x-key",
        "/orders/7",
    ];
    for (arguments, texts) in [
        (
            &preflight[..],
            &[
                "cors              respond         preflight_allowed: ",
                "gateway.yaml:12:3  defaults.cors\n",
                "auth              not reached\n",
                "204 No Content\naccess-control-allow-headers: authorization, content-type, x-key\n",
            ][..],
        ),
        (
            &["/old/7"],
            &[
                "forward           respond         redirected: The gateway redirected.\n",
                "gateway.yaml:29:48  routes[2].redirect\n",
                "308 Permanent Redirect\nlocation: /orders/7\n",
            ],
        ),
        (&["/hello", "-I"], &["HEAD http://localhost/hello\n", "routes[3].respond\n", "200 OK\ncontent-length: 26\n"]),
        (&["/hello"], &["\n\n127.0.0.1 ${secret.PORTICO_TEST_UPSTREAM}\n"]),
        (
            &["/-/health"],
            &["route             not reached     the gateway answers its health route itself\n", "\"status\": \"ok\""],
        ),
        (
            &["/orders%2F7"],
            &[
                "path              deny            path_ambiguous: ",
                "It contains: encoded slash (%2F).\n",
                "400 Bad Request",
            ],
        ),
    ] {
        let said = explain(arguments);
        assert!(said.contains("\nNothing goes upstream.\n"), "{said}");
        for text in texts {
            assert!(said.contains(text), "{text:?} is not in:\n{said}");
        }
    }
}

#[test]
fn routes_that_came_near_are_named() {
    let near = |arguments: &[&str]| explain_json(arguments)["near"].clone();
    assert_eq!(
        near(&["/admin/x"]),
        json!([{ "route": "admin", "asks": ["host admin.shop.example", "header X-Version: 2"] }])
    );
    assert_eq!(
        near(&["/admin/x", "-H", "Host: ADMIN.shop.example:8080"]),
        json!([{ "route": "admin", "asks": ["header X-Version: 2"] }])
    );
    assert_eq!(near(&["/orders/7", "-XDELETE"]), json!([{ "route": "orders", "asks": ["method GET or POST"] }]));
    assert_eq!(near(&["/nowhere"]), json!([]));
    let said = explain(&["/admin/x"]);
    let line = "\n  The route admin serves this path with host admin.shop.example and header X-Version: 2.\n";
    assert!(said.contains(line) && said.contains("gateway.yaml:13:1  routes\n"), "{said}");
}

#[test]
fn a_path_alone_is_asked_of_the_host_that_all_routes_name() {
    let folder = Folder::with(
        "portico: 1\nname: one\nroutes: [{ name: a, match: { host: api.test, path: /a }, respond: {} }]\n",
    );
    let (_, stdout, _) = run(&folder.0, &["explain", "/a"]);
    assert!(stdout.starts_with("GET http://api.test/a\n") && stdout.contains("\n200 OK\n"), "{stdout}");
    assert!(explain(&["/hello"]).starts_with("GET http://localhost/hello\n"));
}

#[test]
fn tools_get_the_same_as_json() {
    let said =
        explain_json(&["https://a.test/orders/7?x=1", "-H", "X-Key: demo-key-acme", "-H", "Cookie: sid=abcdefgh"]);
    assert_eq!(said["request"]["url"], "https://a.test/orders/7?x=1");
    assert_eq!(
        said["request"]["headers"],
        json!([["host", "a.test"], ["cookie", "… (12 bytes)"], ["x-key", "… (13 bytes)"]])
    );
    assert_eq!([&said["request"]["client"], &said["request"]["client_from"]], ["127.0.0.1", "peer"]);
    assert_eq!(said["route"], "orders");
    assert_eq!(said["caller"], json!({ "identity": "partners", "consumer": "acme" }));
    let steps = said["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    let all = "path identify route cors ip body_limit rate_limit quota in_flight auth plan cache request forward response \
               security_headers after";
    assert_eq!(names.join(" "), all);
    assert_eq!(
        steps[9],
        json!({
            "step": "auth", "outcome": "allow", "reason": "key_valid", "title": "The API key is known.", "detail": "",
            "place": "routes[0].policies.auth", "file": "gateway.yaml", "line": 19, "column": 7,
        })
    );
    assert_eq!(
        steps[3],
        json!({
            "step": "cors", "outcome": "not_applicable", "reason": null, "title": null, "detail": "",
            "place": null, "file": null, "line": null, "column": null,
        })
    );
    let upstream = &said["upstream"];
    assert_eq!(upstream["target"], "orders http://orders.internal:8081");
    assert_eq!(
        [&upstream["method"], &upstream["url"]],
        ["GET", "http://orders.internal:8081/v1/7?x=1&key=${secret.PORTICO_TEST_UPSTREAM}"]
    );
    assert!(upstream["headers"].as_array().unwrap().contains(&json!(["cookie", "… (12 bytes)"])), "{upstream}");
    let diff = upstream["diff"].as_str().unwrap();
    assert!(
        diff.starts_with("--- request\n+++ upstream\n@@ -1,4 +1,") && diff.contains("\n+x-consumer: acme\n"),
        "{diff}"
    );
    assert_eq!(said["response"]["status"], 200);
    assert_eq!(explain_json(&["/hello"])["upstream"], Value::Null);
}

#[test]
fn what_is_secret_does_not_show() {
    let arguments = [
        "/orders/up%2Bstream%2Fsecret",
        "-HX-Key: wrong-key-of-somebody",
        "-HAuthorization: Bearer aaaa.bbbb.cccc",
        "-HCookie: sid=abcdefgh",
        "-HX-Other: aaaa.bbbb.cccc up+stream/secret",
    ];
    for format in ["human", "json"] {
        let said = explain(&[&arguments[..], &["--format", format]].concat());
        for secret in ["wrong-key", "aaaa.bbbb", "abcdefgh", "stream/secret", "stream%2Fsecret", "0123456789abcdef"] {
            assert!(!said.contains(secret), "{secret} is in:\n{said}");
        }
    }
    let said =
        explain(&["/old/7", "-HAuthorization: Bearer aaaa.bbbb.cccc", "-HX-Other: aaaa.bbbb.cccc", "--format=json"]);
    assert!(said.contains("Bearer … (14 bytes)") && said.contains("\"… (14 bytes)\""), "{said}");
}

#[test]
fn bodies_go_upstream_as_curl_would_send_them() {
    let folder = Folder::with(
        "\
portico: 1
name: bodies
upstreams: { app: { targets: [{ url: \"http://app.internal\" }] } }
defaults: { body_limit: 8B }
routes: [{ name: app, match: { path: \"/{*rest}\" }, upstream: app }]
",
    );
    let file = folder.write("body.txt", "a=1\nb=2\n");
    let from_file = format!("@{}", file.display());
    for (arguments, line) in [
        (
            &["-d", "a=1", "-d", "b=2", "/x"][..],
            " content-length: 7\n content-type: application/x-www-form-urlencoded\n",
        ),
        (&["--json", "{}", "/x"], " accept: application/json\n content-length: 2\n content-type: application/json\n"),
        (&["--data-binary", &from_file, "/x", "-X", "PUT"], " content-length: 8\n"),
        (&["-d", &from_file, "-H", "Content-Type:", "/x"], " content-length: 6\n forwarded: "),
        (&["--data-raw", "123456789", "/x"], "body_limit        deny            body_too_large: "),
    ] {
        let (code, stdout, stderr) = run(&folder.0, &[&["explain"], arguments].concat());
        let plain = stdout.replace("\n+", "\n ");
        assert!(code == 0 && plain.contains(line), "{arguments:?}\n{stdout}{stderr}");
    }
}

#[test]
fn mistakes_have_a_way_out() {
    let folder = folder();
    for (arguments, texts) in [
        (&[][..], &["<URL>"][..]),
        (&["ftp://a/"], &["does not speak ftp", "help: "]),
        (&["http://ada:pw@a/"], &["names a user", "Authorization"]),
        (&["/a b"], &["no URL", "percent-encoded"]),
        (&["/a", "-H", "nonsense"], &["no header field", "-H 'Accept: application/json'"]),
        (&["/a", "-H", "@headers.txt"], &["from a file", "-H"]),
        (&["/a", "-d", "@nowhere.txt"], &["cannot read nowhere.txt", "--data-raw"]),
        (&["/a", "-X", "GE T"], &["no method", "-X DELETE"]),
        (&["/a", "-b", "jar.txt"], &["from a file", "name=value"]),
        (&["/a", "-I", "-d", "x"], &["cannot be used with"]),
        (&["/a", "--from", "here"], &["--from"]),
        (&["/a", "--status", "99"], &["200 to 599"]),
        (&["/a", "--live", "--sign"], &["cannot be used with"]),
        (&["/a", "--sign"], &["names no host", "http://HOST/PATH"]),
        (&["/a", "--live"], &["names no host", "http://HOST"]),
        (&["/a", "-c", "none.yaml"], &["no file none.yaml"]),
    ] {
        let (code, stdout, stderr) = run(&folder.0, &[&["explain"], arguments].concat());
        assert_eq!((code, &*stdout), (2, ""), "{arguments:?}: {stderr}");
        for text in texts {
            assert!(stderr.contains(text), "{arguments:?}: {text:?} is not in: {stderr}");
        }
    }
    folder.write("dev.env", "PORTICO_TEST_DEBUG=short\n");
    let (code, _, stderr) = run(&folder.0, &["explain", "--sign", "http://a/"]);
    assert!(code == 2 && stderr.contains("fewer than 32 bytes") && stderr.contains("openssl rand"), "{stderr}");
    folder.write("dev.env", "");
    let (code, _, stderr) = run(&folder.0, &["explain", "--sign", "http://a/"]);
    assert!(code == 2 && stderr.contains("PORTICO_TEST_DEBUG is not set") && stderr.contains("dev.env"), "{stderr}");
    folder.write("gateway.yaml", "portico: 1\nname: quiet\n");
    let (code, _, stderr) = run(&folder.0, &["explain", "--sign", "http://a/"]);
    assert!(code == 2 && stderr.contains("has no `debug`") && stderr.contains("${secret.PORTICO_DEBUG}"), "{stderr}");
}

#[test]
fn what_a_lease_lets_pass_is_told() {
    let folder = folder();
    folder.write(
        "leased.yaml",
        "portico: 1\nname: leased\nroutes: [{ name: a, match: { path: /a }, respond: {}, policies: { rate_limit: { limit: 100, per: 1m, lease: 10 } } }]\n",
    );
    let said =
        "in any 1m at most 200 requests pass, and 9 more for each instance that holds a lease, but never more than 300";
    let (_, told, _) = run(&folder.0, &["explain", "-c", "leased.yaml", "/a"]);
    assert!(told.contains(&format!("\n  By its lease, {said} (routes[0].policies.rate_limit.lease).\n")), "{told}");
    let (_, told, _) = run(&folder.0, &["explain", "-c", "leased.yaml", "--format", "json", "/a"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let bound = serde_json::json!({ "at": "routes[0].policies.rate_limit.lease", "says": said });
    assert_eq!(told["bounds"], serde_json::json!([bound]));
    assert_eq!(explain_json(&["/hello"])["bounds"], serde_json::json!([]));
}
