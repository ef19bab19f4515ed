//! What differs in meaning, for people and for tools.

use std::fmt::Write as _;

use portico::config::Place as Line;
use portico_core::config::Pointer;
use serde_json::{Value, json};

use super::change::{Change, Judgement, Place, Subject, What};
use super::side::Side;
use crate::log::Readable;

/// For people: what each difference is about, where it is, looser ones first. Ends with a line break.
pub(crate) fn human(changes: &[Change], old: &Side, new: &Side, style: Readable) -> String {
    if changes.is_empty() {
        return format!("{} and {} mean the same\n", old.name, new.name);
    }
    let count = |judgement| {
        let count = changes.iter().filter(|change| change.judgement == judgement).count();
        (count > 0).then(|| format!("{count} {judgement}"))
    };
    let counts: Vec<_> = Judgement::ALL.into_iter().filter_map(count).collect();
    let all = counted(changes.len(), "difference");
    let title = format!("{} → {}: {all} in meaning: {}", old.name, new.name, counts.join(", "));
    let mut text = format!("{}\n", style.bold(&title));
    let places: Vec<_> = changes.iter().map(|change| shown(&change.place, old, new)).collect();
    let width = places.iter().map(|place| place.chars().count()).max().unwrap_or(0);
    let mut last = None;
    for (change, place) in changes.iter().zip(places) {
        let judgement = change.judgement;
        if last.replace(judgement) != Some(judgement) {
            let heading = match judgement {
                Judgement::Looser => style.bad(judgement.as_str()),
                Judgement::Tighter => style.good(judgement.as_str()),
                Judgement::Changed => style.bold(judgement.as_str()),
            };
            // writing to a String does not fail
            _ = writeln!(text, "\n{heading}");
        }
        let place = style.dim(&format!("{place:<width$}"));
        _ = writeln!(text, "  {place}  {}: {}", subjects(&change.subjects), change.what.text());
    }
    text
}

/// For tools: the objects of `changes`.
pub(crate) fn json(changes: &[Change], old: &Side, new: &Side) -> Value {
    changes.iter().map(|change| object(change, old, new)).collect()
}

fn object(change: &Change, old: &Side, new: &Side) -> Value {
    let names: Vec<_> = change.subjects.iter().map(|subject| subject.name()).collect();
    let (in_new, pointer, line) = match &change.place {
        Place::New(pointer) => (true, pointer, new.place(pointer)),
        Place::Old(pointer) => (false, pointer, old.place(pointer)),
    };
    let what = &change.what;
    let mut object = json!({
        "judgement": change.judgement.as_str(),
        "subject": change.subjects.first().map(Subject::kind),
        "names": names,
        "kind": kind(what),
        "key": shown_pointer(&what.key()),
        "message": what.text(),
        "in": if in_new { "new" } else { "old" },
        "file": line.as_ref().map(|line| &line.file),
        "line": line.as_ref().map(|line| line.line),
        "column": line.as_ref().map(|line| line.column),
        "pointer": shown_pointer(pointer),
    });
    let particulars = match what {
        What::Value { old, new, .. } => json!({
            "old": old.as_ref().map(|told| &told.json),
            "new": new.as_ref().map(|told| &told.json),
        }),
        What::Elements { added, removed, .. } => json!({ "added": added, "removed": removed }),
        What::Taken { request, by } => json!({ "request": request, "by": by }),
        What::Renamed { to } => json!({ "to": to }),
        What::Added { .. } | What::Removed { .. } => json!({}),
    };
    if let (Some(object), Value::Object(particulars)) = (object.as_object_mut(), particulars) {
        object.extend(particulars);
    }
    object
}

fn kind(what: &What) -> &'static str {
    match what {
        What::Added { .. } => "added",
        What::Removed { .. } => "removed",
        What::Renamed { .. } => "renamed",
        What::Value { .. } => "value",
        What::Elements { .. } => "elements",
        What::Taken { .. } => "taken",
    }
}

fn shown_pointer(pointer: &Pointer) -> Option<String> {
    (!pointer.is_root()).then(|| pointer.to_string())
}

/// `new.yaml:12:5`; for a bundle, which has no lines, the place in the document.
fn shown(place: &Place, old: &Side, new: &Side) -> String {
    let (side, pointer) = match place {
        Place::New(pointer) => (new, pointer),
        Place::Old(pointer) => (old, pointer),
    };
    side.place(pointer).map_or_else(|| format!("{}:{pointer}", side.name), |line: Line| line.to_string())
}

impl Subject {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Unrouted => "unrouted",
            Self::Upstream(_) => "upstream",
            Self::Identity(_) => "identity",
            Self::Plan(_) => "plan",
            Self::Route(_) => "route",
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Gateway | Self::Unrouted => None,
            Self::Upstream(name) | Self::Identity(name) | Self::Plan(name) | Self::Route(name) => Some(name),
        }
    }
}

/// The most routes that are named.
const NAMED: usize = 4;

fn subjects(subjects: &[Subject]) -> String {
    match subjects {
        [Subject::Gateway] => "gateway".to_owned(),
        [Subject::Unrouted] => "requests without a route".to_owned(),
        [one] => format!("{} {}", one.kind(), one.name().unwrap_or_default()),
        routes => {
            let names: Vec<_> = routes.iter().filter_map(Subject::name).take(NAMED).collect();
            let more = routes.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("routes {}{more}", names.join(", "))
        }
    }
}

/// `1 difference`, `3,400 differences`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// `3,400`
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
