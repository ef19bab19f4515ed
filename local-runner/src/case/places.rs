//! Which line of the configuration is behind a decision, and behind a difference.

use portico_core::config::{Pointer, Segment, compile};
use portico_core::decision::{Decision, Outcome, Policy};
use serde_json::Value;

use super::Case;
use super::compare::{Cause, Side};
use super::subject::Answer;
use crate::config::Place;

/// A decision, and what in the configuration is behind it.
#[derive(Debug, PartialEq)]
pub struct Traced {
    /// The decision.
    pub decision: Decision,
    /// What decided, in the configuration.
    pub behind: Behind,
}

/// Something in the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Behind {
    /// Where in the document; the root when nothing that is configured decided.
    pub pointer: Pointer,
    /// Where in which file; `None` when nothing that is configured decided.
    pub place: Option<Place>,
}

/// What brought a difference about.
#[derive(Debug, PartialEq)]
pub struct Decisive {
    /// The number of the decision in the trace; `None` when a policy had its turn and found nothing to decide.
    pub decision: Option<usize>,
    /// What is configured: what is behind the decision, or nearer to the difference.
    pub behind: Behind,
}

impl Behind {
    fn new(case: &Case, pointer: Pointer) -> Self {
        let place = if pointer.is_root() { None } else { case.sources.place(&pointer) };
        Self { pointer, place }
    }
}

/// What was decided and where. Nothing when decisions cannot be observed.
pub(super) fn trace(case: &Case, answer: &Answer) -> Vec<Traced> {
    let Ok((gateway, _)) = compile(&case.config) else { return Vec::new() };
    let traced = |decision: &Decision| Traced {
        behind: Behind::new(case, gateway.place(answer.route.as_deref(), decision)),
        decision: decision.clone(),
    };
    answer.decisions.iter().flatten().map(traced).collect()
}

/// What brought a difference about; `None` when nothing was decided, or nothing can be observed.
pub(super) fn decisive(case: &Case, answer: &Answer, trace: &[Traced], cause: &Cause) -> Option<Decisive> {
    let route = route(&case.config, answer.route.as_deref());
    let last = |policy| trace.iter().rposition(|traced| traced.decision.policy == policy);
    let own = cause.policy.and_then(last);
    // whatever ends a request before it is forwarded is the last to decide
    let end = last(Policy::Forward).or(trace.len().checked_sub(1))?;
    let ended = trace.get(end)?;
    if let Some(policy) = cause.policy.filter(|policy| own.is_none() && *policy < ended.decision.policy)
        && let Some(at) = in_force(&case.config, route.as_ref(), policy.as_str())
    {
        return Some(Decisive { decision: None, behind: Behind::new(case, at) });
    }
    let index = own.unwrap_or(end);
    let decided = trace.get(index)?;
    // what was refused never came to what is configured behind it
    let goes_on = own.is_some() || ended.decision.outcome != Outcome::Deny;
    let found = cause.keys.iter().filter(|_| goes_on).find_map(|key| {
        let parts = parts(&case.config, cause.side, route.as_ref());
        let parts = own.map(|_| decided.behind.pointer.clone()).into_iter().chain(parts);
        parts.into_iter().find_map(|at| find(lookup(&case.config, &at)?, &at, key))
    });
    let behind = found.map_or_else(|| decided.behind.clone(), |at| Behind::new(case, at));
    Some(Decisive { decision: Some(index), behind })
}

/// The place of the route of this name.
fn route(config: &Value, name: Option<&str>) -> Option<Pointer> {
    let routes = config.get("routes")?.as_array()?;
    let index = routes.iter().position(|route| route.get("name").and_then(Value::as_str) == name)?;
    Some(Pointer::root().child_key("routes").child_index(index))
}

/// Where a policy of the route is written: on the route itself, or in the defaults.
fn in_force(config: &Value, route: Option<&Pointer>, policy: &str) -> Option<Pointer> {
    let own = route.map(|route| route.child_key("policies").child_key(policy));
    let default = Pointer::root().child_key("defaults").child_key(policy);
    own.into_iter().chain([default]).find(|at| lookup(config, at).is_some())
}

/// The parts of the configuration that say what shows on one side.
fn parts(config: &Value, side: Side, route: Option<&Pointer>) -> Vec<Pointer> {
    let (policies, actions): (&[&str], &[&str]) = match side {
        Side::Response => (&["response", "security_headers", "cors"], &["respond", "redirect"]),
        Side::Request => (&["request"], &[]),
    };
    let policies = policies.iter().filter_map(|policy| in_force(config, route, policy));
    let actions = route.into_iter().flat_map(|route| actions.iter().map(|action| route.child_key(*action)));
    policies.chain(actions).collect()
}

fn lookup<'v>(value: &'v Value, at: &Pointer) -> Option<&'v Value> {
    at.segments().iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get(key),
        Segment::Index(index) => value.get(index),
    })
}

