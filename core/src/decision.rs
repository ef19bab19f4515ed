//! What each step decided and why: what `explain`, logs, traces and problems read.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;

/// One step's decision about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The step or policy that decided.
    pub policy: Policy,
    /// What it decided.
    pub outcome: Outcome,
    /// Why, as a stable code.
    pub reason: Reason,
    /// Particulars for whoever runs the gateway, never a secret. Empty when the reason says it all.
    pub detail: Cow<'static, str>,
}

/// The steps of a request's life that decide something, in their fixed order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// The canonical path.
    Path,
    /// The choice of a route.
    Route,
    /// Cross-origin resource sharing.
    Cors,
    /// Address rules, `ip` in the configuration.
    Ip,
    /// The bound on the request's body.
    BodyLimit,
    /// The rate limit.
    RateLimit,
    /// The quota.
    Quota,
    /// The limit of requests that are under way at once.
    InFlight,
    /// Authentication and authorisation.
    Auth,
    /// The choice of a plan.
    Plan,
    /// The cache of responses, and orders to purge it.
    Cache,
    /// The request's transformation.
    Request,
    /// Forwarding, or answering on the spot.
    Forward,
    /// The response's transformation.
    Response,
}

impl Policy {
    /// Every one, in their order.
    pub const ALL: [Self; 14] = [
        Self::Path,
        Self::Route,
        Self::Cors,
        Self::Ip,
        Self::BodyLimit,
        Self::RateLimit,
        Self::Quota,
        Self::InFlight,
        Self::Auth,
        Self::Plan,
        Self::Cache,
        Self::Request,
        Self::Forward,
        Self::Response,
    ];

    /// The name as written in the configuration, in cases and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Route => "route",
            Self::Cors => "cors",
            Self::Ip => "ip",
            Self::BodyLimit => "body_limit",
            Self::RateLimit => "rate_limit",
            Self::Quota => "quota",
            Self::InFlight => "in_flight",
            Self::Auth => "auth",
            Self::Plan => "plan",
            Self::Cache => "cache",
            Self::Request => "request",
            Self::Forward => "forward",
            Self::Response => "response",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What a step decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The request goes on.
    Allow,
    /// The request ends here with a problem. Of CORS: it goes on, and the browser withholds the response.
    Deny,
    /// `mode: observe`: it would have been denied, and goes on.
    WouldDeny,
    /// The request ends here with an answer that is no problem (a preflight, a redirect).
    Respond,
}

impl Outcome {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Deny, Self::WouldDeny, Self::Respond];

    /// The name in cases and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::WouldDeny => "would_deny",
            Self::Respond => "respond",
        }
    }
}

/// Who is at fault when a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nobody: the request was not refused.
    Nobody,
    /// Whoever sent the request.
    Client,
    /// The service behind the gateway.
    Upstream,
    /// Whoever configured the gateway or runs its store.
    Operator,
    /// Portico itself.
    Us,
}

