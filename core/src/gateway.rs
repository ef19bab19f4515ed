//! The spine: one request from its arrival to its response, readable from top to bottom.
//!
//! The order of the steps is fixed and the same for every route (`lib.rs` draws it). A route switches policies on; it does
//! not order them, so no configuration can put the cache before authentication or CORS behind it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};

use crate::after::{After, FollowUp, Record};
use crate::answer::{Redirect, Respond};
use crate::body::Body;
use crate::config::place::{self, Places};
use crate::config::routes::Routes;
use crate::config::{Hash, Pointer, wire::AmbiguousPath};
use crate::context::{Context, X_REQUEST_ID};
use crate::debug;
use crate::decision::{Decision, Policy, Reason};
use crate::error::Refusal;
use crate::explain::Explanation;
use crate::forward::{self, Upstream, forwarded, hop_by_hop};
use crate::net::Net;
use crate::peer::Peer;
use crate::platform::Platform;
use crate::policy::cache::{self, Ask, Chore, Node};
use crate::policy::transform::{ResponseTransform, Target};
use crate::policy::{Policies, cors, rate_limit};
use crate::route::{self, Found, Lookup, Router};

/// A compiled configuration, ready to serve. Frozen: a new configuration is a new gateway.
///
/// What it remembers (verified tokens, whose turn it is among targets) is bounded and never needed for correctness.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) name: String,
    pub(crate) hash: Hash,
    pub(crate) trusted_proxies: Vec<Net>,
    /// Who may see traces; `None` is nobody.
    pub(crate) debug: Option<debug::Rules>,
    /// The secret that is the address of the Redis in which nodes count together; `None` when each counts for itself.
    pub(crate) redis: Option<Box<str>>,
    pub(crate) routes: Routes,
    pub(crate) router: Router,
    /// CORS of the defaults, for requests that no route serves.
    pub(crate) default_cors: Option<cors::Cors>,
    pub(crate) secrets: BTreeSet<Box<str>>,
    /// What is on its way into the cache, and what in it is no longer to be served.
    pub(crate) responses: Arc<Node>,
}

/// One compiled route.
#[derive(Debug)]
pub struct Route {
    /// The name, as in logs and decisions.
    pub name: Arc<str>,
    /// The route's `match`, as written: method, host and path, for listings.
    pub summary: String,
    /// What is done with a request that passed every policy.
    pub action: Action,
    /// What is asked of a request and done to it.
    pub policies: Policies,
    pub(crate) ambiguous_path: AmbiguousPath,
    pub(crate) places: Places,
}

/// What is done with a request that passed every policy.
#[derive(Debug)]
pub enum Action {
    /// It is sent to an upstream.
    Forward(Arc<Upstream>),
    /// It is answered on the spot.
    Respond(Respond),
    /// It is redirected.
    Redirect(Redirect),
    /// It says what the cache is to serve no more.
    Purge,
}

impl Action {
    /// How long to wait for a part of the response; zero for one that is made on the spot.
    pub(crate) fn timeout(&self) -> Duration {
        match self {
            Self::Forward(upstream) => upstream.timeout(),
            Self::Respond(_) | Self::Redirect(_) | Self::Purge => Duration::ZERO,
        }
    }
}

/// The path of the health route. `/-/` belongs to the gateway; no route can be put there.
pub const HEALTH_PATH: &str = "/-/health";

