//! From what is written about a cache to what it means. What could leak is refused in [`leaks`].

mod key;

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderName, Method};

use super::{Cache, Key, leaks};
use crate::cache::{Reach, Rules};
use crate::config::{At, Code, Compiler, outline, units, wire};
use crate::platform::MAX_BUFFERED;
use crate::policy::RouteScope;

impl Cache {
    /// What is in force on a route; `credentials` are the fields by which its callers prove who they are.
    pub(crate) fn compile(
        wire: &wire::Cache,
        at: &At<'_>,
        route: &outline::Route,
        scope: &RouteScope<'_>,
        credentials: &[HeaderName],
        compiler: &mut Compiler,
    ) -> Option<Self> {
        match wire.mode {
            wire::Mode::Enforce => {}
            wire::Mode::Off => return None,
            wire::Mode::Observe => {
                compiler
                    .error(&at.child_key("mode"), "a cache cannot observe: it serves what is stored, or it does not")
                    .help("write `enforce` or `off`; `store: local` keeps responses to each node");
                return None;
            }
        }
        if let Some(why) = useless(route, scope) {
            // what the defaults say is meant for routes that have use for it
            if route.own.contains(&"cache") {
                compiler.error(at, why).code(Code::NoEffect).help("leave `cache` out, or write `cache: off`");
            }
            return None;
        }
        let key = Key::compile(&wire.key, &at.child_key("key"), route, credentials, compiler);
        leaks::callers(wire, at, route, scope, compiler);
        let key = key?;
        leaks::templates(route, &key, compiler);
        let auth = crate::policy::on(&route.wire.policies.auth);
        // what goes upstream is for the upstream to say: it may know more of a token than who it belongs to
        let kept_back = auth.is_some_and(|auth| auth.mode == wire::Mode::Enforce && !auth.forward_credentials);
        let identified = wire.shared || kept_back && credentials.contains(&AUTHORIZATION);
        Some(Self {
            rules: rules(wire, at, identified, compiler)?,
            key,
            reach: match wire.store {
                wire::CacheStore::Local => Reach::Local,
                wire::CacheStore::Shared => Reach::Shared,
            },
            coalesce: wire.coalesce,
            obeys_client: wire.client_directives == wire::ClientDirectives::Respect,
        })
    }
}

