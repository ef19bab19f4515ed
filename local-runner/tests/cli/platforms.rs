//! What not every platform has: bindings, and knowledge of clients beyond their address. The native server has neither.

use crate::process::{Folder, Server, checkout, portico, run};

const GATEWAY: &str = r#"
portico: 1
name: platforms
upstreams: { orders: { targets: [{ url: "binding://ORDERS/v1" }], timeout: 5s } }
identities: { devices: { client_cert: { certs: { acme: { sha256: "AA" } } } } }
routes:
  - name: orders
    match: { path: "/orders/{*rest}" }
    upstream: orders
    policies: { ip: { deny: ["country:DE", "192.0.2.0/24"] }, rate_limit: { limit: 9, per: 1m, guarantee: approximate, on_error: local } }
  - name: devices
    match: { path: /devices }
    respond: { body: "${consumer} ${client.country}" }
    policies: { auth: { any_of: [devices] }, ip: { allow: ["asn:64496"] } }
"#;

const LIMITED: &str = "\
portico: 1
name: limited
routes: [{ name: a, match: { path: /a }, respond: {}, policies: { rate_limit: { limit: 9, per: 1m } } }]
";

const STORED: &str = "\
portico: 1
name: stored
identities: { partners: { api_key: { store: {} } } }
routes: [{ name: a, match: { path: /a }, respond: {}, policies: { auth: { any_of: [partners] } } }]
";

fn folder() -> Folder {
    Folder::with(&GATEWAY.replace("AA", &"ab".repeat(32)))
}

#[test]
fn what_the_native_server_does_not_have_is_refused() {
    let folder = folder();
    for arguments in [&["serve"][..], &["check", "--production"], &["check", "--target", "native"]] {
        let (code, _, stderr) = run(&folder.0, arguments);
        assert_eq!(code, 2, "{stderr}");
        for told in [
            "gateway.yaml:4:41: error: native has no bindings [binding_upstream]",
            "gateway.yaml:10:30: error: no client is ever on this entry: native does not know the country of an address \
             [client_unknown]",
            "gateway.yaml:14:60: error: no client is ever on this entry: native does not know the autonomous system of an \
             address [client_unknown]",
            "gateway.yaml:14:34: error: nobody can ever prove to be one of `devices`: native asks for no client certificates \
             [client_unknown]",
            "4 errors",
        ] {
            assert!(stderr.contains(told), "{arguments:?}: {told}\n{stderr}");
        }
    }
    for target in ["spin", "lambda", "wasi"] {
        let (code, _, stderr) = run(&folder.0, &["check", "--target", target]);
        assert!(code == 2 && stderr.contains(&format!("{target} has no bindings")), "{stderr}");
        // on wasi no client is on any of the lists, nor counted by its address
        let errors = match target {
            "wasi" => "7 errors",
            // API Gateway asks for certificates
            "lambda" => "3 errors",
            _ => "4 errors",
        };
        assert!(stderr.contains(errors), "{stderr}");
    }
}

