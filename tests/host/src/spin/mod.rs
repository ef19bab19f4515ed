//! The interfaces of Spin itself.

mod key_value;
pub(crate) mod redis;
mod variables;
