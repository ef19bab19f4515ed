//! The access log of a gateway that runs: what it decided can be seen there only.

use std::sync::mpsc::Receiver;

use portico::case::subject::decision;
use portico_core::decision::Decision;
use serde_json::Value;

use crate::child::HANGS;

/// The lines of an access log as they come.
#[derive(Debug)]
pub(crate) struct AccessLog(pub(crate) Receiver<String>);

/// What the access log tells of a request: its route, and what was decided.
pub(crate) type Told = (Option<String>, Option<Vec<Decision>>);

impl AccessLog {
    /// What it tells of the request with this id, nothing of one without. Waits for it.
    pub(crate) fn told(&self, id: Option<&str>) -> Result<Told, String> {
        let Some(id) = id else { return Ok((None, None)) };
        loop {
            let line = self.0.recv_timeout(HANGS);
            let line = line.map_err(|_| format!("the access log never told of request {id}"))?;
            if !line.starts_with('{') {
                // whatever else was to be said
                continue;
            }
            let line: Value = serde_json::from_str(&line).map_err(|error| format!("access log: {error} in {line}"))?;
            if line.get("request_id").and_then(Value::as_str) != Some(id) {
                continue;
            }
            let list = line.get("decisions").and_then(Value::as_array).ok_or("the access log has no decisions")?;
            let decided = |told: &Value| {
                let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
                decision(text("policy"), text("outcome"), text("reason"), text("detail"))
                    .ok_or_else(|| format!("the access log has a decision that nobody knows: {told}"))
            };
            let route = line.get("route").and_then(Value::as_str).map(str::to_owned);
            return Ok((route, Some(list.iter().map(decided).collect::<Result<_, _>>()?)));
        }
    }
}
