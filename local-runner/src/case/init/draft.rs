//! The file of one route: what it needs, and the cases that show what the route does.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use portico_core::config::outline::Outline;
use portico_core::config::wire::{self, Identity, Route, Setting};
use portico_core::decision::{Outcome, Policy, Reason};
use portico_core::jwt::Algorithm;
use portico_core::template::{Template, Variable};
use serde_json::Value;

use super::expectation::{Comments, Fields, expectation, number};
use super::observe::{Seen, observe};
use super::sample::Sample;
use super::yaml::{Entry, Yaml, entry, file, shown};
use crate::case::{Case, parse};

/// What every secret of a case is; long enough for HS256.
const SECRET: &str = "for-tests-only-and-known-to-everybody";

/// A client that is nobody's: TEST-NET-3 (RFC 5737).
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

/// A limit that lets more requests pass than this is not exceeded on purpose.
const FEW: usize = 20;

/// Where a file is to stand, and the configuration as its cases name it.
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    pub(super) include: &'a str,
}

/// A route, and a request that it serves.
pub(super) struct Draft<'a> {
    outline: &'a Outline,
    document: &'a Value,
    route: &'a Route,
    number: usize,
    sample: Sample,
    token: Option<(&'a str, &'a wire::Jwt)>,
}

impl<'a> Draft<'a> {
    /// `number` is the route's place in the outline.
    pub(super) fn new(outline: &'a Outline, document: &'a Value, number: usize, sample: Sample) -> Option<Self> {
        let route = &outline.routes.get(number)?.wire;
        let token = auth(route).and_then(|auth| {
            auth.any_of.iter().find_map(|name| match outline.identities.get(name)?.as_ref()? {
                Identity::Jwt(jwt) => Some((name.as_str(), jwt)),
                Identity::ApiKey(_) => None,
            })
        });
        Some(Self { outline, document, route, number, sample, token })
    }

    /// The file's text. The error says why what the gateway does cannot be found out.
    pub(super) fn text(&self, place: &Place<'_>) -> Result<String, String> {
        let preamble = self.preamble(place.include);
        let placeholder = vec![entry("status", number(200))];
        let draft = |name: &str, peer: Option<IpAddr>, send: Vec<Entry>| -> Yaml {
            let step: Yaml = vec![entry("send", send), entry("expect", placeholder.clone())].into();
            let peer = peer.map(|address| entry("peer", vec![entry("address", address.to_string())]));
            let own = [entry("name", name), entry("steps", vec![step])];
            own.into_iter().chain(peer).collect::<Vec<_>>().into()
        };
        let drafts = vec![
            draft("main", None, self.send(Credentials::Sent)),
            draft("anonymous", None, self.send(Credentials::None)),
            draft("stranger", Some(STRANGER), self.send(Credentials::Sent)),
            draft("preflight", None, self.preflight().unwrap_or_else(|| self.send(Credentials::None))),
        ];
        let text = file("", &[preamble.clone(), vec![entry("cases", drafts)]].concat());
        let cases = parse(&text, place.path, "draft").map_err(|report| report.to_string())?;
        let [main, anonymous, stranger, preflight] = cases.as_slice() else {
            return Err("a draft got lost".to_owned());
        };
        let cases = self.cases(main, anonymous, stranger, preflight)?;
        let entries = [preamble, vec![entry("cases", cases).about(CASES)]].concat();
        Ok(file(&self.heading(), &entries))
    }

    fn cases(&self, main: &Case, anonymous: &Case, stranger: &Case, preflight: &Case) -> Result<Vec<Yaml>, String> {
        let fields = Fields::of(self.route);
        let one = |case| Ok::<_, String>(observe(case, 1)?.into_iter().next());
        let limited = matches!(self.route.policies.rate_limit, Some(Setting::On(_)));
        let many = observe(main, if limited { FEW + 1 } else { 1 })?;
        let mut cases = Vec::new();
        let Some(first) = many.first() else { return Ok(cases) };
        let shut = matches!(first.problem(), Some(Reason::CredentialsMissing));
        let expect = expectation(first, &fields, &[], Comments::Explain);
        let mut case = self.case(&self.what_happens(first), self.send(Credentials::Sent), expect);
        if let Some(entry) = case.first_mut().filter(|_| shut) {
            *entry = entry.clone().about(self.about_keys());
        }
        cases.push(case.into());
        if self.token.is_some()
            && let Some(seen) = one(anonymous)?
            && let Some(reason) = seen.problem().filter(|_| seen.answer.status == 401)
        {
            let expect = expectation(&seen, &fields, &[], Comments::Leave);
            let name = format!("without credentials it is refused as {reason}");
            cases.push(self.case(&name, self.send(Credentials::None), expect).into());
        }
        if let Some(seen) = one(stranger)?.filter(|seen| seen.problem() == Some(Reason::AddressDenied))
            && self.sample.peer != STRANGER
            && first.problem() != Some(Reason::AddressDenied)
        {
            let expect = expectation(&seen, &fields, &[], Comments::Leave);
            let mut case = self.case("another address is refused", self.send(Credentials::Sent), expect);
            case.insert(1, entry("peer", vec![entry("address", STRANGER.to_string())]));
            cases.push(case.into());
        }
        cases.extend(self.too_often(&many, &fields));
        if let Some(send) = self.preflight()
            && let Some(seen) = one(preflight)?
            && seen.decision(Policy::Cors).is_some_and(|decision| decision.reason == Reason::PreflightAllowed)
        {
            let expect = expectation(&seen, &fields, &GRANTED, Comments::Leave);
            let mut case = self.case("a browser may ask whether it may", send, expect);
            if let Some(entry) = case.first_mut() {
                *entry =
                    entry.clone().about("A preflight (CORS): what a browser sends before a request to another origin.");
            }
            cases.push(case.into());
        }
        Ok(cases)
    }

