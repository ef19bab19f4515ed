//! Who gets in: routes without authentication that stand beside authenticated ones, and those that nothing limits.

use std::collections::BTreeMap;

use portico_core::config::outline::{Outline, Route};
use portico_core::config::wire::{By, Mode};
use portico_core::config::{Code, Findings};
use portico_core::route::canonical;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Whoever proves who it is.
    Authenticated,
    /// Whoever comes from an address that is allowed.
    Addresses,
    /// Everybody.
    Open,
}

impl Door {
    fn of(route: &Route) -> Self {
        let policies = &route.wire.policies;
        if super::on(&policies.auth).is_some_and(|auth| auth.mode == Mode::Enforce && !auth.optional) {
            Self::Authenticated
        } else if super::on(&policies.ip).is_some_and(|ip| ip.mode == Mode::Enforce && !ip.allow.is_empty()) {
            Self::Addresses
        } else {
            Self::Open
        }
    }
}

/// Open routes to an upstream whose first path segment they share with an authenticated one of the same host. An answer on the
/// spot gives nothing away that is not in the configuration, and an OPTIONS request carries no credentials.
pub(super) fn public_beside_authenticated(outline: &Outline, findings: &mut Findings) {
    let mut guarded: BTreeMap<String, Vec<&Route>> = BTreeMap::new();
    for route in outline.routes.iter().filter(|route| Door::of(route) == Door::Authenticated) {
        if let Some(segment) = first_segment(&route.wire.matches.path) {
            guarded.entry(segment).or_default().push(route);
        }
    }
    for route in outline.routes.iter().filter(|route| Door::of(route) == Door::Open) {
        let only_options = route.wire.matches.methods.iter().all(|method| method == "OPTIONS");
        if route.wire.upstream.is_none() || (only_options && !route.wire.matches.methods.is_empty()) {
            continue;
        }
        let Some(segment) = first_segment(&route.wire.matches.path) else { continue };
        let host = Host::of(route);
        let neighbour = guarded.get(&segment).and_then(|all| all.iter().find(|other| host.meets(Host::of(other))));
        if let Some(neighbour) = neighbour {
            let own = route.own.contains(&"auth");
            let at = if own { route.policy_at("auth") } else { route.at.child_key("match").child_key("path") };
            let (name, other) = (&route.wire.name, &neighbour.wire.name);
            findings
                .warning(
                    Code::PublicBesideAuthenticated,
                    at,
                    format!("`{name}` lets everybody in, and `{other}`, below /{segment} as well, asks who is calling"),
                )
                .help("add `auth` to the route, or waive this with the reason why everybody may");
        }
    }
}

/// Open routes that forward without a limit, or with one that the client can evade.
pub(super) fn unlimited(outline: &Outline, findings: &mut Findings) {
    for route in outline.routes.iter().filter(|route| Door::of(route) == Door::Open) {
        let name = &route.wire.name;
        match super::on(&route.wire.policies.rate_limit).filter(|limit| limit.mode == Mode::Enforce) {
            None if route.wire.upstream.is_some() => {
                let message = format!("`{name}` forwards whatever anybody sends, without a rate limit");
                findings
                    .warning(Code::RateLimitMissing, route.at.child_key("upstream"), message)
                    .help("add `rate_limit: { limit: 60, per: 1m, by: ip }`, with numbers that fit");
            }
            Some(limit) => {
                if let By::Header(header) = limit.by() {
                    let at = route.policy_at("rate_limit").child_key("by");
                    let message = format!("whoever sends another {header} with each request is not limited");
                    findings
                        .warning(Code::RateLimitEvadable, at, message)
                        .help("count `by: ip`, or ask who is calling");
                }
            }
            None => {}
        }
    }
}

/// The first segment in its one spelling; `None` when it is empty or a parameter.
fn first_segment(path: &str) -> Option<String> {
    let segment = path.strip_prefix('/')?.split('/').next()?;
    let spelled = format!("/{segment}");
    let spelled = canonical(&spelled).map_or_else(|_| spelled.clone(), |canonical| canonical.path.into_owned());
    (!segment.is_empty() && !segment.contains('{')).then(|| spelled.trim_start_matches('/').to_owned())
}

/// Which hosts a route is for; all of them when none is named.
#[derive(Debug, Clone, Copy)]
struct Host<'r>(Option<&'r str>);

impl<'r> Host<'r> {
    fn of(route: &'r Route) -> Self {
        Self(route.wire.matches.host.as_deref().map(|host| host.strip_suffix('.').unwrap_or(host)))
    }

    /// Whether there are hosts that both are for.
    fn meets(self, other: Self) -> bool {
        let (Some(one), Some(other)) = (self.0, other.0) else { return true };
        let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
        let covers = |pattern: &str, host: &str| pattern.strip_prefix('*').is_some_and(|suffix| host.ends_with(suffix));
        one == other || covers(&one, &other) || covers(&other, &one)
    }
}
