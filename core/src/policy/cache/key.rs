//! The key of a stored response: all that it may depend on. What is not in the key does not go upstream, as far as it is known to
//! change responses, so that nobody can have stored what others did not ask for.

use std::borrow::Cow;

use http::header::COOKIE;
use http::uri::Uri;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::query::Query;
use crate::config::wire::CacheBy;
use crate::context::{Context, Principal};
use crate::digest;
use crate::forward::{forwarded, hop_by_hop};
use crate::gateway::Gateway;
use crate::route;
use crate::template::Variable;

/// What tells the stored responses of a route apart, besides scheme, host and path.
#[derive(Debug)]
pub(crate) struct Key {
    /// What all keys of the route begin with.
    pub(super) prefix: String,
    /// The hash of what the route is: under another configuration nothing is found that was stored under this one.
    pub(super) route: [u8; 32],
    pub(super) query: Query,
    pub(super) headers: Vec<HeaderName>,
    /// `None`: they go upstream, and are not in the key.
    pub(super) cookies: Option<Vec<Box<str>>>,
    pub(super) claims: Vec<Box<str>>,
    pub(super) by: Option<CacheBy>,
}

impl Key {
    /// What the response to a request is stored under: `cache/ROUTE/` and 64 digits. No two requests that differ in anything that is
    /// keyed have the same. The method is not: what GET brings answers HEAD.
    pub(crate) fn of(&self, context: &Context<'_>) -> String {
        self.at(context, context.path(), context.uri.query())
    }

    /// What the response to the same request for another path on its host is stored under.
    pub(super) fn at(&self, context: &Context<'_>, path: &str, query: Option<&str>) -> String {
        let mut parts = Parts(Vec::with_capacity(512));
        parts.0.extend_from_slice(&self.route);
        parts.0.push(u8::from(context.secure));
        parts.push(&*host(context.host().unwrap_or_default(), context.secure));
        parts.push(path);
        parts.maybe(self.query.keyed(query));
        self.add_headers(context, &mut parts);
        for name in self.cookies.iter().flatten() {
            let crumbs = crumbs(&context.headers);
            parts.all(crumbs.filter_map(|(known, crumb)| (known == name.as_bytes()).then_some(crumb)));
        }
        if self.by.is_some() || !self.claims.is_empty() {
            self.add_caller(context.principal.as_deref(), &mut parts);
        }
        [&self.prefix, &*digest::sha256_hex(&parts.0)].concat()
    }

    /// What purges call it: `host/path?query`, the query as it is keyed.
    pub(crate) fn url(&self, context: &Context<'_>) -> String {
        self.url_at(context, context.path(), context.uri.query())
    }

    /// What purges call another path on the host that a request is for.
    pub(crate) fn url_at(&self, context: &Context<'_>, path: &str, query: Option<&str>) -> String {
        url(&host(context.host().unwrap_or_default(), context.secure), path, self.query.keyed(query))
    }

    /// Whether cookies go upstream, and are not in the key.
    pub(crate) const fn ignores_cookies(&self) -> bool {
        self.cookies.is_none()
    }

    /// The query that goes upstream, in the order in which it came; `None` when there is none, or nothing is left of it.
    pub(crate) fn query<'q>(&self, query: Option<&'q str>) -> Option<Cow<'q, str>> {
        self.query.select(query)
    }

    /// Takes out of the fields that go upstream what is not keyed and known to change responses.
    pub(crate) fn clean(&self, headers: &mut HeaderMap) {
        if let Some(cookies) = &self.cookies {
            let keyed = |name: &[u8]| cookies.iter().any(|known| known.as_bytes() == name);
            let kept: Vec<_> = crumbs(headers).filter(|(name, _)| keyed(name)).map(|(_, crumb)| crumb).collect();
            match HeaderValue::from_bytes(&kept.join(b"; ".as_slice())) {
                Ok(cookies) if !cookies.is_empty() => drop(headers.insert(COOKIE, cookies)),
                _ => drop(headers.remove(COOKIE)),
            }
        }
        let unkeyed = |name: &&HeaderName| misleads(name) && !self.headers.contains(name);
        let unkeyed: Vec<_> = headers.keys().filter(unkeyed).cloned().collect();
        for name in unkeyed {
            headers.remove(name);
        }
    }

    /// Whether responses in which it may stand are told apart by it.
    pub(super) fn tells(&self, variable: &Variable) -> bool {
        match variable {
            // only what GET brings is stored
            Variable::Path(_) | Variable::Host | Variable::Method | Variable::Secret(_) => true,
            Variable::Query(name) => self.query.has(name),
            Variable::Header(name) => self.headers.contains(name),
            Variable::Claim(name) => {
                let caller = self.by.is_some() && matches!(&**name, "iss" | "sub");
                caller || self.claims.contains(name)
            }
            Variable::Consumer => self.by.is_some(),
            Variable::Ip
            | Variable::Country
            | Variable::Asn
            | Variable::Certificate(_)
            | Variable::RequestId
            | Variable::Uuid => false,
        }
    }

    /// The lines of each field as they came, which templates read, and whether they go upstream: `Connection: Accept-Language` takes
    /// that field away, and what an upstream says without it is not what others want who send it.
    fn add_headers(&self, context: &Context<'_>, parts: &mut Parts) {
        if self.headers.is_empty() {
            return;
        }
        let mut sent = hop_by_hop::passed_on(&self.headers, &context.headers);
        forwarded::remove_spoofed(&mut sent, context.trusted);
        for name in &self.headers {
            parts.all(context.headers.get_all(name).iter().map(HeaderValue::as_bytes));
            parts.0.push(u8::from(sent.contains_key(name)));
        }
    }

    /// Who calls. A name says who it is together with who vouches for it: the identity, and of several issuers the one.
    fn add_caller(&self, caller: Option<&Principal>, parts: &mut Parts) {
        let Some(caller) = caller else { return parts.0.push(0) };
        parts.0.push(1);
        parts.push(&*caller.identity);
        parts.maybe(claim(caller, "iss").as_deref());
        if self.by.is_some() {
            parts.push(&*caller.consumer);
            parts.maybe(claim(caller, "sub").as_deref());
        }
        for name in &self.claims {
            parts.maybe(claim(caller, name).as_deref());
        }
    }
}