impl Gateway {
    /// Serves one request. The response is ready to send; the platform then runs `After` in its own way of doing things
    /// after the response.
    pub async fn handle<P: Platform>(
        &self,
        platform: &P,
        peer: &Peer,
        request: Request<Body<P::Stream>>,
    ) -> (Response<Body<P::Stream>>, After<P::Stream>) {
        let (head, body) = request.into_parts();
        let mut context = Context::new(platform, peer, &self.trusted_proxies, head);
        let signed = debug::take(&mut context.headers);
        let signed =
            signed.zip(self.debug.as_ref()).is_some_and(|(field, debug)| debug.permit(platform, &context, &field));
        let mut chores = Vec::new();
        let served = self.serve(platform, &mut context, body, &mut chores).await;
        let outcome = match &served {
            Ok(response) => rate_limit::Outcome::answered(&context, response),
            Err(refusal) => rate_limit::Outcome::refused(refusal.reason),
        };
        for standing in &mut context.standings {
            standing.settle(platform, outcome).await;
        }
        let mut response = served.unwrap_or_else(|refusal| refusal.response(context.id.as_str()));
        without_needless_body(&context.method, &mut response);
        self.finish(&mut context, response.headers_mut());
        let traced = signed && !is_health(&context);
        chores.extend(std::mem::take(&mut context.changed).into_iter().map(Chore::Forget));
        let follow_up = FollowUp::new(std::mem::take(&mut context.errands), chores);
        let held = std::mem::take(&mut context.held);
        let after = After { record: Record::new(context, response.status(), self.hash), follow_up, held };
        if traced {
            debug::show(&mut response, &Explanation::new(self, &after.record));
        }
        (response, after)
    }

    /// Steps 1 to 14.
    async fn serve<'g, P: Platform>(
        &'g self,
        platform: &P,
        context: &mut Context<'g>,
        body: Body<P::Stream>,
        chores: &mut Vec<Chore<P::Stream>>,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        normalise(context)?;
        if is_health(context) {
            return Ok(self.health());
        }

        let preflight = cors::preflight_method(context);
        let (route, asked) = self.route(context, preflight.as_ref())?;
        let policies = &route.policies;

        if let Some(cors) = &policies.cors {
            match &preflight {
                None => cors.remember(context),
                Some(_) if asked.is_none() && cors.answers_preflights() => cors.withhold(context),
                Some(method) => {
                    if let Some(answer) = cors.preflight(context, method) {
                        return Ok(answer);
                    }
                }
            }
        }
        if let Some(ip) = &policies.ip {
            ip.check(context)?;
        }
        if let Some(body_limit) = &policies.body_limit {
            body_limit.check(context, &body)?;
        }
        for limit in policies.limits.iter().filter(|limit| !limit.needs_identity()) {
            limit.check(platform, context).await?;
        }
        if let Some(in_flight) = policies.in_flight.as_ref().filter(|limit| !limit.needs_identity()) {
            in_flight.check(context)?;
        }
        if let Some(auth) = &policies.auth {
            auth.check(platform, context).await?;
        }
        let of_plan = match &policies.plan {
            Some(plan) => plan.select(context)?,
            None => &[],
        };
        for limit in policies.limits.iter().filter(|limit| limit.needs_identity()) {
            limit.check(platform, context).await?;
        }
        for limit in of_plan {
            limit.check(platform, context).await?;
        }
        if let Some(in_flight) = policies.in_flight.as_ref().filter(|limit| limit.needs_identity()) {
            in_flight.check(context)?;
        }

