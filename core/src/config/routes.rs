//! The routes of a gateway, each compiled at once or when the first request takes it.
//!
//! A bundle that was checked when it was built has no errors left to tell. So an instance that starts with it reads what its routes
//! match, and of the routes that are asked for the rest: what a start costs hardly depends on how much the policies say.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::compile::Parts;
use super::outline::{self, Outline};
use super::{At, Compiler, Findings, Hash, Pointer, wire};
use crate::gateway::{Gateway, Route};
use crate::route::Router;

/// The routes, in the order of the configuration.
#[derive(Debug)]
pub(crate) struct Routes {
    /// Empty as long as nobody asked for it. The errors of one that has some after all.
    compiled: Vec<OnceLock<Result<Box<Route>, String>>>,
    /// Where to read those that nobody asked for yet.
    source: Option<Source>,
}

/// A configuration as text.
#[derive(Debug)]
struct Source {
    text: Box<str>,
    /// Where in it each route is.
    routes: Vec<Range<usize>>,
    defaults: wire::Policies,
    parts: Arc<Parts>,
}

impl From<Vec<Route>> for Routes {
    fn from(routes: Vec<Route>) -> Self {
        let compiled = routes.into_iter().map(|route| OnceLock::from(Ok(Box::new(route)))).collect();
        Self { compiled, source: None }
    }
}

impl Routes {
    /// The route at `index`, from 0; what is wrong with it, if it should never have been taken on trust.
    pub(crate) fn get(&self, index: usize) -> Result<&Route, &str> {
        let missing = "there is no such route";
        let compile = || match &self.source {
            Some(source) => source.compile(index).map(Box::new),
            None => Err(missing.to_owned()),
        };
        let compiled = self.compiled.get(index).ok_or(missing)?;
        compiled.get_or_init(compile).as_deref().map_err(String::as_str)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Route> {
        (0..self.compiled.len()).filter_map(|index| self.get(index).ok())
    }

    /// The route of this name, among those that have been asked for.
    pub(crate) fn used(&self, name: &str) -> Option<&Route> {
        let used = self.compiled.iter().filter_map(|route| route.get()?.as_deref().ok());
        used.into_iter().find(|route| *route.name == *name)
    }
}

impl Source {
    fn compile(&self, index: usize) -> Result<Route, String> {
        let text = self.routes.get(index).and_then(|range| self.text.get(range.clone())).unwrap_or_default();
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut compiler = Compiler::new(Arc::clone(&self.parts));
        let at = Pointer::root().child_key("routes").child_index(index);
        let outline = outline::Route::read(&value, at, &self.defaults, &mut compiler.findings);
        let route = outline.and_then(|outline| compiler.route(&outline).0);
        match route {
            Some(route) if !compiler.findings.has_errors() => Ok(route),
            _ => Err(compiler.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        }
    }
}

/// The gateway of a configuration that is known to have no errors; `None` when it has some after all.
pub(super) fn open(text: &str, hash: Hash) -> Option<Gateway> {
    let document: Document<'_> = serde_json::from_str(text).ok()?;
    let outline = Outline::read(&document.others, &mut Findings::new())?;
    let (mut compiler, frame) = Compiler::frame(&outline, Findings::new());
    let mut matches = Vec::with_capacity(document.routes.len());
    let mut secrets = BTreeSet::new();
    for route in &document.routes {
        let head: Head = serde_json::from_str(route.get()).ok()?;
        matches.push(compiler.matched(&head.matches, &At::Root));
        secrets.extend(secrets_in(route.get()));
    }
    let router = Router::build(&matches).ok()?;
    if compiler.findings.has_errors() {
        return None;
    }
    secrets.append(&mut compiler.secrets);
    // a route takes them over when it is compiled
    secrets.extend(document.others.get("defaults").iter().flat_map(|defaults| secrets_in(&defaults.to_string())));
    let start = text.as_ptr() as usize;
    let range = |route: &RawValue| {
        let from = route.get().as_ptr() as usize - start;
        from..from + route.get().len()
    };
    let source = Source {
        text: text.into(),
        routes: document.routes.iter().map(|route| range(route)).collect(),
        defaults: outline.defaults,
        parts: Arc::clone(&frame.parts),
    };
    let compiled = document.routes.iter().map(|_| OnceLock::new()).collect();
    Some(frame.gateway(hash, Routes { compiled, source: Some(source) }, router, secrets))
}

/// A configuration with its routes still as text.
struct Document<'t> {
    routes: Vec<&'t RawValue>,
    others: Value,
}

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Document<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a configuration")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Document<'de>, A::Error> {
                let mut routes = Vec::new();
                let mut others = serde_json::Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "routes" {
                        routes = map.next_value()?;
                    } else {
                        others.insert(key, map.next_value()?);
                    }
                }
                Ok(Document { routes, others: Value::Object(others) })
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// What of a route has to be known to choose it.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "match")]
    matches: wire::Match,
}

