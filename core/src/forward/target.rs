//! Upstreams: their targets, which of them takes a request, and the URI it is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use super::retry::Retry;
use crate::config::{At, Code, Compiler, units, wire};
use crate::platform::Platform;
use crate::route;

/// A compiled upstream.
#[derive(Debug)]
pub struct Upstream {
    /// Those with a weight above zero; never empty.
    targets: Vec<UpstreamTarget>,
    total_weight: u64,
    balance: wire::Balance,
    /// How many requests were given a target, for the turn of the next.
    turn: AtomicU64,
    timeout: Duration,
    retry: Option<Retry>,
    preserve_host: bool,
}

/// The scheme of targets that the platform reaches without the network, by the name it knows them by: another Worker on
/// Cloudflare. The authority of such a URI is that name, in its own letter case.
pub const BINDING: &str = "binding";

/// One place where an upstream runs.
#[derive(Debug, Clone)]
pub struct UpstreamTarget {
    name: Arc<str>,
    scheme: Scheme,
    authority: Authority,
    /// What every path is put behind; empty, or starting with a slash and not ending with one.
    prefix: String,
    weight: u64,
}

impl Upstream {
    pub(crate) fn compile(name: &str, wire: &wire::Upstream, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        let timeout = wire.timeout.as_deref().unwrap_or("30s");
        let timeout = compiler.check(&at.child_key("timeout"), units::duration(timeout));
        if timeout == Some(Duration::ZERO) {
            let message = "a timeout of zero would refuse every request";
            compiler.error(&at.child_key("timeout"), message).code(Code::NothingPasses);
        }
        let retry = wire.retry.as_ref().map(|retry| Retry::compile(retry, &at.child_key("retry"), compiler));
        let targets_at = at.child_key("targets");
        let mut targets = Vec::new();
        for (index, target) in wire.targets.iter().enumerate() {
            let at = targets_at.child_index(index);
            if target.weight > 1_000_000 {
                compiler.error(&at.child_key("weight"), "a weight is at most 1000000");
            }
            let compiled = UpstreamTarget::parse(name, target);
            targets.extend(compiler.check(&at.child_key("url"), compiled));
        }
        if targets.len() == wire.targets.len() && targets.iter().all(|target| target.weight == 0) {
            let message = "an upstream needs at least one target with a weight above 0";
            compiler.error(&targets_at, message).code(Code::NothingPasses);
        }
        targets.retain(|target| target.weight > 0);
        let total_weight = targets.iter().map(|target| target.weight).sum();
        (total_weight > 0).then_some(())?;
        let (balance, preserve_host) = (wire.balance, wire.preserve_host);
        let retry = retry.map_or(Some(None), |retry| retry.map(Some))?;
        Some(Self { targets, total_weight, balance, turn: AtomicU64::new(0), timeout: timeout?, retry, preserve_host })
    }

    /// Chooses a target by weight.
    pub(crate) fn choose<P: Platform>(&self, platform: &P) -> Option<&UpstreamTarget> {
        if let [only] = self.targets.as_slice() {
            return Some(only);
        }
        let point = match self.balance {
            // a stride coprime to the total spreads a heavy target's turns instead of bunching them
            wire::Balance::RoundRobin => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.total_weight;
                turn * self.stride() % self.total_weight
            }
            wire::Balance::Random => (platform.random() as u64) % self.total_weight,
        };
        let mut passed = 0;
        self.targets.iter().find(|target| {
            passed += target.weight;
            point < passed
        })
    }

    fn stride(&self) -> u64 {
        let gcd = |mut a: u64, mut b: u64| {
            while b != 0 {
                (a, b) = (b, a % b);
            }
            a
        };
        let golden = self.total_weight * 618 / 1000;
        (golden.max(1)..=self.total_weight).find(|stride| gcd(*stride, self.total_weight) == 1).unwrap_or(1)
    }

    /// How long to wait for the head of a response.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// When a request that failed is sent again.
    pub(super) fn retry(&self) -> Option<&Retry> {
        self.retry.as_ref()
    }

    /// Whether the client's own `Host` goes upstream.
    pub fn preserve_host(&self) -> bool {
        self.preserve_host
    }

    /// The targets that take requests.
    pub fn targets(&self) -> &[UpstreamTarget] {
        &self.targets
    }
}

