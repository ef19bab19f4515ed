//! A request explained: every step of its life in their fixed order, with what was decided there, why, and which place of the
//! configuration is behind it. What `portico explain` prints and `X-Portico-Trace` carries.

mod ascii;

use serde::{Serialize, Serializer};
use serde_json::Value;

use self::ascii::{ascii, shorten};
use crate::after::Record;
use crate::config::Pointer;
use crate::decision::{Decision, Outcome, Policy, Reason};
use crate::gateway::{Gateway, Route};
use crate::peer::Country;
use crate::policy::Policies;
use crate::policy::in_flight::InFlight;
use crate::policy::rate_limit::Limit;
use crate::policy::security_headers::SecurityHeaders;

/// What became of a request, from its [`Record`]. Of the values of header fields only the ids and the client's address are in
/// it, of the query and of secrets nothing.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation<'a> {
    /// The gateway's name.
    pub gateway: &'a str,
    /// The hash of its configuration, in hex.
    pub config: String,
    /// What was found out about the request before anything was decided.
    pub request: Facts<'a>,
    /// The route that served it.
    pub route: Option<&'a str>,
    /// Who was authenticated.
    pub caller: Option<Caller<'a>>,
    /// The upstream and target that were asked.
    pub upstream: Option<&'a str>,
    /// The response's status.
    pub status: u16,
    /// All steps, in their order, whether or not they had anything to do.
    pub steps: Vec<Step<'a>>,
}

/// What is found out about every request.
#[derive(Debug, Clone, Serialize)]
pub struct Facts<'a> {
    /// The request's id.
    pub id: &'a str,
    /// Whether it came with the request.
    pub id_kept: bool,
    /// The trace it belongs to, in hex.
    pub trace_id: String,
    /// Whether that came with the request.
    pub trace_continued: bool,
    /// The method.
    pub method: &'a str,
    /// The path as it came.
    pub path: &'a str,
    /// The one it was matched by, if that is another.
    pub canonical_path: Option<&'a str>,
    /// The client's address.
    pub client: String,
    /// Who says so: `peer`, or `x-forwarded-for` when trusted proxies do.
    pub client_from: &'static str,
    /// Its country, if the platform knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<&'static str>,
    /// The number of its autonomous system, if the platform knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
}

/// Who called.
#[derive(Debug, Clone, Serialize)]
pub struct Caller<'a> {
    /// The identity that was proven.
    pub identity: &'a str,
    /// Whose it is.
    pub consumer: &'a str,
}

/// One step of a request's life.
#[derive(Debug, Clone, Serialize)]
pub struct Step<'a> {
    /// Which one.
    #[serde(serialize_with = "stage")]
    pub step: Stage,
    /// What happened there: an [`Outcome`], or why there is none.
    #[serde(serialize_with = "happened")]
    pub outcome: Happened,
    /// The reason code of a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Particulars of a decision; empty when the reason says it all.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub detail: &'a str,
    /// The place in the configuration behind a decision; the root when nothing that is configured decided.
    #[serde(serialize_with = "place", skip_serializing_if = "Pointer::is_root")]
    pub place: Pointer,
}

/// The steps of a request's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// One that decides.
    Policy(Policy),
    /// Id, trace and client address are found out.
    Identify,
    /// Security headers are added to the response.
    SecurityHeaders,
    /// The access log is written.
    After,
}

impl Stage {
    /// The name, for a policy as everywhere else.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy(policy) => policy.as_str(),
            Self::Identify => "identify",
            Self::SecurityHeaders => "security_headers",
            Self::After => "after",
        }
    }
}

/// What happened at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// Something was decided.
    Decided(Outcome),
    /// What had to be done was done.
    Done,
    /// It is configured, and this request gave it nothing to do (a policy for cross-origin requests, and this is none).
    NotApplicable,
    /// The route has no such policy.
    NotConfigured,
    /// The request ended before.
    NotReached,
}

impl Happened {
    /// The name in a trace.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decided(outcome) => outcome.as_str(),
            Self::Done => "done",
            Self::NotApplicable => "not_applicable",
            Self::NotConfigured => "not_configured",
            Self::NotReached => "not_reached",
        }
    }
}

impl<'a> Explanation<'a> {
    /// Explains a request that `gateway` has served.
    pub fn new(gateway: &'a Gateway, record: &'a Record) -> Self {
        let name = record.route.as_deref();
        let route = name.and_then(|name| gateway.routes.used(name));
        let stages = stages(route).into_iter();
        Self {
            gateway: gateway.name(),
            config: record.config.to_string(),
            request: Facts::new(record),
            route: name,
            caller: record
                .principal
                .as_ref()
                .map(|principal| Caller { identity: &principal.identity, consumer: &principal.consumer }),
            upstream: record.upstream.as_deref(),
            status: record.status.as_u16(),
            steps: stages.flat_map(|stage| steps(stage, gateway, route, record)).collect(),
        }
    }

    /// As JSON in visible ASCII and spaces, at most `max` bytes long for any `max` from 5 KiB: if need be its texts are cut
    /// off and end in `…`, and it has a member `shortened`.
    pub fn to_ascii(&self, max: usize) -> String {
        let fits = |text: &String| text.len() <= max;
        // written as it is, its members are in their order here; in a `Value` that depends on serde_json's features
        let whole = serde_json::to_string(self).map(|json| ascii(&json)).unwrap_or_default();
        Some(whole)
            .filter(fits)
            .or_else(|| Some(self.shortened(400)).filter(fits))
            .unwrap_or_else(|| self.shortened(64))
    }

