//! The configuration: wire types as written, findings with pointers, and the compiler that turns one into a [`Gateway`].
//!
//! YAML is not read here. A document is a [`serde_json::Value`]; whoever parsed it knows the lines, and joins them to a
//! [`Finding`] by its [`Pointer`].
//!
//! [`Gateway`]: crate::Gateway

mod at;
mod bundle;
mod code;
mod compile;
mod finding;
pub mod outline;
pub(crate) mod place;
mod pointer;
mod read;
pub(crate) mod routes;
pub mod units;
mod waive;
pub mod wire;

pub(crate) use at::At;
pub use bundle::{Bundle, Hash};
pub use code::{Code, UnknownCode};
pub(crate) use compile::Compiler;
pub use compile::compile;
pub use finding::{Finding, Findings, Part, Severity};
pub use pointer::{Pointer, Segment};
pub(crate) use read::closest;
pub use read::{Read, read};
pub use waive::Waiver;
