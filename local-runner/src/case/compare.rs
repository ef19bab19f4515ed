//! What was expected against what came, as a list of differences.

mod json;
mod laws;

use portico_core::decision::{Decision, Policy, Reason};
use serde_json::Value;

use super::expect::{self, Expect, Matcher, Seen};
use super::subject::{Answer, Received};

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// What it is about: `status`, `header x-a`, `json items[0].id`, `orders got path`.
    pub field: String,
    /// What was expected; null for nothing.
    pub expected: Value,
    /// What came; null for nothing.
    pub got: Value,
    /// Who may have brought it about.
    pub cause: Cause,
}

/// Where to look for what brought a difference about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause {
    /// The policy that it is the business of; `None`: of whoever ended the request.
    pub policy: Option<Policy>,
    /// The side of the gateway that it shows on.
    pub side: Side,
    /// What to look for in the configuration of that side: keys and names of header fields, the best first.
    pub keys: Vec<String>,
}

/// A side of the gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Side {
    /// What the client gets.
    #[default]
    Response,
    /// What an upstream gets.
    Request,
}

impl Cause {
    fn of(policy: Policy) -> Self {
        Self { policy: Some(policy), ..Self::default() }
    }

    fn key(key: &str) -> Self {
        Self { keys: vec![key.to_owned()], ..Self::default() }
    }

    /// A field of the response.
    fn header(name: &str) -> Self {
        let policy = match name {
            "vary" => Policy::Cors,
            "retry-after" | "ratelimit" | "ratelimit-policy" => Policy::RateLimit,
            "www-authenticate" => Policy::Auth,
            name if name.starts_with("access-control-") => Policy::Cors,
            _ => Policy::Response,
        };
        let secure = match name {
            "strict-transport-security" => Some("hsts"),
            "x-frame-options" => Some("frame_options"),
            "referrer-policy" => Some("referrer_policy"),
            "content-security-policy" => Some("content_security_policy"),
            "x-content-type-options" => Some("security_headers"),
            _ => None,
        };
        let keys = [name].into_iter().chain(secure).chain(secure.map(|_| "security_headers"));
        Self { policy: Some(policy), side: Side::Response, keys: keys.map(str::to_owned).collect() }
    }

    /// A part of what an upstream gets.
    fn request(key: &str) -> Self {
        Self { policy: Some(Policy::Request), side: Side::Request, keys: vec![key.to_owned()] }
    }
}

/// Compares an answer with what was expected of it, and with what holds for every answer. Empty when all is well.
pub fn differences(expect: &Expect, answer: &Answer) -> Vec<Difference> {
    let mut differences = Differences(Vec::new());
    differences.check("status", expect.status, answer.status, Cause::key("status"));
    if expect.breaks != answer.broke {
        let shown = |breaks| if breaks { "breaks off" } else { "is whole" };
        differences.add("body", shown(expect.breaks), shown(answer.broke), Cause::default());
    }
    differences.headers("header", &expect.headers, &answer.headers, Cause::header);
    differences.body("", expect.body.as_ref(), expect.json.as_ref(), &answer.body, Cause::key);
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
    differences.0
}

struct Differences(Vec<Difference>);

impl Differences {
    fn add(&mut self, field: impl Into<String>, expected: impl Into<Value>, got: impl Into<Value>, cause: Cause) {
        self.0.push(Difference { field: field.into(), expected: expected.into(), got: got.into(), cause });
    }

    fn check<T: PartialEq + Into<Value>>(&mut self, field: &str, expected: T, got: T, cause: Cause) {
        if expected != got {
            self.add(field, expected, got, cause);
        }
    }

    fn headers(
        &mut self,
        what: &str,
        wanted: &[(String, Matcher)],
        lines: &[(String, String)],
        cause: impl Fn(&str) -> Cause,
    ) {
        for (name, matcher) in wanted {
            self.lines(&format!("{what} {name}"), matcher, &values(lines, name), &cause(name));
        }
    }

