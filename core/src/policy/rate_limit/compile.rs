//! From what is written to a limit: a rate limit with its tiers, a quota, or both where they count the same.

use http::HeaderValue;

use super::cost::Cost;
use super::key::Key;
use super::tier::Tier;
use super::{Limit, policy_items};
use crate::config::{At, Code, Compiler, units, wire};
use crate::decision::Policy;
use crate::limit::{Guarantee, Rule, Terms};
use crate::platform::Timestamp;
use crate::policy::RouteScope;

/// A rate limit or a quota as it is written, and where.
#[derive(Debug)]
pub(crate) struct Written<'w, T> {
    pub(crate) wire: &'w T,
    pub(crate) at: At<'w>,
}

/// What rate limits and quotas have in common.
#[derive(PartialEq, Eq)]
struct Common<'w> {
    by: &'w wire::By,
    cost: &'w wire::Cost,
    refund: &'w [wire::Failure],
    on_error: wire::OnError,
    mode: wire::Mode,
}

impl<'w> Common<'w> {
    fn of_rate_limit(wire: &'w wire::RateLimit) -> Self {
        let wire::RateLimit { cost, refund, on_error, mode, .. } = wire;
        Self { by: wire.by(), cost, refund, on_error: on_error.unwrap_or_default(), mode: *mode }
    }

    fn of_quota(wire: &'w wire::Quota) -> Self {
        let wire::Quota { cost, refund, on_error, mode, .. } = wire;
        Self { by: wire.by(), cost, refund, on_error: on_error.unwrap_or_default(), mode: *mode }
    }
}

impl Limit {
    /// The limits of a rate limit and a quota: one where they count the same and are decided together, else one for each.
    pub(crate) fn compile(
        rate_limit: Option<&Written<'_, wire::RateLimit>>,
        quota: Option<&Written<'_, wire::Quota>>,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler,
    ) -> Vec<Self> {
        let of_rate_limit = rate_limit.map(|written| Common::of_rate_limit(written.wire));
        let of_quota = quota.map(|written| Common::of_quota(written.wire));
        let leases = rate_limit.is_some_and(|written| written.wire.lease.is_some());
        // a global limit is in one bucket with that of other routes, which have no such quota
        let global = of_rate_limit.as_ref().is_some_and(|common| *common.by == wire::By::Global);
        let together = of_rate_limit == of_quota && !leases && !global;
        let mut limits = Vec::new();
        if let (Some(written), Some(common)) = (rate_limit, of_rate_limit) {
            let mut tiers = rate_tiers(written, compiler);
            if let Some(quota) = quota.filter(|_| together) {
                tiers.extend(quota_tier(quota, compiler));
            }
            let limit = Self::joined(tiers, &common, &written.at, scope, compiler);
            limits.extend(limit.and_then(|limit| limit.leased(written, compiler)));
        }
        if let (Some(written), Some(common)) = (quota.filter(|_| !together), of_quota) {
            let tiers = quota_tier(written, compiler).into_iter().collect();
            limits.extend(Self::joined(tiers, &common, &written.at, scope, compiler));
        }
        limits
    }

    /// The limit of these tiers.
    fn joined(
        tiers: Vec<Tier>,
        common: &Common<'_>,
        at: &At<'_>,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let mode = crate::policy::mode(common.mode)?;
        let cost = Cost::compile(common.cost, &at.child_key("cost"), compiler);
        if let (Some(cost), Some(least)) = (&cost, tiers.iter().map(Tier::most).min())
            && cost.most() > least
        {
            let message = format!("one request costs {} of {least} units: it could never pass", cost.most());
            compiler
                .error(&at.child_key("cost"), message)
                .code(Code::NothingPasses)
                .help("raise the limit (or `burst`), or lower `cost`");
        }
        refunds(common.refund, &at.child_key("refund"), compiler);
        // what is of another kind has another state, and is counted apart
        let kinds: Vec<_> = tiers.iter().map(Tier::kind).collect();
        let kind = if kinds == ["gcra"] { String::new() } else { kinds.join("+") };
        let numbers: Vec<_> = tiers.iter().map(Tier::numbers).collect();
        let by_at = at.child_key("by");
        let key = Key::compile(common.by, (&kind, &numbers.join(":")), mode, &by_at, scope, compiler)?;
        if tiers.is_empty() {
            return None;
        }
        let tiers = named(tiers, key.name);
        let rules: Vec<_> = tiers.iter().map(|tier| tier.rule(Timestamp::default())).collect();
        let steady = !tiers.iter().any(Tier::is_calendar);
        let policy_field = policy_items(&tiers, &rules);
        let policy_field =
            compiler.check(at, HeaderValue::from_str(&policy_field).map_err(|error| error.to_string()))?;
        let policy_field = Some(policy_field).filter(|_| steady);
        Some(Self {
            tiers,
            key,
            cost: cost?,
            refund: common.refund.to_vec(),
            lease: None,
            instance: compiler.instance(),
            on_error: common.on_error,
            mode,
            policy_field,
        })
    }

