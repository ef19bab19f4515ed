//! Runs one case against one subject.

use super::compare::Differences;
use super::expect::Refused;
use super::subject::{Refusal, Subject};
use super::{Action, Case, Plan, Step};

/// What came of a case.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// The subject cannot do what the case needs.
    Unable(String),
    /// It is not as it should be: the differences, for people.
    Failed(String),
}

/// Runs a case, up to its first step that fails.
pub fn run(case: &Case, subject: &dyn Subject) -> Verdict {
    if let Some(why) = case.needs.iter().find_map(|need| subject.lacks(case, *need)) {
        return Verdict::Unable(why);
    }
    let outcome = match &case.plan {
        Plan::Steps(steps) => converse(case, steps, subject),
        Plan::Refused(expected) => refuse(case, expected, subject),
    };
    match outcome {
        Ok(()) => Verdict::Passed,
        Err(why) => Verdict::Failed(match &case.about {
            Some(about) => format!("{why}  about: {about}\n"),
            None => why,
        }),
    }
}

fn converse(case: &Case, steps: &[Step], subject: &dyn Subject) -> Result<(), String> {
    let mut session = subject.start(case)?;
    for (index, step) in steps.iter().enumerate() {
        let heading = |what: String| format!("step {} of {}: {what} ({})\n", index + 1, steps.len(), step.place);
        match &step.action {
            Action::Advance(duration) => {
                session.advance(*duration).map_err(|error| heading("advance".to_owned()) + &error)?;
            }
            Action::StoreDown(down) => {
                session.set_store_down(*down).map_err(|error| heading("store".to_owned()) + &error)?;
            }
            Action::Exchange { send, expect, repeat } => {
                for time in 1..=*repeat {
                    let heading = || match repeat {
                        1 => heading(send.to_string()),
                        _ => heading(format!("{send}, time {time} of {repeat}")),
                    };
                    let answer = session.exchange(send).map_err(|error| heading() + &error)?;
                    let differences = Differences::between(expect, &answer);
                    if !differences.is_empty() {
                        return Err(heading() + &differences.render(&answer));
                    }
                }
            }
        }
    }
    Ok(())
}

fn refuse(case: &Case, expected: &[Refused], subject: &dyn Subject) -> Result<(), String> {
    let says = |text: &str, refused: &Refused| text.contains(&refused.at) && text.contains(&refused.says);
    match subject.refuse(case)? {
        Refusal::Taken => Err("the configuration was taken, and should have been refused\n".to_owned()),
        Refusal::Text(text) => match expected.iter().find(|refused| !says(&text, refused)) {
            Some(missing) => Err(format!("not said: {}: {}\nsaid:\n{text}", missing.at, missing.says)),
            None => Ok(()),
        },
        Refusal::Errors(errors) => {
            let missing = expected.iter().find(|refused| !errors.iter().any(|error| says(error, refused)));
            let further = errors.iter().find(|error| !expected.iter().any(|refused| says(error, refused)));
            match (missing, further) {
                (None, None) => Ok(()),
                (Some(missing), _) => {
                    Err(format!("not said: {}: {}\nsaid:\n{}", missing.at, missing.says, errors.join("\n")))
                }
                (None, Some(further)) => Err(format!("not expected:\n{further}")),
            }
        }
    }
}
