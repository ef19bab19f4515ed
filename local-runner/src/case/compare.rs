//! What was expected against what came, as a list of differences that a person can read.

mod laws;

use std::fmt::Write as _;

use portico_core::decision::Reason;
use serde_json::Value;

use super::expect::{Expect, Matcher, Seen};
use super::subject::{Answer, Decided, Received};

/// Differences, each with what it is about, what was expected and what came. Empty when all is well.
#[derive(Debug, Default)]
pub struct Differences(Vec<[String; 3]>);

impl Differences {
    /// Compares an answer with what was expected of it, and with what holds for every answer.
    pub fn between(expect: &Expect, answer: &Answer) -> Self {
        let mut differences = Self::default();
        differences.check("status", expect.status, answer.status);
        differences.headers("header", &expect.headers, &answer.headers);
        differences.body("body", expect.body.as_ref(), expect.json.as_ref(), &answer.body);
        if let Some(reason) = expect.problem {
            differences.problem(reason, answer);
        }
        if let Some(expected) = &expect.upstream {
            let names = expected.keys().chain(answer.upstream.keys().filter(|name| !expected.contains_key(*name)));
            for name in names {
                let seen = expected.get(name).map(Vec::as_slice).unwrap_or_default();
                let received = answer.upstream.get(name).map(Vec::as_slice).unwrap_or_default();
                differences.upstream(name, seen, received);
            }
        }
        if let Some(decisions) = &answer.decisions {
            for wanted in &expect.decisions {
                differences.decision(wanted, decisions);
            }
        }
        differences.laws(answer);
        differences
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, what: impl Into<String>, expected: impl ToString, got: impl ToString) {
        self.0.push([what.into(), expected.to_string(), got.to_string()]);
    }

    fn check<T: PartialEq + ToString>(&mut self, what: &str, expected: T, got: T) {
        if expected != got {
            self.add(what, expected, got);
        }
    }

    fn headers(&mut self, what: &str, wanted: &[(String, Matcher)], lines: &[(String, String)]) {
        for (name, matcher) in wanted {
            self.lines(&format!("{what} {name}"), matcher, &values(lines, name));
        }
    }

    fn lines(&mut self, what: &str, matcher: &Matcher, lines: &[&str]) {
        let (holds, expected) = match matcher {
            Matcher::Lines(expected) => (expected.iter().eq(lines), show(expected)),
            Matcher::Matches(regex) => {
                (matches!(lines, [line] if regex.is_match(line)), format!("one line that matches {regex}"))
            }
            Matcher::Present(present) => {
                (*present != lines.is_empty(), if *present { "present".to_owned() } else { "absent".to_owned() })
            }
            Matcher::Contains(text) => {
                let members = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
                (members.into_iter().any(|member| member.eq_ignore_ascii_case(text)), format!("a list with {text}"))
            }
            Matcher::Lacks(text) => (!lines.iter().any(|line| line.contains(text)), format!("nothing with {text}")),
        };
        if !holds {
            self.add(what, expected, show(lines));
        }
    }

    fn body(&mut self, what: &str, text: Option<&Matcher>, json: Option<&Value>, body: &[u8]) {
        let found = String::from_utf8_lossy(body);
        if let Some(matcher) = text {
            self.lines(what, matcher, &[&*found]);
        }
        if let Some(expected) = json {
            match serde_json::from_slice(body) {
                Ok(value) if includes(&value, expected) => {}
                _ => self.add(format!("{what} (JSON)"), expected, found),
            }
        }
    }

    /// RFC 9457, and what Portico promises beyond.
    fn problem(&mut self, reason: Reason, answer: &Answer) {
        let content_type = Matcher::Lines(vec!["application/problem+json".to_owned()]);
        self.lines("header content-type", &content_type, &values(&answer.headers, "content-type"));
        if answer.body.is_empty() {
            return; // the answer to a HEAD
        }
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let member = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        self.check("problem code", reason.code().to_owned(), member("code"));
        self.check("problem type", format!("urn:portico:problem:{}", reason.code()), member("type"));
        self.check("problem title", reason.title().to_owned(), member("title"));
        if member("detail").is_empty() {
            self.add("problem detail", "some text", "none");
        }
    }

