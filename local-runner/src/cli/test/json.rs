//! Results as one JSON document; `docs/command-line.md` describes its members.

use portico::case::failure::{Failure, StepOf, Trouble};
use portico::case::places::{Behind, Decisive, Traced};
use portico::case::run::Verdict;
use portico_core::decision::Decision;
use serde::Serialize;
use serde_json::Value;

use super::Results;

#[derive(Serialize)]
struct Document<'a> {
    subject: &'a str,
    passed: usize,
    failed: usize,
    skipped: usize,
    duration_ms: f64,
    cases: Vec<Case<'a>>,
    /// What is wrong with files, as `portico check` tells it.
    malformed: Vec<Value>,
}

#[derive(Serialize)]
struct Case<'a> {
    name: &'a str,
    file: String,
    line: u32,
    outcome: &'static str,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failed<'a>>,
}

#[derive(Serialize)]
struct Failed<'a> {
    step: Option<Step<'a>>,
    /// What went wrong when there is no answer to look at.
    message: Option<&'a str>,
    differences: Vec<Difference<'a>>,
    decisions: Vec<Decided<'a>>,
    response: Option<Response<'a>>,
}

#[derive(Serialize)]
struct Step<'a> {
    number: usize,
    of: usize,
    line: u32,
    request: &'a str,
}

#[derive(Serialize)]
struct Difference<'a> {
    field: &'a str,
    expected: &'a Value,
    got: &'a Value,
    /// The decision behind it, if one was made, and the place behind that.
    decided: Option<Decided<'a>>,
}

#[derive(Serialize)]
struct Decided<'a> {
    policy: Option<&'a str>,
    outcome: Option<&'a str>,
    reason: Option<&'a str>,
    detail: Option<&'a str>,
    pointer: Option<String>,
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
}

#[derive(Serialize)]
struct Response<'a> {
    status: u16,
    headers: &'a [(String, String)],
    body: String,
}

/// The document, with a line break behind it.
pub(super) fn render(results: &Results<'_>) -> String {
    let total = results.tally().total(results.subject);
    let ms = |duration: std::time::Duration| duration.as_micros() as f64 / 1_000.0;
    let cases = results.each().map(|(case, ran)| {
        let (outcome, why, failure) = match &ran.verdict {
            Verdict::Passed => ("passed", None, None),
            Verdict::Skipped(why) => ("skipped", Some(why.as_str()), None),
            Verdict::Failed(failure) => ("failed", None, Some(failed(failure))),
        };
        let (name, file, duration_ms) = (&*case.name, case.file.display().to_string(), ms(ran.took));
        Case { name, file, line: case.line, outcome, duration_ms, why, failure }
    });
    let malformed = results.malformed.iter().filter_map(|report| {
        let notes: Vec<Value> = serde_json::from_str(&report.render(portico::config::Style::Json)).ok()?;
        Some(notes)
    });
    let document = Document {
        subject: results.subject,
        passed: total.passed,
        failed: total.failed,
        skipped: total.skipped,
        duration_ms: ms(results.took),
        cases: cases.collect(),
        malformed: malformed.flatten().collect(),
    };
    // texts and numbers only: this does not fail
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

fn failed<'a>(failure: &'a Failure) -> Failed<'a> {
    let step =
        |StepOf { number, of, line, what }: &'a StepOf| Step { number: *number, of: *of, line: *line, request: what };
    let step = failure.step.as_ref().map(step);
    let differs = match &failure.trouble {
        Trouble::Said(why) => {
            let message = Some(why.trim_end());
            return Failed { step, message, differences: Vec::new(), decisions: Vec::new(), response: None };
        }
        Trouble::Differs(differs) => differs,
    };
    let differences = differs.differences.iter().map(|(difference, decisive)| Difference {
        field: &difference.field,
        expected: &difference.expected,
        got: &difference.got,
        decided: decisive.as_ref().map(|Decisive { decision, behind }| {
            decided(decision.and_then(|index| differs.trace.get(index)).map(|traced| &traced.decision), behind)
        }),
    });
    let answer = &differs.answer;
    let response = Response {
        status: answer.status,
        headers: &answer.headers,
        body: String::from_utf8_lossy(&answer.body).into_owned(),
    };
    let decisions = differs.trace.iter().map(|Traced { decision, behind }| decided(Some(decision), behind));
    Failed {
        step,
        message: None,
        differences: differences.collect(),
        decisions: decisions.collect(),
        response: Some(response),
    }
}

fn decided<'a>(decision: Option<&'a Decision>, behind: &'a Behind) -> Decided<'a> {
    let place = behind.place.as_ref();
    Decided {
        policy: decision.map(|decision| decision.policy.as_str()),
        outcome: decision.map(|decision| decision.outcome.as_str()),
        reason: decision.map(|decision| decision.reason.code()),
        detail: decision.map(|decision| &*decision.detail),
        pointer: (!behind.pointer.is_root()).then(|| behind.pointer.to_string()),
        file: place.map(|place| place.file.as_str()),
        line: place.map(|place| place.line),
        column: place.map(|place| place.column),
    }
}
