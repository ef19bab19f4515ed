//! What is known about one request while it is decided.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use crate::after::Held;
use crate::cache;
use crate::decision::{Decision, Outcome, Policy, Reason};
use crate::digest;
use crate::error::Refusal;
use crate::gateway::Route;
use crate::jwt;
use crate::net::Net;
use crate::peer::{Certificate, Country, Peer};
use crate::platform::{Platform, Timestamp};
use crate::policy::cache::Spot;
use crate::policy::cors;
use crate::policy::identity::Errand;
use crate::policy::rate_limit;
use crate::route;
use crate::template::{Values, Variable};

/// The request's id, as it came from a trusted proxy or as we made it.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The addresses a request came through (de facto standard; the client's own is the leftmost).
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The scheme that the client used.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Who was authenticated, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// The identity of the configuration that vouches for the caller.
    pub identity: Arc<str>,
    /// The consumer: the name of the API key, or the token's subject.
    pub consumer: Box<str>,
    /// What the caller may do.
    pub scopes: Vec<String>,
    /// The token's claims; `None` for an API key.
    pub claims: Option<jwt::Claims>,
}

impl Principal {
    /// A claim as text; numbers and booleans as JSON writes them. `None` when it is absent, null, a list or an object. Who
    /// came with an API key has one claim, `sub`: the consumer.
    pub fn claim(&self, name: &str) -> Option<Cow<'_, str>> {
        let Some(claims) = &self.claims else {
            return (name == "sub").then_some(Cow::Borrowed(&*self.consumer));
        };
        match claims.claim(name)? {
            serde_json::Value::String(text) => Some(Cow::Borrowed(text)),
            serde_json::Value::Bool(yes) => Some(Cow::Owned(yes.to_string())),
            serde_json::Value::Number(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }
}

/// What is known about one request while it is decided.
#[derive(Debug)]
pub struct Context<'g> {
    /// When the request arrived.
    pub received: Timestamp,
    /// The request's id: 1 to 128 visible ASCII characters.
    pub id: RequestId,
    /// The trace this request belongs to.
    pub trace: Trace,
    /// Whether the peer is one of the gateway's trusted proxies.
    pub trusted: bool,
    /// The peer's address.
    pub peer: IpAddr,
    /// The client's address: the peer's, or what trusted proxies said.
    pub client: IpAddr,
    /// The client's country, if the platform knows it. The platform knows about the peer, so nothing is known of a client for
    /// whom a trusted proxy speaks; the same holds for the next two.
    pub country: Option<Country>,
    /// The number of the client's autonomous system.
    pub asn: Option<u32>,
    /// The TLS client certificate that the platform verified.
    pub certificate: Option<Arc<Certificate>>,
    /// Whether the client's connection was encrypted.
    pub secure: bool,
    /// The method.
    pub method: Method,
    /// The version of HTTP that it came in.
    pub version: Version,
    /// The request target as it came.
    pub uri: Uri,
    /// The host the client asked for, with its port if it gave one. An absolute request target outranks `Host` (RFC 9112
    /// §3.2.2).
    pub authority: Option<HeaderValue>,
    /// The `User-Agent`, for the access log.
    pub user_agent: Option<HeaderValue>,
    /// The header fields as they came. Gone once the request went upstream, unless something still reads them.
    pub headers: HeaderMap,
    /// The canonical path, where it differs from the path as it came.
    pub canonical: Option<String>,
    /// The ways in which the path could be read differently. None, unless the route allows them.
    pub ambiguities: route::Ambiguities,
    /// The route that serves the request.
    pub route: Option<&'g Route>,
    /// The route's path parameters, as ranges of the canonical path.
    pub params: Vec<(&'g str, Range<usize>)>,
    /// Who was authenticated.
    pub principal: Option<Arc<Principal>>,
    /// What CORS adds to the response.
    pub cors: cors::Grant<'g>,
    /// How it stands with its limits, in the order in which they were asked.
    pub standings: Vec<rate_limit::Standing<'g>>,
    /// What the cache did, on a route that has one.
    pub cache: Option<cache::Status>,
    /// Why the upstream wants no response of its own stored, whatever is made of it.
    pub(crate) unstorable: Option<cache::NotStored>,
    /// What it changed of what is stored.
    pub(crate) changed: Vec<Spot>,
    /// The upstream that was asked, as `upstream target`.
    pub upstream: Option<&'g Arc<str>>,
    /// What was decided so far.
    pub decisions: Vec<Decision>,
    /// What it takes until its response was sent.
    pub(crate) held: Held,
    /// What is to be done after the response.
    pub(crate) errands: Vec<Errand>,
}

impl<'g> Context<'g> {
    /// Takes a request in: id, trace, client address. Nothing is refused yet.
    pub fn new<P: Platform>(platform: &P, peer: &Peer, trusted_proxies: &[Net], head: http::request::Parts) -> Self {
        let trusted = trusted_proxies.iter().any(|net| net.contains(peer.address));
        let random = platform.random();
        let id = trusted
            .then(|| only(&head.headers, &X_REQUEST_ID).and_then(RequestId::accept))
            .flatten()
            .unwrap_or_else(|| RequestId::new(random));
        let forwarded_proto = only(&head.headers, &X_FORWARDED_PROTO).filter(|_| trusted);
        let address = peer.address.to_canonical();
        let client = client_address(address, trusted, trusted_proxies, &head.headers).to_canonical();
        // of another client than the peer, the platform knows nothing
        let known = Some(peer).filter(|_| client == address);
        Self {
            received: platform.now(),
            trace: Trace::new(&head.headers, random, platform.random()),
            trusted,
            peer: address,
            client,
            country: known.and_then(|peer| peer.country),
            asn: known.and_then(|peer| peer.asn),
            certificate: known.and_then(|peer| peer.certificate.clone()),
            secure: forwarded_proto.map_or(peer.secure, |proto| proto.as_bytes().eq_ignore_ascii_case(b"https")),
            id,
            authority: match head.uri.authority() {
                Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
                None => head.headers.get(HOST).filter(|host| !host.is_empty()).cloned(),
            },
            user_agent: head.headers.get(USER_AGENT).cloned(),
            method: head.method,
            version: head.version,
            uri: head.uri,
            headers: head.headers,
            canonical: None,
            ambiguities: route::Ambiguities::NONE,
            route: None,
            params: Vec::new(),
            principal: None,
            cors: cors::Grant::Nothing,
            standings: Vec::new(),
            cache: None,
            unstorable: None,
            changed: Vec::new(),
            upstream: None,
            decisions: Vec::with_capacity(8),
            held: Held::default(),
            errands: Vec::new(),
        }
    }

