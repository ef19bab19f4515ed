//! What each key of a configuration is to a comparison: how its values are compared, what its absence means, and whether a
//! change of it lets more requests pass or fewer.
//!
//! A key that is not in these tables is compared as it stands. A test sees to it that every key is.

use portico_core::config::Segment;

use super::change::Judgement::{self, Changed, Looser, Tighter};
use super::elements::Element::{Fingerprint, Header as HeaderName, Net, Origin, PublicKey, Text};
use super::value::Kind::{self, By, Duration, Header, Host, Ignored, Number, Plain, Set, Size, Targets, Template};

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// The keys that lead to it, with dots between. `*` is any key, `{header}` any name of a header field.
    pub(super) path: &'static str,
    /// What its value is.
    pub(super) kind: Kind,
    /// The value that its absence stands for, if it has one; of a set, with commas between.
    pub(super) default: Option<&'static str>,
    /// What a change of it does.
    pub(super) effect: Effect,
}

/// What a change of a key does to those who call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// That depends.
    Unclear,
    /// A larger value is this, a smaller one the opposite.
    More(Judgement),
    /// Another element in the set is this, one less the opposite.
    Grow(Judgement),
    /// A set of what may pass: another element is looser, one less tighter; none at all lets everything pass.
    Permit,
    /// Becoming this value is looser, becoming another is tighter.
    LooserAs(&'static str),
    /// Of these values each is looser than those before it.
    Rising(&'static [&'static str]),
    /// That there is a value is tighter, that there is none is looser.
    Guard,
}

use Effect::{Grow, Guard, LooserAs, More, Permit, Rising, Unclear};

const fn key(path: &'static str, kind: Kind, effect: Effect) -> Key {
    Key { path, kind, default: None, effect }
}

const fn usual(path: &'static str, kind: Kind, default: &'static str, effect: Effect) -> Key {
    Key { path, kind, default: Some(default), effect }
}

/// The outermost keys, without those that have parts of their own.
pub(super) const GATEWAY: &[Key] = &[
    key("portico", Ignored, Unclear),
    key("name", Plain, Unclear),
    key("include", Ignored, Unclear),
    key("waive", Ignored, Unclear),
    key("trusted_proxies", Set(Net), Grow(Looser)),
    key("debug.secret", Plain, Unclear),
    usual("debug.max_age", Duration, "5m", More(Looser)),
    key("state.redis", Plain, Unclear),
];

pub(super) const UPSTREAM: &[Key] = &[
    key("targets", Targets, Unclear),
    usual("balance", Plain, "round_robin", Unclear),
    usual("timeout", Duration, "30s", Unclear),
    key("retry.attempts", Number, Unclear),
    usual("retry.on", Set(Text), "connect_error,502,503", Unclear),
    usual("retry.methods", Set(Text), "GET,HEAD,OPTIONS,PUT,DELETE", Unclear),
    usual("retry.backoff", Duration, "50ms", Unclear),
    usual("retry.buffer", Size, "64KiB", Unclear),
    usual("preserve_host", Plain, "false", Unclear),
    key("waive", Ignored, Unclear),
];

pub(super) const IDENTITY: &[Key] = &[
    key("jwt.jwks", Set(PublicKey), Grow(Looser)),
    key("jwt.jwks.fresh", Duration, More(Looser)),
    key("jwt.jwks.stale", Duration, More(Looser)),
    key("jwt.secret", Plain, Unclear),
    key("jwt.issuer", Set(Text), Permit),
    key("jwt.audience", Set(Text), Permit),
    key("jwt.typ", Set(Text), Permit),
    key("jwt.algorithms", Set(Text), Grow(Looser)),
    usual("jwt.leeway", Duration, "0s", More(Looser)),
    usual("jwt.consumer", Plain, "sub", Unclear),
    key("jwt.waive", Ignored, Unclear),
    usual("api_key.header", Header, "X-API-Key", Unclear),
    key("api_key.keys.*.sha256", Set(Fingerprint), Grow(Looser)),
    key("api_key.keys.*.scopes", Set(Text), Grow(Looser)),
    usual("api_key.store.fresh", Duration, "60s", More(Looser)),
    usual("api_key.store.stale", Duration, "10m", More(Looser)),
    key("api_key.waive", Ignored, Unclear),
    key("client_cert.certs.*.sha256", Set(Fingerprint), Grow(Looser)),
    key("client_cert.certs.*.scopes", Set(Text), Grow(Looser)),
    usual("client_cert.any", Plain, "false", LooserAs("true")),
];

/// A route without its name and its policies.
pub(super) const ROUTE: &[Key] = &[
    key("match.host", Host, Unclear),
    key("match.path", Plain, Unclear),
    key("match.methods", Set(Text), Permit),
    key("match.headers.{header}", Plain, Unclear),
    key("match.query.*", Plain, Unclear),
    usual("match.ambiguous_path", Plain, "refuse", LooserAs("allow")),
    key("upstream", Plain, Unclear),
    usual("respond.status", Number, "200", Unclear),
    key("respond.headers.{header}", Template, Unclear),
    key("respond.body", Plain, Unclear),
    key("respond.json", Plain, Unclear),
    key("redirect.to", Plain, Unclear),
    usual("redirect.status", Number, "308", Unclear),
    key("purge", Plain, Unclear),
    key("waive", Ignored, Unclear),
];

