//! The configuration as it is written: strings and lists, nothing parsed yet. Unknown keys are errors.
//!
//! These types say what may be written; [`compile`](super::compile) says what it means. They are also the source of
//! `portico schema`, so every doc comment here is read by users in their editors.

mod cache;
mod jwks;
mod shapes;

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::Value;

pub use cache::{Cache, CacheBy, CacheKey, CacheQuery, CacheStore, ClientDirectives, Purge};
pub use jwks::{Jwks, JwksPlace};
pub use shapes::{BodyLimit, Cost, Failure, OneOrMany, Setting, SizeClass};

/// Derives what every wire type has.
macro_rules! wire {
    ($($item:item)*) => {
        $(
            #[derive(Debug, Clone, serde::Deserialize)]
            #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
            #[serde(deny_unknown_fields, rename_all = "snake_case")]
            $item
        )*
    };
}

wire! {
    /// A Portico gateway. One file means the same on every runtime.
    pub struct Gateway {
        /// The version of this format: 1.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1)))]
        pub portico: u32,
        /// The gateway's name, as in logs.
        pub name: String,
        /// More files, as glob patterns relative to this one. They may hold upstreams, identities and routes.
        #[serde(default)]
        pub include: Vec<String>,
        /// Addresses (CIDR) of the proxies in front of the gateway. Only from these are X-Forwarded-For, X-Forwarded-Proto
        /// and X-Request-Id believed. Default: none.
        #[serde(default)]
        pub trusted_proxies: Vec<String>,
        /// Warnings of `portico check` that are accepted in the whole configuration: codes, each with the reason.
        #[serde(default)]
        pub waive: BTreeMap<String, String>,
        /// Who may see in a response header what each step decided about a request. Default: nobody.
        pub debug: Option<Debug>,
        /// Where several native servers count together. Default: each for itself, in its memory.
        pub state: Option<State>,
        /// The services behind the gateway, by name.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Upstream>"))]
        pub upstreams: BTreeMap<String, IgnoredAny>,
        /// The ways in which a caller proves who it is, by name.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Identity>"))]
        pub identities: BTreeMap<String, IgnoredAny>,
        /// Limits that some callers have and others have not, by name. The policy `plan` says who has which.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Plan>"))]
        pub plans: BTreeMap<String, IgnoredAny>,
        /// Policies that every route starts from. A route's own value replaces the default one; `off` removes it.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schemars(with = "Policies"))]
        pub defaults: Option<IgnoredAny>,
        /// The routes. Which one serves a request does not depend on their order, unless all else is equal.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<Route>"))]
        pub routes: Vec<IgnoredAny>,
    }

    /// Traces of single requests, for whoever can sign for them: `X-Portico-Debug` in, `X-Portico-Trace` out.
    pub struct Debug {
        /// What signs, as a reference like ${secret.PORTICO_DEBUG}. At least 32 bytes.
        pub secret: String,
        /// How long a signature is good, and how far clocks may differ: 1s to 1h. Default: 5m.
        pub max_age: Option<String>,
    }

    /// What the nodes of `portico serve` share.
    pub struct State {
        /// The Redis or Valkey that counts every limit and holds the values of the key-value store, as a reference like
        /// ${secret.REDIS_URL} to an address such as redis://redis.internal:6379, or rediss:// for TLS.
        pub redis: String,
    }

    /// A service behind the gateway.
    pub struct Upstream {
        /// Where it runs; one or more.
        pub targets: Vec<Target>,
        /// How a target is chosen: round_robin (default) or random, both by weight.
        #[serde(default)]
        pub balance: Balance,
        /// How long to wait for the head of a response, such as 5s. Default: 30s.
        pub timeout: Option<String>,
        /// When a request that failed is sent again. Default: never.
        pub retry: Option<Retry>,
        /// Send the client's own Host instead of the target's. Default: false.
        #[serde(default)]
        pub preserve_host: bool,
        /// Warnings of `portico check` that are accepted for this upstream: codes, each with the reason.
        #[serde(default)]
        pub waive: BTreeMap<String, String>,
    }

    /// One place where an upstream runs.
    pub struct Target {
        /// `http://` or `https://`, host, optional port, optional path prefix. `binding://NAME`, optional path prefix: on
        /// Cloudflare the Worker that is bound by this name. `demo://NAME` is answered by `portico dev` itself.
        pub url: String,
        /// Its share of the requests, relative to the other targets' weights. 0 takes it out. Default: 1.
        #[serde(default = "one")]
        pub weight: u32,
    }

    /// When a request that failed is sent again. A connection that never came about is retried for every method; whatever
    /// may have reached the upstream only for `methods`, or when the request carries an Idempotency-Key. Over time at most one
    /// retry for five requests.
    pub struct Retry {
        /// Attempts in all, the first included: 2 to 10.
        #[cfg_attr(feature = "schema", schemars(range(min = 2, max = 10)))]
        pub attempts: u32,
        /// What is retried: connect_error, timeout, reset, 429, and statuses from 500 to 599. Default: connect_error, 502, 503.
        pub on: Option<Vec<Failure>>,
        /// Methods that may be sent twice. Default: GET, HEAD, OPTIONS, PUT, DELETE.
        pub methods: Option<Vec<String>>,
        /// The wait before the second attempt, twice as long before each further one (10s at most); half of it is random.
        /// Default: 50ms.
        pub backoff: Option<String>,
        /// The longest request body that is read into memory first, so that it can be sent again. A request whose body is
        /// longer, or of unknown length, is sent once. Default: 64KiB.
        pub buffer: Option<String>,
    }

    /// How a target is chosen.
    #[derive(Copy, Default, PartialEq, Eq)]
    pub enum Balance {
        /// In turn, by weight.
        #[default]
        RoundRobin,
        /// At random, by weight.
        Random,
    }

    /// One way in which a caller proves who it is.
    pub enum Identity {
        /// A signed token (RFC 7519) in `Authorization: Bearer`.
        Jwt(Jwt),
        /// A secret known to the caller, in a header.
        ApiKey(ApiKey),
        /// A TLS client certificate that the platform verified.
        ClientCert(ClientCert),
    }

    /// Which tokens are accepted.
    pub struct Jwt {
        /// The issuer's public keys, a JWK Set (RFC 7517): its https:// URL, the name of a JSON file beside this one, or the
        /// object itself.
        pub jwks: Option<Jwks>,
        /// For HS256: the shared secret, as a reference like ${secret.JWT_SECRET}.
        pub secret: Option<String>,
        /// Accepted values of `iss`. Default: any, with a warning.
        #[serde(default)]
        pub issuer: OneOrMany,
        /// Accepted values of `aud`; a token must name at least one. Default: any, with a warning.
        #[serde(default)]
        pub audience: OneOrMany,
        /// Accepted values of the header's `typ`; at+jwt keeps ID tokens out (RFC 9068). Default: any.
        #[serde(default)]
        pub typ: OneOrMany,
        /// Accepted algorithms: HS256, RS256, PS256, ES256, ES384, EdDSA.
        pub algorithms: Vec<String>,
        /// How far clocks may differ when `exp` and `nbf` are checked. Default: 0s.
        pub leeway: Option<String>,
        /// The claim that names the consumer. Default: sub.
        pub consumer: Option<String>,
        /// Warnings of `portico check` that are accepted for this identity: codes, each with the reason.
        #[serde(default)]
        pub waive: BTreeMap<String, String>,
    }

    /// API keys, of which only the hashes are written down.
    pub struct ApiKey {
        /// The header that carries the key. Default: X-API-Key.
        pub header: Option<String>,
        /// The consumers and their keys.
        pub keys: Option<BTreeMap<String, ConsumerKey>>,
        /// Look for keys that are not in `keys` in the platform's key-value store, under keys/ and the key's SHA-256 in hex.
        pub store: Option<KeyStore>,
        /// Warnings of `portico check` that are accepted for this identity: codes, each with the reason.
        #[serde(default)]
        pub waive: BTreeMap<String, String>,
    }

    /// How long what the store said about a key holds.
    pub struct KeyStore {
        /// How long it is used without a look into the store: 1s to 1d. A key that was taken away works this much longer.
        /// Default: 60s.
        pub fresh: Option<String>,
        /// How long a record goes on being used while the store cannot be reached: `fresh` to 7d. Default: 10m.
        pub stale: Option<String>,
    }

    /// One consumer's key.
    pub struct ConsumerKey {
        /// SHA-256 of the key, in hex: `printf %s KEY | sha256sum`. Several while a key is being rotated.
        pub sha256: OneOrMany,
        /// The scopes that the key carries.
        #[serde(default)]
        pub scopes: Vec<String>,
    }

    /// Whose TLS client certificates are accepted: exactly one of `certs` and `any`. That a certificate is genuine is for the
    /// platform to verify.
    pub struct ClientCert {
        /// The consumers and their certificates.
        pub certs: Option<BTreeMap<String, ConsumerCertificate>>,
        /// Accept every certificate that the platform verified; the consumer is its subject. Default: false.
        #[serde(default)]
        pub any: bool,
    }

    /// One consumer's certificate.
    pub struct ConsumerCertificate {
        /// SHA-256 of the certificate, in hex: `openssl x509 -in FILE -outform DER | sha256sum`. Several while a certificate is
        /// being renewed.
        pub sha256: OneOrMany,
        /// The scopes that the certificate carries.
        #[serde(default)]
        pub scopes: Vec<String>,
    }

    /// A rate limit, a quota, or both, which each consumer that has the plan has for itself, across all routes.
    pub struct Plan {
        /// How many requests may pass. Consumers are counted, so that there is no `by`.
        pub rate_limit: Option<RateLimit>,
        /// How many requests may pass in a month, a week, a day or an hour. Consumers are counted, so that there is no `by`.
        pub quota: Option<Quota>,
        /// The consumers that have it, where a route selects plans `by: consumer`.
        #[serde(default)]
        pub consumers: Vec<String>,
    }

    /// What is served and how. Exactly one of `upstream`, `respond`, `redirect` and `purge`.
    pub struct Route {
        /// A unique name, as in logs and decisions.
        pub name: String,
        /// Which requests it serves.
        #[serde(rename = "match")]
        pub matches: Match,
        /// Forward to the upstream of this name.
        pub upstream: Option<String>,
        /// Answer on the spot.
        pub respond: Option<Respond>,
        /// Redirect.
        pub redirect: Option<Redirect>,
        /// Take orders to serve stored responses no more: `{}`. Needs `auth`.
        pub purge: Option<Purge>,
        /// What is asked of requests and done to them. Their order is fixed; a route only switches them on.
        #[serde(default)]
        pub policies: Policies,
        /// Warnings of `portico check` that are accepted for this route: codes, each with the reason.
        #[serde(default)]
        pub waive: BTreeMap<String, String>,
    }

    /// Which requests a route serves.
    pub struct Match {
        /// A host, or *.example.com for all names below it. Default: any.
        pub host: Option<String>,
        /// A path: /orders/{id} takes one segment, /files/{*rest} takes all that follow.
        pub path: String,
        /// Methods; GET serves HEAD too. Default: any.
        #[serde(default)]
        pub methods: Vec<String>,
        /// Header fields with their exact value, or "*" for any value.
        #[serde(default)]
        pub headers: BTreeMap<String, String>,
        /// Query keys with their exact value, or "*" for any value.
        #[serde(default)]
        pub query: BTreeMap<String, String>,
        /// Paths that another parser could read differently (%2F, %5C, %00, //, ;, encoded dots): refuse (default) or allow.
        #[serde(default)]
        pub ambiguous_path: AmbiguousPath,
    }

    /// What to do with a path that can be read in more than one way.
    #[derive(Copy, Default, PartialEq, Eq)]
    pub enum AmbiguousPath {
        /// Answer 400.
        #[default]
        Refuse,
        /// Match it and pass it on as it is.
        Allow,
    }

    /// An answer given on the spot.
    pub struct Respond {
        /// Default: 200.
        #[serde(default = "ok")]
        #[cfg_attr(feature = "schema", schemars(range(min = 200, max = 599)))]
        pub status: u16,
        /// Header fields; values may hold templates.
        #[serde(default)]
        pub headers: BTreeMap<String, String>,
        /// Text; may hold templates. Content-Type defaults to text/plain.
        pub body: Option<String>,
        /// JSON, as it stands. Content-Type defaults to application/json.
        pub json: Option<Value>,
    }

    /// A redirect.
    pub struct Redirect {
        /// Where to; may hold templates: `https://new.example/${path.rest}`
        pub to: String,
        /// 301, 302, 303, 307 or 308. Default: 308, which keeps the method.
        #[serde(default = "permanent")]
        pub status: u16,
    }

    /// What is asked of a request and done to it, in this fixed order.
    #[derive(Default)]
    #[serde(default)]
    pub struct Policies {
        /// Cross-origin requests from browsers.
        pub cors: Option<Setting<Cors>>,
        /// Which client addresses may pass.
        pub ip: Option<Setting<Ip>>,
        /// The largest request body, such as 1MiB.
        pub body_limit: Option<Setting<BodyLimit>>,
        /// How many requests may pass.
        pub rate_limit: Option<Setting<RateLimit>>,
        /// How many requests may pass in a month, a week, a day or an hour.
        pub quota: Option<Setting<Quota>>,
        /// How many requests may be under way at once.
        pub in_flight: Option<Setting<InFlight>>,
        /// Who may call.
        pub auth: Option<Setting<Auth>>,
        /// Which of the plans a caller has, and so how many of its requests may pass.
        pub plan: Option<Setting<PlanChoice>>,
        /// Which responses are kept and served again.
        pub cache: Option<Setting<Cache>>,
        /// What is changed before a request goes upstream.
        pub request: Option<Setting<RequestTransform>>,
        /// What is changed before a response goes to the client.
        pub response: Option<Setting<ResponseTransform>>,
        /// Headers that make browsers careful.
        pub security_headers: Option<Setting<SecurityHeaders>>,
    }

    /// How a policy acts.
    #[derive(Copy, Default, PartialEq, Eq)]
    pub enum Mode {
        /// It decides, and what it decides is done.
        #[default]
        Enforce,
        /// It decides and records what it would have done; the request goes on.
        Observe,
        /// As if it were not there.
        Off,
    }

    /// Cross-origin resource sharing.
    pub struct Cors {
        /// Origins that may read responses: `https://shop.example`, `https://*.shop.example`, or "*" for all.
        pub origins: Vec<String>,
        /// Methods that a preflight permits. Default: the route's, or GET, HEAD, POST, PUT, PATCH, DELETE.
        #[serde(default)]
        pub methods: Vec<String>,
        /// Request headers that a preflight permits. Default: Authorization, Content-Type and the route's API key headers.
        #[serde(default)]
        pub headers: Vec<String>,
        /// Response headers that scripts may read.
        #[serde(default)]
        pub expose: Vec<String>,
        /// Whether cookies and credentials may be sent. Default: false.
        #[serde(default)]
        pub credentials: bool,
        /// How long a browser may remember a preflight. Default: 10m.
        pub max_age: Option<String>,
        /// How the policy acts.
        #[serde(default)]
        pub mode: Mode,
    }

    /// Address rules. `deny` wins over `allow`. An entry is an address or a network (CIDR), `country:DE` (ISO 3166-1 alpha-2) or
    /// `asn:64496`. Whom the platform knows no country or autonomous system of is in none.
    pub struct Ip {
        /// Clients that may pass. Default: all.
        #[serde(default)]
        pub allow: Vec<String>,
        /// Clients that may not.
        #[serde(default)]
        pub deny: Vec<String>,
        /// How the policy acts.
        #[serde(default)]
        pub mode: Mode,
    }

    /// A rate limit: `limit` units per `per`.
    pub struct RateLimit {
        /// Units per `per`.
        pub limit: u32,
        /// The window, such as 1m.
        pub per: String,
        /// How it is counted. Default: gcra.
        #[serde(default)]
        pub algorithm: Algorithm,
        /// Units that may be taken at once, with gcra. Default: limit.
        pub burst: Option<u32>,
        /// More limits of the same requests, all decided in one step: a request takes its cost from each of them or from none.
        #[serde(default)]
        pub tiers: Vec<Tier>,
        /// What is counted: ip (default), consumer, route, global, { header: NAME } or { claim: NAME }.
        pub by: Option<By>,
        /// Units that one request takes: a number, or by method, header and size of the response. Default: 1.
        #[serde(default)]
        pub cost: Cost,
        /// What gives a request's units back, if its upstream failed so: connect_error, timeout, reset, and statuses from 500 to 599 or
        /// 429. Default: nothing.
        #[serde(default)]
        pub refund: Vec<Failure>,
        /// Units that an instance takes from the shared store at once, at most, and spends by itself: a hot key then costs one
        /// step of the store for many requests, and somewhat more than the limit may pass; `portico check` says how much.
        /// At least twice the cost, at most burst. Default: every request is counted in the store.
        pub lease: Option<u32>,
        /// What to do when the store cannot be reached: deny (default, 503), allow, or local: each instance counts for itself.
        /// `portico check --target` wants it said where the store is elsewhere.
        pub on_error: Option<OnError>,
        /// How well it must be counted: exact (default), bounded (default with a lease) or approximate. `portico check --target`
        /// refuses what a platform cannot keep; requests are decided the same.
        pub guarantee: Option<Guarantee>,
        /// How the policy acts.
        #[serde(default)]
        pub mode: Mode,
    }

    /// How a rate limit counts.
    #[derive(Copy, Default, PartialEq, Eq)]
    pub enum Algorithm {
        /// `limit` per `per` over time, `burst` at once: in any window of `per` at most limit + burst.
        #[default]
        Gcra,
        /// Never more than `limit` in any window of `per`; what is taken is back after `per`, or up to a sixtieth of it later.
        SlidingWindow,
        /// `limit` in each window of `per`, the first of which began with the Unix epoch: around the end of one up to twice that.
        FixedWindow,
    }

    /// One more limit.
    pub struct Tier {
        /// Units per `per`.
        pub limit: u32,
        /// The window, such as 1h.
        pub per: String,
        /// How it is counted. Default: gcra.
        #[serde(default)]
        pub algorithm: Algorithm,
        /// Units that may be taken at once, with gcra. Default: limit.
        pub burst: Option<u32>,
    }

    /// A quota: `limit` units in each month, week, day or hour of the calendar.
    pub struct Quota {
        /// Units in each of them.
        pub limit: u32,
        /// month, week (from Monday), day or hour.
        pub per: Period,
        /// The time zone whose calendar it is, such as Europe/Berlin. Default: UTC.
        pub zone: Option<String>,
        /// What is counted: consumer (default), ip, route, global, { header: NAME } or { claim: NAME }. Where a rate limit counts the same,
        /// with the same cost, both are decided in one step.
        pub by: Option<By>,
        /// Units that one request takes: a number, or by method, header and size of the response. Default: 1.
        #[serde(default)]
        pub cost: Cost,
        /// What gives a request's units back, if its upstream failed so: connect_error, timeout, reset, and statuses from 500 to 599 or
        /// 429. Default: nothing.
        #[serde(default)]
        pub refund: Vec<Failure>,
        /// What to do when the store cannot be reached: deny (default, 503), allow, or local: each instance counts for itself.
        /// `portico check --target` wants it said where the store is elsewhere.
        pub on_error: Option<OnError>,
        /// How well it must be counted: exact (default) or approximate. `portico check --target` refuses what a platform cannot keep;
        /// requests are decided the same.
        pub guarantee: Option<Guarantee>,
        /// How the policy acts.
        #[serde(default)]
        pub mode: Mode,
    }

    /// A part of the calendar.
    #[derive(Copy, PartialEq, Eq)]
    pub enum Period {
        /// From the first day of a month on.
        Month,
        /// From Monday on.
        Week,
        /// From midnight on.
        Day,
        /// From the full hour on.
        Hour,
    }

    /// What a rate limit counts.
    #[derive(Default, PartialEq, Eq)]
    pub enum By {
        /// Each client address (IPv6: each /64).
        #[default]
        Ip,
        /// Each consumer; needs `auth` on the route.
        Consumer,
        /// All requests of the route together.
        Route,
        /// All requests of all routes that name the same limit.
        Global,
        /// Each value of a request header; requests without it share one.
        Header(String),
        /// Each value of a claim; needs `auth` on the route; tokens without it share one.
        Claim(String),
    }

    /// How well a store counts, from the weakest on.
    #[derive(Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Guarantee {
        /// More than the limit may pass: counts are kept in several places that know nothing of each other.
        Approximate,
        /// More than the limit may pass, by no more than can be said beforehand: instances hold leases.
        Bounded,
        /// Never more than the limit passes: each request is counted in one atomic step.
        Exact,
    }

    /// What to do when a store cannot be reached.
    #[derive(Copy, Default, PartialEq, Eq)]
    pub enum OnError {
        /// Refuse with 503.
        #[default]
        Deny,
        /// Let the request pass.
        Allow,
        /// Count in the instance's own memory meanwhile: each instance lets the limit pass.
        Local,
    }

    /// A concurrency limit: how many requests may be under way at once, each until the whole response was sent or the client is gone.
    /// Each process of the native server counts for itself; other platforms do not count.
    pub struct InFlight {
        /// Requests at once, of each of what is counted.
        #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
        pub limit: u32,
        /// What is counted: ip (default), consumer, route, global, { header: NAME } or { claim: NAME }.
        pub by: Option<By>,
        /// How the policy acts.
        #[serde(default)]
        pub mode: Mode,
    }

    /// Who may call.
    pub struct Auth {
        /// Identities of which one must be proven.
        pub any_of: Vec<String>,
        /// Scopes that the caller must have, all of them.
        #[serde(default)]
        pub scopes: Vec<String>,
        /// Claims and the values that permit the call, any of them.
        #[serde(default)]
        pub claims: BTreeMap<String, OneOrMany>,
        /// Let callers without any credentials pass, as anonymous; wrong credentials are refused all the same. Default: false.
        #[serde(default)]
        pub optional: bool,
        /// Send the credentials on to the upstream. Default: false.
        #[serde(default)]
        pub forward_credentials: bool,
        /// How the policy acts.
        #[serde(default)]
        pub mode: Mode,
    }

    /// Which of the plans a caller has; needs `auth` on the route. The limits of a plan are counted for each consumer, across all routes
    /// with this policy.
    pub struct PlanChoice {
        /// What says it: consumer (default), by the `consumers` of the plans, or { claim: NAME }, which holds the plan's name.
        #[serde(default)]
        pub by: PlanBy,
        /// The plan of callers who have none. Default: they are refused.
        pub default: Option<String>,
        /// How the policy acts.
        #[serde(default)]
        pub mode: Mode,
    }

    /// What says which plan a caller has.
    #[derive(Default, PartialEq, Eq)]
    pub enum PlanBy {
        /// The consumer's name.
        #[default]
        Consumer,
        /// A claim, whose value is the name of a plan.
        Claim(String),
    }

    /// What is changed before a request goes upstream.
    pub struct RequestTransform {
        /// The path, may hold templates: /v1/orders/${path.rest}
        pub path: Option<String>,
        /// The query.
        #[serde(default)]
        pub query: QueryEdit,
        /// Header fields.
        #[serde(default)]
        pub headers: HeaderEdit,
        /// How the policy acts.
        #[serde(default)]
        pub mode: Mode,
    }

    /// What is changed before a response goes to the client.
    pub struct ResponseTransform {
        /// Header fields.
        #[serde(default)]
        pub headers: HeaderEdit,
        /// The body, if it is JSON. The gateway then reads it whole before it passes it on.
        pub json: Option<JsonEdit>,
        /// How the policy acts.
        #[serde(default)]
        pub mode: Mode,
    }

    /// What is removed from a JSON body.
    pub struct JsonEdit {
        /// Members, each by the keys that lead to it: internal_notes, customer.email. A list on the way stands for its items.
        pub remove: Vec<String>,
        /// The longest body that is read; a longer one is answered 502. Default: 1MiB.
        pub max: Option<String>,
    }

    /// Changes to header fields: removed, then set, then added.
    #[derive(Default)]
    #[serde(default)]
    pub struct HeaderEdit {
        /// Names to remove.
        pub remove: Vec<String>,
        /// Names and values (templates) that replace whatever came. A value that is missing leaves the field out.
        pub set: BTreeMap<String, String>,
        /// Names and values (templates) that join what came.
        pub add: BTreeMap<String, String>,
    }

    /// Changes to the query: removed, then set.
    #[derive(Default)]
    #[serde(default)]
    pub struct QueryEdit {
        /// Keys to remove.
        pub remove: Vec<String>,
        /// Keys and values (templates) that replace whatever came. A value that is missing leaves the key out.
        pub set: BTreeMap<String, String>,
    }

    /// Headers that make browsers careful, added where the upstream did not set them. X-Content-Type-Options: nosniff always is.
    pub struct SecurityHeaders {
        /// Strict-Transport-Security for this long, on encrypted connections only; 0s sends none. Default: 365d.
        pub hsts: Option<String>,
        /// X-Frame-Options. Default: DENY.
        pub frame_options: Option<String>,
        /// Referrer-Policy. Default: strict-origin-when-cross-origin.
        pub referrer_policy: Option<String>,
        /// Content-Security-Policy. Default: none.
        pub content_security_policy: Option<String>,
        /// How the policy acts.
        #[serde(default)]
        pub mode: Mode,
    }
}

impl RateLimit {
    /// What is counted.
    pub fn by(&self) -> &By {
        self.by.as_ref().unwrap_or(&By::Ip)
    }

    /// The guarantee that is asked for, by default the best that there is.
    pub fn guarantee(&self) -> Guarantee {
        self.guarantee.unwrap_or(if self.lease.is_some() { Guarantee::Bounded } else { Guarantee::Exact })
    }
}

impl InFlight {
    /// What is counted.
    pub fn by(&self) -> &By {
        self.by.as_ref().unwrap_or(&By::Ip)
    }
}

impl Quota {
    /// What is counted.
    pub fn by(&self) -> &By {
        self.by.as_ref().unwrap_or(&By::Consumer)
    }

    /// The guarantee that is asked for, by default the best that there is.
    pub fn guarantee(&self) -> Guarantee {
        self.guarantee.unwrap_or(Guarantee::Exact)
    }
}

const fn one() -> u32 {
    1
}

const fn ok() -> u16 {
    200
}

const fn permanent() -> u16 {
    308
}
