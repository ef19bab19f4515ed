//! The one list of what can be wrong with a document: each kind of finding has a code, which is what people filter by, look up
//! and waive. `docs/checks.md` says about each how to mend it.

use std::fmt;
use std::str::FromStr;

use super::Severity;

/// Writes the list: the enum, its names, how bad each is at worst, and what can go wrong.
macro_rules! codes {
    ($($variant:ident $code:literal $severity:ident $title:literal,)*) => {
        /// What kind of finding it is. The list is part of the interface: codes are added, never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, as in reports and in `waive`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// How bad it is at worst.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// What can go wrong, in one sentence, the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    FileUnreadable "file_unreadable" Error "A file that the configuration consists of cannot be read.",
    Syntax "syntax" Error "The file is not YAML, or not the part of YAML that has one meaning.",
    DuplicateKey "duplicate_key" Error "A key stands twice in one map, and only one of the two could count.",
    TooLarge "too_large" Error "The document is larger, or nested deeper, than anything that is meant.",
    MisplacedKey "misplaced_key" Error "An included file says what only the main file may say.",
    IncludeEmpty "include_empty" Warning "A pattern of `include` matches no file, so what it should bring is not there.",
    BundleBroken "bundle_broken" Error "The bundle is damaged, or was changed after it was built.",

    UnknownKey "unknown_key" Error "Nobody knows the key: what it should do would not happen.",
    UnknownValue "unknown_value" Error "The value is none of those that are known here.",
    MissingKey "missing_key" Error "A key that is needed is missing.",
    WrongType "wrong_type" Error "The value is of another kind than is expected, or out of range.",
    InvalidValue "invalid_value" Error "The value does not mean anything here.",
    ConflictingKeys "conflicting_keys" Error "The keys exclude each other.",
    UnknownFormat "unknown_format" Error "The document is written in a format that this Portico does not read.",
    TooManyErrors "too_many_errors" Error "There are more errors than are worth listing.",

    InvalidName "invalid_name" Error "The name would be misread in logs, in keys of limits or in challenges.",
    DuplicateName "duplicate_name" Error "Two things have one name, so that nobody can tell them apart.",
    UnknownName "unknown_name" Error "The name leads nowhere.",
    ReservedName "reserved_name" Error "The path or header field belongs to the gateway itself.",

    InvalidTemplate "invalid_template" Error "The template names a value that does not exist.",
    TemplateWithoutValue "template_without_value" Error "The template names a value that requests of this route never have.",
    CallerUnknown "caller_unknown" Error "The policy needs to know something about the caller that the route never learns.",
    NothingPasses "nothing_passes" Error "No request could ever pass.",
    NoEffect "no_effect" Error "What is written would do nothing.",
    Unsupported "unsupported" Error "Portico cannot do this yet.",

    InvalidPattern "invalid_pattern" Error "The host or path matches nothing that a client can send, or not what it seems to.",
    RouteUnreachable "route_unreachable" Error "Another route has the same match and comes first: this one is never reached.",
    RouteShadowed "route_shadowed" Warning "Other routes take every request that the route matches: it is never reached.",
    NoRoutes "no_routes" Warning "Without routes every request is answered 404.",

    PublicBesideAuthenticated "public_beside_authenticated" Warning "A route lets everybody in although its neighbours ask who is calling.",
    OptionalAuthWithScopes "optional_auth_with_scopes" Warning "Whoever leaves out the credentials passes without the scopes and claims.",
    CorsWildcardCredentials "cors_wildcard_credentials" Error "Every website could act as the user who visits it.",
    OpenRedirect "open_redirect" Error "The client could choose where it is sent: phishing with your name on it.",
    RateLimitMissing "rate_limit_missing" Warning "Anybody can send an upstream as many requests as the network carries.",
    RateLimitEvadable "rate_limit_evadable" Warning "The client chooses what it is counted by, so it can evade the limit.",
    CacheIdentityMissing "cache_identity_missing" Error "The cache could serve one caller what was made for another.",
    CacheKeyIncomplete "cache_key_incomplete" Error "A stored response may hold something that its key does not tell apart, and others would get it.",
    PurgeUnprotected "purge_unprotected" Error "Anybody could empty the cache, as often as it fills.",

    LiteralSecret "literal_secret" Warning "Everyone who can read the configuration, its history or a bundle knows the secret.",
    SecretNotReferenced "secret_not_referenced" Error "A secret stands in the configuration, where everyone can read it.",
    PrivateKey "private_key" Error "Whoever reads the key set can sign tokens with it.",
    SecretUnset "secret_unset" Warning "A secret is not set where the check ran: requests that need it are answered 500.",
    AlgorithmConfusion "algorithm_confusion" Error "A public key could pass as a shared secret, and anybody could sign tokens.",
    IssuerMissing "issuer_missing" Warning "Tokens are accepted whoever issued them.",
    AudienceMissing "audience_missing" Warning "Tokens are accepted that were made for another service.",
    KeySkipped "key_skipped" Warning "A key of the set is not used as it stands there: tokens that it signed may be refused.",
    DuplicateApiKey "duplicate_api_key" Error "Two consumers have the same key: nobody could tell who is calling.",
    DuplicateCertificate "duplicate_certificate" Error "Two consumers have the same certificate: nobody could tell who is calling.",

    TimeoutMissing "timeout_missing" Warning "Requests wait 30 s for an upstream that hangs, and pile up meanwhile.",
    RetryUnsafeMethod "retry_unsafe_method" Warning "A request may be done twice, an order placed or a card charged a second time.",
    BodyPolicyOnStream "body_policy_on_stream" Warning "The route serves streams, and nothing is removed from a stream.",
    StoreMissing "store_missing" Error "The configuration needs a key-value store, and the server has none.",
    StateElsewhere "state_elsewhere" Error "The platform does not count in the Redis that `state` names.",
    DemoUpstream "demo_upstream" Error "Demo upstreams are answered by `portico dev` only.",
    BindingUpstream "binding_upstream" Error "The platform has no bindings: nobody would answer.",
    HostNotPreserved "host_not_preserved" Error "The platform cannot send the client's `Host` to the upstream.",
    ClientUnknown "client_unknown" Error "The platform never learns about the client what the policy asks.",
    LimitGuarantee "limit_guarantee" Error "The platform cannot count as exactly as the rate limit asks for.",
    OnErrorMissing "on_error_missing" Error "The store of a rate limit is elsewhere, and nothing is said about when it cannot be reached.",
    InFlightUnsupported "in_flight_unsupported" Error "The platform does not know how many requests are under way.",
    InFlightPerNode "in_flight_per_node" Note "Each node counts for itself how many requests are under way.",
    CacheLocalOnly "cache_local_only" Error "The platform keeps no response where the cache is to keep them: nothing would ever be served from it.",
    LimitBound "limit_bound" Note "Instances lease units of a rate limit: more than the limit may pass, by no more than this.",

    WaiverInvalid "waiver_invalid" Error "The waiver names nothing that can be waived, or gives no reason.",
    WaiverUnused "waiver_unused" Warning "The waiver waives nothing: it would hide the next finding of its kind.",
}

impl Code {
    /// Whether it can be accepted with a reason. Errors cannot, and a waiver that is of no use is removed, not waived.
    pub fn is_waivable(self) -> bool {
        self.severity() == Severity::Warning && self != Self::WaiverUnused
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// There is no such code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such code")]
pub struct UnknownCode;

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().find(|code| code.as_str() == text).copied().ok_or(UnknownCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented_for_users() {
        let documentation = include_str!("../../../docs/checks.md");
        let mut rest = documentation;
        for code in Code::ALL {
            let entry = format!("\n### `{code}`\n\n**{}.** {}\n", code.severity(), code.title());
            let (_, behind) = rest.split_once(&entry).unwrap_or_else(|| panic!("docs/checks.md lacks, here: {entry}"));
            rest = behind;
        }
        assert_eq!(documentation.matches("\n### `").count(), Code::ALL.len());
    }

    #[test]
    fn codes_are_words_and_unique() {
        for code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code), "{code} is there twice");
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
        }
        assert_eq!("ttl".parse::<Code>(), Err(UnknownCode));
    }
}