/// The place of a key at or below `at`, or of a text in a list that is the same; letter case does not matter.
fn find(value: &Value, at: &Pointer, key: &str) -> Option<Pointer> {
    if matches!(at.segments().last(), Some(Segment::Key(own)) if own.eq_ignore_ascii_case(key)) {
        return Some(at.clone());
    }
    match value {
        Value::Object(map) => map.iter().find_map(|(name, value)| find(value, &at.child_key(name), key)),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| find(item, &at.child_index(index), key))
        }
        Value::String(text) if text.eq_ignore_ascii_case(key) => Some(at.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::case::failure::Trouble;
    use crate::case::offline::Offline;
    use crate::case::parse;
    use crate::case::run::{Verdict, run};

    const GATEWAY: &str = r#"
config:
  portico: 1
  name: places
  upstreams: { app: { targets: [{ url: "http://app.internal" }], timeout: 1s } }
  identities: { keys: { api_key: { keys: {} } } }
  defaults:
    cors: { origins: ["https://a.example"] }
    security_headers: { frame_options: SAMEORIGIN }
    request: { headers: { set: { X-Default: a } } }
  routes:
    - { name: app, match: { path: /app }, upstream: app, policies: { rate_limit: { limit: 1, per: 1m }, request: { path: /v1, headers: { set: { X-A: a }, remove: [X-B] } } } }
    - { name: asks, match: { path: /asks }, upstream: app, policies: { auth: { any_of: [keys] }, response: { headers: { set: { X-A: a } } } } }
    - { name: here, match: { path: /here }, respond: { status: 201, json: { a: 1 }, headers: { X-A: a } } }
    - { name: away, match: { path: /away }, redirect: { to: /here } }
upstreams: { app: [{ times: 2, respond: {} }, { fail: timeout }] }
"#;

    /// What is told of each difference: the field, the policy that decided, and the place.
    fn told(send: &str, expect: &str) -> Vec<String> {
        let text = format!("{GATEWAY}steps: [{{ send: {{ url: \"http://a{send} }}, expect: {{ {expect} }} }}]\n");
        let case = parse(&text, Path::new("case.yaml"), "case").unwrap_or_else(|report| panic!("{report}")).remove(0);
        let Verdict::Failed(failure) = run(&case, &Offline) else { panic!("{expect} holds") };
        let Trouble::Differs(differs) = failure.trouble else { panic!("{failure}") };
        let decided =
            |index: Option<usize>| index.map_or("nothing", |index| differs.trace[index].decision.policy.as_str());
        let line = |(difference, decisive): &(crate::case::compare::Difference, Option<super::Decisive>)| match decisive
        {
            Some(super::Decisive { decision, behind }) => {
                format!("{}: {} {}", difference.field, decided(*decision), behind.pointer)
            }
            None => difference.field.clone(),
        };
        differs.differences.iter().map(line).collect()
    }

    #[test]
    fn what_was_refused_was_decided_where_it_was_refused() {
        assert_eq!(
            told("/asks\"", "status: 200, headers: { X-A: a }, decisions: { auth: allow, forward: allow }"),
            [
                "status: auth routes[1].policies.auth",
                "header x-a: auth routes[1].policies.auth",
                "decision of auth: auth routes[1].policies.auth",
                "decision of forward: auth routes[1].policies.auth",
            ]
        );
        assert_eq!(told("/none\"", "status: 200"), ["status: route routes"]);
    }

    #[test]
    fn what_a_key_says_is_at_the_key() {
        assert_eq!(
            told(
                "/here\"",
                "status: 200, headers: { X-A: b, X-Frame-Options: DENY, Referrer-Policy: none }, json: { a: 2 }"
            ),
            [
                "status: forward routes[2].respond.status",
                "header referrer-policy: forward defaults.security_headers",
                "header x-a: forward routes[2].respond.headers.X-A",
                "header x-frame-options: forward defaults.security_headers.frame_options",
                "json a: forward routes[2].respond.json",
            ]
        );
        assert_eq!(
            told("/away\"", "status: 200, headers: { Location: / }").last().unwrap(),
            "header location: forward routes[3].redirect"
        );
    }

    #[test]
    fn what_reaches_an_upstream_was_decided_on_its_way() {
        let upstream =
            "status: 200, upstream: { app: [{ path: /app, headers: { X-A: b, X-B: b, X-Default: a, X-C: c } }] }";
        assert_eq!(
            told("/app\"", upstream),
            [
                "app got path: request routes[0].policies.request.path",
                "app got header x-a: request routes[0].policies.request.headers.set.X-A",
                "app got header x-b: request routes[0].policies.request.headers.remove[0]",
                "app got header x-c: request routes[0].policies.request",
                // the route's own transform takes the place of the default one
                "app got header x-default: request routes[0].policies.request",
            ]
        );
    }

    #[test]
    fn a_policy_that_found_nothing_to_decide_is_told_with_its_place() {
        let expect = "status: 200, headers: { Access-Control-Allow-Origin: \"*\", RateLimit-Policy: a, X-A: b }";
        assert_eq!(
            told("/app\"", expect),
            [
                "header access-control-allow-origin: nothing defaults.cors",
                "header ratelimit-policy: rate_limit routes[0].policies.rate_limit",
                "header x-a: forward routes[0].upstream",
            ]
        );
    }
}
