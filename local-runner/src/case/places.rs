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
    let last = |is: &dyn Fn(&Decision) -> bool| trace.iter().rposition(|traced| is(&traced.decision));
    let own = cause.policy.and_then(|policy| last(&|decision| decision.policy == policy));
    let end = last(&ends).or(trace.len().checked_sub(1))?;
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

/// Whether a decision ends the request. Of CORS a denial is the browser's affair: the request goes on.
fn ends(decision: &Decision) -> bool {
    match decision.outcome {
        Outcome::Respond => true,
        Outcome::Deny => decision.policy != Policy::Cors,
        Outcome::Allow | Outcome::WouldDeny => decision.policy == Policy::Forward,
    }
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
