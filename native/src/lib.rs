//! What a process on Linux has that core's `Platform` asks for: upstreams over hyper and rustls, bodies, ring's signatures, clock and
//! randomness, and a response cache in memory. Nothing is decided here. The native server and the Lambda adapter are made of it.

#![forbid(unsafe_code)]

pub mod body;
pub mod cache;
mod pool;
mod survive;
pub mod system;
mod tee;
pub mod tls;
mod upload;
pub mod upstream;
mod verify;

pub use survive::survive;
pub use verify::verify;
