//! The binary `portico`, started for real: every port is the system's choice, every wait is for a line that it writes.

mod check;
mod commands;
mod dev;
mod examples;
mod explain;
mod http;
mod init;
mod process;
mod promises;
mod readme;
mod schema;
mod serve;
mod terminal;
mod test_command;
mod token;
