//! Plans: limits that some callers have and others have not, and what says which plan a caller has. They are counted for each consumer,
//! across all routes that select plans.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RouteScope;
use super::rate_limit::{Limit, Written};
use crate::config::{At, Code, Compiler, wire};
use crate::context::{Context, Mode};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;

/// A compiled plan.
#[derive(Debug)]
pub(crate) struct Plan {
    name: Box<str>,
    enforced: Vec<Limit>,
    /// The same limits where a route only observes: counted apart, felt by nobody.
    observed: Vec<Limit>,
}

/// The plans of a gateway.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    /// `None` for one that is declared but has errors of its own.
    pub(crate) by_name: BTreeMap<String, Option<Arc<Plan>>>,
    of_consumers: BTreeMap<String, Arc<Plan>>,
}

/// Which plan a route's callers have, compiled.
#[derive(Debug)]
pub struct PlanChoice {
    by: wire::PlanBy,
    /// The plan of those who have none; `None` refuses them.
    default: Option<Arc<Plan>>,
    plans: Arc<Plans>,
    mode: Mode,
}

impl Plans {
    pub(crate) fn compile(wires: &BTreeMap<String, Option<wire::Plan>>, at: &At<'_>, compiler: &mut Compiler) -> Self {
        let mut plans = Self::default();
        let mut had: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, wire) in wires {
            let at = at.child_key(name);
            compiler.name("a plan", name, &at);
            let plan = wire.as_ref().and_then(|wire| Plan::compile(name, wire, &at, compiler)).map(Arc::new);
            let consumers_at = at.child_key("consumers");
            for (index, consumer) in wire.iter().flat_map(|wire| &wire.consumers).enumerate() {
                if let Some(other) = had.insert(consumer, name) {
                    compiler
                        .error(&consumers_at.child_index(index), format!("`{consumer}` has the plan `{other}` already"))
                        .code(Code::DuplicateName)
                        .help("leave the consumer in one place");
                }
                plans.of_consumers.extend(plan.clone().map(|plan| (consumer.clone(), plan)));
            }
            plans.by_name.insert(name.clone(), plan);
        }
        plans
    }
}

impl Plan {
    fn compile(name: &str, wire: &wire::Plan, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        let wire::Plan { rate_limit, quota, .. } = wire;
        if rate_limit.is_none() && quota.is_none() {
            compiler.error(at, "the plan limits nothing").code(Code::MissingKey).help("add `rate_limit` or `quota`");
            return None;
        }
        let of_rate_limit = rate_limit.as_ref().and_then(|limit| limit.by.as_ref()).map(|_| "rate_limit");
        let of_quota = quota.as_ref().and_then(|quota| quota.by.as_ref()).map(|_| "quota");
        for key in of_rate_limit.into_iter().chain(of_quota) {
            compiler
                .error(&at.child_key(key).child_key("by"), "a plan counts each consumer for itself")
                .code(Code::ConflictingKeys)
                .help("leave `by` out, or limit the route itself");
        }
        let mut limits = |mode| Self::limits(name, wire, mode, at, compiler);
        Some(Self { name: name.into(), enforced: limits(Mode::Enforce), observed: limits(Mode::Observe) })
    }

    fn limits(name: &str, wire: &wire::Plan, mode: Mode, at: &At<'_>, compiler: &mut Compiler) -> Vec<Limit> {
        let mode = |own| match (mode, own) {
            (Mode::Observe, wire::Mode::Enforce) => wire::Mode::Observe,
            (_, own) => own,
        };
        let by = || Some(wire::By::Consumer);
        let rate_limit = wire.rate_limit.clone();
        let rate_limit = rate_limit.map(|limit| wire::RateLimit { by: by(), mode: mode(limit.mode), ..limit });
        let quota = wire.quota.clone().map(|quota| wire::Quota { by: by(), mode: mode(quota.mode), ..quota });
        // no key of a route's has two colons there: behind its name stands what it counts
        let route = format!("plan::{name}");
        let scope = RouteScope { name: &route, methods: &[], parameters: &[], has_consumer: true, has_claims: true };
        let limits = Limit::compile(
            rate_limit.as_ref().map(|wire| Written { wire, at: at.child_key("rate_limit") }).as_ref(),
            quota.as_ref().map(|wire| Written { wire, at: at.child_key("quota") }).as_ref(),
            &scope,
            compiler,
        );
        limits.into_iter().map(|limit| limit.of_plan(name)).collect()
    }
}

impl PlanChoice {
    pub(crate) fn compile(
        wire: &wire::PlanChoice,
        at: &At<'_>,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let mode = super::mode(wire.mode)?;
        let unknown = match &wire.by {
            wire::PlanBy::Consumer => !scope.has_consumer,
            wire::PlanBy::Claim(_) => !scope.has_claims,
        };
        if unknown {
            let message = format!("`plan` needs a caller who is known, and `{}` does not know that", scope.name);
            let help = "add `auth` with an identity that knows it, or leave `plan` out";
            compiler.error(&at.child_key("by"), message).code(Code::CallerUnknown).help(help);
        }
        let plans = compiler.plans();
        let nobody = match &wire.by {
            wire::PlanBy::Consumer => plans.of_consumers.is_empty() && plans.by_name.values().all(Option::is_some),
            wire::PlanBy::Claim(_) => plans.by_name.is_empty(),
        };
        let default = match &wire.default {
            Some(name) => Some(compiler.plan(name, &at.child_key("default"))?),
            None if nobody => {
                compiler
                    .error(at, "nobody has a plan, and there is no `default`")
                    .code(Code::NothingPasses)
                    .help("name `consumers` in a plan, or write `default: PLAN`");
                return None;
            }
            None => None,
        };
        Some(Self { by: wire.by.clone(), default, plans, mode })
    }