    /// The path used for matching, for authorisation and upstream.
    pub fn path(&self) -> &str {
        self.canonical.as_deref().unwrap_or_else(|| self.uri.path())
    }

    /// [`authority`](Self::authority) as text; `None` too when it is not ASCII.
    pub fn host(&self) -> Option<&str> {
        self.authority.as_ref()?.to_str().ok()
    }

    /// Records that a step lets the request go on.
    pub fn allow(&mut self, policy: Policy, reason: Reason, detail: impl Into<Cow<'static, str>>) {
        self.decisions.push(Decision { policy, outcome: Outcome::Allow, reason, detail: detail.into() });
    }

    /// Records that a step answers the request.
    pub fn respond(&mut self, policy: Policy, reason: Reason) {
        self.decisions.push(Decision { policy, outcome: Outcome::Respond, reason, detail: Cow::Borrowed("") });
    }

    /// Records a refusal that nothing can soften, and passes it on.
    pub fn refused(&mut self, refusal: Refusal) -> Refusal {
        self.record(&refusal, Outcome::Deny);
        refusal
    }

    /// Records a refusal, and passes it on unless the policy only observes.
    pub fn refuse(&mut self, refusal: Refusal, mode: Mode) -> Result<(), Refusal> {
        match mode {
            Mode::Enforce => Err(self.refused(refusal)),
            Mode::Observe => {
                self.record(&refusal, Outcome::WouldDeny);
                Ok(())
            }
        }
    }

    fn record(&mut self, refusal: &Refusal, outcome: Outcome) {
        let detail = if refusal.note.is_empty() { &refusal.detail } else { &refusal.note };
        let Refusal { policy, reason, .. } = *refusal;
        self.decisions.push(Decision { policy, outcome, reason, detail: detail.clone() });
    }
}

/// How a policy that is switched on acts. (`off` is never compiled.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What it decides is done.
    Enforce,
    /// What it decides is recorded.
    Observe,
}

