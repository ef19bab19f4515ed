//! The binary `portico`, started for real: every port is the system's choice, every wait is for a line that it writes.

mod commands;
mod dev;
mod http;
mod process;
mod readme;
mod schema;
mod serve;
mod token;
