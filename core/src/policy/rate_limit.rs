//! Rate limits: whose bucket a request draws from, and what the client is told. The arithmetic is in
//! [`limit`](crate::limit), the atomic step in the platform's store.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::RouteScope;
use crate::config::{Code, Compiler, Pointer, units, wire};
use crate::context::{Context, Mode, header_value};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::limit::{Quota, Verdict};
use crate::platform::Platform;

/// A compiled rate limit.
#[derive(Debug)]
pub struct RateLimit {
    quota: Quota,
    cost: u32,
    by: By,
    /// What `RateLimit` calls it.
    name: &'static str,
    /// What every key of this limit starts with.
    prefix: String,
    on_error: wire::OnError,
    mode: Mode,
    limit_field: HeaderValue,
    policy_field: HeaderValue,
}

#[derive(Debug, PartialEq, Eq)]
enum By {
    Ip,
    Consumer,
    Everyone,
    Header(HeaderName),
    Claim(String),
}

/// How a request stands with its limit: what the response tells the client.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'g> {
    limit: &'g RateLimit,
    verdict: Verdict,
}

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Longer values of headers and claims are not kept whole in a store's key.
const MAX_KEY_VALUE: usize = 256;

impl RateLimit {
    pub(crate) fn compile(
        wire: &wire::RateLimit,
        at: &Pointer,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler<'_>,
    ) -> Option<Self> {
        let mode = super::mode(wire.mode)?;
        let burst = wire.burst.unwrap_or(wire.limit);
        if wire.cost > burst {
            compiler
                .error(
                    &at.child_key("cost"),
                    format!("one request costs {} of a bucket of {burst}: none could ever pass", wire.cost),
                )
                .code(Code::NothingPasses)
                .help("raise `burst` or lower `cost`");
        }
        if wire.cost == 0 {
            compiler
                .error(&at.child_key("cost"), "a request that costs nothing is not limited")
                .code(Code::NoEffect)
                .help("write `rate_limit: off`");
        }
        let needs = match &wire.by {
            wire::By::Consumer if !scope.has_consumer => Some("by: consumer"),
            wire::By::Claim(_) if !scope.has_claims => Some("by: { claim: … }"),
            _ => None,
        };
        if let Some(needs) = needs {
            let help = "add `auth` with an identity that knows it, or limit `by: ip`";
            compiler
                .error(
                    &at.child_key("by"),
                    format!("`{needs}` needs a caller who is known, and `{}` authenticates nobody", scope.name),
                )
                .code(Code::CallerUnknown)
                .help(help);
        }
        let by_at = at.child_key("by");
        let (by, name) = match &wire.by {
            wire::By::Ip => (By::Ip, "ip"),
            wire::By::Consumer => (By::Consumer, "consumer"),
            wire::By::Route => (By::Everyone, "route"),
            wire::By::Global => (By::Everyone, "global"),
            wire::By::Header(header) => {
                (By::Header(compiler.header_name(header, &by_at.child_key("header"))?), "header")
            }
            wire::By::Claim(claim) => (By::Claim(claim.clone()), "claim"),
        };
        let per = compiler.check(&at.child_key("per"), units::duration(&wire.per))?;
        let quota = compiler.check(at, Quota::new(wire.limit, per, burst).map_err(|error| error.to_string()))?;
        let prefix = match &wire.by {
            wire::By::Global => format!("global:{}:{}:{burst}", wire.limit, wire.per),
            wire::By::Header(header) => format!("{}:header:{}", scope.name, header.to_ascii_lowercase()),
            wire::By::Claim(claim) => format!("{}:claim:{claim}", scope.name),
            _ => format!("{}:{name}", scope.name),
        };
        // what only observes must not draw from a bucket that counts
        let prefix = if mode == Mode::Observe { format!("observe:{prefix}") } else { prefix };
        let policy = format!("\"{name}\";q={};w={}", quota.burst(), seconds(quota.window()));
        Some(Self {
            quota,
            cost: wire.cost,
            by,
            name,
            prefix,
            on_error: wire.on_error,
            mode,
            limit_field: HeaderValue::from(quota.burst()),
            policy_field: compiler.check(at, HeaderValue::from_str(&policy).map_err(|error| error.to_string()))?,
        })
    }

