//! A request that goes nowhere: the real engine decides it, on a simulated platform with the secrets of this machine and its
//! clock, before upstreams that all answer.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use portico::config::Sources;
use portico_core::config::Pointer;
use portico_core::explain::Explanation;
use portico_core::sim::{Sim, SimStream, block_on};
use portico_core::{Action, Body, Gateway, Peer, Platform as _, Record, Timestamp};
use serde_json::Value;

use super::curl::Asked;
use super::mask::Mask;
use super::near;
use super::told::{Reply, Sent, Told, Trace, Upstream};
use crate::secrets::Secrets;
use crate::{check, configuration};

/// What a request meets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) document: &'a Value,
    pub(crate) sources: &'a Sources,
    pub(crate) secrets: &'a Secrets,
    /// Who connects.
    pub(crate) peer: &'a Peer,
    /// What every upstream answers.
    pub(crate) status: StatusCode,
}

/// A body that is longer than this is not shown.
const MAX_BODY: u64 = 64 * 1024;

/// What would become of a request.
pub(crate) fn simulate(setting: &Setting<'_>, asked: Asked) -> Told {
    let Run { record, response, sent } = run(setting, &asked);
    let trace = Trace::from(&Explanation::new(setting.gateway, &record));
    let near = if record.route.is_none() { near::routes(setting, &asked) } else { Vec::new() };
    Told {
        places: trace.places(setting.gateway, setting.sources),
        mask: Mask::new(setting.document, setting.secrets, &asked.headers),
        upstream: sent.map_or(Upstream::Nothing, |sent| Upstream::Sent(Box::new(sent))),
        reply: response,
        asked,
        bounds: bounds(setting.document, &trace),
        trace,
        near,
    }
}

/// The bounds of the leased limits that decided.
fn bounds(document: &Value, trace: &Trace) -> Vec<(Pointer, String)> {
    let decided = |at: &Pointer| {
        let at = at.to_string();
        let limit = at.strip_suffix(".lease");
        trace.steps.iter().any(|step| step.place.as_deref() == limit && step.place.is_some())
    };
    check::bounds(document).into_iter().filter(|(at, _)| decided(at)).collect()
}

/// What came of one run.
pub(super) struct Run {
    pub(super) record: Record,
    response: Reply,
    sent: Option<Sent>,
}

/// Lets the gateway decide a request.
pub(super) fn run(setting: &Setting<'_>, asked: &Asked) -> Run {
    let sim = Sim::new(0);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    sim.set_now(Timestamp::default() + since_epoch);
    for name in configuration::secret_names(setting.document) {
        if let Some(value) = setting.secrets.get(&name) {
            sim.set_secret(&name, &value);
        }
    }
    let seen = Rc::new(RefCell::new(None));
    for authority in authorities(setting.gateway) {
        let (seen, status) = (Rc::clone(&seen), setting.status);
        sim.upstream(&authority, move |request| {
            // of several attempts the last one counts, they are all alike but for their target
            seen.replace(Some(sent(request, status)));
            let mut response = Response::new(Body::Empty);
            *response.status_mut() = status;
            response
        });
    }
    let (response, after) = block_on(setting.gateway.handle(&sim, setting.peer, request(asked)));
    let (head, body) = response.into_parts();
    let body = match body {
        Body::Empty => Bytes::new(),
        Body::Full(bytes) => bytes,
        Body::Stream(stream) => block_on(sim.collect(stream, MAX_BODY)).unwrap_or_default(),
    };
    let response = Reply { status: head.status, headers: head.headers, body: body.to_vec() };
    Run { record: after.record, response, sent: seen.take() }
}

/// Hosts and ports of all targets.
fn authorities(gateway: &Gateway) -> Vec<String> {
    let mut authorities = Vec::new();
    for route in gateway.routes() {
        if let Action::Forward(upstream) = &route.action {
            let named = upstream.targets().iter().filter_map(|target| target.name().rsplit_once("://"));
            authorities.extend(named.map(|(_, authority)| authority.to_owned()));
        }
    }
    authorities
}

/// The request as the native server would hand it over.
fn request(asked: &Asked) -> Request<Body<SimStream>> {
    let body = match asked.body.as_slice() {
        [] => Body::Empty,
        bytes => Body::Stream(SimStream::of([bytes.to_vec()])),
    };
    let mut request = Request::new(body);
    *request.method_mut() = asked.method.clone();
    *request.uri_mut() = Uri::from(asked.target.clone());
    *request.headers_mut() = asked.headers.clone();
    request
}

fn sent(request: Request<Body<SimStream>>, answer: StatusCode) -> Sent {
    let (head, _) = request.into_parts();
    let mut headers = head.headers;
    let authority = head.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let (Some(host), false) = (authority, headers.contains_key(HOST)) {
        headers.insert(HOST, host);
    }
    Sent { method: head.method, uri: head.uri, headers, answer }
}
