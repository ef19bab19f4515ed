//! The host, started for real with the component of `guest/`.

mod serve;
mod stores;
mod support;
