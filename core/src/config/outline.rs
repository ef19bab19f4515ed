//! The configuration as it is in force, before it means anything: each part read, and each route joined with the defaults. What
//! compiles a configuration and what looks at one without running it (`check`, `diff`, `explain`) start from here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Findings, Pointer, read, wire};

/// A document, part by part. What has structural errors is left out.
#[derive(Debug, Clone)]
pub struct Outline {
    /// The outermost keys.
    pub gateway: wire::Gateway,
    /// The upstreams by name; `None` for one that is declared but could not be read.
    pub upstreams: BTreeMap<String, Option<wire::Upstream>>,
    /// The identities by name; `None` for one that is declared but could not be read.
    pub identities: BTreeMap<String, Option<wire::Identity>>,
    /// The policies that every route starts from.
    pub defaults: wire::Policies,
    /// The routes that could be read, in the order of the document.
    pub routes: Vec<Route>,
}

/// A route as it is in force.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its place in the document.
    pub at: Pointer,
    /// What it says, its policies joined with the defaults.
    pub wire: wire::Route,
    /// The names of the policies that it sets itself.
    pub own: Vec<String>,
}

impl Outline {
    /// Reads a document whose includes are resolved, and adds all structural errors to `findings`. `None` when not even the
    /// outermost keys could be read.
    pub fn read(document: &Value, findings: &mut Findings) -> Option<Self> {
        let root = Pointer::root();
        let gateway = read::<wire::Gateway>(document, &root, findings).value?;
        let upstreams = parts(&gateway.upstreams, &root.child_key("upstreams"), findings);
        let identities = parts(&gateway.identities, &root.child_key("identities"), findings);
        let defaults_at = root.child_key("defaults");
        let defaults = gateway.defaults.as_ref().and_then(|value| part(value, &defaults_at, findings));
        let defaults = defaults.unwrap_or_default();
        let routes_at = root.child_key("routes");
        let mut routes = Vec::with_capacity(gateway.routes.len());
        for (index, value) in gateway.routes.iter().enumerate() {
            let at = routes_at.child_index(index);
            let Some(mut wire) = part::<wire::Route>(value, &at, findings) else { continue };
            let own = value.get("policies").and_then(Value::as_object);
            let own = own.map(|own| own.keys().cloned().collect()).unwrap_or_default();
            wire.policies = joined(&wire.policies, &defaults);
            routes.push(Route { at, wire, own });
        }
        Some(Self { gateway, upstreams, identities, defaults, routes })
    }
}

impl Route {
    /// Where a policy is written: on the route itself, or in the defaults.
    pub fn policy_at(&self, policy: &str) -> Pointer {
        if self.own.iter().any(|own| own == policy) {
            self.at.child_key("policies").child_key(policy)
        } else {
            Pointer::root().child_key("defaults").child_key(policy)
        }
    }
}

fn parts<T: serde::de::DeserializeOwned>(
    values: &BTreeMap<String, Value>,
    at: &Pointer,
    findings: &mut Findings,
) -> BTreeMap<String, Option<T>> {
    values.iter().map(|(name, value)| (name.clone(), part(value, &at.child_key(name), findings))).collect()
}

fn part<T: serde::de::DeserializeOwned>(value: &Value, at: &Pointer, findings: &mut Findings) -> Option<T> {
    let read = read(value, at, findings);
    // pointers behind a lost list item would be off by one: what follows waits until that is mended
    read.value.filter(|_| !read.shifted)
}

fn joined(own: &wire::Policies, defaults: &wire::Policies) -> wire::Policies {
    fn either<T: Clone>(own: &Option<T>, default: &Option<T>) -> Option<T> {
        own.as_ref().or(default.as_ref()).cloned()
    }
    wire::Policies {
        cors: either(&own.cors, &defaults.cors),
        ip: either(&own.ip, &defaults.ip),
        body_limit: either(&own.body_limit, &defaults.body_limit),
        rate_limit: either(&own.rate_limit, &defaults.rate_limit),
        auth: either(&own.auth, &defaults.auth),
        request: either(&own.request, &defaults.request),
        response: either(&own.response, &defaults.response),
        security_headers: either(&own.security_headers, &defaults.security_headers),
    }
}
