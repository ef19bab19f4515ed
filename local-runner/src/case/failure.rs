//! A case that failed, for people: what was expected and what came, line by line where there are several, what decided it and where
//! that is configured, and everything that was decided on the way.

use std::fmt::{self, Write as _};

use portico_core::decision::Outcome;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::compare::Difference;
use super::places::{Behind, Decisive, Traced};
use super::subject::{Answer, Received};
use crate::paint::Paint;

/// Why a case failed.
#[derive(Debug, PartialEq)]
pub struct Failure {
    /// The step that failed; `None` when no step was taken.
    pub step: Option<StepOf>,
    /// `file:line` of the step, or of the case.
    pub place: String,
    /// What the case is about.
    pub about: Option<String>,
    /// What went wrong.
    pub trouble: Trouble,
}

/// A step of a case.
#[derive(Debug, PartialEq, Eq)]
pub struct StepOf {
    /// Its number, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// The line on which it begins.
    pub line: u32,
    /// What it does: `GET /orders/7`.
    pub what: String,
}

/// What went wrong.
#[derive(Debug, PartialEq)]
pub enum Trouble {
    /// There is no answer to look at; this is why.
    Said(String),
    /// The answer is another than expected.
    Differs(Box<Differs>),
}

/// An answer that is another than expected.
#[derive(Debug, PartialEq)]
pub struct Differs {
    /// What differs, and what brought it about.
    pub differences: Vec<(Difference, Option<Decisive>)>,
    /// What came.
    pub answer: Answer,
    /// What was decided; empty when it cannot be observed.
    pub trace: Vec<Traced>,
}

/// Longer bodies are cut off.
const SHOWN: usize = 1_000;

impl fmt::Display for StepOf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "step {} of {}: {}", self.number, self.of, self.what)
    }
}

/// Without colours.
impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(Paint::Plain))
    }
}

impl Failure {
    /// On one line: the step, and the first thing that went wrong.
    pub fn summary(&self) -> String {
        let what = match &self.trouble {
            Trouble::Said(why) => why.lines().next().unwrap_or_default().to_owned(),
            Trouble::Differs(differs) => match differs.differences.first() {
                Some((Difference { field, expected, got, .. }, _)) => {
                    format!("{field}: expected {}, got {}", show(expected), show(got))
                }
                None => String::new(),
            },
        };
        match &self.step {
            Some(step) => format!("{step}: {what}"),
            None => what,
        }
    }

    /// The whole of it, indented by two.
    pub fn render(&self, paint: Paint) -> String {
        let mut out = String::new();
        // writing to a String does not fail
        _ = match &self.step {
            Some(step) => writeln!(out, "  {} ({})", paint.bold(&plain(&step.to_string())), self.place),
            None => writeln!(out, "  {}", self.place),
        };
        match &self.trouble {
            Trouble::Said(why) => {
                let lines = why.trim_end().lines().map(|line| format!("  {line}"));
                lines.for_each(|line| _ = writeln!(out, "{}", line.trim_end()));
            }
            Trouble::Differs(differs) => differs.render(paint, &mut out),
        }
        if let Some(about) = &self.about {
            _ = writeln!(out, "\n  {}", paint.dim(&format!("about: {about}")));
        }
        out
    }
}

impl Differs {
    fn render(&self, paint: Paint, out: &mut String) {
        let mut shown = Vec::new();
        for (difference, decisive) in &self.differences {
            _ = writeln!(out, "\n  {}", paint.bold(&difference.field));
            values(difference, paint, out);
            let Some(Decisive { decision, behind }) = decisive else { continue };
            let decided = decision.and_then(|index| self.trace.get(index)).map_or_else(
                || "nothing, though it is configured".to_owned(),
                |Traced { decision, .. }| {
                    format!("{} {} {}", decision.policy, decision.outcome.as_str(), decision.reason)
                },
            );
            _ = writeln!(out, "    decided   {decided}{}", at(behind));
            // several differences often have one cause
            if let Some(place) = behind.place.as_ref().filter(|place| !shown.contains(place)) {
                place.excerpt.lines().for_each(|line| _ = writeln!(out, "             {line}"));
                shown.push(place);
            }
        }
        self.decisions(paint, out);
        self.answer(paint, out);
    }

