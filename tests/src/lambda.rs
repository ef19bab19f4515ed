//! The fifth subject: the program that AWS Lambda starts, between a Runtime API, what stands before functions on AWS, and real
//! origins.
//!
//! Each case has a process of its own, which is one execution environment; a start takes some milliseconds. The front is a Function
//! URL unless `PORTICO_LAMBDA_FRONT` names another; what is listed in `skips.toml` is what that one cannot do.

mod api;
mod front;
mod function;
mod posted;
mod shared;
mod table;

pub use self::api::Part;
pub use self::front::{Answered, Front};
pub use self::function::{Function, command};
pub use self::shared::Shared;
pub use self::table::Way;

use std::sync::{Arc, OnceLock};

use self::table::Table;
use crate::bundle;
use crate::dynamodb::DynamoDb;
use crate::joined::Joined;
use crate::origins::Origins;
use portico::case::subject::{Answer, Refusal, Session, Subject};
use portico::case::{Case, Need, Peer, Send, Store};

/// The function.
#[derive(Debug)]
pub struct Lambda {
    front: Front,
    /// Whether the function is told to stream, and the front set up to take that.
    streams: bool,
    /// Started with the first case, or why it does not start. Each case has a table of its own.
    dynamodb: OnceLock<Result<Arc<DynamoDb>, String>>,
}

struct Running {
    // in the order in which they have to end
    function: Function,
    table: Table,
    origins: Origins,
    front: Front,
    peer: Peer,
    joined: Joined,
}

impl Lambda {
    /// A function behind this front.
    pub const fn behind(front: Front) -> Self {
        Self { front, streams: false, dynamodb: OnceLock::new() }
    }

    /// The same, set up to stream responses.
    pub fn streaming(self) -> Self {
        Self { streams: true, ..self }
    }
}

impl Subject for Lambda {
    fn name(&self) -> &'static str {
        "lambda"
    }

    fn lacks(&self, case: &Case, need: Need) -> Option<String> {
        match need {
            Need::Clock => Some("a real clock cannot be moved".to_owned()),
            Need::Client => Some(
                "API Gateway hands over a certificate itself, and nothing else of a client; the cases' are made up"
                    .to_owned(),
            ),
            Need::Binding => Some("Lambda has no bindings".to_owned()),
            Need::Store if case.faults().any(|fault| matches!(fault, Store::Duplicate | Store::StaleRead)) => {
                Some("the table refuses steps and loses answers, and does nothing else on demand".to_owned())
            }
            // the front says who the client is, and encrypts
            Need::Store | Need::Peer | Need::Ipv6 | Need::Tls | Need::Keys => None,
        }
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Session>, String> {
        let origins = Origins::start(case)?;
        let dynamodb = self.dynamodb.get_or_init(|| DynamoDb::start().map(Arc::new)).as_ref()?;
        let table = Table::new(dynamodb, &case.values)?;
        let environment = table.environment();
        let secrets = case.secrets.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let response = [("PORTICO_RESPONSE", if self.streams { "stream" } else { "whole" })];
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (*name, value.as_str())).chain(secrets).chain(response).collect();
        let function = Function::start(&origins.config, &environment)?;
        let (peer, joined) = (case.peer.clone(), Joined::of(case));
        Ok(Box::new(Running { function, table, origins, front: self.front, peer, joined }))
    }

    fn refuse(&self, case: &Case) -> Result<Refusal, String> {
        // a function gets a bundle, and what is wrong makes none
        bundle::refuse("lambda", &case.config)
    }
}

impl Session for Running {
    fn exchange(&mut self, send: &Send) -> Result<Answer, String> {
        drop(self.origins.received());
        let event = self.front.event(send, &self.peer)?;
        let answered = self.function.invoke(&event).and_then(|posted| self.front.answer(&posted, &send.method));
        let answered = answered.map_err(|error| format!("no response: {error}{}", self.function.said()))?;
        let told = self.function.access.told(answered.values("x-request-id").next());
        let (route, decisions) = told.map_err(|error| format!("{error}{}", self.function.said()))?;
        let Answered { status, headers, body, broke } = answered;
        let upstream = self.origins.received();
        Ok(self.joined.split(Answer { status, headers, body, broke, upstream, route, decisions }))
    }

    fn set_store(&mut self, store: Store) -> Result<(), String> {
        self.table.set_way(match store {
            Store::Up => Way::Open,
            Store::Down => Way::Closed,
            Store::LostResponse => Way::LosesAnswers,
            Store::Duplicate | Store::StaleRead => return Err(format!("the table does not do {store:?}")),
        });
        Ok(())
    }

    fn set_value(&mut self, key: &str, value: Option<&str>) -> Result<(), String> {
        self.table.set(key, value)
    }
}
