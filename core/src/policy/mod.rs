//! The policies, one file each: what its configuration means, its compiled form, what it does to a request and to a
//! response. Their order is fixed in [`Gateway::handle`](crate::Gateway::handle).

pub mod auth;
pub mod body_edit;
pub mod body_limit;
pub mod cache;
pub mod cors;
pub mod headers;
pub mod identity;
pub mod in_flight;
pub mod ip;
pub mod json_edit;
pub mod plan;
pub mod rate_limit;
pub mod security_headers;
pub mod transform;

use self::rate_limit::Written;
use crate::config::{At, Compiler, outline, wire};
use crate::context::Mode;
use crate::decision::Policy;

/// Everything that is asked of a route's requests and done to them. `None` is a policy that is not switched on.
#[derive(Debug, Default)]
pub struct Policies {
    /// Cross-origin requests from browsers.
    pub cors: Option<cors::Cors>,
    /// Which client addresses may pass.
    pub ip: Option<ip::Ip>,
    /// The largest request body.
    pub body_limit: Option<body_limit::BodyLimit>,
    /// How many requests may pass: rate limits and quotas.
    pub limits: Vec<rate_limit::Limit>,
    /// How many requests may be under way at once.
    pub in_flight: Option<in_flight::InFlight>,
    /// Who may call.
    pub auth: Option<auth::Auth>,
    /// Which plan a caller has.
    pub plan: Option<plan::PlanChoice>,
    /// Which responses are kept and served again.
    pub cache: Option<cache::Cache>,
    /// What is changed before a request goes upstream.
    pub request: Option<transform::RequestTransform>,
    /// What is changed before a response goes to the client.
    pub response: Option<transform::ResponseTransform>,
    /// Headers that make browsers careful.
    pub security_headers: Option<security_headers::SecurityHeaders>,
}

/// What a route's policies must know of the route to be compiled.
#[derive(Debug)]
pub(crate) struct RouteScope<'a> {
    /// The route's name.
    pub(crate) name: &'a str,
    /// The methods it serves; empty for any.
    pub(crate) methods: &'a [http::Method],
    /// The parameters of its path.
    pub(crate) parameters: &'a [String],
    /// Whether the route authenticates, so that there may be a consumer.
    pub(crate) has_consumer: bool,
    /// Whether one of the identities it accepts carries claims.
    pub(crate) has_claims: bool,
}

impl Policies {
    /// The limit that a policy is part of: a rate limit and a quota can be one.
    pub fn limit(&self, policy: Policy) -> Option<&rate_limit::Limit> {
        self.limits.iter().find(|limit| limit.policies().any(|part| part == policy))
    }

    /// Whether a transform writes something that came in a request header.
    pub(crate) fn read_request_headers(&self) -> bool {
        let request = self.request.as_ref().is_some_and(transform::RequestTransform::reads_request_headers);
        request || self.response.as_ref().is_some_and(transform::ResponseTransform::reads_request_headers)
    }

    /// Compiles the policies that are in force on a route.
    pub(crate) fn compile(route: &outline::Route, scope: &RouteScope<'_>, compiler: &mut Compiler) -> Self {
        let wire = &route.wire.policies;
        let at = At::Pointer(&route.at);
        let (own_at, defaults_at) = (at.child_key("policies"), At::Root.child_key("defaults"));
        let policy_at =
            |policy| if route.own.contains(&policy) { own_at.child_key(policy) } else { defaults_at.child_key(policy) };
        // the API keys' headers belong into the preflight's answer, so auth comes first
        let auth = on(&wire.auth).and_then(|wire| auth::Auth::compile(wire, &policy_at("auth"), compiler));
        let credential_headers: Vec<_> = auth.iter().flat_map(auth::Auth::headers).collect();
        Self {
            cors: on(&wire.cors)
                .and_then(|wire| cors::Cors::compile(wire, &policy_at("cors"), scope, &credential_headers, compiler)),
            ip: on(&wire.ip).and_then(|wire| ip::Ip::compile(wire, &policy_at("ip"), compiler)),
            body_limit: on(&wire.body_limit)
                .and_then(|wire| body_limit::BodyLimit::compile(wire, &policy_at("body_limit"), compiler)),
            limits: rate_limit::Limit::compile(
                on(&wire.rate_limit).map(|wire| Written { wire, at: policy_at("rate_limit") }).as_ref(),
                on(&wire.quota).map(|wire| Written { wire, at: policy_at("quota") }).as_ref(),
                scope,
                compiler,
            ),
            in_flight: on(&wire.in_flight)
                .and_then(|wire| in_flight::InFlight::compile(wire, &policy_at("in_flight"), scope, compiler)),
            auth,
            plan: on(&wire.plan).and_then(|wire| plan::PlanChoice::compile(wire, &policy_at("plan"), scope, compiler)),
            cache: on(&wire.cache).and_then(|wire| {
                cache::Cache::compile(wire, &policy_at("cache"), route, scope, &credential_headers, compiler)
            }),
            request: on(&wire.request)
                .and_then(|wire| transform::RequestTransform::compile(wire, &policy_at("request"), scope, compiler)),
            response: on(&wire.response)
                .and_then(|wire| transform::ResponseTransform::compile(wire, &policy_at("response"), scope, compiler)),
            security_headers: on(&wire.security_headers).and_then(|wire| {
                security_headers::SecurityHeaders::compile(wire, &policy_at("security_headers"), compiler)
            }),
        }
    }
}

fn on<T>(setting: &Option<wire::Setting<T>>) -> Option<&T> {
    match setting {
        Some(wire::Setting::On(value)) => Some(value),
        Some(wire::Setting::Off) | None => None,
    }
}

/// The mode of a policy that may be switched off by it.
pub(crate) fn mode(wire: wire::Mode) -> Option<Mode> {
    match wire {
        wire::Mode::Enforce => Some(Mode::Enforce),
        wire::Mode::Observe => Some(Mode::Observe),
        wire::Mode::Off => None,
    }
}
