//! What holds for every answer, whatever a case is about.

use serde_json::Value;

use super::{Cause, Differences, show, values};
use crate::case::subject::Answer;

impl Differences {
    /// What holds for every answer, whatever a case is about.
    pub(super) fn laws(&mut self, answer: &Answer) {
        let ids = values(&answer.headers, "x-request-id");
        let id = ids.first().copied().unwrap_or_default();
        if ids.len() != 1 || id.is_empty() {
            self.add("every response: x-request-id", "one line", show(&ids), Cause::default());
        }
        if values(&answer.headers, "content-type").contains(&"application/problem+json") && !answer.body.is_empty() {
            match serde_json::from_slice::<Value>(&answer.body) {
                Ok(problem) if problem.get("code").is_some() => {
                    let instance = problem.get("instance").and_then(Value::as_str).unwrap_or_default();
                    self.check("every problem: instance is the request id", id, instance, Cause::default());
                    let status = problem.get("status").and_then(Value::as_u64).unwrap_or_default();
                    let expected = u64::from(answer.status);
                    self.check("every problem: status is the response's", expected, status, Cause::default());
                }
                Ok(_) => {} // an upstream's own
                Err(error) => self.add("every problem: JSON", "valid", error.to_string(), Cause::default()),
            }
        }
        for (name, received) in answer.upstream.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one))) {
            if received.unexpected {
                let got = format!("{} {}?{}", received.method, received.path, received.query);
                let field = format!("requests to {name}");
                self.add(field, "one that a rule answers", got, Cause::default());
            }
            let forwarded = values(&received.headers, "x-request-id");
            // a URL is an issuer's, which learns nothing of the request; no upstream is called like one
            let due = if name.contains("://") { &[][..] } else { &ids };
            if forwarded != due {
                let field = format!("every request to {name}: x-request-id");
                self.add(field, show(due), show(&forwarded), Cause::default());
            }
            for hop in ["keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate"] {
                let lines = values(&received.headers, hop);
                if !lines.is_empty() {
                    let field = format!("every request to {name}: {hop}");
                    self.add(field, Value::Null, show(&lines), Cause::default());
                }
            }
            let hosts = values(&received.headers, "host");
            if hosts.len() != 1 {
                self.add(format!("every request to {name}: host"), "one line", show(&hosts), Cause::default());
            }
        }
    }
}
