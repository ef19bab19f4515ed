//! Address rules: which clients may pass, by their address, and by the country and the autonomous system that the platform
//! knows for it. The address is the one the platform vouches for, see [`Context::client`].

use crate::config::{At, Code, Compiler, wire};
use crate::context::{Context, Mode};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::net::Net;
use crate::peer::Country;

/// Compiled address rules.
#[derive(Debug)]
pub struct Ip {
    allow: Vec<Entry>,
    deny: Vec<Entry>,
    mode: Mode,
}

/// Some clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// Those at an address of this network.
    Net(Net),
    /// Those in this country.
    Country(Country),
    /// Those in the autonomous system of this number.
    Asn(u32),
}

impl Ip {
    pub(crate) fn compile(wire: &wire::Ip, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        let mode = super::mode(wire.mode)?;
        if wire.allow.is_empty() && wire.deny.is_empty() {
            compiler
                .error(at, "address rules need `allow`, `deny` or both")
                .code(Code::NoEffect)
                .help("to have none, write `ip: off`");
        }
        let mut entries = |texts: &[String], at: &At<'_>| {
            let parse = |(index, text): (usize, &String)| compiler.check(&at.child_index(index), Entry::parse(text));
            texts.iter().enumerate().filter_map(parse).collect()
        };
        let allow = entries(&wire.allow, &at.child_key("allow"));
        let deny = entries(&wire.deny, &at.child_key("deny"));
        Some(Self { allow, deny, mode })
    }

    /// Step 5 of a request's life: a client passes who is on no `deny` entry, and on an `allow` entry if there are any.
    pub fn check(&self, context: &mut Context<'_>) -> Result<(), Refusal> {
        let on = |entries: &[Entry]| entries.iter().copied().find(|entry| entry.is_for(context));
        let why = match on(&self.deny) {
            Some(Entry::Net(_)) => "the address is on `deny`",
            Some(Entry::Country(_)) => "the country is on `deny`",
            Some(Entry::Asn(_)) => "the autonomous system is on `deny`",
            None if self.allow.is_empty() || on(&self.allow).is_some() => {
                context.allow(Policy::Ip, Reason::AddressAllowed, "");
                return Ok(());
            }
            None => "on no entry of `allow`",
        };
        context.refuse(Refusal::new(Policy::Ip, Reason::AddressDenied).note(why), self.mode)
    }
}

impl Entry {
    /// Parses what [`Net::parse`] does, `country:DE` or `asn:64496`.
    fn parse(text: &str) -> Result<Self, String> {
        if let Some(code) = text.strip_prefix("country:") {
            return Country::parse(code).map(Self::Country).ok_or_else(|| match Country::parse(&code.to_uppercase()) {
                Some(country) => format!("country codes are in upper case: write country:{country}"),
                None => format!("expected a country code of ISO 3166-1 alpha-2 such as country:DE, found {text:?}"),
            });
        }
        if let Some(digits) = text.strip_prefix("asn:") {
            // one spelling only, and 0 is nobody's (RFC 7607)
            let number = digits.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == digits);
            return number.map(Self::Asn).ok_or_else(|| {
                format!("expected the number of an autonomous system such as asn:64496, found {text:?}")
            });
        }
        Net::parse(text).map(Self::Net)
    }

    /// Whether the client is one of them; one of unknown country or autonomous system is in none.
    fn is_for(self, context: &Context<'_>) -> bool {
        match self {
            Self::Net(net) => net.contains(context.client),
            Self::Country(country) => context.country == Some(country),
            Self::Asn(number) => context.asn == Some(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_one_spelling() {
        assert_eq!(Entry::parse("country:DE"), Ok(Entry::Country(Country::parse("DE").unwrap())));
        assert_eq!(Entry::parse("asn:4294967295"), Ok(Entry::Asn(u32::MAX)));
        assert_eq!(Entry::parse("2001:db8::/32"), Ok(Entry::Net(Net::parse("2001:db8::/32").unwrap())));
        for (text, says) in [
            ("country:de", "write country:DE"),
            ("country:UK", "such as country:DE, found \"country:UK\""),
            ("country:", "ISO 3166-1"),
            ("country:XX", "ISO 3166-1"),
            ("country: DE", "ISO 3166-1"),
            ("asn:AS64496", "such as asn:64496"),
            ("asn:064496", "such as asn:64496"),
            ("asn:+1", "such as asn:64496"),
            ("asn:0", "such as asn:64496"),
            ("asn:4294967296", "such as asn:64496"),
            ("DE", "expected an address or a network"),
            ("Country:DE", "expected an address or a network"),
        ] {
            let error = Entry::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
