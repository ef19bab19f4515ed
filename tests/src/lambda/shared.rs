//! A table that several functions count in, and that a test can take the answers of.

use std::sync::Arc;

use portico::case::Store;
use serde_json::Value;

use super::function::Function;
use super::table::Table;
use crate::dynamodb::DynamoDb;

/// A table. It ends when this is dropped; the functions must have ended by then.
#[derive(Debug)]
pub struct Shared(Table);

impl Shared {
    /// A new one, without values.
    pub fn new(dynamodb: &Arc<DynamoDb>) -> Result<Self, String> {
        Table::new(dynamodb, []).map(Self)
    }

    /// Starts a function that counts in it.
    pub fn function(&self, config: &Value) -> Result<Function, String> {
        let environment = self.0.environment();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Function::start(config, &environment)
    }

    /// What becomes of all operations from now on.
    pub fn fail(&self, store: Store) {
        self.0.fail(store);
    }
}
