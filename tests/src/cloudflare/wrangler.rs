//! `wrangler.toml`, as far as workerd has to know it: the suite runs what it deploys.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// What is deployed.
#[derive(Debug, Deserialize)]
pub(super) struct Wrangler {
    pub(super) compatibility_date: String,
    #[serde(default)]
    pub(super) compatibility_flags: Vec<String>,
    pub(super) durable_objects: DurableObjects,
    #[serde(default)]
    pub(super) vars: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DurableObjects {
    pub(super) bindings: Vec<Object>,
}

/// A class of Durable Objects, and the binding that leads to them.
#[derive(Debug, Deserialize)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) class_name: String,
}

impl Wrangler {
    pub(super) fn read(checkout: &Path) -> Result<Self, String> {
        let path = checkout.join("wrangler.toml");
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}