    fn upstream(&mut self, name: &str, expected: &[Seen], received: &[Received]) {
        if expected.len() != received.len() {
            let got: Vec<_> = received.iter().map(|one| format!("{} {}", one.method, one.path)).collect();
            self.add(format!("requests to {name}"), expected.len(), format!("{} {got:?}", received.len()));
        }
        for (index, (seen, received)) in expected.iter().zip(received).enumerate() {
            let what = match expected.len() {
                1 => format!("{name} got"),
                _ => format!("{name}[{index}] got"),
            };
            for (part, wanted, found) in [
                ("method", &seen.method, &received.method),
                ("path", &seen.path, &received.path),
                ("query", &seen.query, &received.query),
            ] {
                if let Some(wanted) = wanted {
                    self.check(&format!("{what} {part}"), wanted, found);
                }
            }
            self.headers(&format!("{what} header"), &seen.headers, &received.headers);
            self.body(&format!("{what} body"), seen.body.as_ref(), seen.json.as_ref(), &received.body);
            if let Some(size) = seen.body_bytes {
                self.check(&format!("{what} body size"), size, received.body.len());
            }
        }
    }

    fn decision(&mut self, wanted: &super::expect::Decided, decisions: &[Decided]) {
        let found = decisions.iter().rev().find(|decision| decision.policy == wanted.policy);
        let holds = match (found, &wanted.outcome) {
            (None, None) => true,
            (Some(found), Some(outcome)) => {
                found.outcome == *outcome && wanted.reason.as_ref().is_none_or(|reason| *reason == found.reason)
            }
            _ => false,
        };
        if !holds {
            let expected = [wanted.outcome.as_deref().unwrap_or("none"), wanted.reason.as_deref().unwrap_or_default()];
            let got = found.map_or_else(|| "none".to_owned(), |found| format!("{} {}", found.outcome, found.reason));
            self.add(format!("decision of {}", wanted.policy), expected.join(" ").trim(), got);
        }
    }

    /// The differences, and with them all that came and all that was decided.
    pub fn render(&self, answer: &Answer) -> String {
        let mut out = String::new();
        // writing to a String does not fail
        for [what, expected, got] in &self.0 {
            _ = writeln!(out, "  {what}\n    expected  {expected}\n    got       {got}");
        }
        _ = writeln!(out, "  the response was {}", answer.status);
        for (name, value) in &answer.headers {
            _ = writeln!(out, "    {name}: {value}");
        }
        if !answer.body.is_empty() {
            _ = writeln!(out, "    {}", String::from_utf8_lossy(&answer.body).chars().take(1000).collect::<String>());
        }
        for (name, received) in answer.upstream.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one))) {
            _ = writeln!(out, "  {name} got {} {} ?{}", received.method, received.path, received.query);
            for (name, value) in &received.headers {
                _ = writeln!(out, "    {name}: {value}");
            }
        }
        match &answer.decisions {
            Some(decisions) => {
                _ = writeln!(out, "  decisions");
                for Decided { policy, outcome, reason, detail } in decisions {
                    _ = writeln!(out, "    {policy:<11} {outcome:<10} {reason} {detail}");
                }
            }
            None => _ = writeln!(out, "  decisions cannot be observed here"),
        }
        out
    }
}

fn values<'l>(lines: &'l [(String, String)], name: &str) -> Vec<&'l str> {
    lines.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
}

fn show<T: std::fmt::Debug + AsRef<str>>(lines: &[T]) -> String {
    match lines {
        [] => "absent".to_owned(),
        [line] => line.as_ref().to_owned(),
        lines => format!("{lines:?}"),
    }
}

/// Whether `value` has everything that is `expected`: objects may have more members, lists must be of one length.
fn includes(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Object(value), Value::Object(expected)) => {
            expected.iter().all(|(name, expected)| value.get(name).is_some_and(|value| includes(value, expected)))
        }
        (Value::Array(value), Value::Array(expected)) => {
            value.len() == expected.len()
                && value.iter().zip(expected).all(|(value, expected)| includes(value, expected))
        }
        (value, expected) => value == expected,
    }
}
