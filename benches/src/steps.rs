//! What a request goes through, step by step and whole, each as something that can be run any number of times.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use portico_core::context::Context;
use portico_core::policy::Policies;
use portico_core::route::{Found, Lookup, Match, Router};
use portico_core::sim::block_on;
use portico_core::{Body, Gateway, Peer, Platform as _, config};
use serde_json::{Map, Value, json};

use crate::Still;

/// One step.
pub struct Step {
    /// What it is: `limit, passed`.
    pub name: String,
    prepare: Box<dyn FnMut() -> Run>,
}

/// The step itself, prepared to be run once. What it leaves behind goes when this is dropped.
pub type Run = Box<dyn FnMut()>;

impl Step {
    fn new<R: FnMut() + 'static>(name: impl Into<String>, mut prepare: impl FnMut() -> R + 'static) -> Self {
        Self { name: name.into(), prepare: Box::new(move || Box::new(prepare())) }
    }

    /// Makes everything ready that is no part of the step.
    pub fn prepare(&mut self) -> Run {
        (self.prepare)()
    }
}

/// All steps, in the order of a request's life. What they work on stays for as long as the process lives.
///
/// # Panics
///
/// When a step does not do what its name says.
pub fn all() -> Vec<Step> {
    [route(), cors(), limit(), jwt(), transforms(), cache(), chain(), vec![log()]].into_iter().flatten().collect()
}

/// Routes as gateways have them: a quarter are static, half have a parameter, a quarter end in a catch-all; every tenth has a host, every
/// fifth a method, every twentieth a header.
pub fn routes(count: usize) -> Vec<Match> {
    (0..count)
        .map(|i| {
            let service = i / 4;
            let path = match i % 4 {
                0 => format!("/api/service-{service}/status"),
                1 => format!("/api/service-{service}/orders/{{id}}"),
                2 => format!("/api/service-{service}/orders/{{id}}/items/{{item}}"),
                _ => format!("/api/service-{service}/{{*rest}}"),
            };
            let host = (i % 10 == 9).then(|| format!("tenant-{}.example.com", i % 70));
            let methods = if i % 5 == 2 { vec![Method::GET, Method::POST] } else { Vec::new() };
            let headers =
                if i % 20 == 11 { vec![(HeaderName::from_static("x-version"), "v2".into())] } else { Vec::new() };
            Match { host, path, methods, headers, query: Vec::new() }
        })
        .collect()
}

fn route() -> Vec<Step> {
    let headers: &HeaderMap = leak(HeaderMap::from_iter([
        (http::header::USER_AGENT, HeaderValue::from_static("bench")),
        (http::header::ACCEPT, HeaderValue::from_static("*/*")),
    ]));
    let of_size = |size: usize| {
        let router: &Router = leak(Router::build(&routes(size)).expect("these routes are valid"));
        let service = size / 8;
        let paths = [
            ("exact path", true, format!("/api/service-{service}/status")),
            ("pattern", true, format!("/api/service-{service}/orders/4711/items/42")),
            ("catch-all", true, format!("/api/service-{service}/a/b/c")),
            ("miss", false, "/api/service-x/orders/4711".to_owned()),
        ];
        paths.map(|(name, hit, path)| {
            let path: &str = leak(path);
            Step::new(format!("route, {size} routes, {name}"), move || {
                let lookup = Lookup {
                    host: Some("api.example.com:8443"),
                    path,
                    method: &Method::GET,
                    headers,
                    announced: &[],
                    query: Some("page=2"),
                };
                move || assert_eq!(matches!(router.find(black_box(&lookup)), Found::Route { .. }), hit)
            })
        })
    };
    [10, 1_000, 10_000, 100_000].into_iter().flat_map(of_size).collect()
}

