//! What differs in meaning between two configurations.

use std::collections::{BTreeMap, BTreeSet};

use portico_core::config::Pointer;
use serde_json::Value;

use super::change::{Change, Judgement, Place, Subject, What};
use super::compare::compare;
use super::effective::{self, Plan, Policy, Route};
use super::facts::{Facts, facts, said};
use super::keys::{self, Key};
use super::side::Side;
use super::taken::Taken;
use super::value::Canonical;

/// All differences: looser ones first, then tighter ones, each kind in the order of the configuration.
pub(crate) fn changes(old: &Side, new: &Side) -> Vec<Change> {
    let mut changes = Changes::default();
    let root = Pointer::root();
    let outermost = |side: &Side| facts(keys::GATEWAY, &without_parts(side.document()), &root, &root);
    changes.compare(&Subject::Gateway, &outermost(old), &outermost(new));
    changes.named("upstreams", keys::UPSTREAM, Subject::Upstream, old, new);
    changes.named("identities", keys::IDENTITY, Subject::Identity, old, new);
    changes.plans(old, new);
    changes.unrouted(old, new);
    changes.routes(old, new);
    changes.sorted(old, new)
}

/// Routes of the old configuration that have another name in the new one.
pub(super) fn renamed(old: &Side, new: &Side) -> BTreeMap<String, String> {
    let (before, after) = (effective::routes(old.document()), effective::routes(new.document()));
    let pairs = pairs(&before, &after).into_iter().filter(|(old, new)| old != new);
    pairs.map(|(old, new)| (old.to_owned(), new.to_owned())).collect()
}

fn without_parts(document: &Value) -> Value {
    let mut document = document.clone();
    if let Some(keys) = document.as_object_mut() {
        keys.retain(|key, _| !["upstreams", "identities", "plans", "defaults", "routes"].contains(&key.as_str()));
    }
    document
}