    fn case(&self, name: &str, send: Vec<Entry>, expect: Vec<Entry>) -> Vec<Entry> {
        let step: Yaml = vec![entry("send", send), entry("expect", expect)].into();
        vec![entry("name", name), entry("steps", vec![step])]
    }

    /// As many requests as pass, and the one that does not.
    fn too_often(&self, seen: &[Seen], fields: &Fields) -> Option<Yaml> {
        let passed =
            seen.iter().position(|one| one.problem() == Some(Reason::RateLimited)).filter(|passed| *passed > 0)?;
        let (first, refused) = (seen.first()?, seen.get(passed)?);
        if seen.iter().take(passed).any(|one| one.answer.status != first.answer.status) {
            return None;
        }
        let status = vec![entry("status", number(first.answer.status.into()))];
        let send = self.send(Credentials::Sent);
        let mut passes = vec![entry("send", send.clone()), entry("expect", status)];
        if passed > 1 {
            passes.insert(1, entry("repeat", number(passed as u64)));
        }
        let refused: Yaml =
            vec![entry("send", send), entry("expect", expectation(refused, fields, &["retry-after"], Comments::Leave))]
                .into();
        let case = vec![
            entry("name", format!("it passes {} and is refused then", times(passed))),
            entry("needs", vec![Yaml::from("clock")])
                .about("Time stands still between these requests, so the limit does not recover."),
            entry("steps", vec![passes.into(), refused]),
        ];
        Some(case.into())
    }

    fn what_happens(&self, seen: &Seen) -> String {
        let (method, target) = (&self.sample.method, &self.sample.target);
        let happens = match seen.decision(Policy::Forward).map(|decision| (decision.outcome, decision.reason)) {
            _ if seen.problem().is_some() => {
                format!("is refused as {}", seen.problem().map_or("", Reason::code))
            }
            Some((Outcome::Respond, Reason::Redirected)) => "is redirected".to_owned(),
            Some((Outcome::Respond, _)) => "is answered by the gateway".to_owned(),
            _ => format!("is forwarded to {}", self.route.upstream.as_deref().unwrap_or("its upstream")),
        };
        format!("{method} {target} {happens}")
    }

    fn heading(&self) -> String {
        format!(
            "\
Cases for the route `{}`. `portico test` runs them offline: no network, no services, no waiting.
Written by `portico test --init` from what the gateway does now. It never changes a file that is there: this one is
yours. `portico schema --cases` explains every key to your editor.",
            shown(&self.route.name)
        )
    }

    /// What all cases of the file share.
    fn preamble(&self, include: &str) -> Vec<Entry> {
        let mut preamble = vec![
            entry("config", vec![entry("include", include)])
                .about("The gateway: a file, relative to this one, or the configuration itself."),
        ];
        let secrets: Vec<_> = self.secrets().into_iter().map(|name| entry(name, SECRET)).collect();
        if !secrets.is_empty() {
            let about = "Secrets that the configuration refers to, made up for these cases. There are no others.";
            preamble.push(entry("secrets", secrets).about(about));
        }
        if let Some((name, jwt)) = self.token {
            let token = vec![entry("identity", name), entry("claims", self.claims(jwt))];
            let about = "Tokens by name, signed when a case begins. ${token.caller} stands for this one.";
            preamble.push(entry("tokens", vec![entry("caller", token)]).about(about));
        }
        if let Some(name) = &self.route.upstream {
            let hello = vec![entry("hello", format!("from {name}"))];
            let rule = vec![entry("respond", vec![entry("status", number(200)), entry("json", hello)])];
            let about = "What stands behind the gateway: the first rule that fits a request answers it. This one fits all; with\n\
                         when: { path: /7 } it would fit some, and fail: timeout in place of respond is no answer at all.";
            preamble.push(entry("upstreams", vec![entry(name.as_str(), vec![Yaml::from(rule)])]).about(about));
        }
        if self.sample.peer != IpAddr::V4(Ipv4Addr::LOCALHOST) {
            let peer = vec![entry("address", self.sample.peer.to_string())];
            preamble.push(entry("peer", peer).about("Who connects: an address that may pass."));
        }
        preamble
    }