    /// The same as a part of a plan, by whose name clients know it.
    pub(crate) fn of_plan(mut self, plan: &str) -> Self {
        for tier in &mut self.tiers {
            tier.name = match tier.name.strip_prefix(self.key.name) {
                Some(window) => format!("{plan}{window}"),
                None => format!("{plan}-{}", tier.name),
            };
        }
        if self.policy_field.is_some() {
            let rules: Vec<_> = self.tiers.iter().map(|tier| tier.rule(Timestamp::default())).collect();
            self.policy_field = HeaderValue::from_str(&policy_items(&self.tiers, &rules)).ok();
        }
        self
    }

    /// The same with its lease, if one is written.
    fn leased(mut self, written: &Written<'_, wire::RateLimit>, compiler: &mut Compiler) -> Option<Self> {
        let Written { wire, at } = written;
        let Some(units) = wire.lease else { return Some(self) };
        let (lease_at, rule) = (at.child_key("lease"), self.tiers.first()?.rule(Timestamp::default()));
        let (Rule::Gcra(quota), 1, Some(cost), true) =
            (rule, self.tiers.len(), self.cost.flat(), wire.refund.is_empty())
        else {
            compiler
                .error(&lease_at, "only a limit of one tier by gcra can be leased, with one cost and no refund")
                .code(Code::ConflictingKeys)
                .help("leave `lease` out");
            return None;
        };
        let (least, burst) = (cost.saturating_mul(2), quota.burst());
        if units < least {
            compiler
                .error(&lease_at, format!("a lease of {units} holds no two requests of {cost} and spares no step"))
                .code(Code::NoEffect)
                .help(format!("write at least {least}, or leave `lease` out"));
        } else if units > burst {
            compiler
                .error(&lease_at, format!("a bucket of {burst} never holds a lease of {units}"))
                .help(format!("write at most {burst}, or raise `burst`"));
        }
        if wire.guarantee == Some(Guarantee::Exact) {
            compiler
                .error(&at.child_key("guarantee"), "what instances have leased is not counted exactly")
                .code(Code::ConflictingKeys)
                .help("write `guarantee: bounded`, or leave `lease` out");
        }
        let life = compiler.check(&at.child_key("per"), units::duration(&wire.per))?;
        self.lease = Some(Terms { quota, cost, units, life });
        Some(self)
    }
}

/// The tiers of a rate limit, by the names of their windows.
fn rate_tiers(written: &Written<'_, wire::RateLimit>, compiler: &mut Compiler) -> Vec<Tier> {
    let Written { wire, at } = written;
    let mut tiers: Vec<_> = Tier::compile(&(*wire).into(), wire.per.clone(), at, compiler).into_iter().collect();
    for (index, tier) in wire.tiers.iter().enumerate() {
        let (tiers_at, per) = (at.child_key("tiers"), &tier.per);
        let at = tiers_at.child_index(index);
        if tiers.iter().any(|known| known.name == *per) {
            compiler
                .error(&at.child_key("per"), format!("there is a limit per {per} already"))
                .code(Code::ConflictingKeys)
                .help("keep the one that lets fewer pass");
        }
        tiers.extend(Tier::compile(&tier.into(), per.clone(), &at, compiler));
    }
    tiers
}

fn quota_tier(written: &Written<'_, wire::Quota>, compiler: &mut Compiler) -> Option<Tier> {
    Tier::quota(written.wire, "quota".to_owned(), &written.at, compiler)
}

/// A lone rate limit is called by what it counts; of several each by its window, too.
fn named(mut tiers: Vec<Tier>, by: &str) -> Vec<Tier> {
    let lone = tiers.iter().filter(|tier| tier.policy == Policy::RateLimit).count() == 1;
    for tier in tiers.iter_mut().filter(|tier| tier.policy == Policy::RateLimit) {
        tier.name = if lone { by.to_owned() } else { format!("{by}-{}", tier.name) };
    }
    tiers
}

/// Errors for what is no failure of an upstream.
fn refunds(failures: &[wire::Failure], at: &At<'_>, compiler: &mut Compiler) {
    for (index, failure) in failures.iter().enumerate() {
        if let wire::Failure::Status(status) = failure
            && !failure.is_of_upstream()
        {
            compiler
                .error(&at.child_index(index), format!("{status} does not say that the upstream failed"))
                .help("write connect_error, timeout, reset, 429 or a status from 500 to 599");
        }
    }
}
