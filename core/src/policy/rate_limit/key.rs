//! Whose bucket a request draws from.

use std::borrow::Cow;
use std::net::IpAddr;

use http::HeaderName;

use crate::config::{At, Code, Compiler, wire};
use crate::context::{Context, Mode};
use crate::policy::RouteScope;

/// What a limit counts, and how its buckets are called in the store.
#[derive(Debug)]
pub(crate) struct Key {
    by: By,
    /// What every key of this limit starts with.
    prefix: String,
    /// What `RateLimit` calls the limit.
    pub(crate) name: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
enum By {
    Ip,
    Consumer,
    Everyone,
    Header(HeaderName),
    Claim(String),
}

/// Longer values of headers and claims are not kept whole in a store's key.
const MAX_VALUE: usize = 256;

impl Key {
    /// What `by` says. `kind` tells apart what counts differently, and is empty for a lone GCRA; `numbers` tell limits of all routes apart.
    pub(crate) fn compile(
        by: &wire::By,
        (kind, numbers): (&str, &str),
        mode: Mode,
        at: &At<'_>,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let needs = match by {
            wire::By::Consumer if !scope.has_consumer => Some("by: consumer"),
            wire::By::Claim(_) if !scope.has_claims => Some("by: { claim: … }"),
            _ => None,
        };
        if let Some(needs) = needs {
            let message = format!("`{needs}` needs a caller who is known, and `{}` authenticates nobody", scope.name);
            let help = "add `auth` with an identity that knows it, or limit `by: ip`";
            compiler.error(at, message).code(Code::CallerUnknown).help(help);
        }
        let stem = match by {
            wire::By::Global => format!("global:{numbers}"),
            wire::By::Header(header) => format!("{}:header:{}", scope.name, header.to_ascii_lowercase()),
            wire::By::Claim(claim) => format!("{}:claim:{claim}", scope.name),
            wire::By::Ip => format!("{}:ip", scope.name),
            wire::By::Consumer => format!("{}:consumer", scope.name),
            wire::By::Route => format!("{}:route", scope.name),
        };
        let (by, name) = match by {
            wire::By::Ip => (By::Ip, "ip"),
            wire::By::Consumer => (By::Consumer, "consumer"),
            wire::By::Route => (By::Everyone, "route"),
            wire::By::Global => (By::Everyone, "global"),
            wire::By::Header(header) => (By::Header(compiler.header_name(header, &at.child_key("header"))?), "header"),
            wire::By::Claim(claim) => (By::Claim(claim.clone()), "claim"),
        };
        // no name of a route has a colon, so that no two of these are alike
        let kind = if kind.is_empty() { String::new() } else { format!("{kind}::") };
        // what only observes must not draw from a bucket that counts
        let observe = if mode == Mode::Observe { "observe::" } else { "" };
        Some(Self { by, prefix: format!("{kind}{observe}{stem}"), name })
    }

    /// Whether it is known only once the caller is known.
    pub(crate) fn needs_identity(&self) -> bool {
        matches!(self.by, By::Consumer | By::Claim(_))
    }

    /// The bucket of one request.
    pub(crate) fn of(&self, context: &Context<'_>) -> String {
        let key = self.whole(context);
        match key.get(self.prefix.len()..) {
            Some(value) if value.len() > MAX_VALUE => {
                format!("{}:sha256:{}", self.prefix, crate::digest::sha256_hex(value.as_bytes()))
            }
            _ => key,
        }
    }

    fn whole(&self, context: &Context<'_>) -> String {
        let value: Cow<'_, str> = match &self.by {
            By::Everyone => return self.prefix.clone(),
            By::Ip => Cow::Owned(subscriber(context.client)),
            By::Consumer => match &context.principal {
                Some(principal) => return [&self.prefix, ":", &principal.identity, ":", &principal.consumer].concat(),
                // an optional identity, or one that only observes: strangers are told apart by address
                None => Cow::Owned(format!("ip:{}", subscriber(context.client))),
            },
            By::Header(name) => {
                context.headers.get(name).map_or(Cow::Borrowed(""), |value| String::from_utf8_lossy(value.as_bytes()))
            }
            By::Claim(name) => {
                context.principal.as_ref().and_then(|principal| principal.claim(name)).unwrap_or_default()
            }
        };
        [&self.prefix, ":", &value].concat()
    }
}

/// One subscriber's addresses: an IPv4 address, or the /64 that an IPv6 client moves in at will (RFC 6177).
fn subscriber(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("{}/64", std::net::Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_subscriber_is_a_64() {
        let of = |text: &str| subscriber(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:aaaa::1"), of("2001:db8:1:2:bbbb::2"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
    }
}
