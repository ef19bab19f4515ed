//! The configuration: wire types as written, findings with pointers, and the compiler that turns one into a [`Gateway`].
//!
//! YAML is not read here. A document is a [`serde_json::Value`]; whoever parsed it knows the lines, and joins them to a
//! [`Finding`] by its [`Pointer`].
//!
//! [`Gateway`]: crate::Gateway

mod bundle;
mod compile;
mod finding;
pub mod outline;
mod pointer;
mod read;
pub mod units;
pub mod wire;

pub use bundle::{Bundle, Hash};
pub(crate) use compile::Compiler;
pub use compile::compile;
pub use finding::{Finding, Findings, Part, Severity};
pub use pointer::{Pointer, Segment};
pub use read::{Read, read};
