//! Portico on AWS Lambda: one binary that runs any gateway.
//!
//! What Lambda gives, as core's [`Platform`](portico_core::Platform): nothing is decided here. The configuration is a bundle beside the
//! binary, read before the first request.
//!
//! An invocation: `event::request` → `Gateway::handle` → `answer::whole`, or a stream (`post.rs`) → what follows a response. All of that is
//! `invocation.rs`. `lambda_runtime` asks the Runtime API for the next invocation only when it is done, so whatever runs after the
//! response was posted still has its time before Lambda freezes the process, and no client waits for it.

#![forbid(unsafe_code)]

mod answer;
mod event;
mod instance;
mod invocation;
mod platform;
mod post;
mod secrets;
mod state;

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use lambda_runtime::tower::{layer::layer_fn, service_fn};
use lambda_runtime::{Error, LambdaEvent, Runtime};
use serde::de::IgnoredAny;

use crate::instance::Instance;
use crate::post::Api;

fn main() -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run()),
        Err(error) => failed(&error.to_string()),
    }
}

async fn run() -> ExitCode {
    let api = match Api::from_environment() {
        Ok(api) => api,
        Err(error) => return failed(&error),
    };
    let instance = match complete(|name| std::env::var(name).ok()).and_then(|()| Instance::start()) {
        Ok(instance) => Arc::new(instance),
        Err(error) => {
            api.cannot_start(&error).await;
            return failed(&error);
        }
    };
    match serve(instance, Arc::new(api)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("the Runtime API does not answer: {error}")),
    }
}

/// Takes invocations for as long as there are any.
///
/// `lambda_runtime` hands them over, and does not post what comes of them: it would write why a stream broke off into the stream, as if
/// that were the rest of the body.
async fn serve(instance: Arc<Instance>, api: Arc<Api>) -> Result<(), Error> {
    let unused = service_fn(async |_: LambdaEvent<IgnoredAny>| Ok::<_, Infallible>(()));
    let serving = layer_fn(|_| {
        let (instance, api) = (Arc::clone(&instance), Arc::clone(&api));
        service_fn(move |invocation| invocation::serve(Arc::clone(&instance), Arc::clone(&api), invocation))
    });
    Runtime::new(unused).layer(serving).run().await
}

/// Fails when the environment lacks what `lambda_runtime` panics without.
fn complete(variable: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    let help = "help: Lambda sets it; whoever plays Lambda has to, too";
    for name in ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"] {
        variable(name).ok_or_else(|| format!("{name} is not in the environment\n{help}"))?;
    }
    let memory = variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|megabytes| megabytes.parse::<i32>().ok());
    memory.map(drop).ok_or_else(|| format!("AWS_LAMBDA_FUNCTION_MEMORY_SIZE is no number of megabytes\n{help}"))
}

fn failed(error: &str) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lambda_sets_must_be_there() {
        let without = |missing: &str, memory: &str| {
            complete(|name| match name {
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" => Some(memory.to_owned()),
                name => Some("portico".to_owned()).filter(|_| name != missing),
            })
        };
        assert_eq!(without("", "128"), Ok(()));
        for name in ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"] {
            assert!(without(name, "128").is_err_and(|error| error.starts_with(name) && error.contains("help: ")));
        }
        for memory in ["", "128 MB", "1e9"] {
            assert!(without("", memory).is_err_and(|error| error.contains("MEMORY_SIZE") && error.contains("help: ")));
        }
    }
}