#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn add(&mut self, judgement: Judgement, subject: &Subject, what: What, place: Place) {
        // what many routes take over from the defaults is told once
        let same = |known: &&mut Change| {
            known.judgement == judgement
                && known.what == what
                && known.place == place
                && matches!(subject, Subject::Route(_))
        };
        match self.0.iter_mut().find(same) {
            Some(known) => known.subjects.push(subject.clone()),
            None => self.0.push(Change { judgement, subjects: vec![subject.clone()], what, place }),
        }
    }

    fn compare(&mut self, subject: &Subject, old: &Facts, new: &Facts) {
        for (judgement, what, place) in compare(old, new) {
            self.add(judgement, subject, what, place);
        }
    }

    /// Upstreams and identities: neither does anything until a route names it.
    fn named(&mut self, key: &str, table: &'static [Key], subject: impl Fn(String) -> Subject, old: &Side, new: &Side) {
        let parts = |side: &'_ Side| -> BTreeMap<String, (Value, Pointer)> {
            let at = Pointer::root().child_key(key);
            let parts = side.document().get(key).and_then(Value::as_object).into_iter().flatten();
            parts.map(|(name, value)| (name.clone(), (value.clone(), at.child_key(name)))).collect()
        };
        let (old, new) = (parts(old), parts(new));
        let root = Pointer::root();
        for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let subject = subject(name.clone());
            let facts = |(value, at): &(Value, Pointer)| facts(table, value, at, &root);
            match (old.get(name), new.get(name)) {
                (Some(old), Some(new)) => self.compare(&subject, &facts(old), &facts(new)),
                (None, Some(new)) => {
                    let what = What::Added { key: root.clone(), says: said(&facts(new), &root) };
                    self.add(Judgement::Changed, &subject, what, Place::New(new.1.clone()));
                }
                (Some(old), None) => {
                    let what = What::Removed { key: root.clone(), said: said(&facts(old), &root) };
                    self.add(Judgement::Changed, &subject, what, Place::Old(old.1.clone()));
                }
                (None, None) => {}
            }
        }
    }

    /// Plans: they limit nobody until a route selects them.
    fn plans(&mut self, old: &Side, new: &Side) {
        let (old, new) = (effective::plans(old.document()), effective::plans(new.document()));
        let root = Pointer::root();
        let rest = |plan: &Plan<'_>| facts(keys::PLAN, &plan.rest, &plan.at, &root);
        let all = |plan: &Plan<'_>| {
            let limits = plan.limits.iter().flat_map(|(name, limit)| facts_of(limit, &root.child_key(*name)));
            limits.chain(rest(plan)).collect::<Facts>()
        };
        for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let subject = Subject::Plan((*name).to_owned());
            match (old.get(name), new.get(name)) {
                (Some(old), Some(new)) => {
                    self.compare(&subject, &rest(old), &rest(new));
                    for name in old.limits.keys().chain(new.limits.keys()).collect::<BTreeSet<_>>() {
                        self.policy(&subject, name, old.limits.get(name), new.limits.get(name));
                    }
                }
                (None, Some(new)) => {
                    let what = What::Added { key: root.clone(), says: said(&all(new), &root) };
                    self.add(Judgement::Changed, &subject, what, Place::New(new.at.clone()));
                }
                (Some(old), None) => {
                    let what = What::Removed { key: root.clone(), said: said(&all(old), &root) };
                    self.add(Judgement::Changed, &subject, what, Place::Old(old.at.clone()));
                }
                (None, None) => {}
            }
        }
    }

    fn unrouted(&mut self, old: &Side, new: &Side) {
        let cors = |side: &Side| effective::unrouted_cors(side.document());
        self.policy(&Subject::Unrouted, "cors", cors(old).as_ref(), cors(new).as_ref());
    }

    fn routes(&mut self, old: &Side, new: &Side) {
        let (before, after) = (effective::routes(old.document()), effective::routes(new.document()));
        let pairs = pairs(&before, &after);
        let taken = Taken::new(&before, &after, &pairs, old, new);
        for route in &before {
            let subject = Subject::Route(route.name.to_owned());
            let Some(now) = pairs.get(route.name).and_then(|name| after.iter().find(|after| after.name == *name))
            else {
                let judgement = if taken.from(route.name) { Judgement::Changed } else { Judgement::Tighter };
                let what = What::Removed { key: Pointer::root(), said: summary(route, old) };
                self.add(judgement, &subject, what, Place::Old(route.at.clone()));
                continue;
            };
            if now.name != route.name {
                let place = Place::New(now.at.child_key("name"));
                self.add(Judgement::Changed, &subject, What::Renamed { to: now.name.to_owned() }, place);
            }
            self.route(&Subject::Route(now.name.to_owned()), route, now);
        }
        for route in after.iter().filter(|after| !pairs.values().any(|name| *name == after.name)) {
            let judgement = if taken.by(route.name) { Judgement::Changed } else { Judgement::Looser };
            let what = What::Added { key: Pointer::root(), says: summary(route, new) };
            self.add(judgement, &Subject::Route(route.name.to_owned()), what, Place::New(route.at.clone()));
        }
        for (judgement, from, what, place) in taken.told() {
            self.add(judgement, &Subject::Route(from), what, place);
        }
    }

    fn route(&mut self, subject: &Subject, old: &Route<'_>, new: &Route<'_>) {
        let root = Pointer::root();
        let rest = |route: &Route<'_>| facts(keys::ROUTE, &route.rest, &route.at, &root);
        self.compare(subject, &rest(old), &rest(new));
        for name in old.policies.keys().chain(new.policies.keys()).collect::<BTreeSet<_>>() {
            self.policy(subject, name, old.policies.get(name), new.policies.get(name));
        }
    }

    fn policy(&mut self, subject: &Subject, name: &str, old: Option<&Policy>, new: Option<&Policy>) {
        let key = Pointer::root().child_key(name);
        let facts = |policy: &Policy| facts_of(policy, &key);
        // one that only observes lets everything pass, as one that is not there
        let observes = |policy: &Policy| policy.value.get("mode").is_some_and(|mode| mode == "observe");
        let effect = |policy: &Policy| keys::effect_of_policy(name).filter(|_| !observes(policy));
        let effect = |policy: &Policy| effect(policy).unwrap_or(Judgement::Changed);
        match (old, new) {
            (None, Some(new)) => {
                let what = What::Added { key: key.clone(), says: said(&facts(new), &key) };
                self.add(effect(new), subject, what, Place::New(new.at.clone()));
            }
            (Some(old), None) => {
                let what = What::Removed { key: key.clone(), said: said(&facts(old), &key) };
                self.add(effect(old).opposite(), subject, what, Place::Old(old.at.clone()));
            }
            (Some(old), Some(new)) => {
                // where nobody wrote it, it follows from what is told anyway
                let follows = [old, new].iter().all(|policy| policy.implied.contains(&"guarantee"));
                let (mut old, mut new) = (facts(old), facts(new));
                if follows {
                    let guarantee = key.child_key("guarantee");
                    old.remove(&guarantee);
                    new.remove(&guarantee);
                }
                let rate = if name == "rate_limit" { rates(&mut old, &mut new) } else { None };
                for (judgement, what, place) in compare(&old, &new) {
                    let of_the_rate = ["rate_limit.limit", "rate_limit.per"].contains(&&*what.key().to_string());
                    self.add(rate.filter(|_| of_the_rate).unwrap_or(judgement), subject, what, place);
                }
            }
            (None, None) => {}
        }
    }

    fn sorted(self, old: &Side, new: &Side) -> Vec<Change> {
        let line = |change: &Change| match &change.place {
            Place::New(at) => (1, new.place(at).map(|place| (place.file, place.line, place.column)), at.clone()),
            Place::Old(at) => (0, old.place(at).map(|place| (place.file, place.line, place.column)), at.clone()),
        };
        let mut changes = self.0;
        changes.sort_by_cached_key(|change| (change.judgement, line(change), change.subjects.clone()));
        changes
    }
}

