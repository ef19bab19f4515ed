//! What stands in the file of a route besides expectations: the heading, what all its cases share, and what they send.

use std::net::{IpAddr, Ipv4Addr};

use portico_core::config::outline::Outline;
use portico_core::config::wire::{self, Identity, Route, Setting};
use portico_core::jwt::Algorithm;
use portico_core::template::{Template, Variable};
use serde_json::Value;

use super::expectation::number;
use super::sample::Sample;
use super::yaml::{Entry, Yaml, entry, shown};

/// What every secret of a case is; long enough for HS256.
const SECRET: &str = "for-tests-only-and-known-to-everybody";

/// A route, and a request that it serves.
pub(super) struct Parts<'a> {
    outline: &'a Outline,
    document: &'a Value,
    number: usize,
    pub(super) route: &'a Route,
    pub(super) sample: Sample,
    /// The identity whose token is sent, if the route takes any.
    pub(super) token: Option<(&'a str, &'a wire::Jwt)>,
}

impl<'a> Parts<'a> {
    /// `number` is the route's place in the outline.
    pub(super) fn new(outline: &'a Outline, document: &'a Value, number: usize, sample: Sample) -> Option<Self> {
        let route = &outline.routes.get(number)?.wire;
        let token = auth(route).and_then(|auth| {
            auth.any_of.iter().find_map(|name| match outline.identities.get(name)?.as_ref()? {
                Identity::Jwt(jwt) => Some((name.as_str(), jwt)),
                Identity::ApiKey(_) | Identity::ClientCert(_) => None,
            })
        });
        Some(Self { outline, document, number, route, sample, token })
    }

    pub(super) fn heading(&self) -> String {
        format!(
            "\
Cases for the route `{}`. `portico test` runs them offline: no network, no services, no waiting.
Written by `portico test --init` from what the gateway does now. It never changes a file that is there: this one is
yours. `portico schema --cases` explains every key to your editor.",
            shown(&self.route.name)
        )
    }

    /// What all cases of the file share.
    pub(super) fn preamble(&self, include: &str) -> Vec<Entry> {
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

    pub(super) fn send(&self, credentials: Credentials) -> Vec<Entry> {
        let method = Some(&self.sample.method).filter(|method| *method != "GET");
        let token = self.token.filter(|_| credentials == Credentials::Sent);
        let own = self.sample.headers.iter().filter(|(name, _)| {
            // the route may ask for the field itself, with any value
            token.is_none() || !name.eq_ignore_ascii_case("authorization")
        });
        let mut headers: Vec<_> = own.map(|(name, value)| entry(name.as_str(), value.as_str())).collect();
        headers.extend(token.map(|_| entry("Authorization", "Bearer ${token.caller}")));
        let url = entry("url", format!("http://{}{}", self.sample.host, self.sample.target));
        let headers = (!headers.is_empty()).then(|| entry("headers", headers));
        let method = method.map(|method| entry("method", method.as_str()));
        method.into_iter().chain([url]).chain(headers).collect()
    }

    /// What a browser would ask before it sends the request from another origin.
    pub(super) fn preflight(&self) -> Option<Vec<Entry>> {
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
        let consumer = jwt.consumer.as_deref().unwrap_or("sub");
        let Some(auth) = auth(self.route) else { return vec![entry(consumer, "alice")] };
        let scopes = auth.scopes.join(" ");
        let asked = auth.claims.iter().filter_map(|(name, values)| Some((name.as_str(), values.0.first()?.as_str())));
        let usual = [(consumer, "alice"), ("scope", scopes.as_str())]
            .into_iter()
            .filter(|(name, value)| !value.is_empty() && !auth.claims.contains_key(*name));
        usual.chain(asked).map(|(name, value)| entry(name, value)).collect()
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
    pub(super) fn about_keys(&self) -> String {
        let keys = auth(self.route).into_iter().flat_map(|auth| &auth.any_of).find_map(|name| {
            match self.outline.identities.get(name)?.as_ref()? {
                Identity::ApiKey(keys) => Some((name, keys.header.as_deref().unwrap_or("X-API-Key"))),
                Identity::Jwt(_) | Identity::ClientCert(_) => None,
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

/// Whether a request has credentials with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
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
