//! Whether two configurations decide a request differently, and whether the old one decides it as was recorded.

use std::collections::BTreeMap;

use http::StatusCode;
use portico_core::Record;
use portico_core::decision::{Decision, Outcome, Policy, Reason};

use super::recorded::{By, Decided, Logged, Recorded};
use super::replay::Became;

/// How a request is decided differently.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference<'r> {
    pub(super) old: String,
    pub(super) new: String,
    /// The decisions that make the difference, where there are any.
    pub(super) deciding: [Option<&'r Decision>; 2],
}

/// How `new` differs from `old`. A policy that is new and lets the request pass makes no difference; neither does a route that is
/// only `renamed` (old names to new ones).
pub(super) fn difference<'r>(
    recorded: &Recorded,
    old: &'r Became,
    new: &'r Became,
    renamed: &BTreeMap<String, String>,
) -> Option<Difference<'r>> {
    let [was, is] = [old, new].map(|became| verdict(&became.record));
    let ends = [old, new].map(|became| end(&became.record).or_else(|| of(&became.record, Policy::Forward)));
    if was != is {
        let is = if is_stranger(recorded, new) {
            "goes on to auth, and who called is not in the log".to_owned()
        } else {
            is
        };
        return Some(Difference { old: was, new: is, deciding: ends });
    }
    let [was, is] = [old, new].map(|became| became.record.route.as_deref());
    if was.map(|was| renamed.get(was).map_or(was, String::as_str)) != is {
        let route = |route: Option<&str>| route.map_or("no route".to_owned(), |route| format!("route {route}"));
        let deciding = [old, new].map(|became| of(&became.record, Policy::Route));
        return Some(Difference { old: route(was), new: route(is), deciding });
    }
    if old.arrived != new.arrived {
        let deciding = [old, new].map(|became| of(&became.record, Policy::Request));
        let (old, new) = (verdict(&old.record), "another path or query goes upstream".to_owned());
        return Some(Difference { old, new, deciding });
    }
    let [was, is] = [old, new].map(|became| caller(&became.record));
    if was != is {
        let deciding = [old, new].map(|became| of(&became.record, Policy::Auth));
        let another = was.zip(is).filter(|(was, is)| was.0 == is.0);
        let is = another.map_or_else(|| by(is), |(_, (identity, _))| format!("another consumer of {identity}"));
        return Some(Difference { old: by(was), new: is, deciding });
    }
    let (was, is) = (telling(&old.record), telling(&new.record));
    let alike =
        |was: &&Decision, is: &&Decision| (was.policy, was.outcome, was.reason) == (is.policy, is.outcome, is.reason);
    let (was, is) = first_unlike(&was, &is, alike)?;
    let deciding = [was, is].map(|decision| decision.copied());
    let [was, is] = deciding.map(|decision| decision.map_or("nothing of the kind".to_owned(), told));
    Some(Difference { old: was, new: is, deciding })
}

/// Why the replay of a request on the old configuration is not what was recorded; `None` when it is.
pub(super) fn unlike_recorded(recorded: &Recorded, old: &Became) -> Option<String> {
    let record = &old.record;
    let unlike =
        |recorded: &str, replayed: &str| Some(format!("{recorded} in the record, {replayed} in a replay on OLD"));
    let (status, now) = (recorded.status.to_string(), record.status.as_str());
    let logged = match &recorded.by {
        By::Log(logged) => logged,
        By::Browser(_) if status == now => return None,
        By::Browser(_) => return unlike(&status, &verdict(record)),
    };
    if logged.route.as_deref() != record.route.as_deref() {
        let route = |route: Option<&str>| route.map_or("no route".to_owned(), |route| format!("route {route}"));
        return unlike(&route(logged.route.as_deref()), &route(record.route.as_deref()));
    }
    let before: Vec<_> = logged.decisions.iter().filter(|decided| is_telling(decided)).collect();
    let alike = |decided: &&Decided, decision: &&Decision| {
        let reason = decision.reason.code();
        // why a token was refused cannot be recreated, only that it was
        let token = |reason: &str| reason.starts_with("token_");
        decided.policy == decision.policy.as_str()
            && decided.outcome == decision.outcome.as_str()
            && (decided.reason == reason || token(&decided.reason) && token(reason))
    };
    if let Some((before, now)) = first_unlike(&before, &telling(record), alike) {
        let text = |decided: &&Decided| format!("{} {} {}", decided.policy, decided.outcome, decided.reason);
        let now = now.map_or_else(|| verdict(record), |decision| told(decision));
        return unlike(&before.map_or(status, text), &now);
    }
    let before = logged.caller.as_ref().map(|(identity, consumer)| (identity.as_str(), consumer.as_str()));
    if before != caller(record) {
        return unlike(&by(before), &by(caller(record)));
    }
    if status == now { None } else { unlike(&status, now) }
}

