//! From a document to a gateway. Every check lives here or in the `compile` of the policy it is about; all of them run, so
//! that all errors are reported at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::{HeaderName, Method};
use serde_json::Value;

use super::outline::{self, Outline};
use super::place::Places;
use super::routes::Routes;
use super::{At, Code, Finding, Findings, Hash, Pointer, waive, wire};
use crate::answer::{Redirect, Respond};
use crate::debug;
use crate::forward::Upstream;
use crate::gateway::{Action, Gateway, Route};
use crate::limit::Instance;
use crate::net::Net;
use crate::policy::cache::Node;
use crate::policy::identity::Identity;
use crate::policy::plan::{Plan, Plans};
use crate::policy::{Policies, RouteScope, cors};
use crate::route::{self, Match, MatchError, Router};
use crate::template::{Template, TemplateError, Variable};

/// Compiles a document whose includes are resolved.
///
/// Returns the gateway with the warnings, or all errors and warnings.
pub fn compile(document: &Value) -> Result<(Gateway, Findings), Findings> {
    let mut findings = Findings::new();
    let Some(outline) = Outline::read(document, &mut findings) else { return Err(findings) };
    let (mut compiler, frame) = Compiler::frame(&outline, findings);
    if outline.gateway.routes.is_empty() && compiler.findings.is_empty() {
        let message = "there are no routes: every request is answered 404";
        compiler.warning(Code::NoRoutes, &At::Root.child_key("routes"), message);
    }
    let mut routes = Vec::new();
    let mut matches = Vec::new();
    for route in &outline.routes {
        let (compiled, matched) = compiler.route(route);
        // a route that has errors is matched all the same: what is wrong with its match is told too
        routes.extend(compiled);
        matches.push(matched);
    }
    compiler.unique_names(&outline.routes);
    waive::check(&outline, &mut compiler);
    let router = compiler.router(&matches, &outline.routes);
    let Compiler { findings, secrets, .. } = compiler;
    match router {
        Some(router) if !findings.has_errors() => {
            let gateway = frame.gateway(Hash::of(document), Routes::from(routes), router, secrets);
            Ok((gateway, findings))
        }
        _ => Err(findings),
    }
}

/// What compiling needs to know and to report to.
#[derive(Debug)]
pub(crate) struct Compiler {
    pub(super) findings: Findings,
    /// The names of those that were referred to.
    pub(super) secrets: BTreeSet<Box<str>>,
    parts: Arc<Parts>,
}

/// What routes are compiled with, and share.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    realm: String,
    /// By name; `None` for one that is declared but has errors of its own.
    identities: BTreeMap<String, Option<Arc<Identity>>>,
    upstreams: BTreeMap<String, Option<Arc<Upstream>>>,
    plans: Arc<Plans>,
    instance: Arc<Instance>,
}

/// What a gateway is but for its routes.
#[derive(Debug)]
pub(super) struct Frame {
    name: String,
    trusted_proxies: Vec<Net>,
    debug: Option<debug::Rules>,
    redis: Option<Box<str>>,
    default_cors: Option<cors::Cors>,
    pub(super) parts: Arc<Parts>,
}

impl Frame {
    /// The gateway.
    pub(super) fn gateway(self, hash: Hash, routes: Routes, router: Router, secrets: BTreeSet<Box<str>>) -> Gateway {
        let Self { name, trusted_proxies, debug, redis, default_cors, parts: _ } = self;
        Gateway {
            name,
            hash,
            trusted_proxies,
            debug,
            redis,
            routes,
            router,
            default_cors,
            secrets,
            responses: Arc::new(Node::default()),
        }
    }
}

impl Compiler {
    /// A compiler of routes.
    pub(super) fn new(parts: Arc<Parts>) -> Self {
        Self { findings: Findings::new(), secrets: BTreeSet::new(), parts }
    }

