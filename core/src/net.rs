//! Networks in CIDR notation (RFC 4632, RFC 4291 §2.3).

use std::net::{IpAddr, Ipv6Addr};

/// An address as text. IPv4 by hand: `Display` takes ten times as long, and this is on every request's way.
pub(crate) fn text(address: IpAddr) -> String {
    let IpAddr::V4(v4) = address else { return address.to_string() };
    let [mut a, mut b, mut c, mut d] = [itoa::Buffer::new(); 4];
    let [one, two, three, four] = v4.octets();
    [a.format(one), ".", b.format(two), ".", c.format(three), ".", d.format(four)].concat()
}

/// An address or a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    /// The network's address; IPv4 as IPv4-mapped IPv6, so that both forms of one address compare equal.
    bits: u128,
    /// Leading bits that must agree, of 128.
    prefix: u8,
}

impl Net {
    /// Parses `192.0.2.7`, `192.0.2.0/24`, `2001:db8::1` or `2001:db8::/32`. Bits beyond the prefix are an error: whoever
    /// wrote them meant something else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| {
            format!("expected an address or a network such as 192.0.2.0/24 or 2001:db8::/32, found {text:?}")
        })?;
        let (width, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let prefix: u8 = match prefix {
            None => width,
            Some(prefix) => prefix
                .parse()
                .ok()
                .filter(|bits| *bits <= width)
                .ok_or_else(|| format!("the prefix length of {text:?} must be a number from 0 to {width}"))?,
        };
        let net = Self { bits: bits(address), prefix: prefix + offset };
        if net.bits & !net.mask() != 0 {
            let network = Ipv6Addr::from(net.bits & net.mask()).to_canonical();
            return Err(format!(
                "{text} has bits beyond its prefix: write {network}/{prefix}, or {address} for one address"
            ));
        }
        Ok(net)
    }

    /// Whether `address` lies within.
    pub fn contains(&self, address: IpAddr) -> bool {
        (bits(address) ^ self.bits) & self.mask() == 0
    }

    fn mask(&self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0)
    }
}

/// Whether a URI's host is this machine (RFC 6761 §6.3). IPv6 addresses stand in brackets.
pub(crate) fn is_loopback(host: &str) -> bool {
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    match literal.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let name = host.to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(net: &str, address: &str) -> bool {
        Net::parse(net).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn networks_contain_their_addresses() {
        assert!(contains("192.0.2.0/24", "192.0.2.255"));
        assert!(!contains("192.0.2.0/24", "192.0.3.0"));
        assert!(contains("192.0.2.7", "192.0.2.7"));
        assert!(!contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("0.0.0.0/0", "203.0.113.1"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"), "an IPv4 rule is not about IPv6");
        assert!(contains("::/0", "2001:db8::1"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"), "an IPv4-mapped address is the IPv4 address");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8", "example.com", "1.2.3.4/a"] {
            assert!(Net::parse(text).is_err(), "{text}");
        }
        let error = Net::parse("10.1.2.3/8").unwrap_err();
        assert!(error.contains("write 10.0.0.0/8, or 10.1.2.3"), "{error}");
    }
}
