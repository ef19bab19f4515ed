//! The first subject: core alone, on its simulated platform. No sockets, no clock, milliseconds.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderName, HeaderValue, Request, Response};
use portico_core::config::{Severity, compile};
use portico_core::sim::{Sim, SimStream, StoreFault, UpstreamFault, ValueFault, block_on};
use portico_core::{Body, FetchError, Gateway, Platform as _, Timestamp};

use super::subject::{Answer, Received, Refusal, Script, Session, Subject, targets};
use super::{Case, Need, Outcome, Payload, Peer, Respond, Send, Store};
use crate::config::Report;

/// Core on its simulated platform.
#[derive(Debug)]
pub struct Offline;

type SimBody = Body<SimStream>;
type Inbox = Rc<RefCell<BTreeMap<String, Vec<Received>>>>;

struct Simulated {
    gateway: Gateway,
    sim: Sim,
    peer: Peer,
    inbox: Inbox,
}

impl Subject for Offline {
    fn name(&self) -> &'static str {
        "offline"
    }

    fn lacks(&self, _: &Case, _: Need) -> Option<String> {
        None
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Session>, String> {
        let (gateway, _warnings) = compile(&case.config).map_err(|findings| {
            let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
            format!("the configuration is refused:\n\n{}", Report::new(&case.sources, &[], errors))
        })?;
        let sim = Sim::new(7);
        for (name, secret) in &case.secrets {
            sim.set_secret(name, secret);
        }
        let inbox = Inbox::default();
        let mut scripts = BTreeMap::<String, Rc<Script>>::new();
        let mut authorities = BTreeSet::new();
        for (name, _, authority) in targets(&case.config)? {
            let script = scripts.entry(name.clone()).or_insert_with(|| Rc::new(case.script(&name)));
            let (script, inbox) = (Rc::clone(script), Rc::clone(&inbox));
            sim.faulty_upstream(&authority, move |request| play(&script, &inbox, &name, &request));
            authorities.insert(authority);
        }
        let mut issuers = BTreeMap::<String, Vec<_>>::new();
        for url in case.issuers.keys() {
            let uri: http::Uri = url.parse().map_err(|error| format!("{url}: no URL: {error}"))?;
            let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
            issuers.entry(authority).or_default().push((uri, url.clone(), case.issuer(url)));
        }
        for (authority, issuers) in issuers {
            if authorities.contains(&authority) {
                return Err(format!("an issuer and a target are called {authority}: they could not be told apart"));
            }
            let inbox = Rc::clone(&inbox);
            sim.faulty_upstream(&authority, move |request| {
                let found = issuers.iter().find(|(uri, _, _)| uri == request.uri());
                let (_, url, script) = found.ok_or(FetchError::Connect)?;
                play(script, &inbox, url, &request)
            });
        }
        for (key, value) in &case.values {
            sim.set_value(key, value.clone());
        }
        Ok(Box::new(Simulated { gateway, sim, peer: case.peer.clone(), inbox }))
    }

    fn refuse(&self, case: &Case) -> Result<Refusal, String> {
        let Err(findings) = compile(&case.config) else { return Ok(Refusal::Taken) };
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        Ok(Refusal::Errors(errors.map(ToString::to_string).collect()))
    }
}

impl Session for Simulated {
    fn exchange(&mut self, send: &Send) -> Result<Answer, String> {
        self.inbox.borrow_mut().clear();
        let request = request(send)?;
        let (response, after) = block_on(self.gateway.handle(&self.sim, &self.peer, request));
        // a client need not wait for it, the next step does
        block_on(after.follow_up.run(&self.gateway, &self.sim));
        let (head, body) = response.into_parts();
        let (body, broke) = match body {
            // what a server does with it (RFC 9110 §9.3.2)
            _ if send.method == "HEAD" => (Vec::new(), false),
            Body::Empty => (Vec::new(), false),
            Body::Full(bytes) => (bytes.to_vec(), false),
            Body::Stream(stream) => (stream.chunks.concat(), stream.breaks),
        };
        Ok(Answer {
            status: head.status.as_u16(),
            headers: lines(&head.headers),
            body,
            broke,
            upstream: std::mem::take(&mut *self.inbox.borrow_mut()),
            route: after.record.route.as_deref().map(str::to_owned),
            decisions: Some(after.record.decisions),
        })
    }

    fn advance(&mut self, duration: Duration) -> Result<(), String> {
        self.sim.advance(duration);
        Ok(())
    }

