//! A request that is signed, and sent if that is wanted, so that the gateway itself tells what it decides.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::HOST;
use http::{HeaderValue, Request, Uri};
use portico::config::Sources;
use portico::platform::{NativePlatform, Settings};
use portico::tls;
use portico_core::debug::{self, MIN_SECRET, X_PORTICO_DEBUG, X_PORTICO_TRACE};
use portico_core::{Body, Gateway, Platform as _, Timestamp};
use serde_json::Value;

use super::curl::{Asked, Wrong};
use super::mask::Mask;
use super::told::{Reply, Told, Trace, Upstream};
use crate::secrets::Secrets;

/// How long to wait for a gateway: longer than it waits for its upstreams, as a rule.
const TIMEOUT: Duration = Duration::from_secs(60);

/// As much of a body as is shown.
const MAX_BODY: u64 = 64 * 1024;

/// The value of `X-Portico-Debug` for a request.
pub(crate) fn sign(gateway: &Gateway, secrets: &Secrets, asked: &Asked) -> Result<String, Wrong> {
    let rules = gateway.debug().ok_or_else(|| {
        let help = "add it and deploy it: debug: { secret: \"${secret.PORTICO_DEBUG}\" }";
        ("the configuration has no `debug`: the gateway shows its traces to nobody".to_owned(), help)
    })?;
    let name = rules.secret();
    let secret = secrets.get(name).ok_or_else(|| {
        (
            format!("the secret {name} is not set"),
            "set the environment variable, or write it into dev.env beside the configuration",
        )
    })?;
    let host = asked.headers.get(HOST).and_then(|host| host.to_str().ok()).ok_or_else(|| {
        ("the URL names no host".to_owned(), "the host is signed with the rest: write http://HOST/PATH")
    })?;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp::default() + since_epoch;
    debug::sign(secret.as_bytes(), now, asked.method.as_str(), host, asked.target.as_str()).ok_or_else(|| {
        (
            format!("the secret {name} has fewer than {MIN_SECRET} bytes"),
            "make one, here and there: openssl rand -base64 48",
        )
    })
}

/// Why a gateway told nothing.
#[derive(Debug)]
pub(crate) enum Silence {
    /// The request could not be made.
    Wrong(Wrong),
    /// The request failed, or the response has no trace.
    Failed(Wrong),
}

/// Sends a signed request, and reads what the gateway tells. `sources` are those of the local configuration.
pub(crate) async fn send(
    gateway: &Gateway,
    document: &Value,
    sources: &Sources,
    secrets: &Secrets,
    asked: Asked,
) -> Result<Told, Silence> {
    let signed = sign(gateway, secrets, &asked).map_err(Silence::Wrong)?;
    let failed = |message: String, help| Silence::Failed((message, help));
    let platform = platform().map_err(|why| failed(why, "look at the certificates of this machine"))?;
    let request = request(&asked, &signed).map_err(Silence::Wrong)?;
    let response = platform.fetch(request, TIMEOUT).await;
    let response =
        response.map_err(|error| failed(format!("{}: {error}", asked.url()), "is the gateway running there?"))?;
    let (head, body) = response.into_parts();
    let body = match body {
        Body::Empty => Vec::new(),
        Body::Full(bytes) => bytes.to_vec(),
        Body::Stream(stream) => platform.collect(stream, MAX_BODY).await.unwrap_or_default().to_vec(),
    };
    let mut reply = Reply { status: head.status, headers: head.headers, body };
    let trace = reply.headers.remove(&X_PORTICO_TRACE);
    let trace: Option<Trace> = trace.and_then(|trace| serde_json::from_slice(trace.as_bytes()).ok());
    let trace = trace.ok_or_else(|| {
        let message = format!("the answer ({}) has no trace", head.status.as_str());
        failed(message, "the gateway needs `debug` with the same secret, a clock that agrees, and the request as it was signed: method, host, path and query")
    })?;
    let same = trace.config == gateway.hash().to_string();
    let places = if same { trace.places(gateway, sources) } else { trace.steps.iter().map(|_| None).collect() };
    let mask = Mask::new(document, secrets, &asked.headers);
    Ok(Told { asked, trace, places, upstream: Upstream::Untold, reply, near: Vec::new(), bounds: Vec::new(), mask })
}

fn platform() -> Result<NativePlatform, String> {
    let (roots, _) = tls::native_roots();
    NativePlatform::new(Settings { roots, ..Settings::default() }).map_err(|error| error.to_string())
}

fn request<S>(asked: &Asked, signed: &str) -> Result<Request<Body<S>>, Wrong> {
    let authority = asked.authority.clone().ok_or_else(|| {
        ("the URL names no host".to_owned(), "the request is sent for real: write http://HOST:PORT/PATH")
    })?;
    let uri = Uri::builder().scheme(if asked.secure { "https" } else { "http" }).authority(authority);
    let wrong = || (format!("{} cannot be sent", asked.url()), "look at the URL");
    let uri = uri.path_and_query(asked.target.clone()).build().map_err(|_| wrong())?;
    let body = if asked.body.is_empty() { Body::Empty } else { Body::Full(asked.body.clone().into()) };
    let mut request = Request::new(body);
    *request.method_mut() = asked.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = asked.headers.clone();
    request.headers_mut().insert(X_PORTICO_DEBUG, HeaderValue::from_str(signed).map_err(|_| wrong())?);
    Ok(request)
}