    /// Compiles all but the routes; what it returns goes on with these.
    pub(super) fn frame(outline: &Outline, findings: Findings) -> (Self, Frame) {
        let (root, wire) = (At::Root, &outline.gateway);
        let mut compiler = Self { findings, ..Self::new(Arc::default()) };
        if wire.portico != 1 {
            let message = format!("format {} is not known; this Portico reads format 1", wire.portico);
            compiler.error(&root.child_key("portico"), message).code(Code::UnknownFormat).help("write `portico: 1`");
        }
        compiler.name("the gateway", &wire.name, &root.child_key("name"));
        let trusted_proxies = compiler.nets(&wire.trusted_proxies, &root.child_key("trusted_proxies"));
        let debug =
            wire.debug.as_ref().and_then(|wire| debug::Rules::compile(wire, &root.child_key("debug"), &mut compiler));
        let state = wire.state.as_ref();
        let redis = state.and_then(|state| compiler.secret(&state.redis, &root.child_key("state").child_key("redis")));
        let upstreams = compiler.upstreams(&outline.upstreams, &root.child_key("upstreams"));
        let identities = compiler.identities(&outline.identities, &root.child_key("identities"));
        let (name, realm) = (wire.name.clone(), wire.name.clone());
        let plans = Arc::new(Plans::compile(&outline.plans, &root.child_key("plans"), &mut compiler));
        let instance = compiler.instance();
        let parts = Arc::new(Parts { realm, identities, upstreams, plans, instance });
        compiler.parts = Arc::clone(&parts);
        let default_cors = compiler.default_cors(&outline.defaults, &root.child_key("defaults"));
        (compiler, Frame { name, trusted_proxies, debug, redis, default_cors, parts })
    }

    fn upstreams(
        &mut self,
        wires: &BTreeMap<String, Option<wire::Upstream>>,
        at: &At<'_>,
    ) -> BTreeMap<String, Option<Arc<Upstream>>> {
        let compile = |(name, wire): (&String, &Option<wire::Upstream>)| {
            let at = at.child_key(name);
            self.name("an upstream", name, &at);
            let compiled = wire.as_ref().and_then(|wire| Upstream::compile(name, wire, &at, self));
            (name.clone(), compiled.map(Arc::new))
        };
        wires.iter().map(compile).collect()
    }

    fn identities(
        &mut self,
        wires: &BTreeMap<String, Option<wire::Identity>>,
        at: &At<'_>,
    ) -> BTreeMap<String, Option<Arc<Identity>>> {
        let compile = |(name, wire): (&String, &Option<wire::Identity>)| {
            let at = at.child_key(name);
            self.name("an identity", name, &at);
            let compiled = wire.as_ref().and_then(|wire| Identity::compile(name, wire, &at, self));
            (name.clone(), compiled.map(Arc::new))
        };
        wires.iter().map(compile).collect()
    }

    fn default_cors(&mut self, defaults: &wire::Policies, at: &At<'_>) -> Option<cors::Cors> {
        let Some(wire::Setting::On(cors)) = &defaults.cors else { return None };
        let scope = RouteScope { name: "", methods: &[], parameters: &[], has_consumer: false, has_claims: false };
        // its errors are reported here once, whether or not a route uses it
        cors::Cors::compile(cors, &at.child_key("cors"), &scope, &[], self)
    }

    /// What a route matches, as far as it makes sense.
    pub(super) fn matched(&mut self, wire: &wire::Match, at: &At<'_>) -> Match {
        let methods = self.methods(&wire.methods, &at.child_key("methods"));
        let headers_at = at.child_key("headers");
        let mut headers = Vec::new();
        for (name, wanted) in &wire.headers {
            headers.extend(self.header_name(name, &headers_at.child_key(name)).map(|name| (name, wanted.clone())));
        }
        let query = wire.query.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        Match { host: wire.host.clone(), path: wire.path.clone(), methods, headers, query }
    }

    /// A route, unless it has errors, and what it matches.
    pub(super) fn route(&mut self, route: &outline::Route) -> (Option<Route>, Match) {
        let (at, wire) = (&At::Pointer(&route.at), &route.wire);
        let match_at = at.child_key("match");
        let matched = self.matched(&wire.matches, &match_at);
        self.name("a route", &wire.name, &at.child_key("name"));
        let reserved = route::canonical(&wire.matches.path).is_ok_and(|path| path.path.starts_with("/-/"));
        if reserved {
            let path_at = match_at.child_key("path");
            self.error(&path_at, "paths below /-/ belong to the gateway itself")
                .code(Code::ReservedName)
                .help("its health is at /-/health");
        }

        let callers = self.callers(&wire.policies);
        let scope = RouteScope {
            name: &wire.name,
            methods: &matched.methods,
            parameters: &parameters(&wire.matches.path),
            has_consumer: !callers.is_empty(),
            has_claims: callers.iter().any(|identity| identity.as_ref().is_none_or(|identity| identity.has_claims())),
        };
        let places = Places::new(route, &callers);
        let policies = Policies::compile(route, &scope, self);
        let action = self.action(wire, &scope, at);

        let verbs = if matched.methods.is_empty() { "*".to_owned() } else { wire.matches.methods.join(",") };
        let host = wire.matches.host.as_deref().unwrap_or_default();
        let summary = format!("{verbs} {host}{}", wire.matches.path);
        let name = wire.name.as_str().into();
        let ambiguous_path = wire.matches.ambiguous_path;
        (action.map(|action| Route { name, summary, action, policies, ambiguous_path, places }), matched)
    }

