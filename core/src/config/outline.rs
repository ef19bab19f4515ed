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
    /// The plans by name; `None` for one that is declared but could not be read.
    pub plans: BTreeMap<String, Option<wire::Plan>>,
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
    pub own: Vec<&'static str>,
}

impl Outline {
    /// Reads a document whose includes are resolved, and adds all structural errors to `findings`. `None` when not even the
    /// outermost keys could be read.
    pub fn read(document: &Value, findings: &mut Findings) -> Option<Self> {
        let root = Pointer::root();
        let gateway = read::<wire::Gateway>(document, &root, findings).value?;
        let upstreams = parts(document, "upstreams", findings);
        let identities = parts(document, "identities", findings);
        let plans = parts(document, "plans", findings);
        let defaults = document.get("defaults").and_then(|value| part(value, &root.child_key("defaults"), findings));
        let defaults: wire::Policies = defaults.unwrap_or_default();
        let values = document.get("routes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut routes = Vec::with_capacity(values.len());
        let routes_at = root.child_key("routes");
        for (index, value) in values.iter().enumerate() {
            let at = routes_at.child_index(index);
            routes.extend(Route::read(value, at, &defaults, findings));
        }
        Some(Self { gateway, upstreams, identities, plans, defaults, routes })
    }
}

impl Route {
    /// Reads the route at `at`, and adds all structural errors to `findings`; `None` when there are some.
    pub(super) fn read(value: &Value, at: Pointer, defaults: &wire::Policies, findings: &mut Findings) -> Option<Self> {
        let mut wire = part::<wire::Route>(value, &at, findings)?;
        let own = value.get("policies").and_then(Value::as_object);
        let own = own.map(|own| POLICIES.into_iter().filter(|name| own.contains_key(*name)).collect());
        join(&mut wire.policies, defaults);
        Some(Self { at, wire, own: own.unwrap_or_default() })
    }

    /// Where a policy is written: on the route itself, or in the defaults.
    pub fn policy_at(&self, policy: &str) -> Pointer {
        if self.own.contains(&policy) {
            self.at.child_key("policies").child_key(policy)
        } else {
            Pointer::root().child_key("defaults").child_key(policy)
        }
    }
}

/// What a policy's keys are, in the order of [`wire::Policies`].
const POLICIES: [&str; 12] = [
    "cors",
    "ip",
    "body_limit",
    "rate_limit",
    "quota",
    "in_flight",
    "auth",
    "plan",
    "cache",
    "request",
    "response",
    "security_headers",
];

/// Takes over the defaults that a route does not replace.
fn join(own: &mut wire::Policies, defaults: &wire::Policies) {
    fn either<T>(own: &mut Option<wire::Setting<T>>, default: &Option<wire::Setting<T>>) {
        if own.is_none() {
            own.clone_from(default);
        }
    }
    either(&mut own.cors, &defaults.cors);
    either(&mut own.ip, &defaults.ip);
    either(&mut own.body_limit, &defaults.body_limit);
    either(&mut own.rate_limit, &defaults.rate_limit);
    either(&mut own.quota, &defaults.quota);
    either(&mut own.in_flight, &defaults.in_flight);
    either(&mut own.auth, &defaults.auth);
    either(&mut own.plan, &defaults.plan);
    either(&mut own.cache, &defaults.cache);
    either(&mut own.request, &defaults.request);
    either(&mut own.response, &defaults.response);
    either(&mut own.security_headers, &defaults.security_headers);
}

/// The values of one of the outermost maps, by name.
fn parts<T: serde::de::DeserializeOwned>(
    document: &Value,
    key: &str,
    findings: &mut Findings,
) -> BTreeMap<String, Option<T>> {
    let values = document.get(key).and_then(Value::as_object);
    let values: BTreeMap<&String, &Value> = values.into_iter().flatten().collect();
    let at = Pointer::root().child_key(key);
    values.into_iter().map(|(name, value)| (name.clone(), part(value, &at.child_key(name), findings))).collect()
}

fn part<T: serde::de::DeserializeOwned>(value: &Value, at: &Pointer, findings: &mut Findings) -> Option<T> {
    let read = read(value, at, findings);
    // pointers behind a lost list item would be off by one: what follows waits until that is mended
    read.value.filter(|_| !read.shifted)
}
