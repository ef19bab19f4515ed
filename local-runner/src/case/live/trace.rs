//! What was decided, from the traces that a gateway gives to whoever has the secret of its `debug`.

use std::fmt;

use portico_core::Timestamp;
use portico_core::debug::{self, MIN_SECRET, X_PORTICO_DEBUG, X_PORTICO_TRACE};
use portico_core::decision::Decision;
use serde_json::Value;

use crate::case::Send;
use crate::case::problem::Problem;
use crate::case::subject::decision;

/// Asks for traces.
pub(super) struct Tracer {
    secret: String,
}

impl fmt::Debug for Tracer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tracer").finish_non_exhaustive()
    }
}

/// What a trace says.
#[derive(Debug)]
pub(super) struct Trace {
    /// The route that served the request.
    pub(super) route: Option<String>,
    /// What was decided.
    pub(super) decisions: Vec<Decision>,
}

impl Tracer {
    pub(super) fn new(secret: &str) -> Result<Self, Problem> {
        if secret.len() < MIN_SECRET {
            return Err(Problem::new(
                format!(
                    "the debug secret has {} bytes, and no gateway takes one with less than {MIN_SECRET}",
                    secret.len()
                ),
                "it must be the value of the secret that the gateway's `debug` names",
            ));
        }
        Ok(Self { secret: secret.to_owned() })
    }

    /// The request with a signature. `None` for one that brings its own, and for a target that is no URI.
    pub(super) fn sign(&self, send: &Send, now: Timestamp) -> Option<Send> {
        let own = |name: &str| send.headers.iter().find(move |(other, _)| other.eq_ignore_ascii_case(name));
        if own(X_PORTICO_DEBUG.as_str()).is_some() {
            return None;
        }
        let uri: http::Uri = send.target.parse().ok()?;
        let host = match uri.authority() {
            // an absolute target outranks Host (RFC 9112 §3.2.2)
            Some(authority) => authority.as_str(),
            None => own("host").map_or("", |(_, value)| value),
        };
        let target = uri.path_and_query().map_or("", |target| target.as_str());
        let signature = debug::sign(self.secret.as_bytes(), now, &send.method, host, target)?;
        let mut signed = send.clone();
        signed.headers.push((X_PORTICO_DEBUG.to_string(), signature));
        Some(signed)
    }
}

/// Takes the trace out of a response. The error says what cannot be read.
pub(super) fn take(headers: &mut Vec<(String, String)>) -> Result<Option<Trace>, String> {
    let Some(at) = headers.iter().position(|(name, _)| name == X_PORTICO_TRACE.as_str()) else { return Ok(None) };
    let (_, text) = headers.remove(at);
    let trace: Value =
        serde_json::from_str(&text).map_err(|error| format!("the trace is no JSON: {error} in {text}"))?;
    let steps =
        trace.get("steps").and_then(Value::as_array).ok_or_else(|| format!("the trace has no steps: {text}"))?;
    let decided = steps.iter().filter(|step| step.get("reason").is_some()).map(|step| {
        let text = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default();
        decision(text("step"), text("outcome"), text("reason"), text("detail"))
            .ok_or_else(|| format!("the trace has a decision that this portico does not know: {step}"))
    });
    let decisions = decided.collect::<Result<_, _>>()?;
    let route = trace.get("route").and_then(Value::as_str).map(str::to_owned);
    Ok(Some(Trace { route, decisions }))
}
