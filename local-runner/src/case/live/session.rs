//! One case's conversation with a gateway that runs already.

use std::sync::Arc;

use portico_core::decision::Reason;
use serde_json::Value;

use super::Inner;
use super::trace;
use crate::case::origin::lock;
use crate::case::subject::{Answer, Session};
use crate::case::{Send, http1};

/// A conversation. The stubs play the case's upstreams.
pub(super) struct Running {
    pub(super) inner: Arc<Inner>,
    /// Whether traces are asked for.
    pub(super) traced: bool,
    /// Whether decisions are expected at all.
    pub(super) compared: bool,
}

impl Session for Running {
    fn exchange(&mut self, send: &Send) -> Result<Answer, String> {
        let inner = &self.inner;
        drop(lock(&inner.stubs).received());
        let signed = inner.tracer.as_ref().filter(|_| self.traced).and_then(|tracer| tracer.sign(send, self.now()));
        let exchanged = inner.gateway.exchange(signed.as_ref().unwrap_or(send));
        let (status, mut message) =
            exchanged.map_err(|error| format!("no response from {}: {error}", inner.gateway))?;
        let trace = trace::take(&mut message.headers)?;
        if signed.is_some() && trace.is_none() && self.compared {
            lock(&inner.said).untraced += 1;
        }
        let (route, decisions) = trace.map_or((None, None), |trace| (trace.route, Some(trace.decisions)));
        let stubs = lock(&inner.stubs);
        let upstream = stubs.received();
        if let Some(reason) = unreachable(&message).filter(|_| upstream.is_empty() && !stubs.somebody_left()) {
            return Err(stubs.not_reached(reason));
        }
        drop(stubs);
        let http1::Message { headers, body, broke, .. } = message;
        Ok(Answer { status, headers, body, broke, upstream, route, decisions })
    }
}

/// Why a gateway could not reach an upstream, if it says so.
fn unreachable(message: &http1::Message) -> Option<Reason> {
    let problem: Value = serde_json::from_slice(&message.body).ok()?;
    let code = problem.get("code")?.as_str()?;
    [Reason::UpstreamUnreachable, Reason::UpstreamTimeout].into_iter().find(|reason| reason.code() == code)
}
