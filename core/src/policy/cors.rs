//! Cross-origin resource sharing (the Fetch standard, §3.2). A preflight is answered here and needs no credentials; what an
//! actual request is granted is remembered, and added to every response, errors too.

use http::header::InvalidHeaderName;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::RouteScope;
use crate::body::Body;
use crate::config::{At, Code, Compiler, units, wire};
use crate::context::{Context, Mode, only};
use crate::decision::{Decision, Outcome, Policy, Reason};

/// A compiled CORS policy.
#[derive(Debug)]
pub struct Cors {
    origins: Vec<OriginPattern>,
    methods: Vec<Method>,
    /// Lower-case names; `None` permits any.
    headers: Option<Vec<HeaderName>>,
    expose: Option<HeaderValue>,
    credentials: bool,
    max_age: HeaderValue,
    mode: Mode,
}

#[derive(Debug, PartialEq, Eq)]
enum OriginPattern {
    Any,
    Exact(String),
    /// `https://*.shop.example`: everything between scheme and suffix, which starts with a dot.
    Below {
        scheme: String,
        suffix: String,
    },
}

/// What CORS adds to the response of the request at hand.
#[derive(Debug, Clone, Default)]
pub enum Grant<'g> {
    /// No CORS policy applies.
    #[default]
    Nothing,
    /// A policy applies, and the response depends on the origin: caches must know, even where nothing is granted.
    Vary,
    /// This origin may read the response.
    Origin {
        /// The policy that grants it.
        cors: &'g Cors,
        /// The origin as the browser sent it.
        origin: HeaderValue,
    },
}

impl Cors {
    pub(crate) fn compile(
        wire: &wire::Cors,
        at: &At<'_>,
        scope: &RouteScope<'_>,
        credential_headers: &[HeaderName],
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let mode = super::mode(wire.mode)?;
        if wire.origins.is_empty() {
            let message = "`origins` is empty: no origin could ever be allowed";
            compiler.error(&at.child_key("origins"), message).code(Code::NothingPasses);
        }
        let origins_at = at.child_key("origins");
        let mut origins = Vec::new();
        for (index, text) in wire.origins.iter().enumerate() {
            let at = origins_at.child_index(index);
            origins.extend(compiler.check(&at, OriginPattern::parse(text)));
        }
        if wire.credentials && origins.contains(&OriginPattern::Any) {
            compiler
                .error(at, "origin \"*\" together with `credentials: true` would let every site act as the user")
                .code(Code::CorsWildcardCredentials)
                .help("list the origins that may send credentials");
        }
        let mut methods = compiler.methods(&wire.methods, &at.child_key("methods"));
        if wire.methods.is_empty() {
            let usual = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
            methods = if scope.methods.is_empty() { usual.to_vec() } else { scope.methods.to_vec() };
        }
        let named = compiler.header_names(&wire.headers, &at.child_key("headers"));
        let headers = if wire.headers.is_empty() {
            let others = credential_headers.iter().filter(|name| **name != AUTHORIZATION).cloned();
            Some([AUTHORIZATION, CONTENT_TYPE].into_iter().chain(others).collect())
        } else {
            (!named.iter().any(|name| name.as_str() == "*")).then_some(named)
        };
        let expose = compiler.header_names(&wire.expose, &at.child_key("expose"));
        let max_age = wire.max_age.as_deref().unwrap_or("10m");
        let max_age = compiler.check(&at.child_key("max_age"), units::duration(max_age))?;
        Some(Self {
            origins,
            methods,
            headers,
            expose: if expose.is_empty() { None } else { joined(expose.iter().map(HeaderName::as_str)) },
            credentials: wire.credentials,
            max_age: HeaderValue::from(max_age.as_secs()),
            mode,
        })
    }

    /// Whoever may GET may HEAD; browsers need not be told (a safelisted method, the Fetch standard §2.2.1).
    fn permits(&self, method: &Method) -> bool {
        self.methods.contains(method) || (method == Method::HEAD && self.methods.contains(&Method::GET))
    }

    /// Whether the one origin that the request names is on the list.
    fn allows(&self, headers: &HeaderMap) -> bool {
        let origin = only(headers, &ORIGIN).and_then(|origin| origin.to_str().ok());
        origin.is_some_and(|origin| self.origins.iter().any(|pattern| pattern.matches(origin)))
    }