/// A plan without its limits, which are those of a route.
pub(super) const PLAN: &[Key] = &[key("consumers", Set(Text), Unclear)];

pub(super) const POLICIES: &[Key] = &[
    key("cors.origins", Set(Origin), Grow(Looser)),
    key("cors.methods", Set(Text), Grow(Looser)),
    key("cors.headers", Set(HeaderName), Grow(Looser)),
    key("cors.expose", Set(HeaderName), Grow(Looser)),
    usual("cors.credentials", Plain, "false", LooserAs("true")),
    usual("cors.max_age", Duration, "10m", Unclear),
    usual("cors.mode", Plain, "enforce", Unclear),
    key("ip.allow", Set(Net), Permit),
    key("ip.deny", Set(Net), Grow(Tighter)),
    usual("ip.mode", Plain, "enforce", LooserAs("observe")),
    key("body_limit.max", Size, More(Looser)),
    usual("body_limit.mode", Plain, "enforce", LooserAs("observe")),
    key("rate_limit.limit", Number, More(Looser)),
    key("rate_limit.per", Duration, More(Tighter)),
    usual("rate_limit.by", By, "ip", Unclear),
    key("rate_limit.burst", Number, More(Looser)),
    usual("rate_limit.algorithm", Plain, "gcra", Unclear),
    key("rate_limit.tiers", Plain, Unclear),
    usual("rate_limit.cost.base", Number, "1", More(Tighter)),
    key("rate_limit.cost.methods.*", Number, More(Tighter)),
    key("rate_limit.cost.headers.{header}.*", Number, More(Tighter)),
    key("rate_limit.cost.response", Plain, Unclear),
    key("rate_limit.refund", Set(Text), Grow(Looser)),
    usual("rate_limit.lease", Number, "1", More(Looser)),
    usual("rate_limit.on_error", Plain, "deny", Rising(&["deny", "local", "allow"])),
    key("rate_limit.guarantee", Plain, Rising(&["exact", "bounded", "approximate"])),
    usual("rate_limit.mode", Plain, "enforce", LooserAs("observe")),
    key("in_flight.limit", Number, More(Looser)),
    usual("in_flight.by", By, "ip", Unclear),
    usual("in_flight.mode", Plain, "enforce", LooserAs("observe")),
    key("quota.limit", Number, More(Looser)),
    key("quota.per", Plain, Rising(&["month", "week", "day", "hour"])),
    usual("quota.zone", Plain, "UTC", Unclear),
    usual("quota.by", By, "consumer", Unclear),
    usual("quota.cost.base", Number, "1", More(Tighter)),
    key("quota.cost.methods.*", Number, More(Tighter)),
    key("quota.cost.headers.{header}.*", Number, More(Tighter)),
    key("quota.cost.response", Plain, Unclear),
    key("quota.refund", Set(Text), Grow(Looser)),
    usual("quota.on_error", Plain, "deny", Rising(&["deny", "local", "allow"])),
    usual("quota.guarantee", Plain, "exact", Rising(&["exact", "bounded", "approximate"])),
    usual("quota.mode", Plain, "enforce", LooserAs("observe")),
    key("auth.any_of", Set(Text), Grow(Looser)),
    key("auth.scopes", Set(Text), Grow(Tighter)),
    key("auth.claims.*", Set(Text), Permit),
    usual("auth.optional", Plain, "false", LooserAs("true")),
    usual("auth.forward_credentials", Plain, "false", Unclear),
    usual("auth.mode", Plain, "enforce", LooserAs("observe")),
    usual("plan.by", By, "consumer", Unclear),
    key("plan.default", Plain, Unclear),
    usual("plan.mode", Plain, "enforce", LooserAs("observe")),
    key("cache.ttl", Duration, Unclear),
    usual("cache.respect_origin", Plain, "true", Unclear),
    key("cache.negative.*", Duration, Unclear),
    usual("cache.key.query", Plain, "all", Unclear),
    key("cache.key.headers", Set(HeaderName), Unclear),
    key("cache.key.cookies", Set(Text), Unclear),
    key("cache.key.claims", Set(Text), Grow(Tighter)),
    key("cache.key.by", Plain, Guard),
    usual("cache.shared", Plain, "false", LooserAs("true")),
    key("cache.reason", Ignored, Unclear),
    usual("cache.store", Plain, "local", Unclear),
    usual("cache.max_size", Size, "1MiB", Unclear),
    key("cache.content_types", Set(Text), Unclear),
    key("cache.stale_while_revalidate", Duration, Unclear),
    key("cache.stale_if_error", Duration, Unclear),
    usual("cache.heuristic", Plain, "false", Unclear),
    usual("cache.client_directives", Plain, "respect", Unclear),
    usual("cache.coalesce", Plain, "true", Unclear),
    usual("cache.mode", Plain, "enforce", Unclear),
    key("request.path", Plain, Unclear),
    key("request.query.remove", Set(Text), Unclear),
    key("request.query.set.*", Template, Unclear),
    key("request.headers.remove", Set(HeaderName), Unclear),
    key("request.headers.set.{header}", Template, Unclear),
    key("request.headers.add.{header}", Template, Unclear),
    usual("request.mode", Plain, "enforce", Unclear),
    key("response.headers.remove", Set(HeaderName), Unclear),
    key("response.headers.set.{header}", Template, Unclear),
    key("response.headers.add.{header}", Template, Unclear),
    key("response.json.remove", Set(Text), Grow(Tighter)),
    usual("response.json.max", Size, "1MiB", Unclear),
    usual("response.mode", Plain, "enforce", Unclear),
    usual("security_headers.hsts", Duration, "365d", More(Tighter)),
    usual("security_headers.frame_options", Plain, "DENY", Unclear),
    usual("security_headers.referrer_policy", Plain, "strict-origin-when-cross-origin", Unclear),
    key("security_headers.content_security_policy", Plain, Guard),
    usual("security_headers.mode", Plain, "enforce", LooserAs("observe")),
];