fn cors() -> Vec<Step> {
    let cors = policies(
        &json!({ "cors": { "origins": ["https://shop.example", "https://*.shop.example"], "credentials": true } }),
    );
    let cors = cors.cors.as_ref().expect("it is switched on");
    let platform = leak(Still::new());
    let plain = Step::new("CORS, plain request", move || {
        let (mut context, mut headers) = (context(platform, request(&[])), HeaderMap::new());
        move || {
            cors.remember(&mut context);
            context.cors.apply(&mut headers);
            assert!(headers.contains_key("access-control-allow-origin"));
        }
    });
    let preflight = Step::new("CORS, preflight", move || {
        let mut asks = request(&[
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "authorization,content-type"),
        ]);
        *asks.method_mut() = Method::OPTIONS;
        let mut context = context(platform, asks);
        let mut response = None;
        move || {
            let answer = cors.preflight::<()>(&mut context, &Method::GET);
            let answer = response.insert(answer.expect("a preflight is answered"));
            context.cors.apply(answer.headers_mut());
            assert!(answer.headers().contains_key("access-control-allow-origin"));
        }
    });
    vec![plain, preflight]
}

fn limit() -> Vec<Step> {
    let step = |name: &str, limit: u32, passes: bool| {
        let policies = policies(&json!({ "rate_limit": { "limit": limit, "per": "1h", "burst": limit } }));
        let [limit] = policies.limits.as_slice() else { panic!("there is one limit") };
        let platform = leak(Still::new());
        // the first takes all there is of a limit of one
        let mut first = context(platform, request(&[]));
        block_on(limit.check(platform, &mut first)).expect("the first request passes");
        Step::new(name, move || {
            let mut context = context(platform, request(&[]));
            move || assert_eq!(block_on(limit.check(platform, &mut context)).is_ok(), passes)
        })
    };
    vec![step("limit, passed", 1_000_000_000, true), step("limit, refused", 1, false)]
}

/// A token by each algorithm, and the key that made it, of which nobody has the private half.
fn tokens() -> Map<String, Value> {
    serde_json::from_str(include_str!("steps/tokens.json")).expect("the file is JSON")
}

/// The value of `Authorization`, and how its identity is written.
fn issuer(algorithm: &str) -> (String, Value) {
    let made = &tokens()[algorithm];
    let mut identity = json!({ "issuer": "https://id.example/", "audience": "shop", "algorithms": [algorithm] });
    match made.get("jwk") {
        Some(key) => identity["jwks"] = json!({ "keys": [key] }),
        None => identity["secret"] = "${secret.JWT}".into(),
    }
    (format!("Bearer {}", made["token"].as_str().expect("a token is text")), identity)
}

fn jwt() -> Vec<Step> {
    let of_algorithm = |algorithm: &'static str| {
        let (token, identity) = issuer(algorithm);
        let token: &str = leak(token);
        let auth = json!({ "auth": { "any_of": ["users"], "scopes": ["orders:read"] } });
        [("verified", true), ("remembered", false)].map(|(name, anew)| {
            let auth = only_route(gateway(&auth, &identity)).auth.as_ref().expect("it is switched on");
            let platform = leak(Still::new());
            Step::new(format!("JWT, {algorithm}, {name}"), move || {
                if anew {
                    // longer than what was verified is remembered
                    platform.advance(Duration::from_secs(3_601));
                }
                let mut context = context(platform, request(&[("authorization", token)]));
                move || {
                    block_on(auth.check(platform, &mut context)).expect("the token is valid");
                }
            })
        })
    };
    ["HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA"].into_iter().flat_map(of_algorithm).collect()
}

