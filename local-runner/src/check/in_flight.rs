//! Concurrency limits where an instance does not see all requests that are under way.

use portico_core::config::outline::Outline;
use portico_core::config::wire::{InFlight, Mode};
use portico_core::config::{Code, Findings, Pointer};

use super::{Target, on};

/// Errors where instances come and go, or have one request each: none of them knows how many there are.
pub(super) fn unknown_on(target: Target, outline: &Outline, findings: &mut Findings) {
    let why = match target {
        Target::Native => return,
        Target::Cloudflare => "requests are spread over many instances, and none knows of the others'",
        Target::Spin | Target::Wasi => "an instance has few requests at once, and none knows of the others'",
        Target::Lambda => "each instance has one request at a time",
    };
    let name = format!("{target:?}").to_lowercase();
    for (_, at) in limits(outline) {
        findings
            .error(at, format!("nobody knows on {name} how many are under way: {why}"))
            .code(Code::InFlightUnsupported)
            .help("leave it out, or run it on native; on AWS a function has its own limit, reserved concurrency");
    }
}

/// Notes where several nodes are one gateway: what they share counts requests, not those that are under way.
pub(super) fn per_node(outline: &Outline, findings: &mut Findings) {
    if outline.gateway.state.is_none() {
        return;
    }
    for (limit, at) in limits(outline).filter(|(limit, _)| limit.mode == Mode::Enforce) {
        let message = format!("each node counts for itself: with n nodes n times {} may be under way", limit.limit);
        findings
            .note(Code::InFlightPerNode, at.child_key("limit"), message)
            .help("divide what the upstream takes by the number of nodes");
    }
}

/// The limits that are on, each with its place.
fn limits(outline: &Outline) -> impl Iterator<Item = (&InFlight, Pointer)> {
    outline.routes.iter().filter_map(|route| {
        let limit = on(&route.wire.policies.in_flight).filter(|limit| limit.mode != Mode::Off)?;
        Some((limit, route.policy_at("in_flight")))
    })
}