/// What is told as one difference when it is there as a whole or not at all, and what it does to those who call when it is there
/// that was not.
pub(super) const PARTS: &[(&str, Judgement)] = &[
    ("debug", Changed),
    ("state", Changed),
    ("retry", Changed),
    ("jwt", Changed),
    ("api_key", Changed),
    ("api_key.keys.*", Looser),
    ("api_key.store", Looser),
    ("client_cert", Changed),
    ("client_cert.certs.*", Looser),
    ("respond", Changed),
    ("redirect", Changed),
    ("purge", Changed),
    ("response.json", Tighter),
];

/// Whether `segments` are the first steps of a path, or the path.
pub(super) fn leads(segments: &[Segment], path: &str) -> bool {
    let same = |(segment, step): (&Segment, &str)| {
        matches!(step, "*" | "{header}") || matches!(segment, Segment::Key(name) if name == step)
    };
    segments.iter().zip(path.split('.')).all(same)
}

/// What it does to those who call when a policy is there that was not.
pub(super) fn effect_of_policy(policy: &str) -> Option<Judgement> {
    match policy {
        "ip" | "body_limit" | "rate_limit" | "quota" | "in_flight" | "auth" | "plan" | "security_headers" => {
            Some(Tighter)
        }
        "cors" => Some(Looser),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use portico_core::config::wire;
    use serde_json::Value;

    use super::*;

    /// Every key of `schema` and of all below it, written as in the tables. What is in parts of their own is left out.
    fn keys(schema: &Value, root: &Value, at: &str, found: &mut BTreeSet<String>) {
        let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        let target = schema.get("$ref").and_then(|target| root.pointer(target.as_str()?.strip_prefix('#')?));
        let branches = ["anyOf", "oneOf"].iter().filter_map(|of| schema.get(of)?.as_array()).flatten();
        let mut leaf = true;
        for branch in branches.chain(target) {
            keys(branch, root, at, found);
            leaf = false;
        }
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let at = below(name);
            if !["upstreams", "identities", "plans", "defaults", "routes", "policies"].contains(&&*at) && at != "name" {
                keys(schema, root, &at, found);
            }
            leaf = false;
        }
        if let Some(schema) = schema.get("additionalProperties").filter(|schema| schema.is_object()) {
            keys(schema, root, &below("*"), found);
            leaf = false;
        }
        if leaf && !at.is_empty() {
            found.insert(at.to_owned());
        }
    }

    #[test]
    fn every_key_of_the_configuration_is_known() {
        for (table, schema, part) in [
            (GATEWAY, schemars::schema_for!(wire::Gateway), "gateway"),
            (UPSTREAM, schemars::schema_for!(wire::Upstream), "upstream"),
            (IDENTITY, schemars::schema_for!(wire::Identity), "identity"),
            (ROUTE, schemars::schema_for!(wire::Route), "route"),
            (PLAN, schemars::schema_for!(wire::Plan), "plan"),
            (POLICIES, schemars::schema_for!(wire::Policies), "policies"),
        ] {
            let mut all = BTreeSet::new();
            keys(schema.as_value(), schema.as_value(), "", &mut all);
            assert!(all.len() >= 3, "{part}: {all:?}");
            for path in all {
                let covers = |key: &Key| {
                    let known = key.path.replace("{header}", "*");
                    // a leaf of the table may be more than one in the schema, and a leaf of the schema shorthand for some
                    path == known || path.starts_with(&format!("{known}.")) || known.starts_with(&format!("{path}."))
                };
                let limits = POLICIES.iter().filter(|_| part == "plan");
                assert!(
                    table.iter().chain(limits).any(covers),
                    "what is {path} of a {part} to `portico diff`? say so in keys.rs"
                );
            }
        }
    }
}
