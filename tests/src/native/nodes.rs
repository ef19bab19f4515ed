//! The native server as a cluster: two nodes that count in one Redis and are asked in turn. For cases about rate limits, as everything
//! else that a node remembers it remembers alone.

use serde_json::json;

use super::Native;
use crate::bundle::with_on_error;
use crate::redis::Redis;
use portico::case::subject::{Answer, Refusal, Session, Subject};
use portico::case::{Case, Need, Send};

/// Two nodes.
#[derive(Debug, Default)]
pub struct Nodes(Native);

struct Running {
    // in the order in which they have to end
    next: Box<dyn Session>,
    other: Box<dyn Session>,
    _redis: Redis,
}

/// The secret with the address of the Redis.
const SECRET: &str = "PORTICO_TEST_REDIS";

impl Subject for Nodes {
    fn name(&self) -> &'static str {
        "nodes"
    }

    fn lacks(&self, case: &Case, need: Need) -> Option<String> {
        match need {
            Need::Store => Some("this Redis does not fail; in tests/tests/redis one does".to_owned()),
            need => self.0.lacks(case, need),
        }
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Session>, String> {
        let (redis, address) = Redis::start();
        let mut case = case.clone();
        case.config = with_on_error(&case.config);
        case.config["state"] = json!({ "redis": format!("${{secret.{SECRET}}}") });
        case.secrets.insert(SECRET.to_owned(), format!("redis://{address}"));
        Ok(Box::new(Running { next: self.0.start(&case)?, other: self.0.start(&case)?, _redis: redis }))
    }

    fn refuse(&self, case: &Case) -> Result<Refusal, String> {
        self.0.refuse(case)
    }
}

impl Session for Running {
    fn exchange(&mut self, send: &Send) -> Result<Answer, String> {
        std::mem::swap(&mut self.next, &mut self.other);
        self.other.exchange(send)
    }

    fn set_value(&mut self, key: &str, value: Option<&str>) -> Result<(), String> {
        self.next.set_value(key, value)?;
        self.other.set_value(key, value)
    }
}