/// Writes the one list of reason codes: the enum, its names, who is at fault, the status and the title.
macro_rules! reasons {
    ($($variant:ident $code:literal $fault:ident $status:literal $title:literal,)*) => {
        /// Why a step decided as it did. The list is part of the interface: codes are added, never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $title] $variant,)*
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code, as in logs and in a problem's `code`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Who is at fault.
            pub const fn fault(self) -> Fault {
                match self { $(Self::$variant => Fault::$fault,)* }
            }

            /// The status that a refusal for this reason carries (200 for a reason that refuses nothing).
            pub fn status(self) -> StatusCode {
                let status: u16 = match self { $(Self::$variant => $status,)* };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// One short sentence, the same for every occurrence (RFC 9457 §3.1.3).
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

reasons! {
    RouteMatched "route_matched" Nobody 200 "A route matched.",
    OriginAllowed "origin_allowed" Nobody 200 "The origin may read the response.",
    PreflightAllowed "preflight_allowed" Nobody 200 "The preflight was answered: the cross-origin request may be sent.",
    OriginRefused "origin_refused" Nobody 200 "The origin is not on the list: no CORS headers are sent, the browser hides the response.",
    PreflightRefused "preflight_refused" Nobody 200 "The preflight was answered without permission: origin, method or header is not allowed.",
    AddressAllowed "address_allowed" Nobody 200 "The client's address may pass.",
    BodyWithinLimit "body_within_limit" Nobody 200 "The body's declared length is within the limit, or none was declared.",
    WithinRateLimit "within_rate_limit" Nobody 200 "The rate limit has room.",
    WithinQuota "within_quota" Nobody 200 "The quota has room.",
    WithinInFlight "within_in_flight" Nobody 200 "Few enough requests are under way.",
    KeyValid "key_valid" Nobody 200 "The API key is known.",
    CertificateValid "certificate_valid" Nobody 200 "The client certificate is known.",
    TokenValid "token_valid" Nobody 200 "The token is valid.",
    Anonymous "anonymous" Nobody 200 "No credentials were presented and the route does not insist on them.",
    PlanSelected "plan_selected" Nobody 200 "The caller has a plan.",
    CacheHit "cache_hit" Nobody 200 "A stored response was served.",
    CacheStale "cache_stale" Nobody 200 "A stored response was served although it is stale.",
    CacheRevalidated "cache_revalidated" Nobody 200 "A stored response was served after the upstream said that it still holds.",
    CacheMiss "cache_miss" Nobody 200 "No stored response could be served.",
    CacheBypassed "cache_bypassed" Nobody 200 "The request was none for the cache.",
    Purged "purged" Nobody 200 "What was stored is no longer served.",
    Transformed "transformed" Nobody 200 "The message was rewritten.",
    Forwarded "forwarded" Nobody 200 "The upstream answered.",
    Responded "responded" Nobody 200 "The gateway answered by itself.",
    Redirected "redirected" Nobody 200 "The gateway redirected.",

    RequestMalformed "request_malformed" Client 400 "The request is not valid HTTP.",
    PathMalformed "path_malformed" Client 400 "The path is malformed.",
    PathAmbiguous "path_ambiguous" Client 400 "The path can be read in more than one way.",
    HostMissing "host_missing" Client 400 "The request names no host.",
    NoRoute "no_route" Client 404 "Nothing is here.",
    MethodNotAllowed "method_not_allowed" Client 405 "The method is not allowed here.",
    AddressDenied "address_denied" Client 403 "The client's address may not pass.",
    BodyTooLarge "body_too_large" Client 413 "The request body is too large.",
    HeadersTooLarge "headers_too_large" Client 431 "The request headers are too large.",
    RateLimited "rate_limited" Client 429 "Too many requests.",
    QuotaExceeded "quota_exceeded" Client 429 "The quota is used up.",
    TooManyInFlight "too_many_in_flight" Client 429 "Too many requests at once.",
    CredentialsMissing "credentials_missing" Client 401 "Credentials are required.",
    CredentialsAmbiguous "credentials_ambiguous" Client 400 "The credentials are given more than once.",
    KeyUnknown "key_unknown" Client 401 "The API key is not known.",
    CertificateUnknown "certificate_unknown" Client 401 "The client certificate is not known.",
    KeyExpired "key_expired" Client 401 "The API key has expired.",
    TokenMalformed "token_malformed" Client 401 "The token is malformed.",
    TokenTooLarge "token_too_large" Client 401 "The token is too large.",
    TokenAlgorithm "token_algorithm" Client 401 "The token's algorithm is not accepted.",
    TokenUnknownKey "token_unknown_key" Client 401 "The token's key is not known.",
    TokenSignature "token_signature" Client 401 "The token's signature is not valid.",
    TokenExpired "token_expired" Client 401 "The token has expired.",
    TokenNotYetValid "token_not_yet_valid" Client 401 "The token is not valid yet.",
    TokenIssuer "token_issuer" Client 401 "The token's issuer is not accepted.",
    TokenAudience "token_audience" Client 401 "The token is meant for another audience.",
    TokenCritical "token_crit" Client 401 "The token demands an extension that is not supported.",
    TokenType "token_type" Client 401 "The token's type is not accepted.",
    TokenClaim "token_claim" Client 401 "A claim of the token is missing or malformed.",
    ScopeMissing "scope_missing" Client 403 "A required scope is missing.",
    ClaimRefused "claim_refused" Client 403 "A claim does not permit this.",
    PlanMissing "plan_missing" Client 403 "The caller has no plan.",
    CacheOnly "only_if_cached" Client 504 "Nothing stored can be served, and the request wants nothing else.",
    TemplateValueMissing "template_value_missing" Client 400 "The request lacks a value that the upstream's path needs.",
    TemplateValueUnsafe "template_value_unsafe" Client 400 "A value of the request cannot stand where it is needed.",
    ClientTimeout "client_timeout" Client 408 "The request body did not come in time.",
    ClientGone "client_gone" Client 499 "The client broke off.",

    UpstreamUnreachable "upstream_unreachable" Upstream 502 "The upstream cannot be reached.",
    UpstreamBroken "upstream_broken" Upstream 502 "The upstream broke off or did not answer in HTTP.",
    UpstreamTimeout "upstream_timeout" Upstream 504 "The upstream did not answer in time.",
    ResponseTooLarge "response_too_large" Upstream 502 "The upstream's response is too large.",
    ResponseUnreadable "response_unreadable" Upstream 502 "The upstream's response cannot be read, so that it cannot be edited.",

    SecretMissing "secret_missing" Operator 500 "The gateway is not set up completely.",
    KeysUnavailable "keys_unavailable" Operator 503 "The keys that tokens are checked with cannot be had.",
    KeyRecordMalformed "key_record_malformed" Operator 500 "The record of the API key cannot be read.",
    StoreUnavailable "store_unavailable" Operator 503 "A store that this route needs is unavailable.",
    InternalError "internal_error" Us 500 "Something went wrong inside the gateway.",
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_documented_for_users() {
        let documentation = include_str!("../../docs/reasons.md");
        for reason in Reason::ALL {
            let row = format!("| `{}` | {} | {} |", reason.code(), reason.status().as_u16(), reason.title());
            let free = format!("| `{}` | – | {} |", reason.code(), reason.title());
            let row = if reason.fault() == Fault::Nobody { free } else { row };
            assert!(documentation.contains(&row), "docs/reasons.md lacks: {row}");
        }
    }

    #[test]
    fn codes_are_unique_and_faults_agree_with_their_status() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let status = reason.status();
            let agrees = match reason.fault() {
                Fault::Nobody => status == StatusCode::OK,
                // RFC 9111 §5.2.1.7 says which, and nobody but the client asked for it
                Fault::Client => status.is_client_error() || *reason == Reason::CacheOnly,
                Fault::Upstream | Fault::Operator | Fault::Us => status.is_server_error(),
            };
            assert!(agrees, "{reason} has {status}");
        }
    }
}
