//! What holds for every answer, whatever a case is about.

use serde_json::Value;

use super::{Differences, show, values};
use crate::case::subject::Answer;

impl Differences {
    /// What holds for every answer, whatever a case is about.
    pub(super) fn laws(&mut self, answer: &Answer) {
        let ids = values(&answer.headers, "x-request-id");
        let id = ids.first().copied().unwrap_or_default();
        if ids.len() != 1 || id.is_empty() {
            self.add("every response: x-request-id", "one line", show(&ids));
        }
        if values(&answer.headers, "content-type").contains(&"application/problem+json") && !answer.body.is_empty() {
            match serde_json::from_slice::<Value>(&answer.body) {
                Ok(problem) if problem.get("code").is_some() => {
                    let instance = problem.get("instance").and_then(Value::as_str).unwrap_or_default();
                    self.check("every problem: instance is the request id", id, instance);
                    let status = problem.get("status").and_then(Value::as_u64).unwrap_or_default();
                    self.check("every problem: status is the response's", u64::from(answer.status), status);
                }
                Ok(_) => {} // an upstream's own
                Err(error) => self.add("every problem: JSON", "valid", error),
            }
        }
        for (name, received) in answer.upstream.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one))) {
            if received.unexpected {
                let got = format!("{} {}?{}", received.method, received.path, received.query);
                self.add(format!("requests to {name}"), "one that a rule answers", got);
            }
            let forwarded = values(&received.headers, "x-request-id");
            if forwarded != ids {
                self.add(format!("every request to {name}: x-request-id"), show(&ids), show(&forwarded));
            }
            for hop in ["keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate"] {
                let lines = values(&received.headers, hop);
                if !lines.is_empty() {
                    self.add(format!("every request to {name}: {hop}"), "absent", show(&lines));
                }
            }
            if values(&received.headers, "host").len() != 1 {
                self.add(
                    format!("every request to {name}: host"),
                    "one line",
                    show(&values(&received.headers, "host")),
                );
            }
        }
    }
}