    fn decisions(&self, paint: Paint, out: &mut String) {
        if self.answer.decisions.is_none() {
            _ = writeln!(out, "\n  decisions cannot be observed here");
            return;
        }
        let row = |traced: &Traced| {
            let decision = &traced.decision;
            let detail = plain(&decision.detail);
            let of = [decision.policy.as_str(), decision.outcome.as_str(), decision.reason.code(), &detail];
            (of.map(str::to_owned), at(&traced.behind), decision.outcome)
        };
        let rows: Vec<_> = self.trace.iter().map(row).collect();
        let width = |column: usize| rows.iter().map(|(row, ..)| row[column].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3].map(width);
        _ = writeln!(out, "\n  {}", paint.bold("decisions"));
        for ([policy, outcome, reason, detail], place, decided) in &rows {
            let [first, second, third, fourth] = widths;
            let mut line = format!("{policy:first$}  {outcome:second$}  {reason:third$}");
            if fourth > 0 {
                _ = write!(line, "  {detail:fourth$}");
            }
            line.push_str(place);
            let line = line.trim_end();
            let line = match decided {
                Outcome::Deny => paint.bad(line),
                Outcome::WouldDeny => paint.odd(line),
                Outcome::Allow | Outcome::Respond => line.to_owned(),
            };
            _ = writeln!(out, "    {line}");
        }
    }

    fn answer(&self, paint: Paint, out: &mut String) {
        let answer = &self.answer;
        _ = writeln!(out, "\n  {}", paint.bold(&format!("response: {}", answer.status)));
        message(&answer.headers, &answer.body, paint, out);
        for (name, received) in answer.upstream.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one))) {
            let Received { method, path, query, .. } = received;
            let query = if query.is_empty() { String::new() } else { format!("?{query}") };
            _ = writeln!(out, "\n  {}", paint.bold(&plain(&format!("{name} got: {method} {path}{query}"))));
            message(&received.headers, &received.body, paint, out);
        }
    }
}

/// `, gateway.yaml:41:7 (routes[2].policies.auth)`, or nothing.
fn at(behind: &Behind) -> String {
    match &behind.place {
        Some(place) => format!("  {place} ({})", behind.pointer),
        None if behind.pointer.is_root() => String::new(),
        None => format!("  {}", behind.pointer),
    }
}

fn values(difference: &Difference, paint: Paint, out: &mut String) {
    if let (Value::String(expected), Value::String(got)) = (&difference.expected, &difference.got)
        && expected.lines().count().max(got.lines().count()) > 1
    {
        _ = writeln!(out, "    expected - and got +");
        for change in TextDiff::from_lines(expected.as_str(), got.as_str()).iter_all_changes() {
            let line = plain(change.value().trim_end_matches(['\n', '\r']));
            _ = match change.tag() {
                ChangeTag::Delete => writeln!(out, "    {}", paint.good(&format!("- {line}"))),
                ChangeTag::Insert => writeln!(out, "    {}", paint.bad(&format!("+ {line}"))),
                ChangeTag::Equal => writeln!(out, "      {line}"),
            };
        }
        return;
    }
    _ = writeln!(out, "    expected  {}", paint.good(&show(&difference.expected)));
    _ = writeln!(out, "    got       {}", paint.bad(&show(&difference.got)));
}

/// A value on one line.
fn show(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => plain(text),
        other => other.to_string(),
    };
    cut(&text)
}

fn message(headers: &[(String, String)], body: &[u8], paint: Paint, out: &mut String) {
    for (name, value) in headers {
        _ = writeln!(out, "    {}", paint.dim(&plain(&format!("{name}: {value}"))));
    }
    if !body.is_empty() {
        let text = cut(&String::from_utf8_lossy(body));
        text.lines().for_each(|line| _ = writeln!(out, "    {}", paint.dim(&plain(line))));
    }
}

fn cut(text: &str) -> String {
    match text.get(..text.floor_char_boundary(SHOWN)) {
        Some(start) if start.len() < text.len() => format!("{start}… ({} bytes in all)", text.len()),
        _ => text.to_owned(),
    }
}

/// Without what a terminal would take for commands.
fn plain(text: &str) -> String {
    text.chars().flat_map(|char| if char.is_control() { char.escape_default().collect() } else { vec![char] }).collect()
}
