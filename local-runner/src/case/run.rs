//! Runs one case against one subject.

use std::borrow::Cow;
use std::collections::BTreeMap;

use portico_core::Timestamp;

use super::compare::differences;
use super::expect::{Expect, Refused};
use super::failure::{Differs, Failure, StepOf, Trouble};
use super::subject::{Answer, Refusal, Session, Subject};
use super::{Action, Case, Plan, Send, Step, places};

/// What came of a case.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// The subject cannot do what the case needs, or what one of its steps needs and all steps before are as they should be.
    Skipped(String),
    /// It is not as it should be.
    Failed(Box<Failure>),
}

/// Runs a case, up to its first step that fails or that the subject cannot do.
pub fn run(case: &Case, subject: &dyn Subject) -> Verdict {
    let lacks = || case.needs.iter().find_map(|need| subject.lacks(case, *need));
    if let Some(why) = subject.declines(case).or_else(lacks) {
        return Verdict::Skipped(why);
    }
    let outcome = match &case.plan {
        Plan::Steps(steps) => converse(case, steps, subject),
        Plan::Refused(expected) => refuse(case, expected, subject).map(|()| None).map_err(|why| (None, why)),
    };
    match outcome {
        Ok(None) => Verdict::Passed,
        Ok(Some(why)) => Verdict::Skipped(why),
        Err((step, trouble)) => {
            let place = format!("{}:{}", case.file.display(), step.as_ref().map_or(case.line, |step| step.line));
            Verdict::Failed(Box::new(Failure { step, place, about: case.about.clone(), trouble }))
        }
    }
}

type Failed = (Option<StepOf>, Trouble);

/// Why the rest is skipped, if it is.
fn converse(case: &Case, steps: &[Step], subject: &dyn Subject) -> Result<Option<String>, Failed> {
    let before = |why: String| (None, Trouble::Said(why));
    let mut session = subject.start(case).map_err(before)?;
    let tokens = signed(case, session.now()).map_err(before)?;
    for (index, step) in steps.iter().enumerate() {
        let (number, of) = (index + 1, steps.len());
        if let Some(why) = step.action.need().and_then(|need| subject.lacks(case, need)) {
            return Ok(Some(match number {
                1 => why,
                _ if number == of => format!("step {of}: {why}"),
                _ => format!("steps {number} to {of}: {why}"),
            }));
        }
        let at = |what: String| Some(StepOf { number, of, line: step.line, what });
        let failed = |what: &str, why| (at(what.to_owned()), Trouble::Said(why));
        match &step.action {
            Action::Advance(duration) => session.advance(*duration).map_err(|why| failed("advance", why))?,
            Action::Store(state) => session.set_store(*state).map_err(|why| failed("store", why))?,
            Action::Values(values) => {
                let mut changed = values.iter();
                let set = changed.try_for_each(|(key, value)| session.set_value(key, value.as_deref()));
                set.map_err(|why| failed("values", why))?;
            }
            Action::Exchange { send, expect, repeat } => {
                let send = with_tokens(send, &tokens);
                for time in 1..=*repeat {
                    exchange(case, &mut *session, &send, expect).map_err(|trouble| match repeat {
                        1 => (at(send.to_string()), trouble),
                        _ => (at(format!("{send}, time {time} of {repeat}")), trouble),
                    })?;
                }
            }
        }
    }
    Ok(None)
}

/// The tokens of a case, by name.
pub(super) fn signed(case: &Case, now: Timestamp) -> Result<BTreeMap<&str, String>, String> {
    case.tokens.iter().map(|(name, token)| Ok((name.as_str(), token.sign(now)?))).collect()
}

/// A request with tokens in the place of their names.
pub(super) fn with_tokens<'s>(send: &'s Send, tokens: &BTreeMap<&str, String>) -> Cow<'s, Send> {
    if !send.headers.iter().any(|(_, value)| value.contains("${token.")) {
        return Cow::Borrowed(send);
    }
    let mut send = send.clone();
    for (_, value) in &mut send.headers {
        for (name, token) in tokens {
            *value = value.replace(&format!("${{token.{name}}}"), token);
        }
    }
    Cow::Owned(send)
}

fn exchange(case: &Case, session: &mut dyn Session, send: &Send, expect: &Expect) -> Result<(), Trouble> {
    let answer = session.exchange(send).map_err(Trouble::Said)?;
    let differences = differences(expect, &answer);
    if differences.is_empty() { Ok(()) } else { Err(differs(case, answer, differences)) }
}

fn differs(case: &Case, answer: Answer, differences: Vec<super::compare::Difference>) -> Trouble {
    let trace = places::trace(case, &answer);
    let differences = differences
        .into_iter()
        .map(|difference| {
            let decisive = places::decisive(case, &answer, &trace, &difference.cause);
            (difference, decisive)
        })
        .collect();
    Trouble::Differs(Box::new(Differs { differences, answer, trace }))
}

fn refuse(case: &Case, expected: &[Refused], subject: &dyn Subject) -> Result<(), Trouble> {
    let says = |text: &str, refused: &Refused| text.contains(&refused.at) && text.contains(&refused.says);
    let not_said = |missing: &Refused, said: &str| {
        Err(Trouble::Said(format!("not said: {}: {}\nsaid:\n{said}", missing.at, missing.says)))
    };
    match subject.refuse(case).map_err(Trouble::Said)? {
        Refusal::Taken => Err(Trouble::Said("the configuration was taken, and should have been refused".to_owned())),
        Refusal::Text(text) => match expected.iter().find(|refused| !says(&text, refused)) {
            Some(missing) => not_said(missing, &text),
            None => Ok(()),
        },
        Refusal::Errors(errors) => {
            let missing = expected.iter().find(|refused| !errors.iter().any(|error| says(error, refused)));
            let further = errors.iter().find(|error| !expected.iter().any(|refused| says(error, refused)));
            match (missing, further) {
                (None, None) => Ok(()),
                (Some(missing), _) => not_said(missing, &errors.join("\n")),
                (None, Some(further)) => Err(Trouble::Said(format!("not expected:\n{further}"))),
            }
        }
    }
}