    /// Step 8 of a request's life: the limits of the caller's plan.
    pub(crate) fn select(&self, context: &mut Context<'_>) -> Result<&[Limit], Refusal> {
        let own = context.principal.as_ref().and_then(|principal| match &self.by {
            wire::PlanBy::Consumer => self.plans.of_consumers.get(&*principal.consumer),
            wire::PlanBy::Claim(claim) => self.plans.by_name.get(&*principal.claim(claim)?)?.as_ref(),
        });
        let Some(plan) = own.or(self.default.as_ref()) else {
            context.refuse(Refusal::new(Policy::Plan, Reason::PlanMissing), self.mode)?;
            return Ok(&[]);
        };
        context.allow(Policy::Plan, Reason::PlanSelected, plan.name.to_string());
        Ok(match self.mode {
            Mode::Enforce => &plan.enforced,
            Mode::Observe => &plan.observed,
        })
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use serde_json::{Value, json};

    use crate::body::Body;
    use crate::explain::Explanation;
    use crate::sim::{Sim, block_on};
    use crate::{Gateway, config};

    /// A gateway whose only route has these policies beside `plan`; acme has the plan `pro`, whose limits these are.
    fn gateway(plan: &Value, mut policies: Value) -> Gateway {
        policies["plan"] = json!({});
        policies["auth"] = json!({ "any_of": ["partners"] });
        let mut pro = plan.clone();
        pro["consumers"] = json!(["acme"]);
        // the SHA-256 of "k"
        let keys = json!({ "acme": { "sha256": "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a" } });
        let document = json!({
            "portico": 1, "name": "shop", "plans": { "pro": pro },
            "identities": { "partners": { "api_key": { "keys": keys } } },
            "routes": [{ "name": "a", "match": { "path": "/a" }, "respond": {}, "policies": policies }],
        });
        config::compile(&document).unwrap().0
    }

    /// The lines of `name` in the response to acme, and the steps as `step outcome place`.
    fn send(gateway: &Gateway, sim: &Sim, name: &str) -> (Vec<String>, Vec<String>) {
        let request = Request::get("http://a/a").header("X-API-Key", "k").body(Body::Empty).unwrap();
        let (response, after) = block_on(gateway.handle(sim, &Sim::peer(), request));
        let lines = response.headers().get_all(name).iter().map(|line| line.to_str().unwrap().to_owned());
        let explained = Explanation::new(gateway, &after.record);
        let steps = explained.steps.iter();
        let steps = steps.map(|step| format!("{} {} {}", step.step.as_str(), step.outcome.as_str(), step.place));
        (lines.collect(), steps.map(|step| step.trim_end().to_owned()).collect())
    }

    #[test]
    fn a_response_tells_of_the_plan_and_of_the_routes_own_limit() {
        let limit = json!({ "limit": 10, "per": "10s", "by": "consumer" });
        let plan = json!({ "rate_limit": { "limit": 60, "per": "1m", "tiers": [{ "limit": 100, "per": "1h" }] } });
        let (gateway, sim) = (gateway(&plan, json!({ "rate_limit": limit })), Sim::new(1));
        let (lines, _) = send(&gateway, &sim, "ratelimit");
        assert_eq!(lines, [r#""consumer";r=9;t=1"#, r#""pro-1m";r=59;t=1, "pro-1h";r=99;t=36"#]);
        let (lines, _) = send(&gateway, &sim, "ratelimit-policy");
        assert_eq!(lines, [r#""consumer";q=10;w=10"#, r#""pro-1m";q=60;w=60, "pro-1h";q=100;w=3600"#]);
    }

    #[test]
    fn the_log_names_the_plan_and_what_its_limits_said() {
        let plan = json!({ "rate_limit": { "limit": 5, "per": "1m" }, "quota": { "limit": 1, "per": "day" } });
        let (gateway, sim) = (gateway(&plan, json!({})), Sim::new(1));
        let decided = || {
            let request = Request::get("http://a/a").header("X-API-Key", "k").body(Body::Empty).unwrap();
            let (_, after) = block_on(gateway.handle(&sim, &Sim::peer(), request));
            let told = after.record.decisions.iter().skip(2).take(3);
            told.map(|decision| format!("{} {} {}", decision.policy, decision.reason, decision.detail))
                .collect::<Vec<_>>()
        };
        assert_eq!(decided(), ["plan plan_selected pro", "rate_limit within_rate_limit ", "quota within_quota "]);
        let refused = decided();
        assert_eq!(refused[..2], ["plan plan_selected pro", "rate_limit within_rate_limit "]);
        assert!(refused[2].starts_with("quota quota_exceeded Try again in "), "{refused:?}");
    }

    #[test]
    fn what_is_in_no_plan_is_not_configured() {
        let gateway = gateway(&json!({ "rate_limit": { "limit": 1, "per": "1m" } }), json!({}));
        let sim = Sim::new(1);
        let (_, steps) = send(&gateway, &sim, "");
        assert_eq!(
            steps[6..13],
            [
                "in_flight not_configured",
                "auth allow routes[0].policies.auth",
                "plan allow routes[0].policies.plan",
                "rate_limit allow routes[0].policies.plan",
                "quota not_configured",
                "cache not_configured",
                "request not_configured",
            ]
        );
        sim.set_store_down(true);
        let (_, steps) = send(&gateway, &sim, "");
        assert_eq!(steps[9], "rate_limit deny routes[0].policies.plan", "on_error is the plan's");
    }
}
