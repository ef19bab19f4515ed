//! What may go wrong with a configuration that can be used: one file per theme. `docs/checks.md` says of every finding what can
//! happen and how to mend it.
//!
//! A finding here is a warning that somebody can waive, or an error on a platform that cannot keep what is asked. So it must be
//! right: where a file is in doubt it is silent.

mod access;
mod cache;
mod guarantee;
mod in_flight;
mod platform;
mod probe;
mod routes;
mod secrets;
mod streams;
mod upstreams;

use portico_core::config::outline::Outline;
use portico_core::config::wire::Setting;
use portico_core::config::{Code, Finding, Findings, Pointer};
use serde_json::Value;

pub(crate) use guarantee::Target;

/// Adds what is found in a configuration without errors to what is known of it.
pub(crate) fn lint(outline: &Outline, document: &Value, findings: &mut Findings) {
    routes::shadowed(outline, findings);
    access::public_beside_authenticated(outline, findings);
    access::unlimited(outline, findings);
    upstreams::timeouts(outline, findings);
    upstreams::retries(outline, findings);
    streams::unread(outline, findings);
    secrets::look_alikes(document, findings);
    guarantee::bounds(outline, findings);
    in_flight::per_node(outline, findings);
}

/// Adds an error for each thing that a configuration asks of `target` and does not get there.
pub(crate) fn refused_on(target: Target, outline: &Outline, document: &Value, findings: &mut Findings) {
    platform::missing_on(target, outline, document, findings);
    guarantee::kept_on(target, outline, findings);
    guarantee::decided_on(target, outline, findings);
    in_flight::unknown_on(target, outline, findings);
    cache::forgotten_on(target, outline, findings);
}

/// How much the leased limits of a configuration without errors let pass: each with the place of its lease.
pub(crate) fn bounds(document: &Value) -> Vec<(Pointer, String)> {
    let mut findings = Findings::new();
    if let Some(outline) = Outline::read(document, &mut findings) {
        guarantee::bounds(&outline, &mut findings);
    }
    let bound = |finding: &Finding| {
        (finding.code == Code::LimitBound).then(|| (finding.pointer.clone(), finding.message.clone()))
    };
    findings.iter().filter_map(bound).collect()
}

/// A policy's settings, if it is on.
fn on<T>(setting: &Option<Setting<T>>) -> Option<&T> {
    match setting {
        Some(Setting::On(value)) => Some(value),
        Some(Setting::Off) | None => None,
    }
}

#[cfg(test)]
mod tests;
