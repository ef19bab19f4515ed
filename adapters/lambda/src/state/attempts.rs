//! How often, and how long, DynamoDB is asked.
//!
//! A client waits for the answer, and `on_error` says what becomes of the request without one: so everything is over after a second, or
//! sooner when the function's own time is.

use std::error::Error;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use portico_core::StoreError;
use portico_native::system;
use tokio::time::{sleep, timeout};

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For all that is asked for one request.
    pub(super) whole: Duration,
    /// For one attempt. A connection may have to be made first; one that died while Lambda had the process frozen gives no answer at all.
    pub(super) attempt: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { whole: Duration::from_secs(1), attempt: Duration::from_millis(400) }
    }
}

/// The longest wait before the second attempt. It doubles with each further one.
const WAIT: Duration = Duration::from_millis(20);

/// No wait is longer for whoever was overtaken: there may be many, and time is short.
const LONGEST: Duration = Duration::from_millis(100);

/// Attempts that were turned away, or did not get there: nothing came of them.
const TURNED_AWAY: u32 = 5;

/// Attempts of which nobody knows what came: no more than one, or a request could count three times.
const LOST: u32 = 1;

/// What failed so far for one request.
#[derive(Debug)]
pub(super) struct Attempts {
    patience: Patience,
    turned_away: u32,
    lost: u32,
    overtaken: u32,
}

/// What a failure says about its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing was done, and another moment may be better.
    TurnedAway,
    /// It may have been done.
    Lost,
    /// It will always fail.
    Refused,
}

impl Patience {
    /// What `future` comes to within the time that one request has, of which no more than this is `left`.
    pub(super) async fn within<T>(
        self,
        left: Duration,
        future: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(self.whole.min(left), future).await.unwrap_or_else(|_| {
            eprintln!("dynamodb: no answer in time");
            Err(StoreError)
        })
    }
}

impl Attempts {
    /// None so far.
    pub(super) const fn new(patience: Patience) -> Self {
        Self { patience, turned_away: 0, lost: 0, overtaken: 0 }
    }

    /// What `call` comes to, which is made anew for each attempt.
    pub(super) async fn perform<T, E, F>(&mut self, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E>>>,
    {
        loop {
            if let Some(done) = self.perform_once(&call).await? {
                return Ok(done);
            }
        }
    }

    /// The same for what must not be done twice unseen: `None` when an answer was lost and another attempt is left.
    pub(super) async fn perform_once<T, E, F>(&mut self, call: impl Fn() -> F) -> Result<Option<T>, StoreError>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E>>>,
    {
        loop {
            // on the heap: the SDK's futures are large, and this one is in that of every request
            let (fault, told) = match timeout(self.patience.attempt, Box::pin(call())).await {
                Ok(Ok(done)) => return Ok(Some(done)),
                Ok(Err(error)) => (fault(&error), told(&error)),
                Err(_) => (Fault::Lost, "no answer".to_owned()),
            };
            let (count, most) = match fault {
                Fault::TurnedAway => (&mut self.turned_away, TURNED_AWAY),
                Fault::Lost => (&mut self.lost, LOST),
                Fault::Refused => (&mut 0, 0),
            };
            if *count >= most {
                eprintln!("dynamodb: {told}");
                return Err(StoreError);
            }
            *count += 1;
            wait(self.turned_away + self.lost, Duration::MAX).await;
            if fault == Fault::Lost {
                return Ok(None);
            }
        }
    }

    /// Waits until those who were faster may be done. They are as many as there are, so only time bounds how often.
    pub(super) async fn overtaken(&mut self) {
        self.overtaken = self.overtaken.saturating_add(1);
        wait(self.overtaken, LONGEST).await;
    }
}

/// Waits after so many failures, no two equally long, or they would meet again.
async fn wait(failures: u32, longest: Duration) {
    let longest = WAIT.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(longest);
    let share = f64::from(system::random() as u32) / f64::from(u32::MAX);
    sleep(longest.mul_f64(share)).await;
}

fn fault<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Fault {
    match error {
        SdkError::ConstructionFailure(_) => Fault::Refused,
        // as connector.rs has it: no connection
        SdkError::DispatchFailure(failure) if failure.is_io() => Fault::TurnedAway,
        SdkError::ServiceError(service) => match service.err().code() {
            Some("ProvisionedThroughputExceededException" | "RequestLimitExceeded" | "ThrottlingException") => {
                Fault::TurnedAway
            }
            _ if service.raw().status().is_client_error() => Fault::Refused,
            // it failed halfway, or what came is no answer of DynamoDB's
            _ => Fault::Lost,
        },
        _ => Fault::Lost,
    }
}

/// What an operator can make of an error.
fn told<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E>) -> String {
    let SdkError::ServiceError(service) = error else {
        let mut told = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            told = format!("{told}: {cause}");
            source = cause.source();
        }
        return told;
    };
    let (code, message) = (service.err().code(), service.err().message());
    let status = service.raw().status().as_u16();
    let told = [code.unwrap_or("an error without a name"), ": ", message.unwrap_or("no reason given")].concat();
    let help = match code {
        Some("ResourceNotFoundException" | "ValidationException") => {
            "\nhelp: PORTICO_TABLE names a table in the function's region whose partition key is the string `id`"
        }
        Some("AccessDeniedException") => {
            "\nhelp: the function's role needs dynamodb:GetItem, dynamodb:PutItem and dynamodb:UpdateItem on the table"
        }
        _ => "",
    };
    format!("{told} ({status}){help}")
}