/// Why nothing of the route could ever be stored.
fn useless(route: &outline::Route, scope: &RouteScope<'_>) -> Option<&'static str> {
    let wire = &route.wire;
    if wire.respond.is_some() || wire.redirect.is_some() || wire.purge.is_some() {
        return Some("the gateway answers by itself here: there is nothing to store");
    }
    let get = scope.methods.is_empty() || scope.methods.contains(&Method::GET);
    (!get).then_some("only what GET brings is stored, and the route does not serve it")
}

fn rules(wire: &wire::Cache, at: &At<'_>, identified: bool, compiler: &mut Compiler) -> Option<Rules> {
    let ttl = duration(wire.ttl.as_deref(), &at.child_key("ttl"), compiler).inspect(|ttl| {
        if ttl.is_zero() {
            let message = "what is stored would be stale at once";
            compiler
                .error(&at.child_key("ttl"), message)
                .code(Code::NoEffect)
                .help("leave it out, or write `cache: off`");
        }
    });
    if !wire.respect_origin && wire.ttl.is_none() && wire.negative.is_empty() {
        compiler
            .error(&at.child_key("respect_origin"), "nothing says how long responses are fresh")
            .code(Code::MissingKey)
            .help("add `ttl`, which then holds whatever the upstream says");
    }
    let negative_at = at.child_key("negative");
    let mut negative = BTreeMap::new();
    for (status, text) in &wire.negative {
        let at = negative_at.child_key(status);
        let fresh = duration(Some(text), &at, compiler);
        match status.parse::<u16>().ok().filter(|number| (400..=599).contains(number)) {
            Some(number) => negative.extend(fresh.map(|fresh| (number, fresh))),
            None => {
                let finding = compiler.error(&at, format!("expected a status from 400 to 599, found {status:?}"));
                finding.help("all others are for `ttl`").on_key();
            }
        }
        if fresh.is_some_and(|fresh| fresh.is_zero()) {
            let message = "what is stored would be stale at once";
            compiler.error(&at, message).code(Code::NoEffect).help("leave the status out");
        }
    }
    let size_at = at.child_key("max_size");
    let max_size = compiler.check(&size_at, units::size(wire.max_size.as_deref().unwrap_or("1MiB")));
    if max_size == Some(0) {
        compiler.error(&size_at, "no body is that short").code(Code::NoEffect).help("write `cache: off`");
    }
    if max_size.is_some_and(|size| size > MAX_BUFFERED) {
        compiler.error(&size_at, "at most 64MiB of one response are held in memory");
    }
    let types_at = at.child_key("content_types");
    let types = wire.content_types.iter().enumerate();
    let content_types =
        types.filter_map(|(index, text)| compiler.check(&types_at.child_index(index), media_type(text))).collect();
    let while_at = at.child_key("stale_while_revalidate");
    Some(Rules {
        ttl,
        respect_origin: wire.respect_origin,
        negative,
        heuristic: wire.heuristic,
        stale_while_revalidate: duration(wire.stale_while_revalidate.as_deref(), &while_at, compiler),
        stale_if_error: duration(wire.stale_if_error.as_deref(), &at.child_key("stale_if_error"), compiler),
        identified,
        content_types,
        max_size: max_size?,
    })
}

fn duration(text: Option<&str>, at: &At<'_>, compiler: &mut Compiler) -> Option<Duration> {
    compiler.check(at, units::duration(text?))
}

/// A media type or `type/*`, without parameters, in lower case.
fn media_type(text: &str) -> Result<String, String> {
    let token = |text: &str| !text.is_empty() && text.bytes().all(is_token);
    let parts = text.split_once('/').filter(|(kind, subtype)| {
        token(kind) && *kind != "*" && (*subtype == "*" || token(subtype) && !subtype.contains('*'))
    });
    let help =
        || format!("expected a media type such as application/json or text/*, without parameters, found {text:?}");
    parts.map(|_| text.to_ascii_lowercase()).ok_or_else(help)
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::config;

    #[test]
    fn what_of_authorization_goes_upstream_is_for_the_upstream_to_say() {
        let jwt =
            json!({ "jwt": { "secret": "${secret.S}", "issuer": "i", "audience": "a", "algorithms": ["HS256"] } });
        let partners = json!({ "api_key": { "keys": { "acme": { "sha256": "0".repeat(64) } } } });
        let identified = |auth: Value, cache: Value| {
            let document = json!({
                "portico": 1, "name": "shop", "identities": { "users": jwt, "partners": partners },
                "upstreams": { "app": { "targets": [{ "url": "http://app" }] } },
                "routes": [{ "name": "r", "match": { "path": "/" }, "upstream": "app", "policies": { "auth": auth, "cache": cache } }],
            });
            let (gateway, _) = config::compile(&document).unwrap();
            gateway.routes().next().unwrap().policies.cache.as_ref().unwrap().rules.identified
        };
        let by = json!({ "key": { "by": "consumer" } });
        let shared = json!({ "shared": true, "reason": "prices are the same for everybody" });
        for (auth, cache, expected) in [
            (json!({ "any_of": ["users"] }), &by, true),
            (json!({ "any_of": ["users"], "optional": true }), &by, true),
            (json!({ "any_of": ["partners", "users"] }), &by, true),
            (json!({ "any_of": ["users"] }), &shared, true),
            (json!({ "any_of": ["users"], "mode": "observe" }), &shared, true),
            (json!({ "any_of": ["users"], "forward_credentials": true }), &shared, true),
            // a token that the gateway knows nothing of, or all that is in one
            (json!("off"), &json!({}), false),
            (json!({ "any_of": ["partners"] }), &by, false),
            (json!({ "any_of": ["users"], "forward_credentials": true }), &by, false),
        ] {
            assert_eq!(identified(auth.clone(), cache.clone()), expected, "{auth} {cache}");
        }
    }
}
