//! What a gateway does now: each request twice, on two platforms that differ in time and randomness, so that what changes from
//! one request to the next shows.

use std::time::Duration;

use portico_core::HEALTH_PATH;
use portico_core::decision::{Decision, Policy, Reason};
use serde_json::Value;

use crate::case::offline::Offline;
use crate::case::run::{signed, with_tokens};
use crate::case::subject::{Answer, Subject as _};
use crate::case::{Action, Case, Payload, Plan, Send};

/// What came of one request.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) answer: Answer,
    /// The same at another time.
    pub(super) again: Answer,
}

/// Sends the request of the first step, so many times.
pub(super) fn observe(case: &Case, times: usize) -> Result<Vec<Seen>, String> {
    let Plan::Steps(steps) = &case.plan else { return Ok(Vec::new()) };
    let Some(Action::Exchange { send, .. }) = steps.first().map(|step| &step.action) else { return Ok(Vec::new()) };
    let (mut first, mut second) = (Offline.start(case)?, Offline.start(case)?);
    // takes of the second platform's randomness
    second.exchange(&health())?;
    second.advance(Duration::from_secs(3_661))?;
    let sent = with_tokens(send, &signed(case, first.now())?).into_owned();
    let sent_again = with_tokens(send, &signed(case, second.now())?).into_owned();
    (0..times).map(|_| Ok(Seen { answer: first.exchange(&sent)?, again: second.exchange(&sent_again)? })).collect()
}

fn health() -> Send {
    Send {
        method: "GET".to_owned(),
        target: HEALTH_PATH.to_owned(),
        headers: vec![("Host".to_owned(), "gateway.example".to_owned())],
        body: Payload::None,
    }
}

impl Seen {
    /// The last decision of a policy.
    pub(super) fn decision(&self, policy: Policy) -> Option<&Decision> {
        self.answer.decisions.iter().flatten().rev().find(|decision| decision.policy == policy)
    }

    /// The reason, if the answer is a problem of the gateway's own.
    pub(super) fn problem(&self) -> Option<Reason> {
        if value(&self.answer, "content-type") != Some("application/problem+json") {
            return None;
        }
        let problem: Value = serde_json::from_slice(&self.answer.body).ok()?;
        let code = problem.get("code")?.as_str()?;
        Reason::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

/// The first line of a field of the response.
pub(super) fn value<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}
