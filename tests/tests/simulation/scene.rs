//! A gateway with limited, guarded and open routes, and random requests to it.

use std::time::Duration;

use http::Request;
use portico_core::Body;
use portico_core::sim::{Random, SimStream};
use serde_json::{Value, json};

/// How long an upstream may take to answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
/// What it answers.
pub(crate) const ANSWER: &str = "hello, world";

/// What a route does with a request. Its limit is drawn anew for every seed.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub name: &'static str,
    pub by: By,
    pub limit: Limit,
    pub on_error_allow: bool,
    pub auth: bool,
    pub forwards: bool,
    pub body_limit: Option<usize>,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Nothing,
    Ip,
    Consumer,
    Route,
}

/// `limit` units per `per` seconds, `burst` of them at once, `cost` for each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub limit: u64,
    pub per: u64,
    pub burst: u64,
    pub cost: u64,
}

impl Limit {
    fn draw(random: &Random) -> Self {
        let draw = |from: u64, to: u64| from + random.below(to + 1 - from);
        let burst = draw(1, 5);
        Self { limit: draw(1, 7), per: draw(1, 20), burst, cost: draw(1, burst.min(2)) }
    }

    /// The microseconds in which one unit comes back, rounded up.
    pub(crate) fn drip(&self) -> u64 {
        (self.per * 1_000_000).div_ceil(self.limit)
    }
}

/// One request of the traffic.
#[derive(Debug, Clone)]
pub(crate) struct Send {
    /// `None`: there is no such route.
    pub route: Option<Route>,
    pub client: Client,
    pub key: Key,
    pub upload: Upload,
    pub origin: bool,
}

/// An address, and whose it is: one subscriber has a whole IPv6 /64.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    pub address: &'static str,
    pub subscriber: &'static str,
}

const CLIENTS: &[Client] = &[
    Client { address: "192.0.2.1", subscriber: "ann" },
    Client { address: "198.51.100.7", subscriber: "bob" },
    Client { address: "2001:db8::1", subscriber: "eve" },
    Client { address: "2001:db8::2:3", subscriber: "eve" },
];

/// The API key that comes with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Absent,
    Unknown,
    Acme,
    Zeta,
}

/// The body that comes with a request: this many bytes, and perhaps no end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upload {
    pub bytes: usize,
    pub breaks: bool,
}

/// The routes, and what they do.
pub(crate) fn routes(random: &Random) -> Vec<Route> {
    let route = |name, by| Route {
        name,
        by,
        limit: Limit::draw(random),
        on_error_allow: false,
        auth: false,
        forwards: true,
        body_limit: None,
    };
    vec![
        route("open", By::Ip),
        Route { on_error_allow: true, ..route("lenient", By::Ip) },
        Route { auth: true, ..route("guarded", By::Ip) },
        Route { auth: true, ..route("partners", By::Consumer) },
        Route { auth: true, on_error_allow: true, ..route("friends", By::Consumer) },
        Route { forwards: false, ..route("together", By::Route) },
        Route { body_limit: Some(8), ..route("uploads", By::Nothing) },
    ]
}

/// Their configuration.
pub(crate) fn document(routes: &[Route]) -> Value {
    let route = |route: &Route| {
        let limit = &route.limit;
        let mut policies = json!({});
        if route.by != By::Nothing {
            let by = format!("{:?}", route.by).to_lowercase();
            let on_error = if route.on_error_allow { "allow" } else { "deny" };
            let per = format!("{}s", limit.per);
            policies["rate_limit"] = json!({
                "limit": limit.limit, "per": per, "burst": limit.burst, "cost": limit.cost, "by": by, "on_error": on_error,
            });
        }
        if route.auth {
            policies["auth"] = json!({ "any_of": ["partners"] });
        }
        if let Some(bytes) = route.body_limit {
            policies["body_limit"] = json!(format!("{bytes}B"));
        }
        let mut written =
            json!({ "name": route.name, "match": { "path": format!("/{}", route.name) }, "policies": policies });
        if route.forwards {
            written["upstream"] = json!("app");
        } else {
            written["respond"] = json!({ "body": ANSWER });
        }
        written
    };
    json!({
        "portico": 1,
        "name": "simulation",
        "upstreams": { "app": {
            "targets": [{ "url": "http://one.internal" }, { "url": "http://two.internal" }],
            "balance": "random",
            "timeout": format!("{}s", TIMEOUT.as_secs()),
        } },
        "identities": { "partners": { "api_key": { "keys": {
            "acme": { "sha256": "6371cb7a907cc8f10740229732c4b6164b285169494b85304468313513427878" },
            "zeta": { "sha256": "1746352796df79bbfe94bde156710a9ae646bbb38677a8a689a3612c6972b5ba" },
        } } } },
        "defaults": { "cors": { "origins": ["https://shop.example"] } },
        "routes": routes.iter().map(route).collect::<Vec<_>>(),
    })
}

/// One request to one of the `busy` routes, or to none.
pub(crate) fn send(random: &Random, busy: &[&Route]) -> Send {
    let one_in = |n| random.below(n) == 0;
    let keys = [Key::Acme, Key::Acme, Key::Zeta, Key::Unknown, Key::Absent];
    Send {
        route: if one_in(30) { None } else { random.pick(busy).map(|route| (*route).clone()) },
        client: *random.pick(CLIENTS).unwrap(),
        key: *random.pick(&keys).unwrap(),
        upload: Upload { bytes: *random.pick(&[0, 3, 8, 9]).unwrap(), breaks: one_in(8) },
        origin: one_in(2),
    }
}

pub(crate) fn request(send: &Send) -> Request<Body<SimStream>> {
    let path = send.route.as_ref().map_or("nowhere", |route| route.name);
    let mut request = Request::post(format!("/{path}")).header("host", "api.example.com");
    if send.origin {
        request = request.header("origin", "https://shop.example");
    }
    request = match send.key {
        Key::Absent => request,
        Key::Unknown => request.header("x-api-key", "key-nobody"),
        Key::Acme => request.header("x-api-key", "key-acme"),
        Key::Zeta => request.header("x-api-key", "key-zeta"),
    };
    let chunks = b"123456789"[..send.upload.bytes].chunks(5);
    let stream = SimStream { breaks: send.upload.breaks, ..SimStream::of(chunks) };
    request.body(Body::Stream(stream)).unwrap()
}