/// The names of the secrets that a text refers to.
fn secrets_in(text: &str) -> Vec<Box<str>> {
    text.split("${secret.").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.into()).collect()
}

#[cfg(test)]
mod tests {
    use http::{Request, StatusCode};
    use serde_json::json;

    use super::*;
    use crate::config::Bundle;
    use crate::sim::{Sim, block_on};
    use crate::{Body, Peer};

    fn status(gateway: &Gateway, path: &str) -> StatusCode {
        let request = Request::get(path).header("host", "a").body(Body::Empty).unwrap();
        block_on(gateway.handle(&Sim::new(1), &Peer::new([127, 0, 0, 1].into(), false), request)).0.status()
    }

    fn bundle(routes: Value) -> String {
        Bundle::new(json!({ "portico": 1, "name": "shop", "routes": routes })).to_string()
    }

    #[test]
    fn a_route_is_compiled_when_the_first_request_takes_it() {
        let respond = |name: &str| json!({ "name": name, "match": { "path": format!("/{name}") }, "respond": {} });
        let gateway = Bundle::open(&bundle(json!([respond("a"), respond("b")]))).unwrap();
        let used = || ["a", "b"].map(|name| gateway.routes.used(name).is_some());
        assert_eq!(used(), [false, false]);
        assert_eq!(status(&gateway, "/b"), StatusCode::OK);
        assert_eq!(used(), [false, true]);
    }

    #[test]
    fn what_was_never_checked_is_refused_or_at_least_not_served() {
        let route = |what: Value| json!({ "name": "a", "match": { "path": "/a" }, "respond": what });
        let broken =
            bundle(json!([route(json!({ "status": 99 })), { "name": "b", "match": { "path": "/b" }, "respond": {} }]));
        let gateway = Bundle::open(&broken).unwrap();
        assert_eq!(status(&gateway, "/a"), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(gateway.routes.get(0).unwrap_err().contains("routes[0].respond.status"));
        assert_eq!(status(&gateway, "/b"), StatusCode::OK);
        let unmatched = bundle(json!([{ "name": "a", "match": { "path": "a" }, "respond": {} }]));
        assert!(Bundle::open(&unmatched).unwrap_err().to_string().contains("routes[0].match.path"));
        let unchecked = broken.replace(&format!("\"checked\":\"{}\",", crate::VERSION), "");
        assert!(Bundle::open(&unchecked).unwrap_err().to_string().contains("routes[0].respond.status"));
    }

    #[test]
    fn the_secrets_of_routes_are_known_before_them() {
        let edit = json!({ "headers": { "set": { "A": "${secret.ONE} and ${secret.TWO}", "B": "${claims.sub" } } });
        let text =
            bundle(json!([{ "name": "a", "match": { "path": "/a" }, "respond": {}, "policies": { "request": edit } }]));
        let gateway = Bundle::open(&text).unwrap();
        assert_eq!(gateway.secrets().collect::<Vec<_>>(), ["ONE", "TWO"]);
    }
}
