use super::*;

/// What is told of two configurations that begin alike.
fn told(old: &str, new: &str) -> Vec<String> {
    let side = |name, text| Side::of(name, &format!("portico: 1\nname: shop\n{text}"));
    let (old, new) = (side("old.yaml", old), side("new.yaml", new));
    let line = |change: &Change| {
        let place = match &change.place {
            Place::New(at) => new.place(at),
            Place::Old(at) => old.place(at),
        };
        let place = place.map(|place| place.to_string()).unwrap_or_default();
        let names: Vec<_> = change.subjects.iter().map(|subject| format!("{subject:?}")).collect();
        format!("{place} {}: {}: {}", change.judgement, names.join(" "), change.what.text())
    };
    changes(&old, &new).iter().map(line).collect()
}

const IDENTITIES: &str = "\
identities:
  partners: { api_key: { keys: { acme: { sha256: 8649cdebee753898fd50e01408a9e438aa5090249bc3e51b65f33dce973b0873 } } } }
  users: { jwt: { algorithms: [HS256], secret: \"${secret.S}\", issuer: i, audience: a } }
";

fn routes(defaults: &str, routes: &str) -> String {
    format!("{IDENTITIES}defaults: {{ {defaults} }}\nroutes:\n{routes}")
}

fn a_route(policies: &str) -> String {
    routes("", &format!("  - {{ name: a, match: {{ path: /a }}, respond: {{}}, policies: {{ {policies} }} }}\n"))
}

#[test]
fn what_means_the_same_is_no_difference() {
    let two = "  - { name: a, match: { path: /a }, respond: {}, policies: { POLICIES } }\n  - { name: b, match: { path: /b }, respond: {}, policies: { POLICIES } }\n";
    let with = |policies: &str| two.replace("POLICIES", policies);
    for (old, new) in [
        // from the defaults to every route, and how values are spelled
        (
            routes("rate_limit: { limit: 5, per: 1m }, auth: { any_of: [users] }", &with("")),
            routes(
                "",
                &with("auth: { any_of: [users], scopes: [] }, rate_limit: { per: 60s, limit: 5, burst: 5, by: ip }"),
            ),
        ),
        // what the defaults say and every route leaves out
        (routes("ip: { deny: [10.0.0.1] }", &with("ip: off")), routes("", &with("ip: { deny: [::1], mode: off }"))),
        (routes("", &with("body_limit: 1MiB")), routes("", &with("body_limit: { max: 1024KiB }"))),
        (
            a_route("rate_limit: { limit: 5, per: 1m, lease: 4 }"),
            a_route("rate_limit: { limit: 5, per: 1m, lease: 4, guarantee: bounded, on_error: deny }"),
        ),
        // what is left to the route
        (
            a_route("auth: { any_of: [partners] }, cors: { origins: [\"https://a.example\"] }"),
            a_route(
                "auth: { any_of: [partners] }, cors: { origins: [\"https://A.example\"], \
                 headers: [content-type, authorization, x-api-key], methods: [HEAD, GET, POST, PUT, PATCH, DELETE] }",
            ),
        ),
        // the order of routes and of keys, and waivers
        (
            routes("", &with("")),
            routes(
                "",
                "  - { respond: { status: 200 }, match: { path: /b, methods: [] }, name: b }\n  \
                 - { name: a, match: { path: /a }, respond: {}, waive: { rate_limit_missing: it is only a test } }\n",
            ),
        ),
    ] {
        assert_eq!(told(&old, &new), [""; 0], "{old}\n{new}");
        assert_eq!(told(&new, &old), [""; 0], "{new}\n{old}");
    }
}

#[test]
fn policies_that_come_and_go_are_told_as_a_whole() {
    assert_eq!(
        told(&a_route("auth: { any_of: [users], scopes: [x] }"), &a_route("rate_limit: { limit: 5, per: 1m }")),
        [
            r#"old.yaml:8:62 looser: Route("a"): auth removed; it was: any_of users; scopes x"#,
            r#"new.yaml:8:62 tighter: Route("a"): rate_limit added: limit 5; per 1m"#,
        ]
    );
    assert_eq!(
        told(&a_route("ip: { deny: [10.0.0.1], mode: observe }"), &a_route("")),
        [r#"old.yaml:8:62 changed: Route("a"): ip removed; it was: deny 10.0.0.1; mode observe"#],
        "what only observes keeps nobody out"
    );
}

#[test]
fn what_routes_take_over_from_the_defaults_is_told_once() {
    let three = "  - { name: a, match: { path: /a }, respond: {} }\n  - { name: b, match: { path: /b }, respond: {} }\n\
                 \x20 - { name: c, match: { path: /c }, respond: {}, policies: { body_limit: 1KiB } }\n";
    assert_eq!(
        told(&routes("body_limit: 1MiB", three), &routes("body_limit: 2MiB", three)),
        [r#"new.yaml:6:25 looser: Route("a") Route("b"): body_limit.max 1MiB → 2MiB"#]
    );
}

#[test]
fn a_rate_is_judged_by_limit_and_window_together() {
    let limit = |text: &str| a_route(&format!("rate_limit: {{ {text} }}"));
    let told = |old, new| {
        told(&limit(old), &limit(new)).iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        told("limit: 100, per: 1m", "limit: 1000, per: 1h"),
        [r#"tighter: Route("a"): rate_limit.limit 100 → 1000"#, r#"tighter: Route("a"): rate_limit.per 1m → 1h"#]
    );
    assert_eq!(
        told("limit: 100, per: 1m", "limit: 50, per: 1m, burst: 100"),
        [r#"tighter: Route("a"): rate_limit.limit 100 → 50"#],
        "as many at once as before"
    );
    assert_eq!(
        told("limit: 100, per: 1m", "limit: 100, per: 1m, burst: 10"),
        [r#"tighter: Route("a"): rate_limit.burst 100 → 10"#]
    );
    assert_eq!(
        told("limit: 100, per: 1m", "limit: 100, per: 1m, lease: 20"),
        [r#"looser: Route("a"): rate_limit.lease 1 → 20"#]
    );
    assert_eq!(
        told("limit: 100, per: 1m", "limit: 100, per: 1m, lease: 20, guarantee: approximate"),
        [
            r#"looser: Route("a"): rate_limit.lease 1 → 20"#,
            r#"looser: Route("a"): rate_limit.guarantee exact → approximate"#,
        ]
    );
}

#[test]
fn plans_are_compared_by_their_names_and_as_routes_are() {
    let gateway = |plans: &str, choice: &str| {
        format!("plans: {{ {plans} }}\n{}", a_route(&format!("auth: {{ any_of: [users] }}, plan: {{ {choice} }}")))
    };
    let told = |old: (&str, &str), new: (&str, &str)| {
        let told = told(&gateway(old.0, old.1), &gateway(new.0, new.1));
        told.iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let free = "free: { rate_limit: { limit: 100, per: 1m }, consumers: [acme] }";
    let written = "free: { consumers: [acme], rate_limit: { limit: 100, per: 60s, burst: 100, guarantee: exact } }";
    assert_eq!(told((free, "default: free"), (written, "by: consumer, default: free")), [""; 0]);
    assert_eq!(
        told(
            (free, "default: free"),
            ("free: { rate_limit: { limit: 1000, per: 1h }, consumers: [globex] }", "by: { claim: plan }")
        ),
        [
            r#"tighter: Plan("free"): rate_limit.limit 100 → 1000"#,
            r#"tighter: Plan("free"): rate_limit.per 1m → 1h"#,
            r#"changed: Route("a"): plan.default free → not set"#,
            r#"changed: Plan("free"): consumers now without acme and with globex"#,
            r#"changed: Route("a"): plan.by consumer → claim plan"#,
        ]
    );
    let both = format!("{free}, pro: {{ quota: {{ limit: 9, per: day }}, rate_limit: {{ limit: 5, per: 1s }} }}");
    assert_eq!(
        told((free, ""), (&both, "mode: observe")),
        [
            r#"looser: Route("a"): plan.mode enforce → observe"#,
            r#"changed: Plan("pro"): added: quota.limit 9; quota.per day; rate_limit.limit 5; rate_limit.per 1s"#,
        ]
    );
    let quota = "free: { rate_limit: { limit: 100, per: 1m }, quota: { limit: 9, per: day }, consumers: [acme] }";
    assert_eq!(told((free, ""), (quota, "")), [r#"tighter: Plan("free"): quota added: limit 9; per day"#]);
    assert_eq!(
        told((&both, ""), (free, ""))[0].split_once(": ").unwrap().1,
        r#"Plan("pro"): removed; it was: quota.limit 9; quota.per day; rate_limit.limit 5; rate_limit.per 1s"#
    );
}

#[test]
fn more_under_way_is_looser() {
    let told = |old: &str, new: &str| {
        let told = told(&a_route(old), &a_route(new));
        told.iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        told("in_flight: { limit: 5 }", "in_flight: { limit: 9, by: ip }"),
        [r#"looser: Route("a"): in_flight.limit 5 → 9"#]
    );
    assert_eq!(told("", "in_flight: { limit: 5 }"), [r#"tighter: Route("a"): in_flight added: limit 5"#]);
    assert_eq!(
        told("in_flight: { limit: 5 }", "in_flight: { limit: 5, mode: observe }"),
        [r#"looser: Route("a"): in_flight.mode enforce → observe"#]
    );
}

#[test]
fn a_route_with_another_name_is_the_same_route() {
    let named = |name: &str, more: &str| {
        routes("", &format!("  - {{ name: {name}, match: {{ path: /a }}, respond: {{ {more} }} }}\n"))
    };
    assert_eq!(
        told(&named("one", ""), &named("two", "status: 204")),
        [
            r#"new.yaml:8:13 changed: Route("one"): is now called two; its rate limits count anew"#,
            r#"new.yaml:8:58 changed: Route("two"): respond.status 200 → 204"#,
        ]
    );
}

#[test]
fn requests_that_another_route_takes_over_are_told() {
    let admin = "  - { name: admin, match: { path: \"/admin/{*rest}\" }, respond: {}, policies: { auth: { any_of: [users] } } }\n";
    let rest = "  - { name: rest, match: { path: \"/{*rest}\" }, respond: {} }\n";
    assert_eq!(
        told(&routes("", &[admin, rest].concat()), &routes("", rest)),
        [
            r#"new.yaml:8:19 looser: Route("admin"): GET /admin/x is now served by route rest"#,
            r#"old.yaml:8:5 changed: Route("admin"): removed; it was: /admin/{*rest}, responds, with auth"#,
        ]
    );
    let special = "  - { name: special, match: { path: /admin/special, methods: [GET] }, respond: {} }\n";
    assert_eq!(
        told(&routes("", admin), &routes("", &[admin, special].concat())),
        [
            r#"new.yaml:9:22 looser: Route("admin"): GET /admin/special is now served by route special"#,
            r#"new.yaml:9:5 changed: Route("special"): added: GET /admin/special, responds"#,
        ]
    );
    assert_eq!(
        told(&routes("", admin), IDENTITIES),
        [r#"old.yaml:8:5 tighter: Route("admin"): removed; it was: /admin/{*rest}, responds, with auth"#]
    );
}

#[test]
fn parts_without_routes_are_told_by_name() {
    let old = "trusted_proxies: [10.0.0.0/8]\nupstreams:\n  a: { targets: [{ url: \"http://a\" }] }\n";
    let new = "trusted_proxies: [10.0.0.0/8, 192.0.2.1]\nupstreams:\n  b: { targets: [{ url: \"http://a\" }], timeout: 5s }\n";
    assert_eq!(
        told(old, new),
        [
            "new.yaml:3:1 looser: Gateway: trusted_proxies now with 192.0.2.1",
            r#"old.yaml:5:3 changed: Upstream("a"): removed; it was: targets http://a"#,
            r#"new.yaml:5:3 changed: Upstream("b"): added: targets http://a; timeout 5s"#,
        ]
    );
    let more = IDENTITIES.replace(
        "acme: {",
        "beta: { sha256: a000000000000000000000000000000000000000000000000000000000000000 }, acme: {",
    );
    assert_eq!(
        told(IDENTITIES, &more),
        [r#"new.yaml:4:34 looser: Identity("partners"): api_key.keys.beta added: sha256 a0000000…"#]
    );
    assert_eq!(
        told(&more, IDENTITIES),
        [r#"old.yaml:4:34 tighter: Identity("partners"): api_key.keys.beta removed; it was: sha256 a0000000…"#]
    );
}

#[test]
fn cors_of_the_defaults_is_also_for_requests_without_a_route() {
    let route = |policies: &str| {
        format!("  - {{ name: a, match: {{ path: /a }}, respond: {{}}, policies: {{ {policies} }} }}\n")
    };
    let cors = "cors: { origins: [\"https://a.example\"] }";
    assert_eq!(
        told(&routes(cors, &route("")), &routes("", &route(cors))),
        ["old.yaml:6:13 tighter: Unrouted: cors removed; it was: origins https://a.example"]
    );
}

#[test]
fn an_issuers_keys_are_told_by_their_ids() {
    let key = || portico::sign::Signer::for_tests(portico_core::jwt::Algorithm::EdDSA).unwrap().public().unwrap();
    let (one, other) = (key(), key());
    let issuer = |keys: &[(&str, &Value)]| {
        let with_id = |(id, key): &(&str, &Value)| {
            let mut key = (*key).clone();
            key["kid"] = (*id).into();
            key
        };
        let keys: Vec<_> = keys.iter().map(with_id).collect();
        format!(
            "identities: {{ users: {{ jwt: {{ algorithms: [EdDSA], jwks: {} }} }} }}\n",
            serde_json::json!({ "keys": keys })
        )
    };
    let told = |old: &[_], new: &[_]| {
        let told = told(&issuer(old), &issuer(new));
        // behind the place, and without what differs in each run
        told.iter()
            .map(|line| line.split_once(' ').unwrap().1.split(" (").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&[("k1", &one), ("k2", &other)], &[("k2", &other), ("k1", &one)]), [""; 0]);
    assert_eq!(
        told(&[("k1", &one)], &[("k2", &other)]),
        [
            r#"looser: Identity("users"): jwt.jwks now with k2"#,
            r#"tighter: Identity("users"): jwt.jwks now without k1"#
        ]
    );
}

#[test]
fn where_an_issuers_keys_are_is_told() {
    let issuer = |jwks: &str| format!("identities: {{ users: {{ jwt: {{ algorithms: [EdDSA], jwks: {jwks} }} }} }}\n");
    let told = |old: &str, new: &str| {
        let told = told(&issuer(old), &issuer(new));
        told.iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told("https://a.example/keys", "{ url: https://a.example/keys }"), [""; 0]);
    assert_eq!(
        told("https://a.example/keys", "{ store: a, fresh: 1m }"),
        [
            r#"looser: Identity("users"): jwt.jwks now with a in the store"#,
            r#"tighter: Identity("users"): jwt.jwks now without https://a.example/keys"#,
            r#"changed: Identity("users"): jwt.jwks.fresh not set → 1m"#,
        ]
    );
    assert_eq!(
        told("{ store: a, stale: 1h }", "{ store: a, stale: 2h }"),
        [r#"looser: Identity("users"): jwt.jwks.stale 1h → 2h"#]
    );
}
