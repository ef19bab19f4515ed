//! AWS's "Parameters and Secrets Lambda Extension": Secrets Manager and Systems Manager by HTTP on localhost.
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html>

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use portico_core::{Body, FetchError};
use portico_native::upstream::Upstreams;
use serde::Deserialize;
use tokio::time::timeout;

use super::place::Place;
use super::trouble::Trouble;

/// Where it listens, unless its own variable says otherwise.
const PORT: &str = "2773";

/// Its header for the function's session token, by which it knows that it is the function that asks.
const TOKEN: &str = "X-Aws-Parameters-Secrets-Token";

/// It asks AWS, if it does not remember.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A secret has at most 64 KiB, and may be escaped to six times as much.
const LARGEST: u64 = 512 * 1024;

/// The extension of this function.
pub(super) struct Extension {
    upstreams: Upstreams,
    port: String,
    token: Option<HeaderValue>,
}

/// Its answers, as far as they are of use.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Secret {
        #[serde(rename = "SecretString")]
        string: String,
    },
    Parameter {
        #[serde(rename = "Parameter")]
        parameter: Parameter,
    },
}

/// Characters of what it says when it refuses.
const SAID: usize = 1_000;

#[derive(Deserialize)]
struct Parameter {
    #[serde(rename = "Value")]
    value: String,
}

impl Extension {
    /// The extension where `variable` says, the environment.
    pub(super) fn new(variable: impl Fn(&str) -> Option<String>, upstreams: Upstreams) -> Self {
        let token = variable("AWS_SESSION_TOKEN").and_then(|token| HeaderValue::try_from(token).ok());
        let port = variable("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT").unwrap_or_else(|| PORT.to_owned());
        Self { upstreams, port, token }
    }

    /// Reads what is at `place`, for which so much time is `left`.
    pub(super) async fn read(&self, place: &Place, left: Duration) -> Result<String, Trouble> {
        let (status, body) = timeout(TIMEOUT.min(left), self.ask(place)).await.unwrap_or(Err(Trouble::Late))?;
        if status != StatusCode::OK {
            let said = String::from_utf8_lossy(&body).trim().chars().take(SAID).collect();
            return Err(Trouble::Refused { status: status.as_u16(), said });
        }
        match serde_json::from_slice(&body) {
            Ok(Answer::Secret { string } | Answer::Parameter { parameter: Parameter { value: string } }) => {
                place.pick(string)
            }
            Err(_) => Err(Trouble::NoText),
        }
    }

    async fn ask(&self, place: &Place) -> Result<(StatusCode, Bytes), Trouble> {
        let mut request = Request::get(format!("http://localhost:{}{}", self.port, place.target()));
        if let Some(token) = &self.token {
            request = request.header(TOKEN, token);
        }
        // a port that is none makes no URL
        let request = request.body(Body::Empty).map_err(|error| Trouble::Broken(error.to_string()))?;
        // whoever asks gives up sooner, and not for the head alone
        let response = self.upstreams.fetch(request, 2 * TIMEOUT).await.map_err(|error| match error {
            FetchError::Connect => Trouble::Unreachable,
            error => Trouble::Broken(error.to_string()),
        })?;
        let (head, body) = response.into_parts();
        let body = match body {
            Body::Stream(stream) => {
                stream.collect(LARGEST).await.map_err(|error| Trouble::Broken(error.to_string()))?
            }
            Body::Full(bytes) => bytes,
            Body::Empty => Bytes::new(),
        };
        Ok((head.status, body))
    }
}

impl std::fmt::Debug for Extension {
    /// Without the token.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Extension").field("port", &self.port).finish_non_exhaustive()
    }
}
