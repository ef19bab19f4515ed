//! Why a secret cannot be read, and what to do. What is stored is never told.

/// As errors name it.
const EXTENSION: &str = "the AWS Parameters and Secrets extension";

/// What keeps a secret from being read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(
        "{EXTENSION} is not there\nhelp: add its layer to the function, or put the secret itself into the variable"
    )]
    Unreachable,
    #[error(
        "{EXTENSION} did not answer in time\nhelp: give the function a longer timeout; the next request asks again"
    )]
    Late,
    #[error(
        "{EXTENSION}: {0}\nhelp: PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL=debug makes it say more in the function's log"
    )]
    Broken(String),
    #[error("{EXTENSION}: {status} {said}\nhelp: the function's role must be allowed to read it")]
    Refused { status: u16, said: String },
    #[error("{EXTENSION}: the answer has no text in it\nhelp: store a string, not bytes")]
    NoText,
    #[error(
        "it is no JSON object, and its ARN ends with the key `{0}` of one\nhelp: store an object, or name the secret by its own ARN alone"
    )]
    NoObject(String),
    #[error("it has no key `{0}`\nhelp: what follows the secret's own ARN is a key of the JSON object that it is")]
    NoKey(String),
    #[error("its key `{0}` is no string\nhelp: store it in quotes")]
    NoString(String),
}
