//! A request that a route serves: made up from what the route says it matches, and tried.

use std::net::{IpAddr, Ipv4Addr};

use http::{Method, Request};
use portico_core::config::wire::{Match, Route, Setting};
use portico_core::decision::{Outcome, Policy};
use portico_core::route::encode_query;
use portico_core::sim::{Sim, SimStream, block_on};
use portico_core::{Body, Gateway, Peer};

use crate::pattern::{Parameter, fill};

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) method: String,
    pub(super) host: String,
    /// Path and query, as they are sent.
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) peer: IpAddr,
}

/// Whom a sample comes from, unless the route wants somebody else.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Sample {
    /// The first that the route serves and whose address may pass; if none may, one that is served. `None` when nothing that is
    /// tried comes to this route.
    pub(super) fn find(gateway: &Gateway, route: &Route) -> Option<Self> {
        let matches = &route.matches;
        let headers: Vec<_> = matches.headers.iter().map(|(name, value)| (name.clone(), any(value))).collect();
        let query: Vec<_> =
            matches.query.iter().map(|(key, value)| format!("{}={}", encode(key), encode(&any(value)))).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let mut refused = None;
        for host in hosts(matches) {
            for path in paths(&matches.path) {
                for method in methods(matches) {
                    for peer in peers(route) {
                        let target = format!("{path}{query}");
                        let sample =
                            Self { method: method.clone(), host: host.clone(), target, headers: headers.clone(), peer };
                        match sample.served_by(gateway, &route.name) {
                            Some(Passage::Free) => return Some(sample),
                            Some(Passage::Refused) => refused = refused.or(Some(sample)),
                            None => {}
                        }
                    }
                }
            }
        }
        refused
    }

    /// Whether the route serves it, and lets its address pass.
    fn served_by(&self, gateway: &Gateway, route: &str) -> Option<Passage> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.target).header("host", &self.host);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::<SimStream>::Empty).ok()?;
        let peer = Peer::new(self.peer, false);
        let (_, after) = block_on(gateway.handle(&Sim::new(1), &peer, request));
        let refused = |decision: &portico_core::decision::Decision| {
            decision.policy == Policy::Ip && decision.outcome == Outcome::Deny
        };
        let passage = if after.record.decisions.iter().any(refused) { Passage::Refused } else { Passage::Free };
        (after.record.route.as_deref() == Some(route)).then_some(passage)
    }
}

/// Whether an address may pass.
enum Passage {
    Free,
    Refused,
}

fn any(value: &str) -> String {
    if value == "*" { "example".to_owned() } else { value.to_owned() }
}

fn hosts(matches: &Match) -> Vec<String> {
    match &matches.host {
        None => vec!["gateway.example".to_owned(), "localhost".to_owned(), "example.test".to_owned()],
        Some(host) => match host.strip_prefix("*.") {
            Some(below) => vec![format!("www.{below}"), format!("example.{below}"), format!("a.b.{below}")],
            None => vec![host.clone()],
        },
    }
}

fn methods(matches: &Match) -> Vec<String> {
    let usual =
        [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE].map(|method| method.to_string());
    match matches.methods.as_slice() {
        [] => usual.to_vec(),
        own if own.iter().any(|method| method == "GET") => vec!["GET".to_owned()],
        own => own.to_vec(),
    }
}

fn peers(route: &Route) -> Vec<IpAddr> {
    let allowed = match &route.policies.ip {
        Some(Setting::On(ip)) => ip.allow.as_slice(),
        _ => &[],
    };
    [CLIENT].into_iter().chain(allowed.iter().filter_map(|network| first_of(network))).collect()
}

/// The first address of a network that could be a machine's.
fn first_of(network: &str) -> Option<IpAddr> {
    let (base, length) =
        network.split_once('/').map_or((network, None), |(base, length)| (base, length.parse::<u32>().ok()));
    match (base.parse().ok()?, length) {
        (IpAddr::V4(base), Some(length)) if length < 31 => Some(IpAddr::V4((base.to_bits() | 1).into())),
        (IpAddr::V6(base), Some(length)) if length < 127 => Some(IpAddr::V6((base.to_bits() | 1).into())),
        (base, _) => Some(base),
    }
}

/// Paths that fit a pattern, the one that reads best first.
fn paths(pattern: &str) -> Vec<String> {
    let values = |name: &str, rest: bool| match name.to_ascii_lowercase() {
        name if name.ends_with("id") || name.ends_with("number") => ["7", "42", "example"],
        _ if rest => ["some/path", "example", "7"],
        _ => ["example", "7", "a-b"],
    };
    let value = |parameter: Parameter<'_>, turn: usize| match parameter {
        Parameter::Segment(name) => values(name, false)[turn],
        Parameter::Rest(name) => values(name, true)[turn],
    };
    (0..3).map(|turn| fill(pattern, |parameter| value(parameter, turn).into())).collect()
}

