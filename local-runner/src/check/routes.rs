//! Routes that no request reaches because others take all of theirs.

use std::collections::BTreeSet;

use http::Method;
use portico_core::config::outline::Outline;
use portico_core::config::wire::AmbiguousPath;
use portico_core::config::{Code, Findings};
use portico_core::route::{Found, Lookup, Match, Router};

use super::probe::{Probe, Probes, matches};

/// Which of a route's requests never reach it, and the routes that take them.
#[derive(Debug, PartialEq, Eq)]
enum Shadow {
    /// All of them.
    Whole(BTreeSet<usize>),
    /// Those with one of its methods, by its place in the list.
    Method(usize, BTreeSet<usize>),
}

/// Warns of routes that are never reached, or not with one of their methods.
pub(super) fn shadowed(outline: &Outline, findings: &mut Findings) {
    let Some(matches) = matches(outline) else { return };
    let ambiguous: Vec<_> = outline.routes.iter().map(|route| route.wire.matches.ambiguous_path).collect();
    let name = |index: usize| outline.routes.get(index).map(|route| format!("`{}`", route.wire.name));
    for (index, shadow) in shadows(&matches, &ambiguous) {
        let Some(route) = outline.routes.get(index) else { continue };
        let at = route.at.child_key("match");
        let (at, what, others) = match shadow {
            Shadow::Whole(others) => (at, "never reached: every request that it matches goes".to_owned(), others),
            Shadow::Method(place, others) => {
                let method = route.wire.matches.methods.get(place).map_or("", String::as_str);
                let what = format!("its {method} requests never reach it, they go");
                (at.child_key("methods").child_index(place), what, others)
            }
        };
        let others: Vec<_> = others.into_iter().filter_map(name).collect();
        findings
            .warning(Code::RouteShadowed, at, format!("{what} to {}", others.join(", ")))
            .help("`docs/configuration.md` says which route wins; add a condition, or remove what is never used");
    }
}

/// By route, in their order.
fn shadows(matches: &[Match], ambiguous: &[AmbiguousPath]) -> Vec<(usize, Shadow)> {
    let (Ok(router), Some(probes)) = (Router::build(matches), Probes::of(matches)) else { return Vec::new() };
    let mut shadows = Vec::new();
    for (index, (route, ambiguous)) in matches.iter().zip(ambiguous).enumerate() {
        let all = probes.of_route(route, *ambiguous);
        let any = std::slice::from_ref(&probes.unnamed_method);
        // whatever takes the GET requests of a route takes its HEAD requests, too
        let methods = if route.methods.is_empty() { any } else { &route.methods };
        let taken: Vec<_> = methods.iter().map(|method| takers(index, &all, method, &router)).collect();
        if taken.iter().all(Option::is_some) {
            shadows.push((index, Shadow::Whole(taken.into_iter().flatten().flatten().collect())));
        } else {
            let by_method = taken.into_iter().enumerate();
            shadows.extend(by_method.filter_map(|(place, others)| Some((index, Shadow::Method(place, others?)))));
        }
    }
    shadows
}

/// The routes that take all these requests; `None` when one of them reaches the route itself, or nothing is known.
fn takers(route: usize, probes: &[Probe], method: &Method, router: &Router) -> Option<BTreeSet<usize>> {
    let mut others = BTreeSet::new();
    for Probe { host, path, headers, query } in probes {
        let lookup = Lookup { host: host.as_deref(), path, method, headers, announced: &[], query: query.as_deref() };
        match router.find(&lookup) {
            Found::Route { index, .. } if index != route => others.insert(index),
            _ => return None,
        };
    }
    (!others.is_empty()).then_some(others)
}

#[cfg(test)]
mod tests;