/// What a policy says, told with `key` before it.
fn facts_of(policy: &Policy, key: &Pointer) -> Facts {
    let mut facts = facts(keys::POLICIES, &policy.value, &policy.at, key);
    for implied in &policy.implied {
        facts.entry(key.child_key(*implied)).and_modify(|fact| fact.is_default = true);
    }
    facts
}

/// Which route of the new configuration is which of the old one: that of the same name, else one that serves the same
/// requests under a new name.
fn pairs<'d>(before: &[Route<'d>], after: &[Route<'d>]) -> BTreeMap<&'d str, &'d str> {
    let named = |routes: &[Route<'_>], name: &str| routes.iter().any(|route| route.name == name);
    let kept = before.iter().filter(|route| named(after, route.name)).map(|route| (route.name, route.name));
    let mut pairs: BTreeMap<_, _> = kept.collect();
    let matched = |route: &Route<'_>| {
        let facts = facts(keys::ROUTE, &route.rest, &Pointer::root(), &Pointer::root());
        let matched = facts.into_iter().filter(|(key, _)| key.to_string().starts_with("match."));
        matched.map(|(key, fact)| (key, fact.value)).collect::<Vec<_>>()
    };
    for route in before.iter().filter(|route| !named(after, route.name)) {
        let mut fresh = after.iter().filter(|after| !named(before, after.name));
        if let Some(same) = fresh.find(|after| matched(after) == matched(route)) {
            pairs.insert(route.name, same.name);
        }
    }
    pairs
}

/// What a change of `limit` and `per` together does: 100 in a minute are more than 1000 in an hour. Leaves a burst out that is
/// what it is when nothing is said.
fn rates(old: &mut Facts, new: &mut Facts) -> Option<Judgement> {
    let amount = |facts: &Facts, key: &str| {
        let fact = facts.get(&Pointer::root().child_key("rate_limit").child_key(key))?;
        if let Canonical::Amount(amount, _) = fact.value { Some(u128::from(amount)) } else { None }
    };
    let numbers = |facts: &Facts| {
        let limit = amount(facts, "limit")?;
        // a window lets its limit pass at once
        Some((limit, amount(facts, "per")?, amount(facts, "burst").unwrap_or(limit)))
    };
    let (Some((limit, per, burst)), Some((new_limit, new_per, new_burst))) = (numbers(old), numbers(new)) else {
        return None;
    };
    if burst == limit && new_burst == new_limit {
        let burst = Pointer::root().child_key("rate_limit").child_key("burst");
        old.remove(&burst);
        new.remove(&burst);
    }
    let together = limit != new_limit && per != new_per;
    let judgement = match (new_limit * per).cmp(&(limit * new_per)) {
        std::cmp::Ordering::Greater => Judgement::Looser,
        std::cmp::Ordering::Less => Judgement::Tighter,
        std::cmp::Ordering::Equal => Judgement::Changed,
    };
    together.then_some(judgement)
}

/// A route in one line: what it matches, what it does, which policies are on.
fn summary(route: &Route<'_>, side: &Side) -> String {
    let compiled = side.gateway().routes().find(|compiled| *compiled.name == *route.name);
    let matches = compiled.map(|compiled| compiled.summary.clone()).unwrap_or_default();
    let text = |key: &str| route.rest.get(key).and_then(Value::as_str);
    let action = match text("upstream") {
        Some(upstream) => format!("to {upstream}"),
        None if route.rest.get("respond").is_some() => "responds".to_owned(),
        None => "redirects".to_owned(),
    };
    let policies: Vec<_> = route.policies.keys().copied().collect();
    let matches = matches.strip_prefix("* ").unwrap_or(&matches);
    if policies.is_empty() {
        format!("{matches}, {action}")
    } else {
        format!("{matches}, {action}, with {}", policies.join(", "))
    }
}

#[cfg(test)]
mod tests;