fn encode(text: &str) -> String {
    encode_query(text).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use portico_core::config::outline::Outline;
    use portico_core::config::{Findings, compile};

    fn sample(routes: &serde_json::Value, name: &str) -> Option<String> {
        let document = json!({ "portico": 1, "name": "samples", "routes": routes });
        let (gateway, _) = compile(&document).unwrap();
        let outline = Outline::read(&document, &mut Findings::new()).unwrap();
        let route = outline.routes.into_iter().find(|route| route.wire.name == name).unwrap();
        let Sample { method, host, target, headers, peer } = Sample::find(&gateway, &route.wire)?;
        let headers: String = headers.iter().map(|(name, value)| format!(" {name}: {value}")).collect();
        Some(format!("{method} {host}{target}{headers} {peer}"))
    }

    #[test]
    fn every_kind_of_match() {
        let respond = json!({ "body": "a" });
        for (matches, policies, wanted) in [
            (json!({ "path": "/a" }), json!({}), "GET gateway.example/a 127.0.0.1"),
            (json!({ "path": "/orders/{id}" }), json!({}), "GET gateway.example/orders/7 127.0.0.1"),
            (json!({ "path": "/{shop}/{*rest}" }), json!({}), "GET gateway.example/example/some/path 127.0.0.1"),
            (json!({ "path": "/f/{name}.png" }), json!({}), "GET gateway.example/f/example.png 127.0.0.1"),
            (json!({ "path": "/a{{b}}" }), json!({}), "GET gateway.example/a%7Bb%7D 127.0.0.1"),
            (json!({ "path": "/café au lait" }), json!({}), "GET gateway.example/caf%C3%A9%20au%20lait 127.0.0.1"),
            (json!({ "path": "/a", "host": "api.example.com" }), json!({}), "GET api.example.com/a 127.0.0.1"),
            (json!({ "path": "/a", "host": "*.example.com" }), json!({}), "GET www.example.com/a 127.0.0.1"),
            (json!({ "path": "/a", "methods": ["POST", "PUT"] }), json!({}), "POST gateway.example/a 127.0.0.1"),
            (json!({ "path": "/a", "methods": ["POST", "GET"] }), json!({}), "GET gateway.example/a 127.0.0.1"),
            (
                json!({ "path": "/a", "headers": { "X-A": "1", "X-B": "*" } }),
                json!({}),
                "GET gateway.example/a X-A: 1 X-B: example 127.0.0.1",
            ),
            (
                json!({ "path": "/a", "query": { "a b": "c&d", "e": "*" } }),
                json!({}),
                "GET gateway.example/a?a%20b=c%26d&e=example 127.0.0.1",
            ),
            (json!({ "path": "/a" }), json!({ "ip": { "allow": ["10.0.0.0/8"] } }), "GET gateway.example/a 10.0.0.1"),
            (
                json!({ "path": "/a" }),
                json!({ "ip": { "allow": ["2001:db8::/32"] } }),
                "GET gateway.example/a 2001:db8::1",
            ),
            (json!({ "path": "/a" }), json!({ "ip": { "deny": ["0.0.0.0/0"] } }), "GET gateway.example/a 127.0.0.1"),
        ] {
            let routes = json!([{ "name": "a", "match": matches, "respond": respond, "policies": policies }]);
            assert_eq!(sample(&routes, "a").as_deref(), Some(wanted), "{routes}");
        }
    }

    #[test]
    fn other_routes_are_gone_around() {
        let route = |name: &str, matches: serde_json::Value| json!({ "name": name, "match": matches, "respond": { "body": name } });
        let routes = json!([
            route("any", json!({ "path": "/orders/{id}" })),
            route("seven", json!({ "path": "/orders/7" })),
            route("host", json!({ "path": "/orders/{id}", "host": "gateway.example" })),
            route("get", json!({ "path": "/both", "methods": ["GET"] })),
            route("rest", json!({ "path": "/both" })),
        ]);
        assert_eq!(sample(&routes, "any").as_deref(), Some("GET localhost/orders/42 127.0.0.1"));
        assert_eq!(sample(&routes, "rest").as_deref(), Some("POST gateway.example/both 127.0.0.1"));
        let taken = ["7", "42", "example"].map(|id| route(id, json!({ "path": format!("/orders/{id}") })));
        let any = route("any", json!({ "path": "/orders/{id}" }));
        let hidden: serde_json::Value = taken.into_iter().chain([any]).collect();
        assert_eq!(sample(&hidden, "any"), None);
    }
}
