//! Rate limits and quotas: what a request takes, and what the client is told. The arithmetic is in [`limit`](crate::limit), the atomic
//! step in the platform's store.

mod compile;
mod cost;
mod key;
mod standing;
mod tier;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use crate::config::wire;
use crate::context::{Context, Mode};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::limit::{Draw, Instance, Rule, Terms};
use crate::platform::Platform;
pub(crate) use compile::Written;
use cost::Cost;
pub(crate) use key::Key;
use standing::Count;
pub use standing::Standing;
pub(crate) use standing::{Outcome, apply};
use tier::Tier;

/// A compiled rate limit, quota, or both where they count the same: one key, and all that is decided about it in one step.
#[derive(Debug)]
pub struct Limit {
    /// At least one. Those of the rate limit come first.
    tiers: Vec<Tier>,
    key: Key,
    cost: Cost,
    /// What gives back what was taken.
    refund: Vec<wire::Failure>,
    /// `None` when every request is counted in the store.
    lease: Option<Terms>,
    instance: Arc<Instance>,
    on_error: wire::OnError,
    mode: Mode,
    /// `RateLimit-Policy`, where it is the same at all times.
    policy_field: Option<HeaderValue>,
}

impl Limit {
    /// Whether the limit can be checked only once the caller is known (step 8 of a request's life instead of step 6).
    pub fn needs_identity(&self) -> bool {
        self.key.needs_identity()
    }

    /// Takes what the request costs, from all tiers or from none.
    pub async fn check<'g, P: Platform>(&'g self, platform: &P, context: &mut Context<'g>) -> Result<(), Refusal> {
        let cost = self.cost.of(context);
        if cost == 0 {
            self.policies().for_each(|policy| context.allow(policy, tier::reasons(policy).0, "cost: 0"));
            let (key, rules, at) = (String::new(), Vec::new(), context.received);
            context.standings.push(Standing { limit: self, key, rules, taken: 0, at, count: Count::Free });
            return Ok(());
        }
        let (key, at) = (self.key.of(context), context.received);
        let rules: Vec<_> = self.tiers.iter().map(|tier| tier.rule(at)).collect();
        let verdicts = match &self.lease {
            None => platform.rate_limit(&key, &rules, Draw::Take(cost)).await,
            Some(terms) => self.instance.lease(platform, &key, terms).await.map(|verdict| vec![verdict]),
        };
        let count = match (verdicts, self.on_error) {
            // any other number of verdicts is about something else
            (Ok(verdicts), _) if verdicts.len() == rules.len() => Count::Shared(verdicts),
            (_, wire::OnError::Deny) => {
                let Some(policy) = self.policies().next() else { return Ok(()) };
                return context.refuse(Refusal::new(policy, Reason::StoreUnavailable), self.mode);
            }
            (_, wire::OnError::Allow) => Count::Nowhere,
            (_, wire::OnError::Local) => Count::Local(self.instance.step(platform, &key, &rules, Draw::Take(cost))),
        };
        let outcome = self.decide(&count, context);
        let taken = if count.passes() { cost } else { 0 };
        context.standings.push(Standing { limit: self, key, rules, taken, at, count });
        outcome
    }

    /// What each policy says of what was counted.
    fn decide(&self, count: &Count, context: &mut Context<'_>) -> Result<(), Refusal> {
        let (verdicts, note) = match count {
            Count::Shared(verdicts) => (verdicts, ""),
            Count::Local(verdicts) => (verdicts, "on_error: local"),
            Count::Free => return Ok(()),
            Count::Nowhere => {
                self.policies().for_each(|policy| context.allow(policy, Reason::StoreUnavailable, "on_error: allow"));
                return Ok(());
            }
        };
        let each = || self.tiers.iter().zip(verdicts);
        let denies = each().filter(|(_, verdict)| !verdict.allowed).max_by_key(|(_, verdict)| verdict.retry_after);
        for policy in self.policies() {
            if each().all(|(tier, verdict)| tier.policy != policy || verdict.allowed) {
                let within = if note.is_empty() { tier::reasons(policy).0 } else { Reason::StoreUnavailable };
                context.allow(policy, within, note);
            }
        }
        let Some((tier, verdict)) = denies else { return Ok(()) };
        let wait = seconds(verdict.retry_after);
        let detail = format!("Try again in {wait} s.");
        let note = if note.is_empty() { String::new() } else { format!("{detail} {note}") };
        let refusal = Refusal::new(tier.policy, tier::reasons(tier.policy).1);
        context.refuse(refusal.detail(detail).note(note).retry_after(wait), self.mode)
    }

    /// Whose tiers it has, each once.
    pub fn policies(&self) -> impl Iterator<Item = Policy> {
        let has = |policy: &Policy| self.tiers.iter().any(|tier| tier.policy == *policy);
        [Policy::RateLimit, Policy::Quota].into_iter().filter(has)
    }
}

/// The items of `RateLimit-Policy`.
fn policy_items(tiers: &[Tier], rules: &[Rule]) -> String {
    let items: Vec<_> = tiers.iter().zip(rules).map(|(tier, rule)| tier.policy_item(rule)).collect();
    items.join(", ")
}

/// Whole seconds, rounded up: whoever waits that long has waited long enough.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests;
