//! A function that does nothing: what `lambda_runtime` itself takes (`run.mjs`).

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(hello)).await
}

async fn hello(_: LambdaEvent<IgnoredAny>) -> Result<Value, Error> {
    Ok(json!({ "statusCode": 200, "headers": { "content-type": "text/plain" }, "body": "hello" }))
}