/// W3C Trace Context, level 1: the trace that a request belongs to and our own span in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// The trace's id.
    pub trace_id: u128,
    /// Our span's id, the parent of the upstream's.
    pub span_id: u64,
    /// The flags as they came; bit 0 says that the caller records.
    pub flags: u8,
    /// Whether the trace came with the request; only then its `tracestate` goes on.
    pub continued: bool,
}

impl Trace {
    /// Joins the request's trace, or starts one; `trace` and `span` are random.
    pub(crate) fn new(headers: &HeaderMap, trace: u128, span: u128) -> Self {
        // an id of all zeroes is invalid, in any of the standard's places
        let span_id = (span as u64).max(1);
        match only(headers, &TRACEPARENT).and_then(|value| parse_traceparent(value.to_str().ok()?)) {
            Some((trace_id, flags)) => Self { trace_id, span_id, flags, continued: true },
            None => Self { trace_id: trace.max(1), span_id, flags: 0, continued: false },
        }
    }

    /// The trace's id as it is written.
    pub fn id(&self) -> String {
        digest::hex(&self.trace_id.to_be_bytes())
    }

    /// The `traceparent` that goes upstream.
    pub fn traceparent(&self) -> HeaderValue {
        let mut text = Vec::with_capacity(55);
        text.extend_from_slice(b"00-");
        text.extend_from_slice(&digest::hex16((self.trace_id >> 64) as u64));
        text.extend_from_slice(&digest::hex16(self.trace_id as u64));
        text.push(b'-');
        text.extend_from_slice(&digest::hex16(self.span_id));
        text.extend_from_slice(&[b'-', digest::digit(self.flags >> 4), digest::digit(self.flags & 0xf)]);
        header_value(text)
    }
}

/// The value of a field that has one line; of several, two readers could each believe another one.
pub(crate) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn parse_traceparent(text: &str) -> Option<(u128, u8)> {
    let mut fields = text.split('-');
    let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let lower_hex =
        |field: &str, len| field.len() == len && field.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let shaped = lower_hex(version, 2) && lower_hex(trace, 32) && lower_hex(parent, 16) && lower_hex(flags, 2);
    // a later version may append fields; version 00 may not, and ff is invalid
    if !shaped || version == "ff" || (version == "00" && fields.next().is_some()) {
        return None;
    }
    let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
    Some((trace_id, u8::from_str_radix(flags, 16).ok()?))
}

/// A request's id, ready to stand in a header: sharing it costs no copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId {
    value: HeaderValue,
    kept: bool,
}

impl RequestId {
    /// A new id: a UUID.
    pub fn new(random: u128) -> Self {
        Self { value: header_value(uuid(random)), kept: false }
    }

    /// An id that came with the request, if it is short and plain.
    fn accept(value: &HeaderValue) -> Option<Self> {
        let safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(byte);
        let bytes = value.as_bytes();
        (matches!(bytes.len(), 1..=128) && bytes.iter().all(safe)).then(|| Self { value: value.clone(), kept: true })
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        self.value.to_str().unwrap_or_default()
    }

    /// Whether it came with the request.
    pub const fn is_kept(&self) -> bool {
        self.kept
    }

    /// As the value of a header field.
    pub fn to_header(&self) -> HeaderValue {
        self.value.clone()
    }
}

/// A version 4 UUID (RFC 9562 §5.4), as ASCII.
fn uuid(random: u128) -> Vec<u8> {
    let bits = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let (high, low) = (digest::hex16((bits >> 64) as u64), digest::hex16(bits as u64));
    let mut text = Vec::with_capacity(36);
    for group in [&high[..8], &high[8..12], &high[12..], &low[..4], &low[4..]] {
        if !text.is_empty() {
            text.push(b'-');
        }
        text.extend_from_slice(group);
    }
    text
}