    fn action(&mut self, wire: &wire::Route, scope: &RouteScope<'_>, at: &At<'_>) -> Option<Action> {
        match (&wire.upstream, &wire.respond, &wire.redirect, &wire.purge) {
            (Some(name), None, None, None) => self.upstream(name, &at.child_key("upstream")).map(Action::Forward),
            (None, Some(respond), None, None) => {
                Respond::compile(respond, &at.child_key("respond"), scope, self).map(Action::Respond)
            }
            (None, None, Some(redirect), None) => {
                Redirect::compile(redirect, &at.child_key("redirect"), scope, self).map(Action::Redirect)
            }
            (None, None, None, Some(_)) => self.purge(wire, &at.child_key("purge")),
            (None, None, None, None) => {
                self.error(at, "the route says what it matches but not what to do")
                    .code(Code::MissingKey)
                    .help("add `upstream: NAME`, `respond: {…}`, `redirect: {…}` or `purge: {}`");
                None
            }
            _ => {
                self.error(at, "`upstream`, `respond`, `redirect` and `purge` exclude each other")
                    .code(Code::ConflictingKeys)
                    .help("keep one of them");
                None
            }
        }
    }

    /// Whoever may empty the cache can have every request go upstream: nobody unknown may.
    fn purge(&mut self, wire: &wire::Route, at: &At<'_>) -> Option<Action> {
        let why = match &wire.policies.auth {
            Some(wire::Setting::On(auth)) if auth.mode == wire::Mode::Enforce && !auth.optional => {
                return Some(Action::Purge);
            }
            Some(wire::Setting::On(auth)) if auth.mode == wire::Mode::Enforce => "`auth` is optional",
            Some(wire::Setting::On(auth)) if auth.mode == wire::Mode::Observe => "`auth` only observes",
            _ => "it does not ask who calls",
        };
        self.error(at, format!("everybody could purge by route `{}`: {why}", wire.name))
            .code(Code::PurgeUnprotected)
            .help("add `auth` with an identity and scopes that only those have who may");
        None
    }

    /// The identities that a route accepts, as far as they are declared; `None` for one that has errors.
    fn callers(&self, policies: &wire::Policies) -> Vec<Option<Arc<Identity>>> {
        match &policies.auth {
            Some(wire::Setting::On(auth)) if auth.mode != wire::Mode::Off => {
                auth.any_of.iter().filter_map(|name| self.parts.identities.get(name).cloned()).collect()
            }
            _ => Vec::new(),
        }
    }

    fn unique_names(&mut self, routes: &[outline::Route]) {
        let mut first = BTreeMap::new();
        for outline::Route { at, wire, .. } in routes {
            let name = &wire.name;
            if let Some(earlier) = first.insert(name, at) {
                let message = format!("the name `{name}` is taken by {earlier}");
                self.error(at.child_key("name"), message)
                    .code(Code::DuplicateName)
                    .help("names tell routes apart in logs and limits");
            }
        }
    }

    /// What an upstream's targets are called; none of one that has errors.
    pub(crate) fn targets(&self, upstream: &str) -> Vec<Arc<str>> {
        let upstream = self.parts.upstreams.get(upstream).and_then(Option::as_ref);
        upstream
            .map(|upstream| upstream.targets().iter().map(|target| Arc::clone(target.name())).collect())
            .unwrap_or_default()
    }

    /// All that is matched; `None` when there is something wrong with it.
    fn router(&mut self, matches: &[Match], routes: &[outline::Route]) -> Option<Router> {
        let errors = match Router::build(matches) {
            Ok(router) => return Some(router),
            Err(errors) => errors,
        };
        for (index, error) in errors {
            let Some(at) = routes.get(index).map(|route| route.at.child_key("match")) else { continue };
            match &error {
                MatchError::Host(why) => self.error(at.child_key("host"), why.to_string()).code(Code::InvalidPattern),
                MatchError::Path(why) => self.error(at.child_key("path"), why.to_string()).code(Code::InvalidPattern),
                MatchError::EmptyHeader(name) | MatchError::HeaderValue(name) => {
                    self.error(at.child_key("headers").child_key(name.as_str()), error.to_string())
                }
                MatchError::EmptyQueryName | MatchError::EmptyQuery(_) => {
                    self.error(at.child_key("query"), error.to_string())
                }
                MatchError::Duplicate { other, method } => {
                    let other = routes.get(*other).map(|route| route.wire.name.as_str()).unwrap_or_default();
                    let method = method.as_ref().map_or("any method", Method::as_str);
                    let message =
                        format!("never reached: `{other}` has the same host, path and conditions for {method}");
                    let help = "add a condition, or remove one of the two";
                    self.error(&at, message).code(Code::RouteUnreachable).help(help)
                }
            };
        }
        None
    }

