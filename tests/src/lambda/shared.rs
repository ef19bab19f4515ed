//! A table that several functions count in, with a way there that a test can make worse.

use std::sync::Arc;

use serde_json::Value;

use super::function::Function;
use super::table::{Table, Way};
use crate::clock;
use crate::dynamodb::DynamoDb;

/// A table. It ends when this is dropped; the functions must have ended by then.
#[derive(Debug)]
pub struct Shared(Table);

impl Shared {
    /// A new one, without values.
    pub fn new(dynamodb: &Arc<DynamoDb>) -> Result<Self, String> {
        Table::new(dynamodb, []).map(Self)
    }

    /// Starts a function that counts in it, with a clock that is ahead by so many microseconds, or else with the machine's.
    pub fn function(&self, config: &Value, ahead: Option<i64>) -> Result<Function, String> {
        let clock = ahead.map(clock::ahead).transpose()?;
        let environment = self.0.environment();
        let environment: Vec<_> =
            environment.iter().chain(clock.iter().flatten()).map(|(name, value)| (*name, value.as_str())).collect();
        Function::start(config, &environment)
    }

    /// What becomes of all operations from now on.
    pub fn set_way(&self, way: Way) {
        self.0.set_way(way);
    }
}
