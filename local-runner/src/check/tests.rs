//! Each finding where it belongs, and silence where it nearly does. The examples of docs/checks.md are tested too: the bad one
//! of each is found, the good one is not.

use portico_core::config::outline::Outline;
use portico_core::config::{Code, Findings, compile};
use serde_json::Value;

use super::{Target, lint, refused_on};

/// A gateway with these parts, in YAML.
fn gateway(parts: &str) -> Value {
    let text = format!("portico: 1\nname: example\n{parts}");
    portico::config::parse(&text, portico::config::FileId(0))
        .unwrap_or_else(|notes| panic!("{notes:#?}\n{text}"))
        .to_value()
}

/// Everything that is found, by the compiler too.
fn findings(target: Option<Target>, parts: &str) -> Findings {
    let document = gateway(parts);
    let mut findings = match compile(&document) {
        Ok((_, warnings)) => warnings,
        Err(errors) => return errors,
    };
    let outline = Outline::read(&document, &mut Findings::new()).unwrap();
    lint(&outline, &document, &mut findings);
    if let Some(target) = target {
        refused_on(target, &outline, &document, &mut findings);
    }
    findings
}

/// `CODE at POINTER` for each.
fn found_on(target: Option<Target>, parts: &str) -> Vec<String> {
    let findings = findings(target, parts);
    let mut found: Vec<_> = findings.iter().map(|found| format!("{} at {}", found.code, found.pointer)).collect();
    found.sort();
    found
}

fn codes(target: Option<Target>, parts: &str) -> Vec<Code> {
    findings(target, parts).iter().map(|found| found.code).collect()
}

/// Routes of a gateway whose parts give no reason for findings, one a line: what follows `- `.
fn found(routes: &str) -> Vec<String> {
    let routes: String = routes.lines().map(|route| format!("  - {}\n", route.trim())).collect();
    let parts = format!(
        "
upstreams: {{ app: {{ targets: [{{ url: 'http://app.internal' }}], timeout: 5s }} }}
identities: {{ users: {{ jwt: {{ secret: '${{secret.S}}', issuer: a, audience: b, algorithms: [HS256] }} }} }}
routes:
{routes}"
    );
    found_on(None, &parts)
}

const LIMITED: &str = "rate_limit: { limit: 1, per: 1m }";

#[test]
fn open_doors_beside_guarded_ones() {
    let beside = |open: &str| {
        let guarded = "{ name: guarded, match: { path: '/api/orders/{id}', host: api.example }, upstream: app, policies: { auth: { any_of: [users] } } }";
        found(&format!("{guarded}\n{open}"))
    };
    for (at, open) in [
        (
            "match.path",
            format!("{{ name: a, match: {{ path: /api/admin }}, upstream: app, policies: {{ {LIMITED} }} }}"),
        ),
        ("match.path", format!("{{ name: a, match: {{ path: /%61pi }}, upstream: app, policies: {{ {LIMITED} }} }}")),
        (
            "match.path",
            format!(
                "{{ name: a, match: {{ path: '/api/{{*x}}', host: '*.example' }}, upstream: app, policies: {{ {LIMITED} }} }}"
            ),
        ),
        (
            "match.path",
            format!(
                "{{ name: a, match: {{ path: /api/a, host: API.example. }}, upstream: app, policies: {{ {LIMITED} }} }}"
            ),
        ),
        (
            "policies.auth",
            format!(
                "{{ name: a, match: {{ path: /api/a }}, upstream: app, policies: {{ {LIMITED}, auth: {{ any_of: [users], optional: true }} }} }}"
            ),
        ),
        (
            "policies.auth",
            format!(
                "{{ name: a, match: {{ path: /api/a }}, upstream: app, policies: {{ {LIMITED}, auth: {{ any_of: [users], mode: observe }} }} }}"
            ),
        ),
        (
            "policies.auth",
            format!("{{ name: a, match: {{ path: /api/a }}, upstream: app, policies: {{ {LIMITED}, auth: off }} }}"),
        ),
        (
            "match.path",
            format!(
                "{{ name: a, match: {{ path: /api/a }}, upstream: app, policies: {{ {LIMITED}, ip: {{ deny: [10.0.0.1] }} }} }}"
            ),
        ),
        (
            "match.path",
            format!(
                "{{ name: a, match: {{ path: /api/a, methods: [OPTIONS, GET] }}, upstream: app, policies: {{ {LIMITED} }} }}"
            ),
        ),
    ] {
        assert_eq!(beside(&open), [format!("public_beside_authenticated at routes[1].{at}")], "{open}");
    }
    for open in [
        "{ name: a, match: { path: /apis/admin }, upstream: app, policies: { LIMITED } }",
        "{ name: a, match: { path: /API/admin }, upstream: app, policies: { LIMITED } }",
        "{ name: a, match: { path: / }, upstream: app, policies: { LIMITED } }",
        "{ name: a, match: { path: '/{*rest}' }, upstream: app, policies: { LIMITED } }",
        "{ name: a, match: { path: /api/admin, host: example }, upstream: app, policies: { LIMITED } }",
        "{ name: a, match: { path: /api/admin, host: '*.api.example' }, upstream: app, policies: { LIMITED } }",
        "{ name: a, match: { path: /api/admin, methods: [OPTIONS] }, upstream: app, policies: { LIMITED } }",
        "{ name: a, match: { path: /api/admin }, upstream: app, policies: { ip: { allow: [10.0.0.0/8] } } }",
        "{ name: a, match: { path: /api/admin }, upstream: app, policies: { auth: { any_of: [users] } } }",
        "{ name: a, match: { path: /api/status }, respond: {} }",
        "{ name: a, match: { path: /api/old }, redirect: { to: /api/new } }",
    ] {
        assert_eq!(beside(&open.replace("LIMITED", LIMITED)), [""; 0], "{open}");
    }
}

