//! Routes as they are in force: each policy the route's own or that of the defaults, and what it leaves to the route filled in.

use std::collections::BTreeMap;

use portico_core::config::Pointer;
use serde_json::{Value, json};

/// A route as it is in force.
#[derive(Debug)]
pub(super) struct Route<'d> {
    pub(super) name: &'d str,
    pub(super) at: Pointer,
    /// What is written, without its name and policies.
    pub(super) rest: Value,
    /// The policies that are on, by name.
    pub(super) policies: BTreeMap<&'d str, Policy>,
}

/// A policy as it is in force.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) value: Value,
    /// The keys that nobody wrote, whose values follow from the route.
    pub(super) implied: Vec<&'static str>,
    /// Where it is written: on the route, or in the defaults.
    pub(super) at: Pointer,
}

/// The routes of a document that compiled, in its order.
pub(super) fn routes(document: &Value) -> Vec<Route<'_>> {
    let routes = document.get("routes").and_then(Value::as_array);
    let at = Pointer::root().child_key("routes");
    let route = |(index, route): (usize, _)| Route::new(document, route, at.child_index(index));
    routes.into_iter().flatten().enumerate().map(route).collect()
}

/// The CORS policy of the defaults: it is in force for requests that no route serves.
pub(super) fn unrouted_cors(document: &Value) -> Option<Policy> {
    let at = Pointer::root().child_key("defaults").child_key("cors");
    let mut cors = Policy { value: on(document.get("defaults")?.get("cors")?)?, implied: Vec::new(), at };
    cors.imply_cors(&json!({}), &[]);
    Some(cors)
}

impl<'d> Route<'d> {
    fn new(document: &'d Value, route: &'d Value, at: Pointer) -> Self {
        let mut rest = route.clone();
        if let Some(rest) = rest.as_object_mut() {
            rest.remove("name");
            rest.remove("policies");
        }
        let written = |of: &'d Value, key: &str| of.get(key).and_then(Value::as_object).into_iter().flatten();
        let at_defaults = Pointer::root().child_key("defaults");
        let at_own = at.child_key("policies");
        let defaults = written(document, "defaults").map(|entry| (entry, &at_defaults));
        let own = written(route, "policies").map(|entry| (entry, &at_own));
        // a route's own value replaces the default one as a whole, also when it is `off`
        let chosen: BTreeMap<&str, _> =
            defaults.chain(own).map(|((name, value), at)| (name.as_str(), (value, at.child_key(name)))).collect();
        let on = |(name, (value, at))| Some((name, Policy { value: on(value)?, implied: Vec::new(), at }));
        let mut policies: BTreeMap<_, _> = chosen.into_iter().filter_map(on).collect();

        let key_headers = policies.get("auth").map(|auth| key_headers(document, &auth.value)).unwrap_or_default();
        if let Some(cors) = policies.get_mut("cors") {
            cors.imply_cors(route, &key_headers);
        }
        for name in ["rate_limit", "quota"] {
            if let Some(limit) = policies.get_mut(name) {
                limit.imply_limit(name);
            }
        }
        let name = route.get("name").and_then(Value::as_str).unwrap_or_default();
        Self { name, at, rest, policies }
    }

    /// Whether callers must prove who they are.
    pub(super) fn asks_for_credentials(&self) -> bool {
        let enforced = |auth: &Policy| {
            let is = |key, value: Value| auth.value.get(key) == Some(&value);
            !is("mode", "observe".into()) && !is("optional", true.into())
        };
        self.policies.get("auth").is_some_and(enforced)
    }
}

/// A plan: its limits are those of a route.
#[derive(Debug)]
pub(super) struct Plan<'d> {
    pub(super) at: Pointer,
    /// What is written, without its limits.
    pub(super) rest: Value,
    pub(super) limits: BTreeMap<&'d str, Policy>,
}

/// The plans of a document that compiled, by name.
pub(super) fn plans(document: &Value) -> BTreeMap<&str, Plan<'_>> {
    let plans = document.get("plans").and_then(Value::as_object).into_iter().flatten();
    let at = Pointer::root().child_key("plans");
    plans.map(|(name, plan)| (name.as_str(), Plan::new(plan, at.child_key(name)))).collect()
}

impl<'d> Plan<'d> {
    fn new(plan: &'d Value, at: Pointer) -> Self {
        let (mut rest, mut limits) = (plan.clone(), BTreeMap::new());
        for (name, limit) in plan.as_object().into_iter().flatten() {
            if !["rate_limit", "quota"].contains(&name.as_str()) {
                continue;
            }
            if let Some(rest) = rest.as_object_mut() {
                rest.remove(name);
            }
            let Some(value) = on(limit) else { continue };
            let mut limit = Policy { value, implied: Vec::new(), at: at.child_key(name) };
            limit.imply_limit(name);
            limits.insert(name.as_str(), limit);
        }
        Self { at, rest, limits }
    }
}

/// A policy's settings in their long form; `None` when it is off.
fn on(value: &Value) -> Option<Value> {
    match value {
        Value::Object(settings) if settings.get("mode").is_some_and(|mode| mode == "off") => None,
        Value::Object(_) => Some(value.clone()),
        Value::String(off) if off == "off" => None,
        // of all policies only a body limit has a short form
        Value::String(size) => Some(json!({ "max": size })),
        _ => None,
    }
}

impl Policy {
    /// What a preflight permits when that is left to the route.
    fn imply_cors(&mut self, route: &Value, key_headers: &[String]) {
        let methods = route.get("match").and_then(|matches| matches.get("methods"));
        let methods = methods.filter(|methods| methods.as_array().is_some_and(|methods| !methods.is_empty()));
        let usual = || json!(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
        self.imply("methods", methods.cloned().unwrap_or_else(usual));
        let usual = ["Authorization", "Content-Type"].into_iter().map(str::to_owned);
        self.imply("headers", usual.chain(key_headers.iter().cloned()).collect());
    }

    /// What of a rate limit or a quota follows from the rest of it, and its cost in the long form.
    fn imply_limit(&mut self, name: &str) {
        self.imply("cost", json!(1));
        if let Some(cost) = self.value.get_mut("cost").filter(|cost| cost.is_number()) {
            *cost = json!({ "base": cost });
        }
        if name == "quota" {
            return;
        }
        let usual = self.value.get("limit").cloned().unwrap_or_default();
        if self.value.get("algorithm").is_none_or(|algorithm| algorithm == "gcra") {
            self.imply("burst", usual);
        }
        let leased = self.value.get("lease").is_some();
        self.imply("guarantee", json!(if leased { "bounded" } else { "exact" }));
    }

    /// Gives a key that is missing, or an empty list, its value.
    fn imply(&mut self, key: &'static str, value: Value) {
        let missing = self.value.get(key).is_none_or(|value| value.as_array().is_some_and(Vec::is_empty));
        if let Some(settings) = self.value.as_object_mut().filter(|_| missing) {
            settings.insert(key.to_owned(), value);
            self.implied.push(key);
        }
    }
}

/// The headers in which a route's callers send their API keys.
fn key_headers(document: &Value, auth: &Value) -> Vec<String> {
    let names = auth.get("any_of").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let header = |name: &str| {
        let api_key = document.get("identities")?.get(name)?.get("api_key")?;
        Some(api_key.get("header").and_then(Value::as_str).unwrap_or("X-API-Key").to_owned())
    };
    names.filter_map(header).collect()
}
