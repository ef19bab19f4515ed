//! What differs between two configurations: in meaning, and in what becomes of recorded requests.
//!
//! ```text
//! OLD ─▶ Side ─▶ effective routes, facts by key ─┐
//!                                                ├─▶ Change: what differs, whom it lets pass, where
//! NEW ─▶ Side ─▶ effective routes, facts by key ─┘
//! ```

mod change;
mod compare;
mod effective;
mod elements;
mod facts;
mod keys;
mod meaning;
mod probe;
pub(crate) mod report;
mod side;
mod taken;
mod traffic;
mod value;

pub(crate) use change::{Change, Judgement};
pub(crate) use meaning::changes;
pub(crate) use side::{Side, Unread, is_stdin};
pub(crate) use traffic::replay;