    /// Checks a name. Keys of limits are names joined by colons, logs and challenges quote them: so they are plain.
    pub(crate) fn name(&mut self, what: &str, name: &str, at: &At<'_>) {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\:".contains(&byte);
        if name.is_empty() {
            self.error(at, format!("{what} needs a name")).code(Code::InvalidName);
        } else if !name.bytes().all(|byte| plain(byte) || byte == b' ') {
            let message = format!("{what}'s name consists of ASCII characters without colons, quotes and backslashes");
            self.error(at, message).code(Code::InvalidName);
        }
    }

    /// Reports an error. What it returns takes the help, and a code that says more than [`Code::InvalidValue`].
    pub(crate) fn error(&mut self, at: impl Into<Pointer>, message: impl Into<String>) -> &mut Finding {
        self.findings.error(at, message)
    }

    /// Reports a warning. What it returns takes the help.
    pub(crate) fn warning(&mut self, code: Code, at: impl Into<Pointer>, message: impl Into<String>) -> &mut Finding {
        self.findings.warning(code, at, message)
    }

    /// A parsed value, or its error reported.
    pub(crate) fn check<T>(&mut self, at: &At<'_>, parsed: Result<T, String>) -> Option<T> {
        parsed.map_err(|message| self.error(at, message)).ok()
    }

    /// The name by which challenges call the gateway.
    pub(crate) fn realm(&self) -> &str {
        &self.parts.realm
    }

    /// What all limits of the gateway share.
    pub(crate) fn instance(&self) -> Arc<Instance> {
        Arc::clone(&self.parts.instance)
    }

    /// The identity of this name; an error when none is declared.
    pub(crate) fn identity(&mut self, name: &str, at: &At<'_>) -> Option<Arc<Identity>> {
        match self.parts.identities.get(name) {
            Some(identity) => identity.clone(),
            None => {
                let message = format!("there is no identity `{name}`");
                let help = suggestion(name, self.parts.identities.keys().map(String::as_str), "identities");
                self.error(at, message).code(Code::UnknownName).help(help);
                None
            }
        }
    }

    /// All plans.
    pub(crate) fn plans(&self) -> Arc<Plans> {
        Arc::clone(&self.parts.plans)
    }

    /// The plan of this name; an error when none is declared.
    pub(crate) fn plan(&mut self, name: &str, at: &At<'_>) -> Option<Arc<Plan>> {
        match self.parts.plans.by_name.get(name) {
            Some(plan) => plan.clone(),
            None => {
                let message = format!("there is no plan `{name}`");
                let help = suggestion(name, self.parts.plans.by_name.keys().map(String::as_str), "plans");
                self.error(at, message).code(Code::UnknownName).help(help);
                None
            }
        }
    }

    fn upstream(&mut self, name: &str, at: &At<'_>) -> Option<Arc<Upstream>> {
        match self.parts.upstreams.get(name) {
            Some(upstream) => upstream.clone(),
            None => {
                let message = format!("there is no upstream `{name}`");
                let help = suggestion(name, self.parts.upstreams.keys().map(String::as_str), "upstreams");
                self.error(at, message).code(Code::UnknownName).help(help);
                None
            }
        }
    }

    /// Reports a key that is none of those that are known.
    pub(crate) fn unknown_key(&mut self, key: &str, known: &[&str], at: &At<'_>) {
        let help = suggestion(key, known.iter().copied(), "keys");
        self.error(&at.child_key(key), format!("unknown key {key:?}")).code(Code::UnknownKey).help(help).on_key();
    }

    /// Parses networks.
    pub(crate) fn nets(&mut self, texts: &[String], at: &At<'_>) -> Vec<Net> {
        let parse = |(index, text): (usize, &String)| self.check(&at.child_index(index), Net::parse(text));
        texts.iter().enumerate().filter_map(parse).collect()
    }

