//! One execution environment: the program that AWS starts, and the Runtime API that it asks for invocations.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use serde_json::Value;

use super::api::{Api, Part};
use crate::access_log::AccessLog;
use crate::bundle;
use crate::child::{self, Directory, HANGS, lines};

/// A function that serves. It ends when it is dropped.
#[derive(Debug)]
pub struct Function {
    // in the order in which they have to end
    child: child::Running,
    api: Api,
    _directory: Directory,
    /// What it tells of requests.
    pub(super) access: AccessLog,
    messages: Receiver<String>,
}

impl Function {
    /// Starts it with a configuration and these variables of the environment besides AWS's own, and waits until it asks for its
    /// first invocation.
    pub fn start(config: &Value, environment: &[(&str, &str)]) -> Result<Self, String> {
        let trouble = |error: std::io::Error| format!("the function could not be started: {error}");
        let directory = Directory::new().map_err(trouble)?;
        if let Err(said) = bundle::build(&directory, "bundle.json", "lambda", config)? {
            return Err(format!("`portico build` refused the configuration:\n{said}"));
        }
        let api = Api::start().map_err(trouble)?;
        let mut command = command(api.address)?;
        command.env("LAMBDA_TASK_ROOT", directory.path("")).envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(trouble)?;
        let (access, errors) = (lines(child.stdout.take()), lines(child.stderr.take()));
        // from here on it is ended by being dropped, whatever happens
        let child = child::Running(child);
        let (said, messages) = channel();
        let end = api.end();
        std::thread::spawn(move || {
            let mut all = String::new();
            for line in errors {
                all.push_str(&line);
                all.push('\n');
                // nobody wants it any more
                drop(said.send(line));
            }
            end(format!("the function ended and said:\n{all}"));
        });
        let access = AccessLog(access);
        let function = Self { child, api, _directory: directory, access, messages };
        function.api.asked(1).map_err(|why| format!("{why}{}", function.said()))?;
        Ok(function)
    }

    /// Hands it an event. What it posts comes bit by bit.
    pub fn invoke(&self, event: &Value) -> Result<Receiver<Part>, String> {
        self.api.invoke(event.to_string().into_bytes())
    }

    /// Waits until it has done all that it does after its responses: it asks for the next invocation then, and AWS freezes it until
    /// there is one.
    pub fn rests(&self) -> Result<(), String> {
        self.api.asked(self.api.invocations() + 1)
    }

    /// Ends it as AWS does, at once and without a word; gives all that it wrote to stdout.
    pub fn end(self) -> Vec<String> {
        let Self { child, access, .. } = self;
        drop(child);
        access.0.iter().collect()
    }

    /// Ends it likewise; gives all that it complained about, each on a line of its own.
    pub fn complaints(self) -> String {
        let Self { child, messages, .. } = self;
        drop(child);
        messages.iter().map(|message| format!("\nthe function said: {message}")).collect()
    }

    /// Takes the Runtime API away, as nobody on AWS does, and waits for its end: how it ended, and what it complained about.
    pub fn abandon(self) -> Result<(ExitStatus, Vec<String>), String> {
        let Self { mut child, api, messages, .. } = self;
        drop(api);
        let mut said = Vec::new();
        loop {
            match messages.recv_timeout(HANGS) {
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err("the function goes on without a Runtime API".to_owned()),
            }
        }
        let status = child.0.wait().map_err(|error| format!("the function has no end: {error}"))?;
        Ok((status, said))
    }

    /// What it has complained about so far, each on a line of its own.
    pub fn said(&self) -> String {
        self.messages.try_iter().map(|message| format!("\nthe function said: {message}")).collect()
    }
}

/// The command by which AWS starts it, with a Runtime API and AWS's own variables. It has no `LAMBDA_TASK_ROOT`, where its bundle is.
pub fn command(api: SocketAddr) -> Result<Command, String> {
    let mut command = Command::new(binary()?);
    command.env_clear().env("AWS_LAMBDA_RUNTIME_API", api.to_string()).envs(AWS);
    Ok(command)
}

/// What AWS sets in each function, as far as anybody reads it.
const AWS: [(&str, &str); 11] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "portico"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/portico"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
    ("AWS_SESSION_TOKEN", "test"),
    // no upstream here is https, and reading the system's certificates takes longer than all the rest
    ("SSL_CERT_FILE", "/dev/null"),
];

/// The program: `PORTICO_LAMBDA_BOOTSTRAP`, or where Cargo puts it.
fn binary() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("PORTICO_LAMBDA_BOOTSTRAP") {
        return Ok(path.into());
    }
    let beside = child::portico()?.with_file_name(format!("bootstrap{}", std::env::consts::EXE_SUFFIX));
    match beside.is_file() {
        true => Ok(beside),
        false => Err(format!("there is no {}: run `cargo build -p portico-lambda`", beside.display())),
    }
}