    fn send(&self, credentials: Credentials) -> Vec<Entry> {
        let method = Some(&self.sample.method).filter(|method| *method != "GET");
        let mut headers: Vec<_> =
            self.sample.headers.iter().map(|(name, value)| entry(name.as_str(), value.as_str())).collect();
        if self.token.is_some() && credentials == Credentials::Sent {
            headers.push(entry("Authorization", "Bearer ${token.caller}"));
        }
        let url = entry("url", format!("http://{}{}", self.sample.host, self.sample.target));
        let headers = (!headers.is_empty()).then(|| entry("headers", headers));
        let method = method.map(|method| entry("method", method.as_str()));
        method.into_iter().chain([url]).chain(headers).collect()
    }

    /// What a browser would ask before it sends the request from another origin.
    fn preflight(&self) -> Option<Vec<Entry>> {
        let Some(Setting::On(cors)) = &self.route.policies.cors else { return None };
        let origin = cors.origins.first()?.replace("*.", "www.");
        let origin = if origin == "*" { "https://app.example".to_owned() } else { origin };
        let names: Vec<_> = self.sample.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let mut headers =
            vec![entry("Origin", origin), entry("Access-Control-Request-Method", self.sample.method.as_str())];
        if !names.is_empty() {
            headers.push(entry("Access-Control-Request-Headers", names.join(",")));
        }
        let url = format!("http://{}{}", self.sample.host, self.sample.target);
        Some(vec![entry("method", "OPTIONS"), entry("url", url), entry("headers", headers)])
    }

    /// The claims that the route asks for.
    fn claims(&self, jwt: &wire::Jwt) -> Vec<Entry> {
        let mut claims = vec![entry(jwt.consumer.as_deref().unwrap_or("sub"), "alice")];
        let Some(auth) = auth(self.route) else { return claims };
        if !auth.scopes.is_empty() {
            claims.push(entry("scope", auth.scopes.join(" ")));
        }
        let asked = auth.claims.iter().filter_map(|(name, values)| Some((name, values.0.first()?)));
        claims.extend(asked.map(|(name, value)| entry(name.as_str(), value.as_str())));
        claims
    }

    /// The names of the secrets that the route and its tokens need, in order.
    fn secrets(&self) -> Vec<String> {
        let route = self.document.get("routes").and_then(|routes| routes.get(self.number));
        let mut names = Vec::new();
        for value in [route, self.document.get("defaults")].into_iter().flatten() {
            secrets_of(value, &mut names);
        }
        if let Some(secret) = self.token.filter(|(_, jwt)| is_shared(jwt)).and_then(|(_, jwt)| jwt.secret.as_deref()) {
            secrets_of(&secret.into(), &mut names);
        }
        names.sort();
        names.dedup();
        names
    }

    /// How a case with an API key is written, where only its hash is known.
    fn about_keys(&self) -> String {
        let keys = auth(self.route).into_iter().flat_map(|auth| &auth.any_of).find_map(|name| {
            match self.outline.identities.get(name)?.as_ref()? {
                Identity::ApiKey(keys) => Some((name, keys.header.as_deref().unwrap_or("X-API-Key"))),
                Identity::Jwt(_) => None,
            }
        });
        let Some((name, header)) = keys else { return String::new() };
        format!(
            "\
The configuration has only hashes of API keys, so the case of a caller with a key is yours to write: choose a key
for tests, put its hash (printf %s KEY | sha256sum) among the keys of `{}`, and send it:
  headers: {{ {header}: KEY }}",
            shown(name)
        )
    }
}

/// What a preflight's answer is about.
const GRANTED: [&str; 3] =
    ["access-control-allow-origin", "access-control-allow-methods", "access-control-allow-credentials"];

const CASES: &str = "\
Each case begins with fresh counters and has steps: what is sent, and what must come of it. What is not named under
`expect` is not looked at.";

/// Whether a request has credentials with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credentials {
    Sent,
    None,
}

fn auth(route: &Route) -> Option<&wire::Auth> {
    match &route.policies.auth {
        Some(Setting::On(auth)) => Some(auth),
        _ => None,
    }
}

/// Whether a token of this identity is signed with its secret.
fn is_shared(jwt: &wire::Jwt) -> bool {
    jwt.algorithms.iter().all(|name| name == Algorithm::HS256.as_str())
}

fn secrets_of(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let template = Template::parse(text).ok();
            for variable in template.iter().flat_map(Template::variables) {
                if let Variable::Secret(name) = variable {
                    names.push(name.to_string());
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| secrets_of(item, names)),
        Value::Object(entries) => entries.values().for_each(|value| secrets_of(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
