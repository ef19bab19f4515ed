//! Rate limits: what a request takes from its bucket, and what the client is told. The arithmetic is in
//! [`limit`](crate::limit), the atomic step in the platform's store.

mod key;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::RouteScope;
use crate::config::{At, Code, Compiler, units, wire};
use crate::context::{Context, Mode, header_value};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::limit::{Guarantee, Instance, Quota, Terms, Verdict};
use crate::platform::Platform;
use key::Key;

/// A compiled rate limit.
#[derive(Debug)]
pub struct RateLimit {
    quota: Quota,
    cost: u32,
    key: Key,
    /// `None` when every request is counted in the store.
    lease: Option<Terms>,
    instance: Arc<Instance>,
    on_error: wire::OnError,
    mode: Mode,
    limit_field: HeaderValue,
    policy_field: HeaderValue,
}

/// How a request stands with its limit: what the response tells the client.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'g> {
    limit: &'g RateLimit,
    count: Count,
}

/// Who counted a request.
#[derive(Debug, Clone, Copy)]
enum Count {
    /// The store, or an instance by what it leased from there.
    Shared(Verdict),
    /// The instance by itself, as the store could not be reached.
    Local(Verdict),
    /// Nobody, as the store could not be reached.
    Nowhere,
}

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const X_RATELIMIT_DEGRADED: HeaderName = HeaderName::from_static("x-ratelimit-degraded");

impl RateLimit {
    pub(crate) fn compile(
        wire: &wire::RateLimit,
        at: &At<'_>,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let mode = super::mode(wire.mode)?;
        let burst = wire.burst.unwrap_or(wire.limit);
        costs(wire, burst, at, compiler);
        leases(wire, burst, at, compiler);
        let key = Key::compile(wire, mode, at, scope, compiler);
        let per = compiler.check(&at.child_key("per"), units::duration(&wire.per))?;
        let quota = compiler.check(at, Quota::new(wire.limit, per, burst).map_err(|error| error.to_string()))?;
        let key = key?;
        let policy = format!("\"{}\";q={};w={}", key.name, quota.burst(), seconds(quota.window()));
        Some(Self {
            quota,
            cost: wire.cost,
            key,
            lease: wire.lease.map(|units| Terms { quota, cost: wire.cost, units, life: per }),
            instance: compiler.instance(),
            on_error: wire.on_error.unwrap_or_default(),
            mode,
            limit_field: HeaderValue::from(quota.burst()),
            policy_field: compiler.check(at, HeaderValue::from_str(&policy).map_err(|error| error.to_string()))?,
        })
    }

    /// Whether the limit can be checked only once the caller is known (step 8 of a request's life instead of step 6).
    pub fn needs_identity(&self) -> bool {
        self.key.needs_identity()
    }

    /// Takes the request's cost from its bucket.
    pub async fn check<'g, P: Platform>(&'g self, platform: &P, context: &mut Context<'g>) -> Result<(), Refusal> {
        let key = self.key.of(context);
        let verdict = match &self.lease {
            None => platform.rate_limit(&key, &self.quota, self.cost).await,
            Some(terms) => self.instance.lease(platform, &key, terms).await,
        };
        let count = match (verdict, self.on_error) {
            (Ok(verdict), _) => Count::Shared(verdict),
            (Err(_), wire::OnError::Deny) => {
                return context.refuse(Refusal::new(Policy::RateLimit, Reason::StoreUnavailable), self.mode);
            }
            (Err(_), wire::OnError::Allow) => Count::Nowhere,
            (Err(_), wire::OnError::Local) => Count::Local(self.instance.take(platform, &key, &self.quota, self.cost)),
        };
        // a limit that only observes must not be felt: no headers either
        if self.mode == Mode::Enforce {
            context.rate = Some(Standing { limit: self, count });
        }
        let (verdict, allowed, note) = match count {
            Count::Shared(verdict) => (verdict, Reason::WithinRateLimit, ""),
            Count::Local(verdict) => (verdict, Reason::StoreUnavailable, "on_error: local"),
            Count::Nowhere => {
                context.allow(Policy::RateLimit, Reason::StoreUnavailable, "on_error: allow");
                return Ok(());
            }
        };
        if verdict.allowed {
            context.allow(Policy::RateLimit, allowed, note);
            return Ok(());
        }
        let wait = seconds(verdict.retry_after);
        let detail = format!("Try again in {wait} s.");
        let note = if note.is_empty() { String::new() } else { format!("{detail} {note}") };
        let refusal = Refusal::new(Policy::RateLimit, Reason::RateLimited).detail(detail).note(note).retry_after(wait);
        context.refuse(refusal, self.mode)
    }
}

