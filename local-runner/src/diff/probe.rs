//! Requests as routes describe them, and which route of a gateway serves such a request.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use portico::pattern::fill;
use portico_core::sim::{Sim, block_on};
use portico_core::{Body, Gateway};
use serde_json::Value;

/// A request that a route describes, without body and credentials.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    pub(super) method: Method,
    /// The path, and the query that the route's conditions ask for.
    pub(super) target: String,
    host: String,
    headers: HeaderMap,
}

impl Probe {
    /// A request with each of the methods that a route serves; of one that serves all, GET and POST. None when its match cannot
    /// be made into a request.
    pub(super) fn of(matches: &Value) -> Vec<Self> {
        let path = matches.get("path").and_then(Value::as_str).unwrap_or_default();
        let host = matches.get("host").and_then(Value::as_str).unwrap_or("gateway.invalid");
        let mut headers = HeaderMap::new();
        for (name, value) in conditions(matches, "headers") {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
                headers.append(name, value);
            }
        }
        let probe = |method| Self {
            method,
            target: target(&fill(path, |_| "x".into()), matches),
            host: host.replacen('*', "x", 1),
            headers: headers.clone(),
        };
        let methods = matches.get("methods").and_then(Value::as_array).filter(|methods| !methods.is_empty());
        let named = |methods: &Vec<Value>| -> Vec<Method> {
            methods.iter().filter_map(|method| Method::from_bytes(method.as_str()?.as_bytes()).ok()).collect()
        };
        methods.map_or_else(|| vec![Method::GET, Method::POST], named).into_iter().map(probe).collect()
    }

    /// The name of the route that serves it.
    pub(super) fn route(&self, gateway: &Gateway) -> Option<String> {
        let request =
            Request::builder().method(self.method.clone()).uri(&self.target).header(http::header::HOST, &self.host);
        let mut request = request.body(Body::Empty).ok()?;
        request.headers_mut().extend(self.headers.clone());
        let (_, after) = block_on(gateway.handle(&Sim::new(0), &Sim::peer(), request));
        after.record.route.map(|route| route.to_string())
    }
}

/// The header fields or query keys that a `match` asks for, each with a value that it takes.
pub(super) fn conditions<'m>(matches: &'m Value, key: &str) -> impl Iterator<Item = (&'m str, &'m str)> {
    let conditions = matches.get(key).and_then(Value::as_object).into_iter().flatten();
    conditions.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).map(|(name, value)| match value {
        "*" => (name, "x"),
        value => (name, value),
    })
}

/// A path with the query that a `match` asks for.
pub(super) fn target(path: &str, matches: &Value) -> String {
    let encode = portico_core::route::encode_query;
    let query: Vec<_> =
        conditions(matches, "query").map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_probe_is_served_by_the_route_that_it_was_made_of() {
        for (matches, methods, target) in [
            (json!({ "path": "/orders/{id}" }), &["GET", "POST"][..], "/orders/x"),
            (json!({ "path": "/{*rest}", "methods": ["PUT"], "host": "*.shop.example" }), &["PUT"], "/x"),
            (
                json!({ "path": "/img-{id}.png", "query": { "size": "*", "a b": "ü" } }),
                &["GET", "POST"],
                "/img-x.png?a%20b=%C3%BC&size=x",
            ),
            (json!({ "path": "/{{a}}/b", "headers": { "X-Version": "2" } }), &["GET", "POST"], "/%7Ba%7D/b"),
        ] {
            let document = json!({ "portico": 1, "name": "probes", "routes": [{ "name": "it", "match": matches, "respond": {} }] });
            let (gateway, _) = portico_core::config::compile(&document).unwrap();
            let probes = Probe::of(&matches);
            assert_eq!(probes.iter().map(|probe| probe.method.as_str()).collect::<Vec<_>>(), methods);
            for probe in probes {
                assert_eq!((&*probe.target, probe.route(&gateway).as_deref()), (target, Some("it")));
            }
        }
    }
}
