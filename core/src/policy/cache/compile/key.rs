//! From what is written about a cache's key to what it means.

use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE, HOST};

use super::is_token;
use crate::config::{At, Code, Compiler, outline, wire};
use crate::digest;
use crate::policy::cache::Key;
use crate::policy::cache::query::{Name, Query, TRACKING};
use crate::policy::headers::RESERVED;

/// How keys are made. Another way gets another number.
const VERSION: &str = "1";

/// Fields that say how a request travels or what it wants of a cache, not what it asks for.
const NO_PART: [&str; 13] = [
    "accept-ranges",
    "age",
    "cache-control",
    "date",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "pragma",
    "proxy-authorization",
    "range",
    "set-cookie",
];

impl Key {
    pub(super) fn compile(
        wire: &wire::CacheKey,
        at: &At<'_>,
        route: &outline::Route,
        credentials: &[HeaderName],
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let query = query(&wire.query, &at.child_key("query"), compiler);
        let headers_at = at.child_key("headers");
        let mut headers = compiler.header_names(&wire.headers, &headers_at);
        for (index, text) in wire.headers.iter().enumerate() {
            let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else { continue };
            if let Some((why, help)) = unfit(&name, credentials) {
                compiler.error(&headers_at.child_index(index), format!("`{name}` {why}")).help(help);
            }
        }
        headers.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        headers.dedup();
        let cookies_at = at.child_key("cookies");
        for (index, name) in wire.cookies.iter().flatten().enumerate() {
            if name.is_empty() || !name.bytes().all(is_token) {
                let message = format!("{name:?} cannot be the name of a cookie");
                compiler.error(&cookies_at.child_index(index), message).code(Code::InvalidName);
            }
        }
        let claims_at = at.child_key("claims");
        for (index, _) in wire.claims.iter().enumerate().filter(|(_, name)| name.is_empty()) {
            compiler.error(&claims_at.child_index(index), "a claim has a name").code(Code::InvalidName);
        }
        let plain = |byte: u8| if byte.is_ascii_alphanumeric() || byte == b'-' { char::from(byte) } else { '_' };
        // whoever looks into a store sees what it is of; the hash tells apart what is cut off
        let name: String = route.wire.name.bytes().take(64).map(plain).collect();
        Some(Self {
            prefix: format!("cache/{name}/"),
            route: identity(&route.wire, compiler),
            query: query?,
            headers,
            cookies: wire.cookies.as_deref().map(sorted),
            claims: sorted(&wire.claims),
            by: wire.by,
        })
    }
}

/// The hash of all that decides what responses of a route are: the gateway's name, the route's match, its upstream's targets, and the policies that change requests and
/// responses or say what is stored, the defaults joined in. It is of their debug form, which nobody reads: it is another one whenever
/// something in them is.
fn identity(wire: &wire::Route, compiler: &Compiler) -> [u8; 32] {
    let wire::Policies { auth, cache, request, response, .. } = &wire.policies;
    let gateway = (compiler.realm(), wire.upstream.as_ref().map(|name| compiler.targets(name)));
    let all = (VERSION, gateway, &wire.name, &wire.matches, &wire.upstream, auth, cache, request, response);
    digest::sha256(format!("{all:?}").as_bytes())
}

fn sorted(names: &[String]) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> = names.iter().map(|name| name.as_str().into()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn query(wire: &wire::CacheQuery, at: &At<'_>, compiler: &mut Compiler) -> Option<Query> {
    let mut names = |texts: &[String], at: &At<'_>| -> Option<Vec<Name>> {
        if texts.is_empty() {
            compiler.error(at, "no key is named").help("write `query: none` for nothing of it, or `query: all`");
        }
        let parse = |(index, text): (usize, &String)| compiler.check(&at.child_index(index), Name::parse(text));
        // all of them, so that all mistakes are told
        let parsed: Vec<Option<Name>> = texts.iter().enumerate().map(parse).collect();
        parsed.into_iter().collect()
    };
    Some(match wire {
        wire::CacheQuery::All => Query::All,
        wire::CacheQuery::None => Query::Only(Vec::new()),
        wire::CacheQuery::Only(texts) => Query::Only(names(texts, at)?),
        wire::CacheQuery::Except(texts) => {
            let mut except = names(texts, &at.child_key("except"))?;
            if except.contains(&Name::Exactly("tracking".into())) {
                except.extend(TRACKING.iter().filter_map(|text| Name::parse(text).ok()));
            }
            Query::Except(except)
        }
    })
}

/// Why a field makes no sense in a key, and what to do about it.
fn unfit(name: &HeaderName, credentials: &[HeaderName]) -> Option<(&'static str, &'static str)> {
    if *name == AUTHORIZATION || credentials.contains(name) {
        return Some(("says who calls", "write `by: consumer`, or name `claims`"));
    }
    match name.as_str() {
        _ if *name == COOKIE => {
            Some(("holds all cookies, and some of them differ for everybody", "name those that count in `cookies`"))
        }
        _ if *name == HOST => Some(("is in every key", "leave it out")),
        text if text.contains('_') => Some(("never goes upstream", "write it with a hyphen, if it has one")),
        text if RESERVED.contains(&text) => {
            Some(("is written by the gateway itself", "leave it out: scheme, host and path are in every key"))
        }
        text if NO_PART.contains(&text) => Some(("says nothing about what is asked for", "leave it out")),
        _ => None,
    }
}