fn costs(wire: &wire::RateLimit, burst: u32, at: &At<'_>, compiler: &mut Compiler) {
    let at = at.child_key("cost");
    if wire.cost > burst {
        let message = format!("one request costs {} of a bucket of {burst}: none could ever pass", wire.cost);
        compiler.error(&at, message).code(Code::NothingPasses).help("raise `burst` or lower `cost`");
    }
    if wire.cost == 0 {
        compiler
            .error(&at, "a request that costs nothing is not limited")
            .code(Code::NoEffect)
            .help("write `rate_limit: off`");
    }
}

fn leases(wire: &wire::RateLimit, burst: u32, at: &At<'_>, compiler: &mut Compiler) {
    let Some(lease) = wire.lease else { return };
    let least = wire.cost.saturating_mul(2);
    let lease_at = at.child_key("lease");
    if lease < least {
        compiler
            .error(&lease_at, format!("a lease of {lease} holds no two requests of {} and spares no step", wire.cost))
            .code(Code::NoEffect)
            .help(format!("write at least {least}, or leave `lease` out"));
    } else if lease > burst {
        compiler
            .error(&lease_at, format!("a bucket of {burst} never holds a lease of {lease}"))
            .help(format!("write at most {burst}, or raise `burst`"));
    }
    if wire.guarantee == Some(Guarantee::Exact) {
        compiler
            .error(&at.child_key("guarantee"), "what instances have leased is not counted exactly")
            .code(Code::ConflictingKeys)
            .help("write `guarantee: bounded`, or leave `lease` out");
    }
}

/// Whole seconds, rounded up: whoever waits that long has waited long enough.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl Standing<'_> {
    /// Step 15 of a request's life: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), and the older
    /// `X-RateLimit-*`, whose reset is in seconds from now. `X-RateLimit-Degraded` says that the store could not be reached and
    /// what `on_error` made of it; where nobody counted there is nothing else to tell.
    pub fn apply(&self, headers: &mut HeaderMap) {
        let (verdict, degraded) = match self.count {
            Count::Shared(verdict) => (Some(verdict), None),
            Count::Local(verdict) => (Some(verdict), Some("local")),
            Count::Nowhere => (None, Some("allow")),
        };
        // a gateway further up has limits of its own to tell of
        for name in [
            RATELIMIT,
            RATELIMIT_POLICY,
            X_RATELIMIT_LIMIT,
            X_RATELIMIT_REMAINING,
            X_RATELIMIT_RESET,
            X_RATELIMIT_DEGRADED,
        ] {
            headers.remove(name);
        }
        if let Some(degraded) = degraded {
            headers.insert(X_RATELIMIT_DEGRADED, HeaderValue::from_static(degraded));
        }
        let (Some(verdict), limit) = (verdict, self.limit) else { return };
        let reset = seconds(verdict.reset);
        let (mut remaining_text, mut reset_text) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (remaining, reset) = (remaining_text.format(verdict.remaining), reset_text.format(reset));
        headers.insert(RATELIMIT, header_value(["\"", limit.key.name, "\";r=", remaining, ";t=", reset].concat()));
        headers.insert(RATELIMIT_POLICY, limit.policy_field.clone());
        headers.insert(X_RATELIMIT_LIMIT, limit.limit_field.clone());
        headers.insert(X_RATELIMIT_REMAINING, header_value(remaining.to_owned()));
        headers.insert(X_RATELIMIT_RESET, header_value(reset.to_owned()));
    }
}

#[cfg(test)]
mod tests;