impl UpstreamTarget {
    fn parse(upstream: &str, wire: &wire::Target) -> Result<Self, String> {
        let malformed =
            |why: &str| format!("{why} in {:?}; expected http:// or https://, a host and perhaps a path", wire.url);
        let uri: Uri = wire.url.parse().map_err(|_| malformed("not a URL"))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.ok_or_else(|| malformed("no scheme"))?;
        if !matches!(scheme.as_str(), "http" | "https" | "demo" | BINDING) {
            return Err(malformed(&format!("the scheme {scheme} is not supported")));
        }
        let authority = parts.authority.ok_or_else(|| malformed("no host"))?;
        if authority.as_str().contains('@') {
            return Err(malformed("credentials are not allowed"));
        }
        if scheme.as_str() == BINDING && !is_identifier(authority.as_str()) {
            return Err(format!(
                "{authority:?} cannot be a binding's name: letters, digits and underscores, no digit first, no port"
            ));
        }
        if authority.host().is_empty() {
            return Err(malformed("no host"));
        }
        if wire.url.contains('#') {
            return Err(malformed("a fragment is not allowed"));
        }
        let port = authority.as_str().rsplit_once(':').filter(|(_, rest)| !rest.ends_with(']'));
        if port.is_some() && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(malformed("no valid port after the colon"));
        }
        let path = parts.path_and_query.as_ref().map_or("/", PathAndQuery::as_str);
        if path.contains('?') {
            return Err(malformed("a query is not allowed"));
        }
        if !route::is_canonical(path, route::Ambiguities::NONE) {
            return Err(malformed("a path with dot segments, empty segments or needless encoding"));
        }
        Ok(Self {
            name: format!("{upstream} {scheme}://{authority}").into(),
            prefix: path.trim_end_matches('/').to_owned(),
            weight: u64::from(wire.weight),
            scheme,
            authority,
        })
    }

    /// The upstream's name and the target's origin, as in logs.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The absolute URI for a request target whose path is canonical already.
    pub(crate) fn uri_as_it_came(&self, target: &Uri) -> Option<Uri> {
        match target.path_and_query() {
            Some(path_and_query) if self.prefix.is_empty() => self.absolute(path_and_query.clone()),
            _ => self.uri(target.path(), target.query()),
        }
    }

    /// The absolute URI for a path and query; `None` when they make none.
    pub(crate) fn uri(&self, path: &str, query: Option<&str>) -> Option<Uri> {
        let mut text = String::with_capacity(self.prefix.len() + path.len() + query.map_or(0, |query| query.len() + 1));
        text.push_str(&self.prefix);
        text.push_str(path);
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        self.absolute(PathAndQuery::from_maybe_shared(bytes::Bytes::from(text)).ok()?)
    }

    fn absolute(&self, path_and_query: PathAndQuery) -> Option<Uri> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path_and_query);
        Uri::from_parts(parts).ok()
    }
}

/// Whether a text can name a binding: they are variables of JavaScript.
fn is_identifier(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(word) && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<UpstreamTarget, String> {
        UpstreamTarget::parse("orders", &wire::Target { url: url.to_owned(), weight: 1 })
    }

    #[test]
    fn a_binding_keeps_the_letter_case_of_its_name() {
        let target = parse("binding://Orders_API2/v1").unwrap();
        assert_eq!(&**target.name(), "orders binding://Orders_API2");
        let uri = target.uri("/orders/7", Some("a=b")).unwrap();
        assert_eq!(uri, "binding://Orders_API2/v1/orders/7?a=b");
        let came = target.uri_as_it_came(&"/orders/7".parse().unwrap()).unwrap();
        assert_eq!(came.authority().unwrap().as_str(), "Orders_API2");
        assert_eq!(came.scheme_str(), Some(BINDING));
    }

    #[test]
    fn a_binding_has_the_name_of_a_variable() {
        for url in ["binding://a", "binding://_", "binding://A9_"] {
            assert!(parse(url).is_ok(), "{url}");
        }
        for (url, says) in [
            ("binding://9a", "cannot be a binding's name"),
            ("binding://a-b", "cannot be a binding's name"),
            ("binding://a.b", "cannot be a binding's name"),
            ("binding://a:80", "no port"),
            ("binding://[::1]", "cannot be a binding's name"),
            ("binding://u@a", "credentials are not allowed"),
            ("binding://a?b", "a query is not allowed"),
            ("binding:a", "no scheme"),
            ("binding:///a", "not a URL"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.contains(says), "{url}: {error}");
        }
    }
}
