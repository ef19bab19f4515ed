//! The binary `portico`, started for real: every port is the system's choice, every wait is for a line that it writes.

mod against;
mod cache;
mod check;
mod commands;
mod dev;
mod diff;
mod examples;
mod explain;
mod http;
mod init;
mod key;
mod log;
mod platforms;
mod process;
mod readme;
mod schema;
mod serve;
mod state;
mod terminal;
mod test_command;
mod token;