    fn lines(&mut self, field: &str, matcher: &Matcher, lines: &[&str], cause: &Cause) {
        let (holds, expected) = match matcher {
            Matcher::Lines(expected) => (expected.iter().eq(lines), show(expected)),
            Matcher::Matches(regex) => {
                let expected = format!("one line that matches {regex}");
                (matches!(lines, [line] if regex.is_match(line)), expected.into())
            }
            Matcher::Present(true) => (!lines.is_empty(), "present".into()),
            Matcher::Present(false) => (lines.is_empty(), Value::Null),
            Matcher::Contains(text) => {
                let mut members = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
                (members.any(|member| member.eq_ignore_ascii_case(text)), format!("a list with {text}").into())
            }
            Matcher::Lacks(text) => {
                (!lines.iter().any(|line| line.contains(text)), format!("nothing with {text}").into())
            }
        };
        if !holds {
            self.add(field, expected, show(lines), cause.clone());
        }
    }

    /// `of`: whose body, and a blank.
    fn body(
        &mut self,
        of: &str,
        text: Option<&Matcher>,
        json: Option<&Value>,
        body: &[u8],
        cause: impl Fn(&str) -> Cause,
    ) {
        let found = String::from_utf8_lossy(body);
        if let Some(matcher) = text {
            self.lines(&format!("{of}body"), matcher, &[&*found], &cause("body"));
        }
        let Some(expected) = json else { return };
        match serde_json::from_slice(body) {
            Ok(value) => {
                for (at, expected, got) in json::differences(expected, &value) {
                    let field = format!("{of}json {at}");
                    self.add(field.trim_end(), expected, got, cause("json"));
                }
            }
            Err(_) => self.add(format!("{of}json"), expected.clone(), found, cause("json")),
        }
    }

    /// RFC 9457, and what Portico promises beyond.
    fn problem(&mut self, reason: Reason, answer: &Answer) {
        let content_type = Matcher::Lines(vec!["application/problem+json".to_owned()]);
        let lines = values(&answer.headers, "content-type");
        self.lines("header content-type", &content_type, &lines, &Cause::default());
        if answer.body.is_empty() {
            return; // the answer to a HEAD
        }
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let member = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
        if member("code") != reason.code() {
            // all the rest follows from it
            return self.add("problem", reason.code(), member("code"), Cause::default());
        }
        let expected = format!("urn:portico:problem:{}", reason.code());
        self.check("problem type", expected.as_str(), member("type"), Cause::default());
        self.check("problem title", reason.title(), member("title"), Cause::default());
        if member("detail").is_empty() {
            self.add("problem detail", "some text", Value::Null, Cause::default());
        }
    }

    fn upstream(&mut self, name: &str, expected: &[Seen], received: &[Received]) {
        if expected.len() != received.len() {
            let got: Vec<_> = received.iter().map(|one| format!(" {} {}", one.method, one.path)).collect();
            let got = format!("{}{}", received.len(), got.join(","));
            self.add(format!("requests to {name}"), expected.len(), got, Cause::default());
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
                    self.check(&format!("{what} {part}"), wanted.as_str(), found, Cause::request(part));
                }
            }
            self.headers(&format!("{what} header"), &seen.headers, &received.headers, Cause::request);
            self.body(&format!("{what} "), seen.body.as_ref(), seen.json.as_ref(), &received.body, Cause::request);
            if let Some(size) = seen.body_bytes {
                self.check(&format!("{what} body size"), size, received.body.len(), Cause::default());
            }
        }
    }

    fn decision(&mut self, wanted: &expect::Decided, decisions: &[Decision]) {
        let found = decisions.iter().rev().find(|decision| decision.policy == wanted.policy);
        let holds = match (found, wanted.outcome) {
            (None, None) => true,
            (Some(found), Some(outcome)) => {
                found.outcome == outcome && wanted.reason.is_none_or(|reason| reason == found.reason)
            }
            _ => false,
        };
        if !holds {
            let expected = wanted.outcome.map(|outcome| match wanted.reason {
                Some(reason) => format!("{} {reason}", outcome.as_str()),
                None => outcome.as_str().to_owned(),
            });
            let got = found.map(|found| format!("{} {}", found.outcome.as_str(), found.reason));
            self.add(format!("decision of {}", wanted.policy), expected, got, Cause::of(wanted.policy));
        }
    }
}

fn values<'l>(lines: &'l [(String, String)], name: &str) -> Vec<&'l str> {
    lines.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
}

fn show<T: AsRef<str>>(lines: &[T]) -> Value {
    match lines {
        [] => Value::Null,
        [line] => line.as_ref().into(),
        lines => lines.iter().map(AsRef::as_ref).collect(),
    }
}