    /// Step 4 of a request's life, for everything but preflights.
    pub fn remember<'g>(&'g self, context: &mut Context<'g>) {
        if self.mode == Mode::Enforce {
            context.cors = Grant::Vary;
        }
        let Some(origin) = context.headers.get(ORIGIN).cloned() else { return };
        let allowed = self.allows(&context.headers);
        self.record(context, allowed, if allowed { Reason::OriginAllowed } else { Reason::OriginRefused });
        if allowed && self.mode == Mode::Enforce {
            context.cors = Grant::Origin { cors: self, origin };
        }
    }

    /// Whether it answers preflights, which a policy that only observes does not.
    pub fn answers_preflights(&self) -> bool {
        self.mode == Mode::Enforce
    }

    /// Grants nothing: for an OPTIONS that asks about a route other than the one that serves it.
    pub fn withhold(&self, context: &mut Context<'_>) {
        if self.mode == Mode::Enforce {
            context.cors = Grant::Vary;
        }
    }

    /// Answers a preflight for `method`. `None` when the policy only observes.
    pub fn preflight<'g, S>(&'g self, context: &mut Context<'g>, method: &Method) -> Option<Response<Body<S>>> {
        let origin = context.headers.get(ORIGIN).cloned()?;
        let requested: Vec<_> = requested_headers(&context.headers).collect();
        let headers_allowed = requested.iter().all(|name| match (name, &self.headers) {
            (Ok(_), None) => true,
            (Ok(name), Some(known)) => known.contains(name),
            (Err(_), _) => false,
        });
        let permitted = self.allows(&context.headers) && self.permits(method) && headers_allowed;
        self.record(context, permitted, if permitted { Reason::PreflightAllowed } else { Reason::PreflightRefused });
        if !self.answers_preflights() {
            return None;
        }
        context.cors = if permitted { Grant::Origin { cors: self, origin } } else { Grant::Vary };
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        // permission depends on these too, see the Fetch standard's note on CORS and caches
        headers.append(VARY, HeaderValue::from_static("Access-Control-Request-Method, Access-Control-Request-Headers"));
        if permitted {
            headers.extend(
                joined(self.methods.iter().map(Method::as_str)).map(|value| (ACCESS_CONTROL_ALLOW_METHODS, value)),
            );
            let names: Vec<_> = match &self.headers {
                Some(known) => known.iter().map(HeaderName::as_str).collect(),
                // "*" would not cover Authorization: name what was asked for
                None => requested.iter().flatten().map(HeaderName::as_str).collect(),
            };
            if !names.is_empty() {
                headers.extend(joined(names.into_iter()).map(|value| (ACCESS_CONTROL_ALLOW_HEADERS, value)));
            }
            headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        }
        Some(response)
    }

    fn record(&self, context: &mut Context<'_>, allowed: bool, reason: Reason) {
        let preflight = matches!(reason, Reason::PreflightAllowed | Reason::PreflightRefused);
        let outcome = match (self.mode, allowed) {
            (Mode::Enforce, _) if preflight => Outcome::Respond,
            (Mode::Enforce, true) | (Mode::Observe, true) => Outcome::Allow,
            (Mode::Enforce, false) => Outcome::Deny,
            (Mode::Observe, false) => Outcome::WouldDeny,
        };
        context.decisions.push(Decision { policy: Policy::Cors, outcome, reason, detail: "".into() });
    }
}

/// The header fields that a preflight announces for its actual request.
pub fn announced_headers(context: &Context<'_>) -> Vec<HeaderName> {
    requested_headers(&context.headers).flatten().collect()
}

fn requested_headers(headers: &HeaderMap) -> impl Iterator<Item = Result<HeaderName, InvalidHeaderName>> {
    headers
        .get_all(ACCESS_CONTROL_REQUEST_HEADERS)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty())
        .map(HeaderName::from_bytes)
}

/// The method a preflight asks about; `None` when the request is no preflight.
pub fn preflight_method(context: &Context<'_>) -> Option<Method> {
    if context.method != Method::OPTIONS || !context.headers.contains_key(ORIGIN) {
        return None;
    }
    Method::from_bytes(context.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

impl Grant<'_> {
    /// Step 15 of a request's life: on every response, errors too. What the upstream said about CORS gives way, as a browser
    /// refuses a response that says it twice.
    pub fn apply(&self, headers: &mut HeaderMap) {
        if matches!(self, Self::Nothing) {
            return;
        }
        for name in [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS] {
            headers.remove(name);
        }
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let Self::Origin { cors, origin } = self else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if cors.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(expose) = &cors.expose {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }
}

impl OriginPattern {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let malformed =
            || format!("expected an origin such as https://shop.example or https://*.shop.example, found {text:?}");
        // "null" is what sandboxed frames of any site send: allowing it allows everybody
        let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
        if rest.is_empty() || rest.contains(['/', '?', '#', '@', ' ', ',']) {
            return Err(malformed());
        }
        let (scheme, rest) = (scheme.to_ascii_lowercase(), rest.to_ascii_lowercase());
        // browsers leave a scheme's default port out
        if matches!((scheme.as_str(), rest.rsplit_once(':')), ("https", Some((_, "443"))) | ("http", Some((_, "80")))) {
            return Err(format!("{text:?} can never match: browsers leave the default port out"));
        }
        match rest.strip_prefix('*') {
            Some(suffix) if suffix.starts_with('.') && !suffix.contains('*') => {
                Ok(Self::Below { scheme, suffix: suffix.to_owned() })
            }
            None if !rest.contains('*') => Ok(Self::Exact(format!("{scheme}://{rest}"))),
            _ => Err(malformed()),
        }
    }

    fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => origin == exact,
            Self::Below { scheme, suffix } => origin.split_once("://").is_some_and(|(found, host)| {
                found == scheme
                    && host.strip_suffix(suffix.as_str()).is_some_and(|label| {
                        !label.is_empty()
                            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                    })
            }),
        }
    }
}

fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> Option<HeaderValue> {
    HeaderValue::from_str(&texts.collect::<Vec<_>>().join(", ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_match_whole_labels_only() {
        let below = OriginPattern::parse("https://*.shop.example").unwrap();
        assert!(below.matches("https://a.shop.example"));
        assert!(below.matches("https://a.b.shop.example"));
        for origin in [
            "https://shop.example",
            "http://a.shop.example",
            "https://a.shop.example.evil.example",
            "https://evilshop.example",
            "https://evil.example/.shop.example",
            "https://evil.example:80@.shop.example",
            "null",
        ] {
            assert!(!below.matches(origin), "{origin}");
        }
        assert!(!OriginPattern::parse("https://shop.example").unwrap().matches("https://shop.example.evil.example"));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "null",
            "shop.example",
            "https://",
            "https://shop.example/",
            "https://*",
            "https://a*.b",
            "https://*.*.b",
        ] {
            assert!(OriginPattern::parse(text).is_err(), "{text}");
        }
    }
}
