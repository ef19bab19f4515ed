//! Which routes came near a request that none serves: found by asking the gateway again, as they would have it.

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method};
use portico_core::config::wire;
use serde_json::Value;

use super::curl::Asked;
use super::simulate::{Setting, run};

/// A route, and what it asks for besides the path.
#[derive(Debug)]
pub(super) struct Near {
    pub(super) route: String,
    /// Such as `host api.example.com`; never empty.
    pub(super) asks: Vec<String>,
}

/// What a route asks for that a request may lack.
enum Wish {
    Method(Method),
    Field(HeaderName, HeaderValue),
    Query(String, String),
}

/// The routes that serve the same path under other conditions.
pub(super) fn routes(setting: &Setting<'_>, asked: &Asked) -> Vec<Near> {
    let routes = setting.document.get("routes").and_then(Value::as_array).into_iter().flatten();
    let near = routes.filter_map(|route| {
        // it compiled: each can be read
        let wire::Route { name, matches, .. } = serde_json::from_value(route.clone()).ok()?;
        let wishes = wishes(&matches);
        let serves = |asked: &Asked| run(setting, asked).record.route.as_deref() == Some(&*name);
        if !serves(&granted(asked, wishes.iter().map(|(wish, _)| wish))) {
            return None;
        }
        // what it does not miss when it is left out was no hindrance
        let missed = |left_out: usize| {
            let others = wishes.iter().enumerate().filter(|(index, _)| *index != left_out);
            !serves(&granted(asked, others.map(|(_, (wish, _))| wish)))
        };
        let asks = wishes.iter().enumerate().filter(|(index, _)| missed(*index)).map(|(_, (_, told))| told.clone());
        let asks: Vec<_> = asks.collect();
        (!asks.is_empty()).then_some(Near { route: name, asks })
    });
    near.collect()
}

/// Each with the words for it.
fn wishes(matches: &wire::Match) -> Vec<(Wish, String)> {
    // "*" asks for any value, and a wildcard for any label
    let some = |text: &str| text.replacen('*', "any", 1);
    let field = |name: HeaderName, value: &str| Some(Wish::Field(name, HeaderValue::from_str(&some(value)).ok()?));
    let host = matches.host.iter().map(|host| (field(HOST, host), format!("host {host}")));
    let methods = format!("method {}", matches.methods.join(" or "));
    let method = matches.methods.first().map(|method| (method.parse().ok().map(Wish::Method), methods));
    let headers = matches.headers.iter();
    let headers = headers.map(|(name, value)| {
        (name.parse().ok().and_then(|name| field(name, value)), format!("header {name}: {value}"))
    });
    let query = matches.query.iter();
    let query = query.map(|(key, value)| (Some(Wish::Query(key.clone(), some(value))), format!("query {key}={value}")));
    let all = host.chain(method).chain(headers).chain(query);
    all.filter_map(|(wish, words)| Some((wish?, words))).collect()
}

/// The request as a route would have it.
fn granted<'w>(asked: &Asked, wishes: impl Iterator<Item = &'w Wish>) -> Asked {
    let mut granted = asked.clone();
    for wish in wishes {
        match wish {
            Wish::Method(method) => granted.method = method.clone(),
            Wish::Field(name, value) => drop(granted.headers.insert(name, value.clone())),
            Wish::Query(key, value) => {
                let query = portico_core::route::encode_query;
                let (path, rest) = (granted.target.path(), granted.target.query());
                let rest = rest.map(|rest| format!("&{rest}")).unwrap_or_default();
                let target = format!("{path}?{}={}{rest}", query(key), query(value)).parse::<PathAndQuery>();
                granted.target = target.unwrap_or_else(|_| granted.target.clone());
            }
        }
    }
    granted
}
