//! A case that is only a configuration: for tests that start a gateway and ask it themselves.

use std::path::Path;

use portico::case::{Case, parse};
use serde_json::{Value, json};

/// One with this configuration and these secrets.
pub(crate) fn case(config: &Value, secrets: &[(&str, &str)]) -> Result<Case, String> {
    let secrets: serde_json::Map<_, _> =
        secrets.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let step = json!({ "send": { "url": "http://a/" }, "expect": { "status": 200 } });
    let case = json!({ "config": config, "secrets": secrets, "steps": [step] });
    let cases = parse(&case.to_string(), Path::new("alone.yaml"), "alone");
    cases.map_err(|wrong| wrong.to_string())?.pop().ok_or_else(|| "a case has steps".to_owned())
}