    /// Whether the limit can be checked only once the caller is known (step 8 of a request's life instead of step 6).
    pub fn needs_identity(&self) -> bool {
        matches!(self.by, By::Consumer | By::Claim(_))
    }

    /// Takes the request's cost from its bucket.
    pub async fn check<'g, P: Platform>(&'g self, platform: &P, context: &mut Context<'g>) -> Result<(), Refusal> {
        let key = self.key(context);
        let Ok(verdict) = platform.rate_limit(&key, &self.quota, self.cost).await else {
            return self.without_store(context);
        };
        // a limit that only observes must not be felt: no headers either
        if self.mode == Mode::Enforce {
            context.rate = Some(Standing { limit: self, verdict });
        }
        if verdict.allowed {
            context.allow(Policy::RateLimit, Reason::WithinRateLimit, "");
            return Ok(());
        }
        let wait = seconds(verdict.retry_after);
        let refusal = Refusal::new(Policy::RateLimit, Reason::RateLimited)
            .detail(format!("Try again in {wait} s."))
            .retry_after(wait);
        context.refuse(refusal, self.mode)
    }

    fn without_store(&self, context: &mut Context<'_>) -> Result<(), Refusal> {
        match self.on_error {
            wire::OnError::Deny => context.refuse(Refusal::new(Policy::RateLimit, Reason::StoreUnavailable), self.mode),
            wire::OnError::Allow => {
                context.allow(Policy::RateLimit, Reason::StoreUnavailable, "on_error: allow");
                Ok(())
            }
        }
    }

    fn key(&self, context: &Context<'_>) -> String {
        let key = self.full_key(context);
        match key.get(self.prefix.len()..) {
            Some(value) if value.len() > MAX_KEY_VALUE => {
                format!("{}:sha256:{}", self.prefix, crate::digest::sha256_hex(value.as_bytes()))
            }
            _ => key,
        }
    }

    fn full_key(&self, context: &Context<'_>) -> String {
        let value: Cow<'_, str> = match &self.by {
            By::Everyone => return self.prefix.clone(),
            By::Ip => Cow::Owned(subscriber(context.client)),
            By::Consumer => match &context.principal {
                Some(principal) => return [&self.prefix, ":", &principal.identity, ":", &principal.consumer].concat(),
                // an optional identity, or one that only observes: strangers are told apart by address
                None => Cow::Owned(format!("ip:{}", subscriber(context.client))),
            },
            By::Header(name) => {
                context.headers.get(name).map_or(Cow::Borrowed(""), |value| String::from_utf8_lossy(value.as_bytes()))
            }
            By::Claim(name) => {
                context.principal.as_ref().and_then(|principal| principal.claim(name)).unwrap_or_default()
            }
        };
        [&self.prefix, ":", &value].concat()
    }
}

/// One subscriber's addresses: an IPv4 address, or the /64 that an IPv6 client moves in at will (RFC 6177).
fn subscriber(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("{}/64", std::net::Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Whole seconds, rounded up: whoever waits that long has waited long enough.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl Standing<'_> {
    /// Step 15 of a request's life: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), and the older
    /// `X-RateLimit-*`, whose reset is in seconds from now.
    pub fn apply(&self, headers: &mut HeaderMap) {
        let Self { limit, verdict } = self;
        let reset = seconds(verdict.reset);
        let (mut remaining_text, mut reset_text) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (remaining, reset) = (remaining_text.format(verdict.remaining), reset_text.format(reset));
        headers.insert(RATELIMIT, header_value(["\"", limit.name, "\";r=", remaining, ";t=", reset].concat()));
        headers.insert(RATELIMIT_POLICY, limit.policy_field.clone());
        headers.insert(X_RATELIMIT_LIMIT, limit.limit_field.clone());
        headers.insert(X_RATELIMIT_REMAINING, header_value(remaining.to_owned()));
        headers.insert(X_RATELIMIT_RESET, header_value(reset.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_subscriber_is_a_64() {
        let of = |text: &str| subscriber(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:aaaa::1"), of("2001:db8:1:2:bbbb::2"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn seconds_round_up() {
        assert_eq!(seconds(Duration::ZERO), 0);
        assert_eq!(seconds(Duration::from_micros(1)), 1);
        assert_eq!(seconds(Duration::from_secs(2)), 2);
    }
}
