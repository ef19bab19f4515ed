//! Faults of the stores, for tests: of `spin:key-value`, `wasi:keyvalue` and `spin:redis` alike.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// What happens to the steps of the stores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: they are taken.
    #[default]
    None,
    /// They are refused, and nothing is changed.
    Down,
    /// Each so many steps (1: every one) one is refused, and changes nothing.
    Refuse(u32),
    /// Each so many steps (1: every one) one is taken and its answer gets lost: the component is told of an error.
    LoseResponse(u32),
    /// Those that change a value are taken and their answers get lost; those that read are answered.
    LoseChanges,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Read,
    Change,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, each) = match text.split_once(':') {
            Some((name, each)) => (name, each.parse().ok()),
            None => (text, None),
        };
        match (text, name, each) {
            ("none", ..) => Ok(Self::None),
            ("down", ..) => Ok(Self::Down),
            ("lose-changes", ..) => Ok(Self::LoseChanges),
            (_, "refuse", Some(each @ 1..)) => Ok(Self::Refuse(each)),
            (_, "lose-response", Some(each @ 1..)) => Ok(Self::LoseResponse(each)),
            _ => Err(format!(
                "{text:?} is no fault\nhelp: write none, down, lose-changes, refuse:N for every Nth step, or lose-response:N for every Nth answer"
            )),
        }
    }
}

/// The fault there is now, and how many steps there were since it came.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<(Fault, u32)>);

/// A step that was refused, or whose answer got lost.
#[derive(Debug)]
pub(crate) struct Lost;

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection reset by the host, for a test")
    }
}

impl Faults {
    /// Puts a fault in place of the one before.
    pub(crate) fn set(&self, fault: Fault) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (fault, 0);
    }

    /// Takes a step that reads.
    pub(crate) async fn read<T, E: From<Lost>>(&self, step: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.step(Does::Read, step).await
    }

    /// Takes a step that changes a value.
    pub(crate) async fn change<T, E: From<Lost>>(&self, step: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.step(Does::Change, step).await
    }

    async fn step<T, E: From<Lost>>(&self, does: Does, step: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let fault = {
            let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            now.1 = now.1.wrapping_add(1);
            *now
        };
        match fault {
            (Fault::Down, _) => Err(Lost.into()),
            (Fault::Refuse(each), count) if count % each == 0 => Err(Lost.into()),
            (Fault::LoseResponse(each), count) if count % each == 0 => step.await.and(Err(Lost.into())),
            (Fault::LoseChanges, _) if does == Does::Change => step.await.and(Err(Lost.into())),
            (Fault::None | Fault::Refuse(_) | Fault::LoseChanges | Fault::LoseResponse(_), _) => step.await,
        }
    }
}
