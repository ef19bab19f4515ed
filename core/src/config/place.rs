//! Which place of the configuration decided: from a decision back to what somebody wrote. Nothing here is on a request's way;
//! it is asked afterwards, by `explain`, `test` and traces.

use std::sync::Arc;

use super::{Pointer, outline, wire};
use crate::decision::{Decision, Policy, Reason};
use crate::policy::identity::Identity;

/// What the places of a route are made of, when somebody asks: few ever do, and a gateway may have thousands of routes.
#[derive(Debug)]
pub(crate) struct Places {
    at: Pointer,
    /// The policies that the route sets itself; the others are written in the defaults.
    own: Vec<Policy>,
    /// The limits that only a plan can have set.
    of_plan: Vec<Policy>,
    /// `upstream`, `respond`, `redirect` or `purge`.
    action: &'static str,
    upstream: Option<Box<str>>,
    /// The one identity that takes tokens, if there is just one: then it is the one that decided.
    jwt: Option<Arc<Identity>>,
    /// The one identity that takes API keys, likewise.
    api_key: Option<Arc<Identity>>,
    /// The one identity that takes certificates, likewise.
    client_cert: Option<Arc<Identity>>,
}

/// What of the configuration is behind a decision.
#[derive(Debug, Clone, Copy)]
enum By {
    /// Nothing: it would be decided like this whatever is written.
    Nothing,
    /// The routes, all of them together.
    Routes,
    /// The step's policy.
    Policy,
    /// One key of the step's policy.
    Key(&'static str),
    /// One key of the route's upstream.
    Upstream(&'static str),
    /// The identity that takes tokens.
    Jwt,
    /// One key of it.
    JwtKey(&'static str),
    /// One key of the identity that takes API keys.
    ApiKey(&'static str),
    /// The identity that takes certificates.
    ClientCert,
}

const CONFIGURABLE: [Policy; 11] = [
    Policy::Cors,
    Policy::Ip,
    Policy::BodyLimit,
    Policy::RateLimit,
    Policy::Quota,
    Policy::InFlight,
    Policy::Auth,
    Policy::Plan,
    Policy::Cache,
    Policy::Request,
    Policy::Response,
];

impl Places {
    /// The places of a route whose callers prove themselves with `identities`.
    pub(crate) fn new(route: &outline::Route, identities: &[Option<Arc<Identity>>]) -> Self {
        let wire = &route.wire;
        let action = match (&wire.respond, &wire.redirect, &wire.purge) {
            (Some(_), _, _) => "respond",
            (None, Some(_), _) => "redirect",
            (None, None, Some(_)) => "purge",
            (None, None, None) => "upstream",
        };
        let only = |valid: Reason| {
            let mut such = identities.iter().flatten().filter(|identity| identity.valid() == valid);
            such.next().filter(|_| such.next().is_none()).cloned()
        };
        let own = |policy: &Policy| route.own.contains(&policy.as_str());
        Self {
            at: route.at.clone(),
            own: CONFIGURABLE.into_iter().filter(own).collect(),
            of_plan: of_plan(&wire.policies),
            action,
            upstream: wire.upstream.as_deref().map(Into::into),
            jwt: only(Reason::TokenValid),
            api_key: only(Reason::KeyValid),
            client_cert: only(Reason::CertificateValid),
        }
    }

    /// The place that decided.
    pub(crate) fn of(&self, decision: &Decision) -> Pointer {
        let policy = || self.policy(decision.policy);
        let identity = |identity: &Option<Arc<Identity>>, kind| {
            let at = Pointer::root().child_key("identities").child_key(identity.as_ref()?.name());
            Some(at.child_key(kind))
        };
        let upstream = || Some(Pointer::root().child_key("upstreams").child_key(&**self.upstream.as_ref()?));
        let below = |at: Option<Pointer>, key| at.map_or_else(policy, |at| at.child_key(key));
        match By::of(decision) {
            By::Nothing => Pointer::root(),
            By::Routes => routes(),
            By::Policy => policy(),
            By::Key(_) if self.of_plan.contains(&decision.policy) => policy(),
            By::Key(key) => policy().child_key(key),
            By::Upstream(key) => below(upstream(), key),
            By::Jwt => identity(&self.jwt, "jwt").unwrap_or_else(policy),
            By::JwtKey(key) => below(identity(&self.jwt, "jwt"), key),
            By::ApiKey(key) => below(identity(&self.api_key, "api_key"), key),
            By::ClientCert => identity(&self.client_cert, "client_cert").unwrap_or_else(policy),
        }
    }

    /// Where a step is configured.
    pub(crate) fn policy(&self, policy: Policy) -> Pointer {
        match policy {
            Policy::Path | Policy::Route => self.at.child_key("match"),
            Policy::Forward => self.at.child_key(self.action),
            Policy::Cache if self.action == "purge" => self.at.child_key(self.action),
            _ if self.of_plan.contains(&policy) => self.policy(Policy::Plan),
            _ if self.own.contains(&policy) => self.at.child_key("policies").child_key(policy.as_str()),
            _ => Pointer::root().child_key("defaults").child_key(policy.as_str()),
        }
    }
}

/// The limits that a route with plans does not set itself. Which plan it was is the detail of its own decision.
fn of_plan(policies: &wire::Policies) -> Vec<Policy> {
    fn is_on<T>(setting: &Option<wire::Setting<T>>) -> bool {
        matches!(setting, Some(wire::Setting::On(_)))
    }
    let limits = [(Policy::RateLimit, is_on(&policies.rate_limit)), (Policy::Quota, is_on(&policies.quota))];
    let of_plan = limits.into_iter().filter(|(_, own)| is_on(&policies.plan) && !own);
    of_plan.map(|(policy, _)| policy).collect()
}

/// The place that decided about a request that no route serves: of the policies, only the CORS of the defaults applies to it.
pub(crate) fn without_route(decision: &Decision) -> Pointer {
    let cors = || Pointer::root().child_key("defaults").child_key("cors");
    match (By::of(decision), decision.policy) {
        (By::Routes, _) => routes(),
        (By::Policy, Policy::Cors) => cors(),
        (By::Key(key), Policy::Cors) => cors().child_key(key),
        _ => Pointer::root(),
    }
}

fn routes() -> Pointer {
    Pointer::root().child_key("routes")
}

impl By {
    /// Every reason, so that a new one asks where it is decided.
    fn of(decision: &Decision) -> Self {
        match decision.reason {
            Reason::RequestMalformed
            | Reason::PathMalformed
            | Reason::HostMissing
            | Reason::HeadersTooLarge
            | Reason::ClientTimeout
            | Reason::ClientGone
            | Reason::InternalError => Self::Nothing,

            Reason::NoRoute | Reason::MethodNotAllowed => Self::Routes,
            Reason::PathAmbiguous => Self::Key("ambiguous_path"),
            Reason::OriginAllowed | Reason::OriginRefused => Self::Key("origins"),
            Reason::ScopeMissing => Self::Key("scopes"),
            Reason::ClaimRefused => Self::Key("claims"),
            Reason::Anonymous => Self::Key("optional"),
            Reason::StoreUnavailable => match decision.policy {
                Policy::Auth => Self::ApiKey("store"),
                Policy::Cache => Self::Policy,
                _ => Self::Key("on_error"),
            },
            Reason::CacheOnly => Self::Key("client_directives"),
            Reason::ResponseTooLarge | Reason::ResponseUnreadable => Self::Key("json"),

            Reason::RouteMatched
            | Reason::PreflightAllowed
            | Reason::PreflightRefused
            | Reason::AddressAllowed
            | Reason::AddressDenied
            | Reason::BodyWithinLimit
            | Reason::BodyTooLarge
            | Reason::WithinRateLimit
            | Reason::RateLimited
            | Reason::WithinQuota
            | Reason::QuotaExceeded
            | Reason::WithinInFlight
            | Reason::TooManyInFlight
            | Reason::KeyValid
            | Reason::CertificateValid
            | Reason::TokenValid
            | Reason::PlanSelected
            | Reason::PlanMissing
            | Reason::CacheHit
            | Reason::CacheStale
            | Reason::CacheRevalidated
            | Reason::CacheMiss
            | Reason::CacheBypassed
            | Reason::Purged
            | Reason::CredentialsMissing
            | Reason::CredentialsAmbiguous
            | Reason::Transformed
            | Reason::Forwarded
            | Reason::Responded
            | Reason::Redirected => Self::Policy,

            Reason::KeyUnknown => Self::ApiKey("keys"),
            Reason::CertificateUnknown => Self::ClientCert,
            Reason::KeyExpired | Reason::KeyRecordMalformed => Self::ApiKey("store"),
            Reason::KeysUnavailable => Self::JwtKey("jwks"),
            Reason::TokenMalformed
            | Reason::TokenTooLarge
            | Reason::TokenCritical
            | Reason::TokenClaim
            | Reason::TokenUnknownKey
            | Reason::TokenSignature
            | Reason::TokenExpired
            | Reason::TokenNotYetValid => Self::Jwt,
            Reason::TokenAlgorithm => Self::JwtKey("algorithms"),
            Reason::TokenIssuer => Self::JwtKey("issuer"),
            Reason::TokenAudience => Self::JwtKey("audience"),
            Reason::TokenType => Self::JwtKey("typ"),

            // of a transform only the path's template refuses for want of a value
            Reason::TemplateValueMissing | Reason::TemplateValueUnsafe => match decision.policy {
                Policy::Request => Self::Key("path"),
                _ => Self::Policy,
            },
            Reason::SecretMissing => match decision.policy {
                Policy::Auth => Self::JwtKey("secret"),
                _ => Self::Policy,
            },

            Reason::UpstreamUnreachable | Reason::UpstreamBroken => Self::Upstream("targets"),
            Reason::UpstreamTimeout => Self::Upstream("timeout"),
        }
    }
}

#[cfg(test)]
mod tests;