#[test]
fn open_doors_without_a_limit() {
    let route =
        |policies: &str| format!("{{ name: a, match: {{ path: /a }}, upstream: app, policies: {{ {policies} }} }}");
    for policies in [
        "",
        "rate_limit: off",
        "rate_limit: { limit: 1, per: 1m, mode: observe }",
        "auth: { any_of: [users], optional: true }",
    ] {
        assert_eq!(found(&route(policies)), ["rate_limit_missing at routes[0].upstream"], "{policies}");
    }
    for policies in [LIMITED, "auth: { any_of: [users] }", "ip: { allow: [10.0.0.0/8] }"] {
        assert_eq!(found(&route(policies)), [""; 0], "{policies}");
    }
    assert_eq!(found("{ name: a, match: { path: /a }, respond: {} }"), [""; 0]);

    let by = "rate_limit: { limit: 1, per: 1m, by: { header: X-Tenant } }";
    assert_eq!(found(&route(by)), ["rate_limit_evadable at routes[0].policies.rate_limit.by"]);
    assert_eq!(found(&route(&format!("{by}, auth: {{ any_of: [users] }}"))), [""; 0]);
}

#[test]
fn upstreams_to_wait_for_and_to_ask_twice() {
    let upstream = |keys: &str| {
        let parts = format!(
            "upstreams: {{ app: {{ targets: [{{ url: 'http://app.internal' }}]{keys} }} }}\n\
             routes: [{{ name: a, match: {{ path: /a }}, respond: {{}} }}]\n"
        );
        found_on(None, &parts)
    };
    assert_eq!(upstream(""), ["timeout_missing at upstreams.app"]);
    assert_eq!(upstream(", timeout: 30s"), [""; 0]);
    let retry = |methods: &str| upstream(&format!(", timeout: 5s, retry: {{ attempts: 2{methods} }}"));
    assert_eq!(
        retry(", methods: [GET, POST, PATCH]"),
        [
            "retry_unsafe_method at upstreams.app.retry.methods[1]",
            "retry_unsafe_method at upstreams.app.retry.methods[2]"
        ]
    );
    for methods in ["", ", methods: [GET, PUT, DELETE, PROPFIND]"] {
        assert_eq!(retry(methods), [""; 0], "{methods}");
    }
}