    fn set_store(&mut self, state: Store) -> Result<(), String> {
        let fault = match state {
            Store::Up => None,
            Store::Down => Some(StoreFault::Throttled),
            Store::LostResponse => Some(StoreFault::LostResponse),
            Store::Duplicate => Some(StoreFault::Duplicate),
            Store::StaleRead => Some(StoreFault::StaleRead(1)),
        };
        self.sim.set_store_faults(std::iter::repeat(fault));
        let fault = match state {
            Store::Up | Store::Duplicate => None,
            Store::Down => Some(ValueFault::Throttled),
            Store::LostResponse => Some(ValueFault::LostResponse),
            Store::StaleRead => Some(ValueFault::StaleRead),
        };
        self.sim.set_value_faults(std::iter::repeat(fault));
        self.sim.set_cache_faults(std::iter::repeat(fault));
        Ok(())
    }

    fn set_value(&mut self, key: &str, value: Option<&str>) -> Result<(), String> {
        match value {
            Some(value) => self.sim.set_value(key, value.to_owned()),
            None => self.sim.remove_value(key),
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.sim.now()
    }
}

/// What a script makes of a request, which it notes under this name.
fn play(
    script: &Script,
    inbox: &Inbox,
    name: &str,
    request: &Request<SimBody>,
) -> Result<Response<SimBody>, FetchError> {
    let mut received = receive(request);
    let outcome = answer(script.answer(&mut received));
    let unreachable = matches!(outcome, Err(FetchError::Connect));
    if !unreachable {
        inbox.borrow_mut().entry(name.to_owned()).or_default().push(received);
    }
    outcome
}

/// A request as the native server would hand it to core: an origin-form target, a body that is a stream.
fn request(send: &Send) -> Result<Request<SimBody>, String> {
    let uri: http::Uri = send.target.parse().map_err(|error| format!("{}: no URI: {error}", send.target))?;
    let body = match &send.body {
        Payload::None => Body::Empty,
        Payload::Sized(bytes) if bytes.is_empty() => Body::Empty,
        Payload::Sized(bytes) => Body::Stream(SimStream::of([Bytes::from(bytes.clone())])),
        Payload::Chunked(chunks) => Body::Stream(SimStream::of(chunks.iter().cloned())),
    };
    let mut request =
        Request::builder().method(send.method.as_str()).uri(uri).body(body).map_err(|error| error.to_string())?;
    for (name, value) in &send.headers {
        let (name, value) = field(name, value)?;
        request.headers_mut().append(name, value);
    }
    Ok(request)
}

fn receive(request: &Request<SimBody>) -> Received {
    let mut headers = lines(request.headers());
    if !request.headers().contains_key(http::header::HOST) {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        headers.push(("host".to_owned(), host));
    }
    let body = match request.body() {
        Body::Empty => Vec::new(),
        Body::Full(bytes) => bytes.to_vec(),
        Body::Stream(stream) => stream.chunks.concat(),
    };
    Received {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers,
        body,
        unexpected: false,
    }
}

fn answer(outcome: Option<Outcome>) -> Result<Response<SimBody>, FetchError> {
    let mut faults = Vec::new();
    let mut response = match outcome {
        Some(Outcome::Respond(respond)) => {
            faults.extend(respond.delay.map(UpstreamFault::Delay));
            faults.extend(respond.break_after.map(UpstreamFault::ResetBody));
            response(&respond)
        }
        Some(Outcome::Timeout) => {
            faults.push(UpstreamFault::Timeout);
            Response::new(Body::Empty)
        }
        Some(Outcome::ConnectError) => return Err(FetchError::Connect),
        Some(Outcome::Reset) => return Err(FetchError::Reset),
        None => Response::new(Body::Empty),
    };
    response.extensions_mut().insert(faults);
    Ok(response)
}

fn response(respond: &Respond) -> Response<SimBody> {
    let body = match &respond.body {
        Payload::None => Body::Empty,
        Payload::Sized(bytes) => Body::Stream(SimStream::of([Bytes::from(bytes.clone())])),
        Payload::Chunked(chunks) => Body::Stream(SimStream::of(chunks.iter().cloned())),
    };
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(respond.status).unwrap_or_default();
    for (name, value) in &respond.headers {
        if let Ok((name, value)) = field(name, value) {
            response.headers_mut().append(name, value);
        }
    }
    if let Payload::Sized(bytes) = &respond.body {
        // as any server says
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(HeaderValue::from(bytes.len()));
    }
    response
}

fn field(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_bytes(value.as_bytes()).ok());
    parsed.ok_or_else(|| format!("{name}: {value:?} is no header field"))
}

fn lines(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(line).collect()
}