#[test]
fn where_it_may_run_it_is_no_error() {
    let folder = folder();
    for arguments in [
        &["check"][..],
        &["check", "--target", "cloudflare"],
        &["check", "--production", "--target", "cloudflare"],
        &["build"],
    ] {
        let (code, _, stderr) = run(&folder.0, arguments);
        assert_eq!((code, stderr.contains("error")), (0, false), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_bundle_is_built_for_a_platform_that_can_run_it_only() {
    let folder = folder();
    let gateway = folder.0.join("gateway.yaml");
    let build = |target: &str, out: &str| run(&folder.0, &["build", "--target", target, "--out", out]);
    let (code, _, stderr) = build("cloudflare", "bundle.json");
    assert_eq!((code, stderr.contains("error")), (0, false), "{stderr}");
    let built = std::fs::read_to_string(folder.0.join("bundle.json")).unwrap();
    assert_eq!(run(&folder.0, &["build"]).1, built, "the platform is no part of it");

    for target in ["native", "spin"] {
        let (code, stdout, stderr) = build(target, "refused.json");
        assert_eq!((code, &*stdout), (2, ""), "{target}: {stderr}");
        assert!(
            stderr.contains("has no bindings [binding_upstream]") && stderr.contains("4 errors"),
            "{target}: {stderr}"
        );
    }
    let other = |old: &str, new: &str| {
        folder.write("gateway.yaml", &std::fs::read_to_string(&gateway).unwrap().replace(old, new))
    };
    let only = |target: &str, told: &str| {
        let (code, _, stderr) = build(target, "refused.json");
        assert!(code == 2 && stderr.contains(told) && stderr.contains("\n1 error\n"), "{target}: {stderr}");
    };
    other("binding://ORDERS/v1", "demo://echo");
    only("cloudflare", "gateway.yaml:4:41: error: demo upstreams are answered by `portico dev` only [demo_upstream]");
    other("demo://echo\" }], timeout", "https://orders.example\" }], preserve_host: true, timeout");
    only("cloudflare", "gateway.yaml:4:85: error: cloudflare sends `Host` as it stands in the target's URL");
    folder.write("gateway.yaml", &LIMITED.replace("per: 1m", "per: 1m, by: route"));
    only("wasi", "the limit asks for exact counts, and on wasi each instance counts for itself, as long as it lives");
    folder.write("gateway.yaml", &LIMITED.replace("per: 1m", "per: 1m, guarantee: approximate"));
    only("wasi", "all clients are counted as one: wasi does not know the address of a client [client_unknown]");
    folder.write("gateway.yaml", LIMITED);
    only(
        "lambda",
        "gateway.yaml:3:67: error: on lambda DynamoDB counts, and nothing says what happens when it cannot be reached",
    );
    folder.write("gateway.yaml", STORED);
    only("wasi", "gateway.yaml:3:38: error: wasi has no key-value store [store_missing]");
    assert!(!folder.0.join("refused.json").exists());

    let hasty =
        "upstreams: { a: { targets: [{ url: http://a }] } }\nroutes: [{ name: a, match: { path: / }, upstream: a }]\n";
    folder.write("gateway.yaml", &format!("portico: 1\nname: hasty\n{hasty}"));
    assert!(run(&folder.0, &["check", "--target", "cloudflare"]).2.contains("2 warnings"));
    let (code, _, stderr) = build("cloudflare", "bundle.json");
    assert_eq!((code, stderr.lines().count()), (0, 1), "{stderr}");
}

#[test]
fn while_developing_bindings_tell_what_they_received() {
    let server = Server::start(&mut portico(&folder().0, &["dev", "--listen", "127.0.0.1:0"]));
    let told = server.get("/orders/7?page=2").json();
    assert_eq!([&told["method"], &told["path"], &told["query"]], ["GET", "/v1/orders/7", "page=2"]);
    assert_eq!(server.get("/devices").status, 403, "nothing is known of a client");
}

#[test]
fn explain_is_told_what_the_platform_knows() {
    let folder = folder();
    let explain = |arguments: &[&str]| {
        let (code, stdout, stderr) = run(&folder.0, &[&["explain"], arguments].concat());
        assert_eq!(code, 0, "{stderr}");
        stdout
    };
    let refused = explain(&["/orders/7", "--from", "198.51.100.7", "--country", "DE", "--asn", "64497"]);
    assert!(refused.contains("client 198.51.100.7 (DE, AS64497), who connected"), "{refused}");
    assert!(refused.contains("address_denied") && refused.contains("the country is on `deny`"), "{refused}");
    assert!(explain(&["/orders/7", "--country", "CH"]).contains("\n200 OK\n"));

    let certificate = format!("sha256={}", "AB".repeat(32));
    let known = ["https://a/devices", "--asn", "64496", "--country", "AT", "--certificate", &certificate];
    assert!(explain(&known).contains("acme AT"), "{}", explain(&known));
    let another = explain(&["https://a/devices", "--asn", "64496", "--certificate", "subject=CN=device-7,O=Example"]);
    assert!(another.contains("certificate_unknown") && another.contains("client_cert"), "{another}");
    let json = explain(&[&known[..], &["--format", "json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["request"]["country"].as_str(), json["request"]["asn"].as_u64()), (Some("AT"), Some(64496)));
    assert_eq!(json["caller"]["consumer"], "acme");
}

#[test]
fn explain_says_what_it_cannot_be_told() {
    for (arguments, says) in [
        (["/a", "--country", "Germany"], "expected two capital letters of ISO 3166-1, such as DE"),
        (["/a", "--asn", "AS64496"], "invalid value 'AS64496'"),
        (["/a", "--certificate", "CN=device-7"], "expected subject=NAME, issuer=NAME, serial=HEX or sha256=HEX"),
        (["/a", "--certificate", "sha256=ab"], "expected 64 hex digits: openssl x509"),
    ] {
        let (code, _, stderr) = run(&checkout(), &[&["explain"], &arguments[..]].concat());
        assert!(code == 2 && stderr.contains(says), "{arguments:?}: {stderr}");
    }
    let (code, _, stderr) = run(&checkout(), &["explain", "--live", "https://a/", "--country", "DE"]);
    assert!(code == 2 && stderr.contains("cannot be used with"), "{stderr}");
}