fn transforms() -> Vec<Step> {
    let policies = policies(&json!({
        "request": {
            "path": "/v1/orders/${path.rest}",
            "query": { "remove": ["debug"], "set": { "client": "${ip}" } },
            "headers": { "set": { "X-Client": "${ip}", "X-Request": "${method} ${request.id}" }, "remove": ["X-Internal"] },
        },
        "response": { "headers": { "set": { "X-Served-By": "portico" }, "remove": ["Server"] } },
    }));
    let asks = policies.request.as_ref().expect("it is switched on");
    let answers = policies.response.as_ref().expect("it is switched on");
    let json = self::policies(&json!({ "response": { "json": { "remove": ["internal", "items.cost"] } } }));
    let json = json.response.as_ref().expect("it is switched on");
    let platform = leak(Still::new());
    let item = json!({ "id": 4711, "name": "teapot", "price": "24.00 EUR", "cost": "9.30 EUR", "stock": 12 });
    let body = Bytes::from(json!({ "id": 7, "internal": "margins are fine", "items": vec![item; 12] }).to_string());
    let request = Step::new("transform, request", move || {
        let mut context = routed(platform, request(&[("x-internal", "1")]));
        let mut headers = context.headers.clone();
        move || {
            let target = asks.apply(platform, &mut context, &mut headers).expect("nothing is missing");
            assert!(target.is_some());
        }
    });
    let response = Step::new("transform, response", move || {
        let mut context = routed(platform, self::request(&[]));
        let mut response = Some(Response::builder().header("server", "origin").body(Body::Empty).expect("it is valid"));
        move || {
            let came = response.take().expect("it is run once");
            let changed = block_on(answers.apply(platform, &mut context, came, Duration::from_secs(1)));
            response = Some(changed.expect("nothing is missing"));
        }
    });
    let length = body.len();
    let members = Step::new(format!("transform, JSON of {length} bytes"), move || {
        let mut context = routed(platform, self::request(&[]));
        let mut response = Some(Response::new(Body::Full(body.clone())));
        move || {
            let mut came = response.take().expect("it is run once");
            came.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let changed = block_on(json.apply(platform, &mut context, came, Duration::from_secs(1)));
            let changed = response.insert(changed.expect("the body is JSON"));
            assert!(matches!(changed.body(), Body::Full(bytes) if bytes.len() < length));
        }
    });
    vec![request, response, members]
}

fn cache() -> Vec<Step> {
    let (token, identity) = issuer("ES256");
    let token: &str = leak(token);
    let plain = json!({ "cache": { "ttl": "1h" } });
    let keyed = json!({
        "auth": { "any_of": ["users"] },
        "cache": {
            "ttl": "1h",
            "key": { "query": { "except": ["tracking"] }, "headers": ["Accept", "Accept-Language"], "claims": ["org"], "by": "consumer" },
        },
    });
    vec![
        whole("cache, hit", gateway(&plain, &identity), None, true),
        whole("cache, hit, keyed by query, fields, claim and caller", gateway(&keyed, &identity), Some(token), true),
    ]
}

fn chain() -> Vec<Step> {
    let (token, identity) = issuer("HS256");
    let token: &str = leak(token);
    let chains = [
        ("forward only", json!({})),
        (
            "address, limit by ip",
            json!({
                "ip": { "deny": ["203.0.113.0/24"] }, "rate_limit": { "limit": 1_000_000, "per": "1s" },
            }),
        ),
        (
            "JWT remembered, limit by consumer, headers",
            json!({
                "auth": { "any_of": ["users"], "scopes": ["orders:read"] },
                "rate_limit": { "limit": 1_000_000, "per": "1s", "by": "consumer", "burst": 4_000_000_000_u32 },
                "request": { "headers": { "set": { "X-User-Id": "${claims.sub}" }, "remove": ["X-Internal"] } },
                "response": { "headers": { "remove": ["Server"] } },
            }),
        ),
        (
            "the same with CORS, path and security headers",
            json!({
                "cors": { "origins": ["https://shop.example"], "credentials": true },
                "body_limit": "1MiB",
                "security_headers": {},
                "auth": { "any_of": ["users"], "scopes": ["orders:read"] },
                "rate_limit": { "limit": 1_000_000, "per": "1s", "by": "consumer", "burst": 4_000_000_000_u32 },
                "request": { "path": "/v1/orders/${path.rest}", "headers": { "set": { "X-User-Id": "${claims.sub}" } } },
                "response": { "headers": { "remove": ["Server"] } },
            }),
        ),
    ];
    chains
        .map(|(name, policies)| whole(format!("chain, {name}"), gateway(&policies, &identity), Some(token), false))
        .into()
}