#[test]
fn bodies_of_streams() {
    let route = |header: &str, response: &str| {
        found(&format!(
            "{{ name: a, match: {{ path: /a, headers: {{ {header} }} }}, upstream: app, policies: {{ {LIMITED}, response: {response} }} }}"
        ))
    };
    let edit = "{ json: { remove: [a] } }";
    for (header, name) in [
        ("Accept: text/event-stream", "Accept"),
        ("accept: 'application/x-ndjson; q=1'", "accept"),
        ("Upgrade: websocket", "Upgrade"),
    ] {
        assert_eq!(
            route(header, edit),
            [format!("body_policy_on_stream at routes[0].match.headers.{name}")],
            "{header}"
        );
    }
    assert_eq!(route("Accept: application/json", edit), [""; 0]);
    assert_eq!(route("X-Accept: text/event-stream", edit), [""; 0]);
    assert_eq!(route("Accept: text/event-stream", "{ headers: { remove: [Server] } }"), [""; 0]);
    assert_eq!(route("Accept: text/event-stream", "{ mode: off, json: { remove: [a] } }"), [""; 0]);
}

#[test]
fn shadows_are_told_with_their_place() {
    assert_eq!(
        found(
            "{ name: a, match: { path: /a, headers: { X-V: '*' } }, respond: {} }
             { name: b, match: { path: /a, headers: { X-V: '2' } }, respond: {} }
             { name: c, match: { path: /c, headers: { X-V: '*' }, methods: [POST] }, respond: {} }
             { name: d, match: { path: /c, headers: { X-V: '2' }, methods: [GET, POST] }, respond: {} }"
        ),
        ["route_shadowed at routes[1].match", "route_shadowed at routes[3].match.methods[1]"]
    );
}

#[test]
fn guarantees_are_asked_of_the_target() {
    let limit = |keys: &str| {
        format!(
            "routes: [{{ name: a, match: {{ path: /a }}, respond: {{}}, policies: {{ rate_limit: {{ limit: 1, per: 1m{keys} }} }} }}]\n"
        )
    };
    for asked in ["", ", guarantee: exact", ", guarantee: bounded", ", mode: observe"] {
        let told = found_on(Some(Target::Wasi), &limit(&format!("{asked}, by: route")));
        assert_eq!(told, ["limit_guarantee at routes[0].policies.rate_limit.guarantee"], "{asked}");
    }
    for asked in [", guarantee: approximate", ", mode: off"] {
        assert_eq!(found_on(Some(Target::Wasi), &limit(&format!("{asked}, by: route"))), [""; 0], "{asked}");
    }
    for target in [Some(Target::Native), Some(Target::Cloudflare), Some(Target::Spin), Some(Target::Lambda), None] {
        for asked in [", on_error: deny", ", on_error: local, guarantee: bounded"] {
            assert_eq!(found_on(target, &limit(asked)), [""; 0], "{target:?} {asked}");
        }
    }
    let inherited = "defaults: { rate_limit: { limit: 1, per: 1m, by: route } }\n\
                     routes: [{ name: a, match: { path: /a }, respond: {} }, { name: b, match: { path: /b }, respond: {} }]\n";
    assert_eq!(found_on(Some(Target::Wasi), inherited), ["limit_guarantee at defaults.rate_limit.guarantee"]);
}

#[test]
fn a_limit_that_is_counted_elsewhere_says_what_happens_without_its_store() {
    let limit = |state: &str, keys: &str| {
        format!(
            "{state}\nroutes: [{{ name: a, match: {{ path: /a }}, respond: {{}}, policies: {{ rate_limit: {{ limit: 1, per: 1m, by: route, guarantee: approximate{keys} }} }} }}]\n"
        )
    };
    let missing = ["on_error_missing at routes[0].policies.rate_limit"];
    let (memory, redis) = ("", "state: { redis: '${secret.REDIS_URL}' }");
    for (target, state) in
        [(Target::Native, redis), (Target::Cloudflare, memory), (Target::Spin, memory), (Target::Lambda, memory)]
    {
        assert_eq!(found_on(Some(target), &limit(state, "")), missing, "{target:?}");
        assert_eq!(found_on(Some(target), &limit(state, ", mode: observe")), missing, "{target:?}");
        for said in [", on_error: deny", ", on_error: allow", ", on_error: local", ", mode: off"] {
            assert_eq!(found_on(Some(target), &limit(state, said)), [""; 0], "{target:?} {said}");
        }
    }
    for target in [None, Some(Target::Native), Some(Target::Wasi)] {
        assert_eq!(found_on(target, &limit(memory, "")), [""; 0], "{target:?}");
    }
    assert_eq!(found_on(None, &limit(redis, "")), [""; 0]);
    let inherited = "defaults: { rate_limit: { limit: 1, per: 1m, by: route } }\n\
                     routes: [{ name: a, match: { path: /a }, respond: {} }, { name: b, match: { path: /b }, respond: {} }]\n";
    assert_eq!(found_on(Some(Target::Spin), inherited), ["on_error_missing at defaults.rate_limit"]);
}

