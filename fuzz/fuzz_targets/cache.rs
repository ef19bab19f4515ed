//! The cache: whatever one client sends, others get what they would have got without it; and whatever a store holds, it is read or refused.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use libfuzzer_sys::fuzz_target;
use portico_core::cache::{Item, Rules, Wish, answer, storable, variant, varies};
use portico_core::sim::{Sim, SimStream, block_on};
use portico_core::{Body, Gateway, config};

static GATEWAY: LazyLock<Gateway> = LazyLock::new(|| {
    let document = serde_json::json!({
        "portico": 1,
        "name": "shop",
        "upstreams": { "app": { "targets": [{ "url": "http://app.internal" }] } },
        "routes": [{
            "name": "all",
            "match": { "path": "/{*rest}" },
            "upstream": "app",
            "policies": { "cache": { "ttl": "1h", "key": { "headers": ["X-Keyed"], "cookies": ["theme"] } } },
        }],
    });
    config::compile(&document).unwrap_or_else(|findings| panic!("{findings:?}")).0
});

/// What others ask: a target and fields.
const OTHERS: [(&str, &[(&str, &str)]); 5] = [
    ("/thing", &[]),
    ("/thing?a=1&b=2", &[("x-keyed", "k")]),
    ("/thing", &[("x-varies", "v"), ("x-keyed", "k")]),
    ("/", &[("cookie", "theme=dark")]),
    ("/a%20b/c?a", &[("x-varies", "v")]),
];

// `METHOD TARGET` and lines of header fields
fuzz_target!(|input: &[u8]| {
    read(input);
    let mut lines = input.split(|byte| *byte == b'\n');
    let Some((method, uri)) = lines.next().and_then(request_line) else { return };
    let fields: HeaderMap = lines.filter_map(field).collect();
    judge(&method, &fields);

    let shared = origin();
    let mut request = Request::new(Body::Empty);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = fields;
    send(&shared, request);
    for (target, fields) in OTHERS {
        let other = || {
            let request = Request::get(target).header("host", "shop.example");
            fields
                .iter()
                .fold(request, |request, (name, value)| request.header(*name, *value))
                .body(Body::Empty)
                .unwrap()
        };
        // a gateway remembers what is on its way, but nothing of responses: these are the simulation's
        assert_eq!(send(&shared, other()), send(&origin(), other()), "{target} {fields:?}");
    }
});

/// An origin that says truly what its responses depend on.
fn origin() -> Sim {
    let sim = Sim::new(1);
    sim.upstream("app.internal", |request| {
        let said = |name: &str| {
            let lines = request.headers().get_all(name).iter();
            lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect::<Vec<_>>().join(", ")
        };
        let query = request.uri().query().unwrap_or_default();
        let parameter =
            |name: &str| query.split('&').find(|pair| pair.split('=').next() == Some(name)).map(str::to_owned);
        let text = format!(
            "{} {} {:?} {:?} {:?} {:?} {:?}",
            request.method(),
            request.uri().path(),
            parameter("a"),
            parameter("b"),
            said("x-keyed"),
            said("x-varies"),
            said("cookie"),
        );
        let mut response = Response::new(Body::from(text));
        response.headers_mut().insert("vary", HeaderValue::from_static("x-varies"));
        response.headers_mut().insert("etag", HeaderValue::from_static("\"1\""));
        response
    });
    sim
}

/// What a client gets.
fn send(sim: &Sim, request: Request<Body<SimStream>>) -> Vec<u8> {
    let (response, after) = block_on(GATEWAY.handle(sim, &Sim::peer(), request));
    block_on(after.follow_up.run(&GATEWAY, sim));
    match response.into_body() {
        Body::Empty => Vec::new(),
        Body::Full(bytes) => bytes.to_vec(),
        Body::Stream(stream) => stream.chunks.concat(),
    }
}

/// What a store held, whoever wrote it.
fn read(input: &[u8]) {
    if let Some(item) = Item::decode(&input.to_vec().into()) {
        assert_eq!(Item::decode(&item.encode()), Some(item));
    }
}

/// Fields of a request and of a response at once.
fn judge(method: &Method, fields: &HeaderMap) {
    let rules = Rules {
        ttl: None,
        respect_origin: true,
        negative: Default::default(),
        heuristic: true,
        stale_while_revalidate: None,
        stale_if_error: None,
        identified: false,
        content_types: Vec::new(),
        max_size: 1 << 20,
    };
    let now = portico_core::Timestamp::from_secs(1_800_000_000);
    let wish = Wish::of(fields);
    let status = http::StatusCode::OK;
    let Ok(lifetime) = storable(&rules, &Method::GET, fields, status, fields, Duration::ZERO, now) else { return };
    let names = varies(fields).expect("what varies by everything is not stored");
    variant(&names, fields);
    let entry = portico_core::cache::Entry::new("a/b", status, fields.clone(), "hello".into(), now, now, lifetime);
    entry.reuse(&wish, now);
    let _: Response<Body<SimStream>> = answer(&entry, method, fields, now);
    if let Some(fresh) = entry.freshened(&rules, fields, fields, now, now) {
        let item = Item::Response(fresh);
        assert_eq!(Item::decode(&item.encode()), Some(item));
    }
}

fn request_line(line: &[u8]) -> Option<(Method, Uri)> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let (method, target) = line.split_at(space);
    Some((Method::from_bytes(method).ok()?, Uri::try_from(target.get(1..)?).ok()?))
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value.get(1..)?.trim_ascii()).ok()?))
}
