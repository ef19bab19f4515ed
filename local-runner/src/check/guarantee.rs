//! Rate limits: those that ask for more than the store of a platform can keep, those that do not say what happens when it cannot be
//! reached, and how much the others let pass.

use portico_core::config::outline::{self, Outline};
use portico_core::config::wire::{Mode, OnError, Plan, RateLimit};
use portico_core::config::{Code, Findings, Pointer};
use portico_core::limit::{Bound, Guarantee};

/// Where a configuration is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// `portico serve`
    Native,
    /// Cloudflare Workers
    Cloudflare,
    /// Fermyon Spin
    Spin,
    /// Any other host of wasi:http, such as wasmtime serve
    Wasi,
    /// AWS Lambda
    Lambda,
}

impl Target {
    /// What its store of rate limits keeps, and why no more.
    const fn store(self) -> (Guarantee, &'static str) {
        match self {
            Self::Native => (Guarantee::Exact, "a process counts in its own memory"),
            Self::Cloudflare => (Guarantee::Exact, "each key is counted by one Durable Object"),
            Self::Spin => (Guarantee::Exact, "each key is counted in atomic steps"),
            Self::Wasi => (Guarantee::Approximate, "each instance counts for itself, as long as it lives"),
            Self::Lambda => (Guarantee::Exact, "each key is counted in atomic steps of one item in DynamoDB"),
        }
    }
}

/// Errors for limits that `target` cannot keep.
pub(super) fn kept_on(target: Target, outline: &Outline, findings: &mut Findings) {
    let (kept, why) = target.store();
    for Counted { at, guarantee, .. } in counted(outline).filter(|counted| counted.guarantee > kept) {
        let name = format!("{target:?}").to_lowercase();
        let asked = match guarantee {
            Guarantee::Exact => "exact",
            Guarantee::Bounded => "bounded",
            Guarantee::Approximate => continue,
        };
        findings
            .error(at.child_key("guarantee"), format!("the limit asks for {asked} counts, and on {name} {why}"))
            .code(Code::LimitGuarantee)
            .help("write `guarantee: approximate` if more than the limit may pass, or run it on native, cloudflare, spin or lambda");
    }
}

/// Errors for limits that are counted elsewhere and do not say what happens when nobody can be asked there.
pub(super) fn decided_on(target: Target, outline: &Outline, findings: &mut Findings) {
    let store = match target {
        Target::Native if outline.gateway.state.is_some() => "the Redis that `state` names",
        Target::Cloudflare => "a Durable Object",
        Target::Spin => "the key-value store or Redis",
        Target::Lambda => "DynamoDB",
        // memory is always there
        Target::Native | Target::Wasi => return,
    };
    let name = format!("{target:?}").to_lowercase();
    for Counted { at, .. } in counted(outline).filter(|counted| counted.on_error.is_none()) {
        findings
            .error(at, format!("on {name} {store} counts, and nothing says what happens when it cannot be reached"))
            .code(Code::OnErrorMissing)
            .help(
                "write `on_error: deny` (503 until it is back), `allow` (everybody passes) or `local` (each instance counts for itself)",
            );
    }
}

/// Notes on what limits with leases let pass. One that asks for approximate counts promises nothing, one that observes lets
/// everything pass.
pub(super) fn bounds(outline: &Outline, findings: &mut Findings) {
    let promises = |limit: &RateLimit| limit.mode == Mode::Enforce && limit.guarantee() == Guarantee::Bounded;
    for (limit, at) in rate_limits(outline) {
        let Some(lease) = limit.lease.filter(|_| promises(limit)) else { continue };
        let cost = limit.cost.base;
        let bound = Bound::new(limit.limit, limit.burst.unwrap_or(limit.limit), cost, lease);
        let Bound { shared, for_each_instance, altogether } = bound;
        let (per, units) = (&limit.per, if cost == 1 { "requests" } else { "units" });
        let more = format!("and {for_each_instance} more for each instance that holds a lease");
        let message = format!("in any {per} at most {shared} {units} pass, {more}, but never more than {altogether}");
        findings
            .note(Code::LimitBound, at.child_key("lease"), message)
            .help("a smaller `lease` lets fewer pass, none the fewest");
    }
}

/// A rate limit or a quota that is on.
struct Counted {
    at: Pointer,
    guarantee: Guarantee,
    on_error: Option<OnError>,
}

fn counted(outline: &Outline) -> impl Iterator<Item = Counted> {
    let of_rate_limit =
        |(limit, at): (&RateLimit, _)| Counted { at, guarantee: limit.guarantee(), on_error: limit.on_error };
    let of_quota = |route: &outline::Route| {
        let quota = super::on(&route.wire.policies.quota).filter(|quota| quota.mode != Mode::Off)?;
        let at = route.policy_at("quota");
        Some(Counted { at, guarantee: quota.guarantee(), on_error: quota.on_error })
    };
    let of_plan = |(plan, at): (&Plan, Pointer)| {
        let quota = plan.quota.as_ref().filter(|quota| quota.mode != Mode::Off)?;
        Some(Counted { at: at.child_key("quota"), guarantee: quota.guarantee(), on_error: quota.on_error })
    };
    let of_routes = outline.routes.iter().filter_map(of_quota);
    rate_limits(outline).map(of_rate_limit).chain(of_routes).chain(plans(outline).filter_map(of_plan))
}

/// The rate limits that are on, each with its place.
fn rate_limits<'a>(outline: &'a Outline) -> impl Iterator<Item = (&'a RateLimit, Pointer)> {
    let of_routes = outline.routes.iter().filter_map(|route| {
        let limit = super::on(&route.wire.policies.rate_limit).filter(|limit| limit.mode != Mode::Off)?;
        Some((limit, route.policy_at("rate_limit")))
    });
    let of_plan = |(plan, at): (&'a Plan, Pointer)| {
        let limit = plan.rate_limit.as_ref().filter(|limit| limit.mode != Mode::Off)?;
        Some((limit, at.child_key("rate_limit")))
    };
    of_routes.chain(plans(outline).filter_map(of_plan))
}

/// The plans that could be read, each with its place.
fn plans(outline: &Outline) -> impl Iterator<Item = (&Plan, Pointer)> {
    let at = Pointer::root().child_key("plans");
    outline.plans.iter().filter_map(move |(name, plan)| Some((plan.as_ref()?, at.child_key(name))))
}
