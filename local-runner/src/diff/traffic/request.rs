//! From what was recorded to a request that can be decided again. What an access log lacks is put back as far as it follows from
//! the old configuration: credentials, the conditions of the route, the origin of a cross-origin request, a body that is too large.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderName, HeaderValue, Request, StatusCode, Uri, Version};
use portico_core::config::units;
use portico_core::sim::{Sim, SimStream};
use portico_core::{Body, FetchError, Peer};
use serde_json::Value;

use super::callers::{Callers, texts};
use super::known_keys::KnownKeys;
use super::recorded::{By, Logged, Recorded, Sent};
use crate::diff::effective::{self, Policy, Route};
use crate::diff::probe;

/// A request to be decided again.
#[derive(Clone)]
pub(super) struct Again {
    pub(super) request: Request<Body<SimStream>>,
    pub(super) peer: Peer,
    /// What an upstream answers if it is asked.
    pub(super) upstream: Result<StatusCode, FetchError>,
}

/// What it takes to make requests of records.
pub(super) struct Recreation<'d> {
    callers: Callers,
    old: BTreeMap<&'d str, Route<'d>>,
    new: BTreeMap<&'d str, Route<'d>>,
    /// The CORS policies for requests that no route serves.
    unrouted: [Option<Policy>; 2],
    counted: Counted,
    /// How many requests were made.
    made: Cell<u64>,
}

/// What rate limits count by that no access log holds.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) headers: BTreeSet<String>,
    pub(super) claims: BTreeSet<String>,
}

/// An origin that no configuration names.
const NOWHERE: &str = "https://origin.invalid";

impl<'d> Recreation<'d> {
    pub(super) fn new(known: &KnownKeys, old: &'d Value, new: &'d Value) -> Self {
        let by_name = |document| effective::routes(document).into_iter().map(|route| (route.name, route)).collect();
        let (before, after): (BTreeMap<_, _>, BTreeMap<_, _>) = (by_name(old), by_name(new));
        let mut counted = Counted::default();
        for route in before.values().chain(after.values()) {
            counted.add(route, old);
        }
        Self {
            callers: Callers::new(known, old, new, counted.claims.iter().cloned().collect()),
            unrouted: [effective::unrouted_cors(old), effective::unrouted_cors(new)],
            old: before,
            new: after,
            counted,
            made: Cell::new(0),
        }
    }

    /// What rate limits count by that no access log holds.
    pub(super) fn counted(&self) -> &Counted {
        &self.counted
    }

    /// The request. The error says what cannot be known.
    pub(super) fn again(&self, recorded: &Recorded) -> Result<Again, String> {
        match &recorded.by {
            By::Log(logged) => self.logged(recorded, logged),
            By::Browser(sent) => from_browser(recorded, sent),
        }
    }

    fn logged(&self, recorded: &Recorded, logged: &Logged) -> Result<Again, String> {
        let cut = |text: &str| text.ends_with('…');
        if cut(recorded.target.path()) || recorded.host.as_deref().is_some_and(cut) {
            return Err("path: the log cut it off".to_owned());
        }
        if logged.decided("forward").is_some_and(|forward| forward.reason == "client_gone") {
            return Err("forward: the client broke off".to_owned());
        }
        let name = logged.route.as_deref();
        let (route, now) = (name.and_then(|name| self.old.get(name)), name.and_then(|name| self.new.get(name)));
        let mut request = Request::new(Body::Empty);
        *request.method_mut() = recorded.method.clone();
        *request.uri_mut() = recorded.target.clone();
        if let Some(matches) = route.and_then(|route| route.rest.get("match")) {
            *request.uri_mut() = with_query(&recorded.target, matches)?;
            for (name, value) in probe::conditions(matches, "headers") {
                add(&mut request, name, value)?;
            }
        }
        let made = self.made.replace(self.made.get() + 1);
        for header in &self.counted.headers {
            add(&mut request, header, &format!("request-{made}"))?;
        }
        for (name, value) in self.callers.credentials(logged, route, now)? {
            request.headers_mut().append(name, value);
        }
        let [unrouted, now_unrouted] = &self.unrouted;
        if let Some(origin) = origin(logged, cors(route, unrouted), cors(now, now_unrouted))? {
            add(&mut request, "origin", &origin)?;
        }
        if logged.decided("body_limit").is_some_and(|limit| limit.reason == "body_too_large") {
            let limit = route.and_then(|route| route.policies.get("body_limit")?.value.get("max")?.as_str());
            let length = limit.and_then(|limit| units::size(limit).ok()).unwrap_or_default().saturating_add(1);
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            *request.body_mut() = Body::Stream(SimStream::default());
        }
        set_host(&mut request, recorded)?;
        let peer = Peer {
            country: logged.country,
            asn: logged.asn,
            certificate: self.callers.certificate(logged)?.map(Arc::new),
            ..Peer::new(logged.client, false)
        };
        Ok(Again { request, peer, upstream: upstream(recorded, logged) })
    }
}

impl Counted {
    /// What is to be known of limits that count by these.
    pub(super) fn notes(&self) -> Vec<String> {
        let by = |what: &str, names: &BTreeSet<String>, each: &str| {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let names = names.join(", ");
            (!names.is_empty())
                .then(|| format!("limits by the {what} {names} count each {each} for itself: the log does not hold it"))
        };
        [by("header", &self.headers, "request"), by("claim", &self.claims, "consumer")].into_iter().flatten().collect()
    }