/// The line of the access log of a request that was forwarded.
fn log() -> Step {
    let (platform, gateway) = (leak(Still::new()), gateway(&json!({}), &issuer("HS256").1));
    let (_, after) = block_on(gateway.handle(platform, &peer(), request(&[])));
    let record = leak(after.record);
    Step::new("log, a line", move || {
        let mut line = None;
        move || {
            let line = line.insert(record.to_json(platform.now()));
            assert!(line.len() > 100);
        }
    })
}

/// One request through all of a gateway, which `hits` its cache or goes upstream. Dropping what came out is part of what a request costs.
fn whole(name: impl Into<String>, gateway: &'static Gateway, token: Option<&'static str>, hits: bool) -> Step {
    let platform = leak(Still::new());
    let answer = move |request| block_on(gateway.handle(platform, &peer(), request));
    let request = move || request(token.map(|token| ("authorization", token)).as_slice());
    // what is to be stored is, before anything is counted
    let (_, after) = answer(request());
    block_on(after.follow_up.run(gateway, platform));
    Step::new(name, move || {
        let mut request = Some(request());
        move || {
            let (response, _) = answer(request.take().expect("it is run once"));
            // only what was stored has an age
            assert_eq!((response.status().as_u16(), response.headers().contains_key(AGE)), (200, hits));
        }
    })
}

/// A gateway of one route.
fn gateway(policies: &Value, identity: &Value) -> &'static Gateway {
    let document = json!({
        "portico": 1, "name": "shop",
        "upstreams": { "orders": { "targets": [{ "url": "http://orders.internal" }] } },
        "identities": { "users": { "jwt": identity } },
        "routes": [{
            "name": "orders", "match": { "host": "api.example.com", "path": "/api/orders/{*rest}", "methods": ["GET"] },
            "upstream": "orders", "policies": policies,
        }],
    });
    leak(config::compile(&document).expect("the configuration is valid").0)
}

/// The policies of a gateway's only route.
fn only_route(gateway: &'static Gateway) -> &'static Policies {
    &gateway.routes().next().expect("there is a route").policies
}

/// Policies that need nobody's identity.
fn policies(written: &Value) -> &'static Policies {
    only_route(gateway(written, &issuer("HS256").1))
}

fn peer() -> Peer {
    Peer::new([192, 0, 2, 1].into(), true)
}

/// A request as a server makes it: every value is a slice of the one buffer that was read.
fn request(more: &[(&'static str, &str)]) -> Request<Body<()>> {
    let fields =
        [("host", "api.example.com"), ("accept", "*/*"), ("user-agent", "bench/1"), ("origin", "https://shop.example")];
    let fields: Vec<_> = fields.iter().chain(more).collect();
    let read = Bytes::from(fields.iter().map(|(_, value)| *value).collect::<String>());
    let mut request = Request::get("/api/orders/7?page=2&sort=date").body(Body::Empty).expect("the request is valid");
    request.headers_mut().reserve(fields.len());
    let mut start = 0;
    for (name, value) in fields {
        let value = read.slice(start..start + value.len());
        start += value.len();
        let value = HeaderValue::from_maybe_shared(value).expect("the values are valid");
        request.headers_mut().insert(*name, value);
    }
    request
}

/// What is known of a request that has just come.
fn context(platform: &Still, request: Request<Body<()>>) -> Context<'static> {
    Context::new(platform, &peer(), &[], request.into_parts().0)
}

/// The same, once its route is known.
fn routed(platform: &Still, request: Request<Body<()>>) -> Context<'static> {
    let mut context = context(platform, request);
    context.params = vec![("rest", "/api/orders/".len().."/api/orders/7".len())];
    context
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