    /// Parses methods. They are case-sensitive (RFC 9110 §9.1), and a lower-case one is a slip.
    pub(crate) fn methods(&mut self, texts: &[String], at: &At<'_>) -> Vec<Method> {
        let parse = |(index, text): (usize, &String)| {
            let method =
                Method::from_bytes(text.as_bytes()).ok().filter(|_| !text.bytes().any(|b| b.is_ascii_lowercase()));
            let method = method.filter(|method| method.as_str() != "*");
            let message = || match text.as_str() {
                "*" => "leave `methods` out for any method".to_owned(),
                _ => format!("expected a method such as GET, found {text:?}"),
            };
            self.check(&at.child_index(index), method.ok_or_else(message))
        };
        texts.iter().enumerate().filter_map(parse).collect()
    }

    /// Parses the name of a header field.
    pub(crate) fn header_name(&mut self, text: &str, at: &At<'_>) -> Option<HeaderName> {
        let name = HeaderName::from_bytes(text.as_bytes());
        self.check(at, name.map_err(|_| format!("{text:?} cannot be the name of a header field")))
    }

    /// Parses names of header fields.
    pub(crate) fn header_names(&mut self, texts: &[String], at: &At<'_>) -> Vec<HeaderName> {
        texts.iter().enumerate().filter_map(|(index, text)| self.header_name(text, &at.child_index(index))).collect()
    }

    /// Parses a template whose values the route can have.
    pub(crate) fn template(&mut self, text: &str, at: &At<'_>, scope: &RouteScope<'_>) -> Option<Template> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                let finding = self.error(at, error.to_string()).code(Code::InvalidTemplate);
                if let TemplateError::Unknown { help, .. } = error {
                    finding.help(help);
                }
                return None;
            }
        };
        for variable in template.variables() {
            if let Variable::Secret(name) = variable {
                self.secrets.insert(name.clone());
            }
            let lacking = match variable {
                Variable::Path(name) if !scope.parameters.iter().any(|known| **known == **name) => {
                    format!("its path has no parameter `{name}`")
                }
                Variable::Claim(name) if !scope.has_claims && (**name != *"sub" || !scope.has_consumer) => {
                    "none of its identities has claims".to_owned()
                }
                Variable::Consumer if !scope.has_consumer => "it authenticates nobody".to_owned(),
                _ => continue,
            };
            let help = match variable {
                Variable::Path(name) => suggestion(name, scope.parameters.iter().map(String::as_str), "parameters"),
                _ => "add `auth` to the route's policies".to_owned(),
            };
            self.error(at, format!("`${{{}}}` has no value on route `{}`: {lacking}", variable.name(), scope.name))
                .code(Code::TemplateWithoutValue)
                .help(help);
        }
        Some(template)
    }

    /// The name of the secret that a text refers to; an error when it is anything else.
    pub(crate) fn secret(&mut self, text: &str, at: &At<'_>) -> Option<Box<str>> {
        let name = text.strip_prefix("${secret.").and_then(|rest| rest.strip_suffix('}'));
        let name = name.filter(|name| !name.is_empty());
        if name.is_none() {
            self.error(at, "a secret is always a reference")
                .code(Code::SecretNotReferenced)
                .help("write ${secret.NAME} and give the platform a secret of that name");
        }
        let name: Box<str> = name?.into();
        self.secrets.insert(name.clone());
        Some(name)
    }

    /// Warns of a literal where a reference to a secret is expected.
    pub(crate) fn warn_of_literal_secret(&mut self, name: &str, text: &str, at: &At<'_>) {
        let name = name.to_ascii_lowercase();
        let secretive = ["authorization", "token", "secret", "password", "api-key", "api_key", "apikey"];
        let literal = !text.contains("${") && text.len() >= 12;
        if literal && (name == "cookie" || secretive.iter().any(|word| name.contains(word))) {
            let message = "this looks like a secret, and everyone who reads the configuration can read it";
            self.warning(Code::LiteralSecret, at, message).help("give the platform a secret and write ${secret.NAME}");
        }
    }
}

/// The names of a path's parameters: `id` and `rest` of `/orders/{id}/{*rest}`.
fn parameters(path: &str) -> Vec<String> {
    let named = |part: &str| part.split_once('}').map(|(name, _)| name.trim_start_matches('*').to_owned());
    path.split('{').skip(1).filter_map(named).collect()
}

/// What to do about a name that is none of those that are known.
pub(super) fn suggestion<'n>(name: &str, known: impl Iterator<Item = &'n str>, kind: &str) -> String {
    let known: BTreeSet<&str> = known.collect();
    let near = known.iter().min_by_key(|candidate| strsim::osa_distance(name, candidate));
    match near {
        Some(near) if strsim::osa_distance(name, near) <= 2 => format!("did you mean `{near}`?"),
        Some(_) => format!("known {kind}: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
        None => format!("the configuration has no {kind}"),
    }
}