/// A claim as it stands in the token, lists and objects too; of who has no token, `sub` is the consumer.
fn claim<'p>(caller: &'p Principal, name: &str) -> Option<Cow<'p, str>> {
    match &caller.claims {
        Some(claims) => claims.claim(name).map(|value| Cow::Owned(value.to_string())),
        None => caller.claim(name),
    }
}

/// Parts of a key, one after the other: each begins with its length, and so do lists, so that it is known where each ends.
struct Parts(Vec<u8>);

impl Parts {
    fn push(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.extend_from_slice(&(part.len() as u64).to_be_bytes());
        self.0.extend_from_slice(part);
    }

    fn maybe(&mut self, part: Option<impl AsRef<[u8]>>) {
        self.all(part);
    }

    fn all(&mut self, list: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        let at = self.0.len();
        self.0.extend_from_slice(&[0; 8]);
        let mut count = 0_u64;
        for part in list {
            self.push(part);
            count += 1;
        }
        if let Some(length) = self.0.get_mut(at..at + 8) {
            length.copy_from_slice(&count.to_be_bytes());
        }
    }
}

/// The resource of an absolute URL.
pub(super) struct Address {
    host: String,
    path: String,
    query: Option<String>,
}

impl Address {
    /// `None` when it is no URL of `http` or `https`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let path = route::canonical(uri.path()).ok()?.path.into_owned();
        Some(Self { host: host(authority.as_str(), secure).into_owned(), path, query: uri.query().map(str::to_owned) })
    }

    /// What purges call it: with its whole query, and as the route that serves it has it in its key.
    pub(super) fn urls(&self, gateway: &Gateway) -> Vec<String> {
        let Self { host, path, query } = self;
        let route = gateway.route_of_get(Some(host), &HeaderMap::new(), path, query.as_deref());
        let keyed = route.and_then(|route| route.policies.cache.as_ref()).map(|cache| &cache.key.query);
        let queries = [Some(&Query::All), keyed.filter(|query| !matches!(query, Query::All))];
        queries.into_iter().flatten().map(|keyed| url(host, path, keyed.keyed(query.as_deref()))).collect()
    }
}

fn url(host: &str, path: &str, query: Option<String>) -> String {
    match query {
        Some(query) => [host, path, "?", &query].concat(),
        None => [host, path].concat(),
    }
}

/// The host and its port, lower case, without the port that the scheme has anyway (RFC 3986 §6.2.2.1, §6.2.3). What is no host stays
/// as it is.
pub(super) fn host(authority: &str, secure: bool) -> Cow<'_, str> {
    let usual = if secure { ":443" } else { ":80" };
    let bare = match route::host_name(authority) {
        Some(_) => authority.strip_suffix(usual).or_else(|| authority.strip_suffix(':')).unwrap_or(authority),
        None => authority,
    };
    if bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(bare.to_ascii_lowercase())
    } else {
        Cow::Borrowed(bare)
    }
}

/// The cookies of a request (RFC 6265 §5.4), each with its name. What has no `=` has no name, and is left out.
fn crumbs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let crumbs = lines.flat_map(|line| line.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    crumbs.filter_map(|crumb| {
        let end = crumb.iter().position(|byte| *byte == b'=')?;
        Some((crumb.get(..end)?.trim_ascii_end(), crumb))
    })
}

/// Fields by which some upstreams choose another path, host, scheme or method than the request has: whoever sends them would have one
/// response stored as another one.
fn misleads(name: &HeaderName) -> bool {
    let name = name.as_str();
    let known = matches!(
        name,
        "forwarded"
            | "front-end-https"
            | "x-host"
            | "x-http-host-override"
            | "x-http-method"
            | "x-http-method-override"
            | "x-method-override"
            | "x-original-host"
            | "x-original-uri"
            | "x-original-url"
            | "x-rewrite-url"
            | "x-url-scheme"
    );
    known || name.starts_with("x-forwarded-") && name != "x-forwarded-for"
}

#[cfg(test)]
mod tests;
