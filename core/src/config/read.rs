//! From a document to a wire type, with everything that is wrong in its structure at once.
//!
//! serde stops at the first error. So the document is read again and again, each time without the places where it
//! stumbled before, until it goes through; [`deserializer`] is serde's view of a document with such gaps. What
//! is missing or odd only because of a gap is not reported. A document without errors is read once, and nothing is
//! allocated but what the wire type holds.

mod deserializer;
mod error;
mod skips;
mod stand_in;
mod variant;
mod words;

use serde::de::DeserializeOwned;
use serde_json::Value;

use self::deserializer::At;
use self::error::{Error, What};
use self::skips::Skips;
pub(crate) use self::words::closest;
use super::{Code, Findings, Pointer};

/// After so many errors the rest waits until these are mended: each costs a pass.
const REPORTED: usize = 200;

/// What could be read of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read<T> {
    /// The value, without what was wrong; `None` when too much was.
    pub value: Option<T>,
    /// Whether that is all of it: nothing was wrong.
    pub complete: bool,
    /// Whether a list has lost an item, so that the indexes behind it are no longer those of the document. A pointer
    /// made from such an index would point to the wrong place.
    pub shifted: bool,
}

/// Reads a `T` from `value`, which is at `at` in its document, and adds all structural errors to `findings`.
///
/// A key without a value is an error also where the key is optional: `auth:` with nothing behind it says too little.
/// Keys of maps are text.
pub fn read<T: DeserializeOwned>(value: &Value, at: &Pointer, findings: &mut Findings) -> Read<T> {
    let mut error = match T::deserialize(At { value, skips: None }) {
        Ok(value) => return Read { value: Some(value), complete: true, shifted: false },
        Err(error) => error,
    };
    let mut passes = Passes { at, findings, skips: Skips::default(), reported: 0, settled: false };
    let value = loop {
        if !passes.go_on(error) {
            break None;
        }
        match passes.attempt(value) {
            Attempt::Done(value) => break value,
            Attempt::Stumbled(next) => error = next,
        }
    };
    let shifted = value.is_some() && passes.skips.shifts();
    Read { value, complete: false, shifted }
}

/// What all passes over one document share.
struct Passes<'a> {
    at: &'a Pointer,
    findings: &'a mut Findings,
    skips: Skips,
    reported: usize,
    /// Whether the errors are all known, and maps with missing keys are left out instead of filled in.
    settled: bool,
}

enum Attempt<T> {
    Done(Option<T>),
    Stumbled(Error),
}

impl Passes<'_> {
    /// Reads once more.
    fn attempt<T: DeserializeOwned>(&mut self, value: &Value) -> Attempt<T> {
        loop {
            match T::deserialize(At { value, skips: Some(&self.skips) }) {
                Err(error) => return Attempt::Stumbled(error),
                Ok(read) if !self.skips.settle() => return Attempt::Done(Some(read)),
                Ok(_) if self.skips.is_gone() => return Attempt::Done(None),
                // What was read contains stand-ins. Without them keys go missing one level up, at worst to the root.
                Ok(_) => self.settled = true,
            }
        }
    }

    /// Reports an error unless it follows from an earlier one, and sees to it that the next pass gets further. False if
    /// there is no next pass.
    fn go_on(&mut self, error: Error) -> bool {
        let (mut way, what, part) = error.into_parts();
        if let What::NoStandIn = what {
            way.pop();
            return self.skips.node(&way).leave_out() && !self.skips.is_gone();
        }
        if let (What::UnknownKey { key, known }, Some((_, map))) = (&what, way.split_last())
            && let Some(meant) = closest(key, known)
        {
            self.skips.node(map).mean(meant);
        }
        let node = self.skips.node(&way);
        let follows = match what {
            What::MissingKey(key) => node.accounts_for(key),
            _ => node.is_disturbed(),
        };
        let progress = match what {
            What::MissingKey(key) if !self.settled => node.stand_in(key) || node.leave_out(),
            _ => node.leave_out(),
        };
        if !follows && !self.settled {
            let pointer = self.at.segments().iter().cloned().chain(way).collect();
            self.findings.extend([error::finding(what, part, pointer)]);
            self.reported += 1;
        }
        if self.reported >= REPORTED {
            self.findings
                .error(self.at, "there are more errors than these")
                .code(Code::TooManyErrors)
                .help("mend these, then check again");
            return false;
        }
        progress && !self.skips.is_gone()
    }
}

#[cfg(test)]
mod tests;