    fn add(&mut self, route: &Route<'_>, document: &Value) {
        let by = route.policies.get("rate_limit").and_then(|limit| limit.value.get("by")?.as_object());
        for (what, name) in by.into_iter().flatten().filter_map(|(what, name)| Some((what, name.as_str()?))) {
            match what.as_str() {
                "header" => drop(self.headers.insert(name.to_ascii_lowercase())),
                _ if is_consumer(name, route, document) => {}
                _ => drop(self.claims.insert(name.to_owned())),
            }
        }
    }
}

/// Whether a claim is the one that names the consumer, whom the log holds.
fn is_consumer(claim: &str, route: &Route<'_>, document: &Value) -> bool {
    let names = texts(route.policies.get("auth").and_then(|auth| auth.value.get("any_of")));
    names.iter().all(|name| {
        let jwt = document.get("identities").and_then(|all| all.get(name)?.get("jwt"));
        let consumer = jwt.map(|jwt| jwt.get("consumer").and_then(Value::as_str).unwrap_or("sub"));
        consumer.unwrap_or("sub") == claim
    })
}

fn from_browser(recorded: &Recorded, sent: &Sent) -> Result<Again, String> {
    let mut request = Request::new(Body::Empty);
    *request.method_mut() = recorded.method.clone();
    *request.uri_mut() = recorded.target.clone();
    *request.headers_mut() = sent.headers.clone();
    if !sent.body.is_empty() {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(sent.body.len()));
        *request.body_mut() = Body::Stream(SimStream::of([sent.body.clone()]));
    }
    set_host(&mut request, recorded)?;
    let upstream = Ok(StatusCode::from_u16(recorded.status).unwrap_or_default());
    Ok(Again { request, peer: Peer { secure: sent.secure, ..Sim::peer() }, upstream })
}

/// A request without a host can only have been one of HTTP/1.0, unless that is why it was refused.
fn set_host(request: &mut Request<Body<SimStream>>, recorded: &Recorded) -> Result<(), String> {
    match &recorded.host {
        Some(host) => {
            let host = HeaderValue::from_str(host).map_err(|_| "path: its host is no header value".to_owned())?;
            request.headers_mut().insert(HOST, host);
        }
        None => {
            let missing = |logged: &Logged| logged.decisions.iter().any(|decided| decided.reason == "host_missing");
            if !matches!(&recorded.by, By::Log(logged) if missing(logged)) {
                *request.version_mut() = Version::HTTP_10;
            }
        }
    }
    Ok(())
}

fn with_query(target: &Uri, matches: &Value) -> Result<Uri, String> {
    let target = probe::target(target.path(), matches);
    target.parse().map_err(|_| "route: its conditions make no query".to_owned())
}

fn add(request: &mut Request<Body<SimStream>>, name: &str, value: &str) -> Result<(), String> {
    let field = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(value).ok());
    let (name, value) = field.ok_or_else(|| format!("route: {name} cannot be sent"))?;
    request.headers_mut().entry(name).or_insert(value);
    Ok(())
}

/// The CORS policy of a route, or that for requests without one.
fn cors<'p>(route: Option<&'p Route<'_>>, unrouted: &'p Option<Policy>) -> Option<&'p Policy> {
    route.map_or(unrouted.as_ref(), |route| route.policies.get("cors"))
}

/// The origin that a cross-origin request came from: one that the old policy names, and the new one too if there is such a one.
fn origin(logged: &Logged, old: Option<&Policy>, new: Option<&Policy>) -> Result<Option<String>, String> {
    let Some(cors) = logged.decided("cors") else { return Ok(None) };
    let origins = |policy: Option<&Policy>| texts(policy.and_then(|policy| policy.value.get("origins")));
    let concrete = |pattern: &String| match pattern.as_str() {
        "*" => NOWHERE.to_owned(),
        pattern => pattern.replacen('*', "x", 1),
    };
    match cors.reason.as_str() {
        "origin_refused" => Ok(Some(NOWHERE.to_owned())),
        "origin_allowed" => {
            let (old, new) = (origins(old), origins(new));
            let kept = old.iter().find(|pattern| new.iter().any(|now| permits(now, pattern)));
            Ok(kept.or(old.first()).map(concrete))
        }
        _ => Err("cors: the log does not hold what a preflight asked for".to_owned()),
    }
}

/// Whether one pattern permits whatever another one does.
fn permits(pattern: &str, other: &str) -> bool {
    let below = |(scheme, suffix): (&str, &str)| other.starts_with(scheme) && other.ends_with(suffix);
    pattern == "*" || pattern.eq_ignore_ascii_case(other) || pattern.split_once('*').is_some_and(below)
}

/// What the upstream answered, if it was asked.
fn upstream(recorded: &Recorded, logged: &Logged) -> Result<StatusCode, FetchError> {
    match logged.decided("forward").map(|forward| forward.reason.as_str()) {
        Some("forwarded") => Ok(StatusCode::from_u16(recorded.status).unwrap_or_default()),
        Some("upstream_unreachable") => Err(FetchError::Connect),
        Some("upstream_timeout") => Err(FetchError::Timeout),
        Some("upstream_broken") => Err(FetchError::Reset),
        Some("client_timeout") => Err(FetchError::ClientTimeout),
        // it was not asked; if it is now, all is well
        _ => Ok(StatusCode::OK),
    }
}
