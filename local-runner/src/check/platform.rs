//! What a configuration asks of a platform that the platform does not have: bindings, knowledge of the client beyond its
//! address, or even of that, a key-value store, a Redis, and a `Host` of the gateway's choice.

use std::net::Ipv6Addr;

use portico_core::Net;
use portico_core::config::outline::{Outline, Route};
use portico_core::config::wire::{By, Identity, Mode, Quota, RateLimit};
use portico_core::config::{Code, Findings, Pointer};
use portico_core::forward::BINDING;
use serde_json::Value;

use super::{Target, on};
use crate::store;

/// Errors for what `target` does not have.
pub(super) fn missing_on(target: Target, outline: &Outline, document: &Value, findings: &mut Findings) {
    let name = format!("{target:?}").to_lowercase();
    if matches!(target, Target::Cloudflare | Target::Spin | Target::Wasi) {
        hosts(&name, outline, findings);
    }
    if outline.gateway.state.is_some() {
        state(target, &name, findings);
    }
    if target == Target::Cloudflare {
        return;
    }
    bindings(&name, outline, findings);
    for route in &outline.routes {
        addresses(&name, route, findings);
        // API Gateway asks for them where a domain name says so
        if target != Target::Lambda {
            certificates(&name, route, outline, findings);
        }
    }
    if target == Target::Wasi {
        stores(&name, document, findings);
    }
    // whoever connects has the address `::` there; a proxy may say who the client is
    let nobody_is = |net: &String| Net::parse(net).is_ok_and(|net| net.contains(Ipv6Addr::UNSPECIFIED.into()));
    if target == Target::Wasi && !outline.gateway.trusted_proxies.iter().any(nobody_is) {
        for route in &outline.routes {
            nobody(&name, route, findings);
        }
    }
}

/// Who writes `state` counts on it that everything is counted there.
fn state(target: Target, platform: &str, findings: &mut Findings) {
    let help = match target {
        Target::Native => return,
        Target::Cloudflare => "leave it out: there each key is counted by one Durable Object",
        Target::Spin => "leave it out, and name the Redis in the variable `portico_limits` of spin.toml",
        Target::Lambda => "leave it out: there DynamoDB counts, in the table that PORTICO_TABLE names",
        Target::Wasi => "leave it out, or run it on native: there each instance counts for itself",
    };
    findings
        .error(Pointer::root().child_key("state"), format!("{platform} does not count in this Redis"))
        .code(Code::StateElsewhere)
        .help(help);
}

fn stores(platform: &str, document: &Value, findings: &mut Findings) {
    for at in store::needs(document) {
        findings
            .error(&at, format!("{platform} has no key-value store"))
            .code(Code::StoreMissing)
            .help("write the keys into the configuration, or the URL of the key set, or run it on another platform");
    }
}

/// Where no client has an address, nobody is on a list of networks, and a limit by address counts all of them as one.
fn nobody(platform: &str, route: &Route, findings: &mut Findings) {
    let help = "put a proxy in front that says who the client is, and write `trusted_proxies: [\"::\"]`";
    let message = |what: &str| format!("{what}: {platform} does not know the address of a client");
    if on(&route.wire.policies.ip).is_some_and(|ip| ip.mode != Mode::Off) {
        let message = message("no client is ever on these lists");
        findings.error(route.policy_at("ip"), message).code(Code::ClientUnknown).help(help);
    }
    // those who need not say who they are are counted by address
    let strangers = on(&route.wire.policies.auth).is_some_and(|auth| auth.optional || auth.mode == Mode::Observe);
    let rate_limit = on(&route.wire.policies.rate_limit).filter(|limit| limit.mode != Mode::Off);
    let quota = on(&route.wire.policies.quota).filter(|quota| quota.mode != Mode::Off);
    for (policy, by) in [("rate_limit", rate_limit.map(RateLimit::by)), ("quota", quota.map(Quota::by))] {
        if by.is_some_and(|by| *by == By::Ip || *by == By::Consumer && strangers) {
            let message = message("all clients are counted as one");
            let help = format!("{help}, or count by something else");
            findings.error(route.policy_at(policy).child_key("by"), message).code(Code::ClientUnknown).help(help);
        }
    }
    let plan = on(&route.wire.policies.plan).filter(|plan| plan.mode != Mode::Off && plan.default.is_some());
    if plan.is_some() && strangers {
        let message = message("all strangers are counted as one");
        let at = route.policy_at("plan").child_key("default");
        findings.error(at, message).code(Code::ClientUnknown).help(format!("{help}, or leave `default` out"));
    }
}

/// `fetch()` of Workers and `wasi:http` take `Host` from the URL; a binding gets the request as it is.
fn hosts(platform: &str, outline: &Outline, findings: &mut Findings) {
    let network = |url: &str| {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    };
    for (name, upstream) in &outline.upstreams {
        let Some(upstream) = upstream.as_ref().filter(|upstream| upstream.preserve_host) else { continue };
        if upstream.targets.iter().any(|target| network(&target.url)) {
            let at = Pointer::root().child_key("upstreams").child_key(name).child_key("preserve_host");
            findings
                .error(at, format!("{platform} sends `Host` as it stands in the target's URL, never the client's"))
                .code(Code::HostNotPreserved)
                .help(match platform {
                    "cloudflare" => {
                        "let the upstream read X-Forwarded-Host instead, or bind the service: binding://NAME"
                    }
                    _ => "let the upstream read X-Forwarded-Host instead",
                });
        }
    }
}

fn bindings(platform: &str, outline: &Outline, findings: &mut Findings) {
    for (name, upstream) in &outline.upstreams {
        let at = Pointer::root().child_key("upstreams").child_key(name).child_key("targets");
        for (index, target) in upstream.iter().flat_map(|upstream| &upstream.targets).enumerate() {
            if target.url.split_once("://").is_some_and(|(scheme, _)| scheme == BINDING) {
                findings
                    .error(at.child_index(index).child_key("url"), format!("{platform} has no bindings"))
                    .code(Code::BindingUpstream)
                    .help("write the http:// or https:// URL of the service, or run it on cloudflare");
            }
        }
    }
}

fn addresses(platform: &str, route: &Route, findings: &mut Findings) {
    let Some(ip) = on(&route.wire.policies.ip).filter(|ip| ip.mode != Mode::Off) else { return };
    for (key, entries) in [("allow", &ip.allow), ("deny", &ip.deny)] {
        for (index, entry) in entries.iter().enumerate() {
            let what = match entry.split_once(':') {
                Some(("country", _)) => "country",
                Some(("asn", _)) => "autonomous system",
                _ => continue,
            };
            findings
                .error(
                    route.policy_at("ip").child_key(key).child_index(index),
                    format!("no client is ever on this entry: {platform} does not know the {what} of an address"),
                )
                .code(Code::ClientUnknown)
                .help("write networks, or run it on cloudflare");
        }
    }
}

fn certificates(platform: &str, route: &Route, outline: &Outline, findings: &mut Findings) {
    let Some(auth) = on(&route.wire.policies.auth).filter(|auth| auth.mode != Mode::Off) else { return };
    for (index, name) in auth.any_of.iter().enumerate() {
        if let Some(Some(Identity::ClientCert(_))) = outline.identities.get(name) {
            findings
                .error(
                    route.policy_at("auth").child_key("any_of").child_index(index),
                    format!("nobody can ever prove to be one of `{name}`: {platform} asks for no client certificates"),
                )
                .code(Code::ClientUnknown)
                .help("accept another identity, or run it on cloudflare or lambda");
        }
    }
}
