//! AWS's "Parameters and Secrets Lambda Extension": Secrets Manager and Systems Manager by HTTP on localhost.
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html>

use std::time::Duration;

use http::{HeaderValue, Request, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portico_core::Body;
use portico_native::upstream::Upstreams;
use serde::Deserialize;

/// Where it listens, unless its own variable says otherwise.
const PORT: &str = "2773";

/// Its header for the function's session token, by which it knows that it is the function that asks.
const TOKEN: &str = "X-Aws-Parameters-Secrets-Token";

/// It asks AWS, if it does not remember.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A secret has at most 64 KiB, and may be escaped to six times as much.
const LARGEST: u64 = 512 * 1024;

/// Where a secret is: the path and the query to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place(String);

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

#[derive(Deserialize)]
struct Parameter {
    #[serde(rename = "Value")]
    value: String,
}

impl Place {
    /// The place that an ARN names, in any partition of AWS; `None` when it is a value of its own.
    pub(super) fn of(value: &str) -> Option<Self> {
        let mut parts = value.split(':');
        let arn = parts.next()? == "arn" && parts.next()?.starts_with("aws");
        let service = parts.next().filter(|_| arn)?;
        let encoded = utf8_percent_encode(value, NON_ALPHANUMERIC);
        match service {
            "secretsmanager" => Some(Self(format!("/secretsmanager/get?secretId={encoded}"))),
            "ssm" => Some(Self(format!("/systemsmanager/parameters/get?withDecryption=true&name={encoded}"))),
            _ => None,
        }
    }
}

impl Extension {
    /// The extension where `variable` says, the environment.
    pub(super) fn new(variable: impl Fn(&str) -> Option<String>, upstreams: Upstreams) -> Self {
        let token = variable("AWS_SESSION_TOKEN").and_then(|token| HeaderValue::try_from(token).ok());
        let port = variable("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT").unwrap_or_else(|| PORT.to_owned());
        Self { upstreams, port, token }
    }

    /// Reads what is at `place`. The error says what happened and what to do.
    pub(super) async fn read(&self, place: &Place) -> Result<String, String> {
        let mut request = Request::get(format!("http://localhost:{}{}", self.port, place.0));
        if let Some(token) = &self.token {
            request = request.header(TOKEN, token);
        }
        let request = request.body(Body::Empty).map_err(|error| error.to_string())?;
        let response = self.upstreams.fetch(request, TIMEOUT).await.map_err(|error| {
            format!(
                "the AWS Parameters and Secrets extension: {error}\nhelp: add its layer to the function, or put the secret itself into the \
                 variable"
            )
        })?;
        let (head, body) = response.into_parts();
        let body = match body {
            Body::Stream(stream) => stream.collect(LARGEST).await.map_err(|error| error.to_string())?,
            Body::Full(bytes) => bytes,
            Body::Empty => bytes::Bytes::new(),
        };
        if head.status != StatusCode::OK {
            let said = String::from_utf8_lossy(&body);
            return Err(format!(
                "the AWS Parameters and Secrets extension: {} {}\nhelp: the function's role must be allowed to read it",
                head.status.as_u16(),
                said.trim()
            ));
        }
        match serde_json::from_slice(&body) {
            Ok(Answer::Secret { string } | Answer::Parameter { parameter: Parameter { value: string } }) => Ok(string),
            Err(_) => Err("the AWS Parameters and Secrets extension: the answer has no text in it\nhelp: store a string, not bytes".to_owned()),
        }
    }
}

impl std::fmt::Debug for Extension {
    /// Without the token.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Extension").field("port", &self.port).finish_non_exhaustive()
    }
}