#[test]
fn quotas_are_asked_what_limits_are() {
    let quota = |keys: &str| {
        format!(
            "routes: [{{ name: a, match: {{ path: /a }}, respond: {{}}, policies: {{ quota: {{ limit: 1, per: month, by: route{keys} }} }} }}]\n"
        )
    };
    assert_eq!(found_on(Some(Target::Wasi), &quota("")), ["limit_guarantee at routes[0].policies.quota.guarantee"]);
    assert_eq!(found_on(Some(Target::Wasi), &quota(", guarantee: approximate")), [""; 0]);
    assert_eq!(found_on(Some(Target::Lambda), &quota("")), ["on_error_missing at routes[0].policies.quota"]);
    assert_eq!(found_on(Some(Target::Lambda), &quota(", on_error: allow")), [""; 0]);
    assert_eq!(found_on(Some(Target::Lambda), &quota(", mode: off")), [""; 0]);
}

#[test]
fn a_lease_asks_for_bounded_counts_and_its_bound_is_told() {
    let limit = |keys: &str| {
        format!(
            "routes: [{{ name: a, match: {{ path: /a }}, respond: {{}}, policies: {{ rate_limit: {{ limit: 1000, per: 1m, on_error: deny{keys} }} }} }}]\n"
        )
    };
    let told = |keys: &str| {
        let found = findings(Some(Target::Cloudflare), &limit(keys));
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let note = |shared: &str, each: u64, altogether: u64| {
        let instances = "more for each instance that holds a lease, but never more than";
        format!(
            "note: routes[0].policies.rate_limit.lease: in any 1m at most {shared} pass, and {each} {instances} {altogether} \
             (a smaller `lease` lets fewer pass, none the fewest)"
        )
    };
    assert_eq!(told(", lease: 20"), note("2000 requests", 19, 3000));
    assert_eq!(told(", lease: 20, cost: 3, burst: 100, guarantee: bounded"), note("1100 units", 15, 2100));
    for silent in ["", ", lease: 20, guarantee: approximate", ", lease: 20, mode: observe", ", lease: 20, mode: off"] {
        assert_eq!(told(silent), "", "{silent}");
    }
    assert_eq!(
        found_on(Some(Target::Wasi), &limit(", lease: 20, by: route")),
        [
            "limit_bound at routes[0].policies.rate_limit.lease",
            "limit_guarantee at routes[0].policies.rate_limit.guarantee",
        ]
    );
}

#[test]
fn only_the_native_server_knows_what_is_under_way_and_each_node_its_own() {
    let limit = |outermost: &str, keys: &str| {
        format!(
            "{outermost}\nroutes: [{{ name: a, match: {{ path: /a }}, respond: {{}}, policies: {{ in_flight: {{ limit: 20, by: route{keys} }} }} }}]\n"
        )
    };
    for target in [Target::Cloudflare, Target::Spin, Target::Wasi, Target::Lambda] {
        let unsupported = ["in_flight_unsupported at routes[0].policies.in_flight"];
        assert_eq!(found_on(Some(target), &limit("", "")), unsupported, "{target:?}");
        assert_eq!(found_on(Some(target), &limit("", ", mode: observe")), unsupported, "{target:?}");
        assert_eq!(found_on(Some(target), &limit("", ", mode: off")), [""; 0], "{target:?}");
    }
    let redis = "state: { redis: '${secret.REDIS_URL}' }";
    for target in [None, Some(Target::Native)] {
        assert_eq!(found_on(target, &limit("", "")), [""; 0], "{target:?}");
        let per_node = ["in_flight_per_node at routes[0].policies.in_flight.limit"];
        assert_eq!(found_on(target, &limit(redis, "")), per_node, "{target:?}");
        assert_eq!(found_on(target, &limit(redis, ", mode: observe")), [""; 0], "{target:?}");
    }
    let inherited = "defaults: { in_flight: { limit: 20, by: route } }\n\
                     routes: [{ name: a, match: { path: /a }, respond: {} }, { name: b, match: { path: /b }, respond: {} }]\n";
    assert_eq!(found_on(Some(Target::Spin), inherited), ["in_flight_unsupported at defaults.in_flight"]);
}

#[test]
fn limits_of_plans_are_asked_what_those_of_routes_are() {
    let plan = |rate_limit: &str, quota: &str| {
        format!(
            "plans: {{ pro: {{ rate_limit: {{ limit: 9, per: 1m{rate_limit} }}, quota: {{ limit: 9, per: day{quota} }} }} }}\n\
             routes: [{{ name: a, match: {{ path: /a }}, respond: {{}} }}]\n"
        )
    };
    let of_both =
        |code: &str, key: &str| ["quota", "rate_limit"].map(|limit| format!("{code} at plans.pro.{limit}{key}"));
    assert_eq!(found_on(Some(Target::Cloudflare), &plan("", "")), of_both("on_error_missing", ""));
    assert_eq!(found_on(Some(Target::Wasi), &plan("", "")), of_both("limit_guarantee", ".guarantee"));
    let said = ", on_error: local, guarantee: approximate";
    for target in [Target::Cloudflare, Target::Wasi, Target::Lambda] {
        assert_eq!(found_on(Some(target), &plan(said, said)), [""; 0], "{target:?}");
    }
    assert_eq!(found_on(Some(Target::Spin), &plan(", mode: off", ", mode: off")), [""; 0]);
    assert_eq!(found_on(None, &plan(", lease: 4", "")), ["limit_bound at plans.pro.rate_limit.lease"]);
}

#[test]
fn where_nothing_lasts_in_an_instance_a_cache_is_shared() {
    let cache = |keys: &str| {
        format!(
            "upstreams: {{ u: {{ targets: [{{ url: 'https://a.test' }}], timeout: 5s }} }}\n\
             routes: [{{ name: a, match: {{ path: /a }}, upstream: u, policies: {{ rate_limit: {{ limit: 1, per: 1s, on_error: deny, \
             guarantee: approximate, by: route }}, cache: {{ ttl: 1m{keys} }} }} }}]\n"
        )
    };
    let found = ["cache_local_only at routes[0].policies.cache"];
    for target in [Target::Spin, Target::Wasi] {
        assert_eq!(found_on(Some(target), &cache("")), found, "{target:?}");
        assert_eq!(found_on(Some(target), &cache(", store: local")), found, "{target:?}");
        assert_eq!(found_on(Some(target), &cache(", mode: off")), [""; 0], "{target:?}");
    }
    assert_eq!(found_on(Some(Target::Wasi), &cache(", store: shared")), found);
    assert_eq!(found_on(Some(Target::Spin), &cache(", store: shared")), [""; 0]);
    for target in [None, Some(Target::Native), Some(Target::Cloudflare), Some(Target::Lambda)] {
        assert_eq!(found_on(target, &cache("")), [""; 0], "{target:?}");
    }
}

#[test]
fn the_examples_of_the_documentation_are_what_they_are_said_to_be() {
    // these depend on files, on the environment and on keys
    let without = [Code::IncludeEmpty, Code::SecretUnset, Code::KeySkipped];
    for code in Code::ALL {
        let entry = portico::config::entry(*code);
        let blocks: Vec<_> = entry.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        let target = match code {
            Code::LimitGuarantee => Some(Target::Wasi),
            Code::CacheLocalOnly => Some(Target::Spin),
            Code::HostNotPreserved | Code::OnErrorMissing | Code::StateElsewhere | Code::InFlightUnsupported => {
                Some(Target::Cloudflare)
            }
            _ => None,
        };
        match blocks.as_slice() {
            [bad, good] => {
                assert!(codes(target, bad).contains(code), "{code} is not found in its bad example:\n{bad}");
                assert_eq!(codes(target, good), [], "in the good example of {code}:\n{good}");
            }
            _ => assert!(blocks.is_empty() && (!code.is_waivable() || without.contains(code)), "{code} lacks examples"),
        }
    }
}

#[test]
fn only_cloudflare_knows_all_of_clients_and_has_bindings() {
    let parts = "
upstreams: { app: { targets: [{ url: 'http://app.internal' }, { url: 'binding://APP' }], timeout: 5s } }
identities:
  users: { jwt: { secret: '${secret.S}', issuer: a, audience: b, algorithms: [HS256] } }
  devices: { client_cert: { any: true } }
defaults: { ip: { deny: ['country:DE', '10.0.0.1', '2001:db8::1'] } }
routes:
  - { name: a, match: { path: /a }, respond: {} }
  - { name: b, match: { path: /b }, respond: {}, policies: { ip: { allow: ['::1', 'asn:1'], mode: observe }, auth: { any_of: [users, devices] } } }
  - { name: c, match: { path: /c }, respond: {}, policies: { ip: { deny: ['asn:1'], mode: off }, auth: { any_of: [devices], mode: off } } }
  - { name: d, match: { path: /d }, respond: { headers: { X-Country: '${client.country}' } }, policies: { ip: off } }
";
    let document = gateway(parts);
    let outline = Outline::read(&document, &mut Findings::new()).unwrap();
    let missing = |target| {
        let mut findings = Findings::new();
        refused_on(target, &outline, &document, &mut findings);
        let told = findings.iter().map(|found| format!("{} {} at {}", found.severity, found.code, found.pointer));
        told.collect::<Vec<_>>()
    };
    let unknown = [
        "error binding_upstream at upstreams.app.targets[1].url",
        "error client_unknown at defaults.ip.deny[0]",
        "error client_unknown at routes[1].policies.ip.allow[1]",
        "error client_unknown at routes[1].policies.auth.any_of[1]",
    ];
    for target in [Target::Native, Target::Spin] {
        assert_eq!(missing(target), unknown, "{target:?}");
    }
    // API Gateway asks for certificates
    assert_eq!(missing(Target::Lambda), unknown[..3]);
    assert_eq!(missing(Target::Cloudflare), [""; 0]);
}

#[test]
fn other_hosts_of_wasi_know_no_addresses_and_have_no_store() {
    let parts = "
identities:
  partners: { api_key: { store: {} } }
  users: { jwt: { jwks: { store: users }, issuer: a, audience: b, algorithms: [ES256] } }
  staff: { jwt: { jwks: { url: 'https://id.example/keys' }, issuer: a, audience: b, algorithms: [ES256] } }
defaults: { ip: { deny: ['10.0.0.0/8'] } }
routes:
  - { name: a, match: { path: /a }, respond: {}, policies: { rate_limit: { limit: 1, per: 1m, guarantee: approximate, on_error: deny } } }
  - { name: b, match: { path: /b }, respond: {}, policies: { ip: off, rate_limit: { limit: 1, per: 1m, by: route, guarantee: approximate, on_error: deny } } }
  - { name: c, match: { path: /c }, respond: {}, policies: { ip: { allow: [], mode: off }, rate_limit: { limit: 1, per: 1m, mode: off } } }
";
    let stores =
        ["store_missing at identities.partners.api_key.store", "store_missing at identities.users.jwt.jwks.store"];
    let clients = ["client_unknown at defaults.ip", "client_unknown at routes[0].policies.rate_limit.by"];
    let mut expected: Vec<_> = stores.into_iter().chain(clients).collect();
    expected.sort_unstable();
    assert_eq!(refused(Target::Wasi, parts), expected);
    // one of these could only say so where its address is known
    let elsewhere = format!("trusted_proxies: ['10.0.0.0/8', '0.0.0.0/0']{parts}");
    assert_eq!(refused(Target::Wasi, &elsewhere), expected);
    // strangers are counted by address
    let strangers = "
identities: { partners: { api_key: { keys: { acme: { sha256: 0000000000000000000000000000000000000000000000000000000000000000 } } } } }
routes:
  - { name: a, match: { path: /a }, respond: {}, policies: { auth: { any_of: [partners], optional: true }, rate_limit: { limit: 1, per: 1m, by: consumer, guarantee: approximate } } }
  - { name: b, match: { path: /b }, respond: {}, policies: { auth: { any_of: [partners] }, rate_limit: { limit: 1, per: 1m, by: consumer, guarantee: approximate } } }
";
    assert_eq!(refused(Target::Wasi, strangers), ["client_unknown at routes[0].policies.rate_limit.by"]);
    let planned = strangers.replace("rate_limit: {", "plan: { default: free }, rate_limit: { mode: off,");
    let planned = format!("plans: {{ free: {{ quota: {{ limit: 1, per: day, guarantee: approximate }} }} }}{planned}");
    assert_eq!(refused(Target::Wasi, &planned), ["client_unknown at routes[0].policies.plan.default"]);
    // a proxy in front says who it is
    assert_eq!(refused(Target::Wasi, &format!("trusted_proxies: ['::']{parts}")), stores);
    for target in [Target::Native, Target::Cloudflare, Target::Spin] {
        assert_eq!(refused(target, parts), [""; 0], "{target:?}");
    }
}

#[test]
fn only_the_native_server_counts_in_the_redis_of_state() {
    let parts = "
state: { redis: '${secret.REDIS_URL}' }
routes:
  - { name: a, match: { path: /a }, respond: {} }
";
    for target in [Target::Cloudflare, Target::Spin, Target::Wasi, Target::Lambda] {
        assert_eq!(refused(target, parts), ["state_elsewhere at state"], "{target:?}");
    }
    assert_eq!(refused(Target::Native, parts), [""; 0]);
}

/// What of a configuration a platform refuses, in order.
fn refused(target: Target, parts: &str) -> Vec<String> {
    let document = gateway(parts);
    let outline = Outline::read(&document, &mut Findings::new()).unwrap();
    let mut findings = Findings::new();
    refused_on(target, &outline, &document, &mut findings);
    let mut told: Vec<_> = findings.iter().map(|found| format!("{} at {}", found.code, found.pointer)).collect();
    told.sort_unstable();
    told
}

#[test]
fn the_clients_host_goes_to_bindings_only_where_the_url_names_it() {
    let upstream = |keys: &str| {
        let route = "routes: [{ name: a, match: { path: /a }, upstream: a, policies: { rate_limit: { limit: 1, per: 1m, on_error: deny } } }]";
        format!("upstreams: {{ a: {{ timeout: 5s, {keys} }} }}\n{route}\n")
    };
    let preserved = |targets: &str| upstream(&format!("preserve_host: true, targets: [{targets}]"));
    for targets in ["{ url: 'https://a' }", "{ url: 'HTTP://a/b' }", "{ url: 'binding://A' }, { url: 'http://a' }"] {
        let on = |target| found_on(target, &preserved(targets));
        assert_eq!(on(Some(Target::Cloudflare)), ["host_not_preserved at upstreams.a.preserve_host"], "{targets}");
        assert!(on(Some(Target::Spin)).join("").contains("host_not_preserved"), "{targets}");
        assert!(on(Some(Target::Wasi)).join("").contains("host_not_preserved"), "{targets}");
        assert!(!on(Some(Target::Native)).join("").contains("host_not_preserved"), "{targets}");
        assert_eq!(on(None), [""; 0], "{targets}");
    }
    for silent in [
        preserved("{ url: 'binding://A' }"),
        preserved("{ url: 'demo://echo' }"),
        upstream("targets: [{ url: 'http://a' }]"),
    ] {
        assert_eq!(found_on(Some(Target::Cloudflare), &silent), [""; 0], "{silent}");
    }
}