/// The value of a header field, from a text that is made of visible ASCII.
pub(crate) fn header_value(text: impl Into<Bytes>) -> HeaderValue {
    let value = HeaderValue::from_maybe_shared(text.into());
    debug_assert!(value.is_ok(), "not a header value");
    value.unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The rightmost address of X-Forwarded-For that no trusted proxy wrote about itself. Whatever stands to its left is the
/// client's own claim.
fn client_address(peer: IpAddr, trusted: bool, trusted_proxies: &[Net], headers: &HeaderMap) -> IpAddr {
    let mut client = peer;
    if !trusted {
        return client;
    }
    for value in headers.get_all(X_FORWARDED_FOR).iter().rev() {
        let Ok(list) = value.to_str() else { return client };
        for entry in list.rsplit(',') {
            let Some(address) = parse_forwarded_address(entry.trim()) else { return client };
            client = address;
            if !trusted_proxies.iter().any(|net| net.contains(address)) {
                return client;
            }
        }
    }
    client
}

/// An address as proxies write it: bare, or with a port (`192.0.2.1:4711`, `[2001:db8::1]:4711`).
fn parse_forwarded_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |(address, _)| address);
    bare.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()))
}

/// The values of templates: the context's own, and the platform's secrets and randomness.
pub(crate) struct RequestValues<'a, P> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) platform: &'a P,
}

impl<P: Platform> Values for RequestValues<'_, P> {
    fn value(&self, variable: &Variable) -> Option<Cow<'_, str>> {
        let context = self.context;
        match variable {
            Variable::Path(name) => self.path_parameter(name).and_then(route::decode_segment),
            Variable::Query(name) => route::query_value(context.uri.query()?, name),
            Variable::Header(name) => context.headers.get(name)?.to_str().ok().map(Cow::Borrowed),
            Variable::Claim(name) => context.principal.as_ref()?.claim(name),
            Variable::Consumer => context.principal.as_ref().map(|principal| Cow::Borrowed(&*principal.consumer)),
            Variable::Host => route::host_name(context.host()?),
            Variable::Method => Some(Cow::Borrowed(context.method.as_str())),
            Variable::Ip => Some(Cow::Owned(context.client.to_string())),
            Variable::Country => context.country.map(|country| Cow::Borrowed(country.as_str())),
            Variable::Asn => context.asn.map(|number| Cow::Owned(number.to_string())),
            Variable::Certificate(field) => context.certificate.as_ref().map(|certificate| certificate.field(*field)),
            Variable::RequestId => Some(Cow::Borrowed(context.id.as_str())),
            Variable::Uuid => Some(Cow::Owned(RequestId::new(self.platform.random()).as_str().to_owned())),
            Variable::Secret(name) => self.platform.secret(name).map(Cow::Owned),
        }
    }

    fn path_parameter(&self, name: &str) -> Option<&str> {
        let (_, range) = self.context.params.iter().find(|(known, _)| *known == name)?;
        self.context.path().get(range.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let nets = [Net::parse("10.0.0.0/8").unwrap()];
        let mut map = HeaderMap::new();
        for value in forwarded {
            map.append(X_FORWARDED_FOR, value.parse().unwrap());
        }
        let peer: IpAddr = peer.parse().unwrap();
        let trusted = nets.iter().any(|net| net.contains(peer));
        client_address(peer, trusted, &nets, &map).to_string()
    }

    #[test]
    fn only_trusted_proxies_say_who_the_client_is() {
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.2.2.2"]),
            "198.51.100.1",
            "1.1.1.1 is the client's claim"
        );
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "198.51.100.1"]), "198.51.100.1", "lines join from the right");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, nonsense"]), "10.0.0.1", "what cannot be read ends the chain");
        assert_eq!(client("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["10.3.3.3"]), "10.3.3.3");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn uuids_have_their_version_and_variant() {
        assert_eq!(uuid(0), b"00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), b"ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn traces_are_joined_only_when_well_formed() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = Trace::new(&headers(&[("traceparent", good)]), 9, 7);
        assert!(trace.continued);
        assert_eq!(trace.traceparent(), *"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01");
        for bad in [
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "00-4bf92f-00f067aa0ba902b7-01",
        ] {
            let trace = Trace::new(&headers(&[("traceparent", bad)]), 9, 7);
            assert!(!trace.continued, "{bad}");
            assert_eq!(trace.trace_id, 9);
        }
    }

    #[test]
    fn request_ids_are_short_and_plain() {
        let id = |text: &str| RequestId::accept(&text.parse().ok()?).map(|id| id.as_str().to_owned());
        assert_eq!(id("abc-123"), Some("abc-123".to_owned()));
        for bad in ["", "a b", "a\"b", "é", &"x".repeat(129)] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }
}
