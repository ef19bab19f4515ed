//! What may go wrong with a configuration that can be used: one file per theme. `docs/checks.md` says of every finding what can
//! happen and how to mend it.
//!
//! A finding here is a warning that somebody can waive, or an error on a platform that cannot keep what is asked. So it must be
//! right: where a file is in doubt it is silent.

mod access;
mod guarantee;
mod platform;
mod probe;
mod routes;
mod secrets;
mod streams;
mod upstreams;

use portico_core::config::Findings;
use portico_core::config::outline::Outline;
use portico_core::config::wire::Setting;
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
}

/// Adds an error for each thing that a configuration asks of `target` and does not get there.
pub(crate) fn refused_on(target: Target, outline: &Outline, document: &Value, findings: &mut Findings) {
    platform::missing_on(target, outline, document, findings);
    guarantee::kept_on(target, outline, findings);
    guarantee::decided_on(target, outline, findings);
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