/// What became of a request, in few words.
fn verdict(record: &Record) -> String {
    let status = record.status.as_u16();
    match end(record) {
        Some(decision) if decision.outcome == Outcome::Deny => format!("{status} {}", told(decision)),
        Some(decision) => format!("{status} {}", decision.reason),
        None => match record.upstream.as_deref().and_then(|upstream| upstream.split(' ').next()) {
            Some(upstream) => format!("forwarded to {upstream}"),
            None => format!("{status} by the gateway itself"),
        },
    }
}

fn told(decision: &Decision) -> String {
    format!("{} {} {}", decision.policy, decision.outcome.as_str(), decision.reason)
}

/// By which identity somebody was authenticated. Consumers are too many to be told one by one.
fn by(caller: Option<(&str, &str)>) -> String {
    caller.map_or("nobody authenticated".to_owned(), |(identity, _)| format!("authenticated by {identity}"))
}

/// The decision that ended a request.
fn end(record: &Record) -> Option<&Decision> {
    let ends = |decision: &&Decision| match decision.outcome {
        // an origin that is refused is the browser's affair
        Outcome::Deny => decision.policy != Policy::Cors,
        Outcome::Respond => true,
        Outcome::Allow | Outcome::WouldDeny => false,
    };
    record.decisions.iter().rev().find(ends)
}

fn of(record: &Record, policy: Policy) -> Option<&Decision> {
    record.decisions.iter().find(|decision| decision.policy == policy)
}

fn caller(record: &Record) -> Option<(&str, &str)> {
    record.principal.as_deref().map(|principal| (&*principal.identity, &*principal.consumer))
}

/// The decisions that a client or an operator notices: all but those that let a request pass. Of CORS these too, as without them a
/// browser hides the response.
fn telling(record: &Record) -> Vec<&Decision> {
    let telling = |decision: &&Decision| decision.outcome != Outcome::Allow || decision.policy == Policy::Cors;
    record.decisions.iter().filter(telling).collect()
}

fn is_telling(decided: &Decided) -> bool {
    decided.outcome != Outcome::Allow.as_str() || decided.policy == Policy::Cors.as_str()
}

/// The first two of two lists that are not alike.
fn first_unlike<'l, A, B>(
    one: &'l [A],
    other: &'l [B],
    alike: impl Fn(&A, &B) -> bool,
) -> Option<(Option<&'l A>, Option<&'l B>)> {
    let at = |index: usize| (one.get(index), other.get(index));
    let unlike = |pair: &(Option<&A>, Option<&B>)| !matches!(pair, (Some(one), Some(other)) if alike(one, other));
    (0..one.len().max(other.len())).map(at).find(unlike)
}

/// Whether a request that was refused before anybody asked who called is now asked: a log says nothing of its credentials.
fn is_stranger(recorded: &Recorded, new: &Became) -> bool {
    let asked = end(&new.record).is_some_and(|end| end.reason == Reason::CredentialsMissing);
    let refused = |logged: &Logged| {
        logged.decided("auth").is_none() && logged.decisions.iter().any(|decided| decided.outcome == "deny")
    };
    asked && new.record.status == StatusCode::UNAUTHORIZED && matches!(&recorded.by, By::Log(logged) if refused(logged))
}