        match &policies.cache {
            Some(cache) => cache::serve(self, route, cache, platform, context, body, chores).await,
            None => self.produce(route, platform, context, body, None).await,
        }
    }

    /// Steps 11 to 13: what the route makes of a request that the cache does not answer. `ask` is what is asked for the cache.
    pub(crate) async fn produce<'g, P: Platform>(
        &'g self,
        route: &'g Route,
        platform: &P,
        context: &mut Context<'g>,
        body: Body<P::Stream>,
        ask: Option<Ask<'_>>,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        let policies = &route.policies;
        let mut response = match &route.action {
            Action::Respond(respond) => respond.answer(platform, context)?,
            Action::Redirect(redirect) => redirect.answer(platform, context)?,
            Action::Purge => cache::purge(self, platform, context, body).await?,
            Action::Forward(upstream) => {
                let body = match &policies.body_limit {
                    Some(body_limit) => body_limit.bound(platform, body),
                    None => body,
                };
                let (headers, target) = self.outgoing(platform, context, policies, ask)?;
                let limit = policies.body_limit.as_ref();
                let response = forward::forward(upstream, platform, context, limit, headers, target, body).await?;
                cache::note_change(self, context, &response, platform.now());
                response
            }
        };
        if let Some(transform) = &policies.response {
            // what validates a stored response says only what the upstream says anew: the rest is stored already, transformed
            let validates = ask.is_some() && response.status() == StatusCode::NOT_MODIFIED;
            if ask.is_some() {
                context.unstorable = cache::unstorable(response.headers());
            }
            let anew: Option<Vec<HeaderName>> = validates.then(|| response.headers().keys().cloned().collect());
            response = transform.apply(platform, context, response, route.action.timeout()).await?;
            if let Some(anew) = anew {
                keep_only(&anew, response.headers_mut());
            }
        }
        Ok(response)
    }

    /// The route of a request that was decided before, for the cache.
    pub(crate) fn again<'g>(&'g self, context: &mut Context<'g>) -> Option<&'g Route> {
        normalise(context).ok()?;
        self.route(context, None).ok().map(|(route, _)| route)
    }

    /// The route that serves a GET of this path.
    pub(crate) fn route_of_get(
        &self,
        host: Option<&str>,
        headers: &HeaderMap,
        path: &str,
        query: Option<&str>,
    ) -> Option<&Route> {
        let lookup = Lookup { host, path, method: &Method::GET, headers, announced: &[], query };
        match self.router.find(&lookup) {
            Found::Route { index, .. } => self.routes.get(index).ok(),
            Found::MethodNotAllowed { .. } | Found::NotFound => None,
        }
    }

    /// Step 3: chooses the route. For a preflight that is the one its actual request would take, if its CORS answers; the
    /// method asked about comes back with it.
    fn route<'g, 'm>(
        &'g self,
        context: &mut Context<'g>,
        preflight: Option<&'m Method>,
    ) -> Result<(&'g Route, Option<&'m Method>), Refusal> {
        let answers = |route: &Route| route.policies.cors.as_ref().is_some_and(cors::Cors::answers_preflights);
        let announced = preflight.map(|_| cors::announced_headers(context)).unwrap_or_default();
        let asked = preflight.filter(|method| self.find(context, method, &announced).is_ok_and(answers));
        let found = match (asked, context.route) {
            (Some(_), Some(route)) => Ok(route),
            _ => self.find(context, &context.method.clone(), &[]),
        };
        let refused = found.as_ref().map_or(true, |route| route.ambiguous_path == AmbiguousPath::Refuse);
        if refused && !context.ambiguities.is_empty() {
            let detail = format!("It contains: {}.", context.ambiguities);
            let refusal = Refusal::new(Policy::Path, Reason::PathAmbiguous).detail(detail);
            return Err(context.refused(refusal));
        }
        match found {
            Ok(route) => {
                context.allow(Policy::Route, Reason::RouteMatched, "");
                Ok((route, asked))
            }
            Err(refusal) => Err(context.refused(refusal)),
        }
    }

    fn find<'g>(
        &'g self,
        context: &mut Context<'g>,
        method: &Method,
        announced: &[HeaderName],
    ) -> Result<&'g Route, Refusal> {
        (context.route, context.params) = (None, Vec::new());
        let path = context.path();
        let (host, headers, query) = (context.host(), &context.headers, context.uri.query());
        let lookup = Lookup { host, path, method, headers, announced, query };
        match self.router.find(&lookup) {
            Found::Route { index, params } => {
                // values are slices of the path; kept as ranges, the context need not borrow from itself
                let start = path.as_ptr() as usize;
                let range = |value: &str| {
                    let from = value.as_ptr() as usize - start;
                    from..from + value.len()
                };
                let params = params.iter().map(|(name, value)| (name, range(value))).collect();
                let broken = |why: &str| Refusal::new(Policy::Route, Reason::InternalError).note(why.to_owned());
                let route = self.routes.get(index).map_err(broken)?;
                context.params = params;
                context.route = Some(route);
                Ok(route)
            }
            Found::MethodNotAllowed { allow } => {
                let allow: Vec<_> = allow.iter().map(Method::as_str).collect();
                Err(Refusal::new(Policy::Route, Reason::MethodNotAllowed).allow(&allow.join(", ")))
            }
            Found::NotFound => Err(Refusal::new(Policy::Route, Reason::NoRoute)),
        }
    }

    /// Step 11, and what precedes it: the header fields that go upstream, and the path and query if they change.
    fn outgoing<'g, P: Platform>(
        &self,
        platform: &P,
        context: &mut Context<'g>,
        policies: &'g Policies,
        ask: Option<Ask<'_>>,
    ) -> Result<(HeaderMap, Option<Target<'g>>), Refusal> {
        // moved, not copied, unless a template or a cache still has to read them
        let read = policies.read_request_headers() || ask.is_some() || !context.method.is_safe();
        let mut headers = if read { context.headers.clone() } else { std::mem::take(&mut context.headers) };
        let websocket = hop_by_hop::asks_for_websocket(&context.method, context.version, &headers);
        hop_by_hop::remove(&mut headers);
        if websocket {
            hop_by_hop::ask_for_websocket(&mut headers);
        }
        forwarded::remove_spoofed(&mut headers, context.trusted);
        forward::join_cookies(&mut headers);
        if let Some(auth) = &policies.auth {
            auth.strip_credentials(&mut headers);
        }
        if let Some(edit) = policies.response.as_ref().and_then(ResponseTransform::body) {
            edit.prepare(&mut headers);
        }
        if let Some(ask) = ask {
            ask.shape(&mut headers);
        }
        let target = match &policies.request {
            Some(transform) => transform.apply(platform, context, &mut headers)?,
            None => None,
        };
        Ok((headers, target))
    }

    /// Step 15: what every response carries, errors too.
    fn finish<'g>(&'g self, context: &mut Context<'g>, headers: &mut HeaderMap) {
        if context.route.is_none()
            && let Some(cors) = &self.default_cors
        {
            cors.remember(context);
        }
        context.cors.apply(headers);
        rate_limit::apply(&context.standings, headers);
        if let Some(status) = context.cache.take() {
            status.apply(headers);
        }
        if let Some(security) = context.route.and_then(|route| route.policies.security_headers.as_ref()) {
            security.apply(headers, context.secure);
        }
        headers.insert(X_REQUEST_ID, context.id.to_header());
    }

    fn health<S>(&self) -> Response<Body<S>> {
        let health = serde_json::json!({ "status": "ok", "version": crate::VERSION, "config": self.hash.to_string() });
        let mut response = Response::new(Body::from(health.to_string()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// This gateway in the place of `old`: what that one knows to be no longer served from the cache, this one knows too.
    #[must_use]
    pub fn following(self, old: &Self) -> Self {
        Self { responses: Arc::clone(&old.responses), ..self }
    }

    /// The gateway's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hash of the configuration, as it shows in logs and on the health route.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Who may see traces; `None` is nobody.
    pub fn debug(&self) -> Option<&debug::Rules> {
        self.debug.as_ref()
    }

    /// The name of the secret that is the address of a Redis, in which every node of the native server counts and keeps values;
    /// `None` when each is on its own.
    pub fn redis(&self) -> Option<&str> {
        self.redis.as_deref()
    }

    /// The names of the secrets that it may ask the platform for, each once and sorted.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|name| &**name)
    }

    /// The routes, in the order of the configuration.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// The place in the configuration behind a decision on the route of this name, `None` when no route served the request.
    /// The root when nothing that is configured decided. The place need not be written: a default may have decided.
    pub fn place(&self, route: Option<&str>, decision: &Decision) -> Pointer {
        let route = route.and_then(|name| self.routes.used(name));
        route.map_or_else(|| place::without_route(decision), |route| route.places.of(decision))
    }
}

/// Takes out all fields but these.
fn keep_only(names: &[HeaderName], headers: &mut HeaderMap) {
    let others: Vec<HeaderName> = headers.keys().filter(|name| !names.contains(name)).cloned().collect();
    for name in others {
        headers.remove(name);
    }
}

fn is_health(context: &Context<'_>) -> bool {
    context.path() == HEALTH_PATH && matches!(context.method, Method::GET | Method::HEAD)
}

/// A response to HEAD, and one whose status has no content, carries none (RFC 9110 §6.4.1); HEAD keeps the length that GET
/// would have had. HTTP/1.1 servers see to it themselves, HTTP/2 ones do not.
fn without_needless_body<S>(method: &Method, response: &mut Response<Body<S>>) {
    let bodiless = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Body::Full(bytes) = response.body()
        && (method == Method::HEAD || bodiless)
    {
        if !bodiless {
            let length = HeaderValue::from(bytes.len());
            response.headers_mut().insert(CONTENT_LENGTH, length);
        }
        *response.body_mut() = Body::Empty;
    }
}

/// Step 1: one canonical path, one host.
fn normalise(context: &mut Context<'_>) -> Result<(), Refusal> {
    let version = context.version;
    // RFC 9112 §3.2: exactly one Host, and only a request before 1.1 may lack it
    let malformed = |detail| Refusal::new(Policy::Path, Reason::RequestMalformed).detail(detail);
    let mut hosts = context.headers.get_all(HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        return Err(context.refused(malformed("Host is given twice.")));
    }
    // HTTP/1.1's absolute target outranks Host; in HTTP/2 and 3 they must agree (RFC 9113 §8.3.1)
    let agree =
        |(host, authority): (&HeaderValue, &HeaderValue)| host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
    if version >= Version::HTTP_2 && !host.zip(context.authority.as_ref()).is_none_or(agree) {
        return Err(context.refused(malformed("Host and :authority differ.")));
    }
    // RFC 9110 §4.2.4: a user in the authority only serves to deceive
    if context.authority.as_ref().is_some_and(|authority| authority.as_bytes().contains(&b'@')) {
        return Err(context.refused(malformed("The host must not name a user.")));
    }
    // RFC 9112 §3.2: what is no host is refused, not handed to those behind us
    if !context.authority.as_ref().is_none_or(|authority| authority.as_bytes().iter().all(is_host_character)) {
        return Err(context.refused(malformed("The host has a character that no host has.")));
    }
    if version == Version::HTTP_11 && context.authority.is_none() {
        return Err(context.refused(Refusal::new(Policy::Path, Reason::HostMissing)));
    }
    // RFC 9112 §6.1: any other coding would be taken off with the field and leave a body that nobody can read
    let mut codings = context.headers.get_all(TRANSFER_ENCODING).iter();
    if !codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(context.refused(malformed("No transfer coding but chunked is supported.")));
    }
    match route::canonical(context.uri.path()) {
        Ok(canonical) => {
            context.ambiguities = canonical.ambiguities;
            let rewritten = match canonical.path {
                std::borrow::Cow::Borrowed(_) => None,
                std::borrow::Cow::Owned(path) => Some(path),
            };
            context.canonical = rewritten;
            Ok(())
        }
        Err(error) => {
            let refusal = Refusal::new(Policy::Path, Reason::PathMalformed).detail(error.to_string());
            Err(context.refused(refusal))
        }
    }
}

/// RFC 3986 §3.2.2 and §3.2.3: what a host and its port are written with.
fn is_host_character(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn secrets_are_listed_wherever_they_are_referred_to() {
        let document = json!({
            "portico": 1,
            "name": "shop",
            "debug": { "secret": "${secret.TRACES}" },
            "upstreams": { "app": { "targets": [{ "url": "http://app" }], "timeout": "5s" } },
            "identities": {
                "users": { "jwt": { "secret": "${secret.SIGNING}", "issuer": "i", "audience": "a", "algorithms": ["HS256"] } },
            },
            "routes": [
                { "name": "a", "match": { "path": "/a" }, "upstream": "app", "policies": {
                    "auth": { "any_of": ["users"] },
                    "request": { "headers": { "set": { "Authorization": "Bearer ${secret.TOKEN} ${secret.TRACES}" } } },
                } },
                { "name": "b", "match": { "path": "/b" }, "respond": { "body": "$${secret.NONE} ${ip}" } },
            ],
        });
        let (gateway, _) = crate::config::compile(&document).unwrap();
        assert_eq!(gateway.secrets().collect::<Vec<_>>(), ["SIGNING", "TOKEN", "TRACES"]);
    }
}
