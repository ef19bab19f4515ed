//! What would be decided differently, for people and for tools.

use std::fmt::Write as _;

use portico::config::Place as Line;
use portico_core::time::rfc3339;
use serde_json::{Value, json};

use super::recorded::Place;
use super::{Example, Few, Group, Members, Traffic};
use crate::diff::report::{counted, grouped};
use crate::log::{Readable, plain};

impl Traffic {
    /// For people. Ends with a line break.
    pub(crate) fn human(&self, style: Readable) -> String {
        let groups = self.sorted();
        let different: usize = groups.iter().map(|(_, members)| members.examples.count).sum();
        let of = match different {
            0 => "none".to_owned(),
            different => grouped(different),
        };
        let title = format!("{of} of {} would be decided differently", counted(self.requests, "request"));
        let mut text = format!("{}\n", style.bold(&title));
        // writing to a String does not fail
        for (group, members) in groups {
            let Members { examples, decided_at } = members;
            _ = writeln!(text, "\n  {:>7}  {}: {} → {}", grouped(examples.count), group.route(), group.old, group.new);
            let [old, new] = decided_at.each_ref().map(|place| place.as_ref().map(Line::to_string));
            let places: Vec<_> = [old, new].into_iter().flatten().collect();
            if !places.is_empty() {
                _ = writeln!(text, "           {}", style.dim(&format!("decided at {}", places.join(", then "))));
            }
            for example in &examples.first {
                _ = writeln!(text, "           {}", style.dim(&example.told()));
            }
        }
        self.besides(&mut text, style);
        text
    }

    /// What is to be known besides.
    fn besides(&self, text: &mut String, style: Readable) {
        let count: usize = self.not_reproducible.values().map(|few| few.count).sum();
        if count > 0 {
            let title = format!("{} cannot be replayed from the record, and not counted:", counted(count, "request"));
            _ = writeln!(text, "\n{}", style.bold(&title));
            let mut reasons: Vec<_> = self.not_reproducible.iter().collect();
            reasons.sort_by_key(|(_, few)| std::cmp::Reverse(few.count));
            for (why, few) in reasons {
                _ = writeln!(text, "  {:>7}  {}", grouped(few.count), plain(why));
                for example in few.first.iter().take(1) {
                    _ = writeln!(text, "           {}", style.dim(&example.told()));
                }
            }
        }
        if self.unreadable.count > 0 {
            let Few { count, first } = &self.unreadable;
            let are = if *count == 1 { "is no request" } else { "are no requests" };
            _ = writeln!(text, "\n{}", style.bold(&format!("{} {are}:", counted(*count, "record"))));
            for (place, why) in first {
                _ = writeln!(text, "  {place}: {}", plain(why));
            }
        }
        if self.decided_by_another > 0 {
            let were = if self.decided_by_another == 1 { "request was" } else { "requests were" };
            let count = grouped(self.decided_by_another);
            _ = writeln!(text, "\nnote: {count} {were} decided by another configuration than OLD");
        }
        for note in &self.notes {
            _ = writeln!(text, "note: {note}");
        }
    }

    /// For tools.
    pub(crate) fn json(&self) -> Value {
        let group = |(group, members): (&Group, &Members)| {
            let [old, new] = &group.routes;
            let [was, is] = members.decided_at.each_ref().map(|place| place.as_ref().map(line));
            json!({
                "count": members.examples.count,
                "route": { "old": old, "new": new },
                "old": group.old,
                "new": group.new,
                "decided_at": { "old": was, "new": is },
                "examples": members.examples.first.iter().map(Example::json).collect::<Value>(),
            })
        };
        let reason = |(why, few): (&String, &Few<Example>)| json!({ "count": few.count, "why": why, "examples": few.first.iter().map(Example::json).collect::<Value>() });
        let groups = self.sorted();
        json!({
            "requests": self.requests,
            "different": groups.iter().map(|(_, members)| members.examples.count).sum::<usize>(),
            "groups": groups.into_iter().map(group).collect::<Value>(),
            "not_reproducible": self.not_reproducible.iter().map(reason).collect::<Value>(),
            "unreadable": {
                "count": self.unreadable.count,
                "examples": self.unreadable.first.iter().map(|(place, why)| format!("{place}: {why}")).collect::<Value>(),
            },
            "decided_by_another": self.decided_by_another,
            "notes": self.notes,
        })
    }

    /// The largest first.
    fn sorted(&self) -> Vec<(&Group, &Members)> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|(_, members)| std::cmp::Reverse(members.examples.count));
        groups
    }
}

impl Group {
    fn route(&self) -> String {
        let name = |route: &Option<String>| route.clone().unwrap_or_else(|| "none".to_owned());
        let [old, new] = &self.routes;
        if old == new { format!("route {}", name(old)) } else { format!("route {}, then {}", name(old), name(new)) }
    }
}

impl Example {
    fn told(&self) -> String {
        let Self { place, time, method, path, arrived } = self;
        let arrived = arrived.as_ref().map(|[old, new]| format!("  {} → {}", plain(old), plain(new)));
        format!("{place}  {}  {method} {}{}", rfc3339(*time), plain(path), arrived.unwrap_or_default())
    }

    fn json(&self) -> Value {
        let (file, line, entry) = match &self.place {
            Place::Line(file, line) => (file, Some(line), None),
            Place::Entry(file, entry) => (file, None, Some(entry)),
        };
        json!({
            "file": &**file,
            "line": line,
            "entry": entry,
            "time": rfc3339(self.time),
            "method": self.method.as_str(),
            "path": self.path,
            "upstream": self.arrived.as_ref().map(|[old, new]| json!({ "old": old, "new": new })),
        })
    }
}

fn line(place: &Line) -> Value {
    json!({ "file": place.file, "line": place.line, "column": place.column })
}