    fn shortened(&self, cap: usize) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        shorten(&mut value, cap);
        value["shortened"] = Value::Bool(true);
        ascii(&value.to_string())
    }
}

impl<'a> Facts<'a> {
    fn new(record: &'a Record) -> Self {
        Self {
            id: record.id.as_str(),
            id_kept: record.id.is_kept(),
            trace_id: record.trace.id(),
            trace_continued: record.trace.continued,
            method: record.method.as_str(),
            path: record.uri.path(),
            canonical_path: record.canonical.as_deref(),
            client: record.client.to_string(),
            client_from: if record.client == record.peer { "peer" } else { "x-forwarded-for" },
            country: record.country.map(Country::as_str),
            asn: record.asn,
        }
    }
}

/// The order is that of `Gateway::handle`.
fn stages(route: Option<&Route>) -> Vec<Stage> {
    let after_auth = |policy: &Policy| {
        route.map(|route| &route.policies).is_some_and(|policies| match policy {
            Policy::RateLimit | Policy::Quota => {
                policies.limit(*policy).map_or(policies.plan.is_some(), Limit::needs_identity)
            }
            Policy::InFlight => policies.in_flight.as_ref().is_some_and(InFlight::needs_identity),
            _ => false,
        })
    };
    let (after, before): (Vec<_>, Vec<_>) =
        [Policy::RateLimit, Policy::Quota, Policy::InFlight].into_iter().partition(after_auth);
    let mut stages = vec![
        Stage::Policy(Policy::Path),
        Stage::Identify,
        Stage::Policy(Policy::Route),
        Stage::Policy(Policy::Cors),
        Stage::Policy(Policy::Ip),
        Stage::Policy(Policy::BodyLimit),
    ];
    stages.extend(before.into_iter().chain([Policy::Auth, Policy::Plan]).chain(after).map(Stage::Policy));
    stages.extend([Policy::Cache, Policy::Request, Policy::Forward, Policy::Response].map(Stage::Policy));
    stages.extend([Stage::SecurityHeaders, Stage::After]);
    stages
}

/// What was decided at a stage, or why nothing was.
fn steps<'a>(stage: Stage, gateway: &Gateway, route: Option<&Route>, record: &'a Record) -> Vec<Step<'a>> {
    let here = |decision: &&Decision| Stage::Policy(decision.policy) == stage;
    let decided = |decision: &'a Decision| Step {
        step: stage,
        outcome: Happened::Decided(decision.outcome),
        reason: Some(decision.reason.code()),
        detail: &decision.detail,
        place: gateway.place(record.route.as_deref(), decision),
    };
    let steps: Vec<_> = record.decisions.iter().filter(here).map(decided).collect();
    if !steps.is_empty() {
        return steps;
    }
    let outcome = undecided(stage, route, record);
    vec![Step { step: stage, outcome, reason: None, detail: "", place: Pointer::root() }]
}

fn undecided(stage: Stage, route: Option<&Route>, record: &Record) -> Happened {
    let matched = record.decisions.iter().any(|decision| decision.reason == Reason::RouteMatched);
    let policies = route.map(|route| &route.policies);
    let configured = |is: fn(&Policies) -> bool| policies.is_none_or(is);
    let (configured, reached) = match stage {
        Stage::Policy(Policy::Path) | Stage::Identify | Stage::After => return Happened::Done,
        Stage::SecurityHeaders => {
            let sent = policies.and_then(|policies| policies.security_headers.as_ref()).map(SecurityHeaders::are_sent);
            match sent {
                Some(true) => return Happened::Done,
                Some(false) => (true, true),
                None => (policies.is_none(), false),
            }
        }
        // a request without an origin leaves it nothing to decide
        Stage::Policy(Policy::Cors) => (configured(|policies| policies.cors.is_some()), matched),
        Stage::Policy(Policy::Route | Policy::Forward) => (true, false),
        Stage::Policy(Policy::Ip) => (configured(|policies| policies.ip.is_some()), false),
        Stage::Policy(Policy::BodyLimit) => (configured(|policies| policies.body_limit.is_some()), false),
        Stage::Policy(policy @ (Policy::RateLimit | Policy::Quota)) => {
            // once a plan is selected it is known whether it has such a limit
            let selected = record.decisions.iter().any(|decision| decision.reason == Reason::PlanSelected);
            let limited =
                |policies: &Policies| policies.limit(policy).is_some() || policies.plan.is_some() && !selected;
            (policies.is_none_or(limited), false)
        }
        Stage::Policy(Policy::InFlight) => (configured(|policies| policies.in_flight.is_some()), false),
        Stage::Policy(Policy::Auth) => (configured(|policies| policies.auth.is_some()), false),
        Stage::Policy(Policy::Plan) => (configured(|policies| policies.plan.is_some()), false),
        Stage::Policy(Policy::Cache) => (configured(|policies| policies.cache.is_some()), false),
        Stage::Policy(Policy::Request) => (configured(|policies| policies.request.is_some()), false),
        Stage::Policy(Policy::Response) => (configured(|policies| policies.response.is_some()), false),
    };
    match (configured, reached) {
        (false, _) => Happened::NotConfigured,
        (true, true) => Happened::NotApplicable,
        (true, false) => Happened::NotReached,
    }
}

fn stage<S: Serializer>(stage: &Stage, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(stage.as_str())
}

fn happened<S: Serializer>(happened: &Happened, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(happened.as_str())
}

fn place<S: Serializer>(place: &Pointer, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(place)
}

#[cfg(test)]
mod tests;
