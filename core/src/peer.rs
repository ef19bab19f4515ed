//! Who opened the connection that a request came in on, as far as the platform can tell.
//!
//! Everything here is the platform's word, never the client's: nothing of it is read from the request.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::digest;
use crate::template::CertificateField;

/// What the platform tells about the connection that a request came in on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The address of whoever opened the connection: a client, or a proxy in front of us.
    pub address: IpAddr,
    /// Whether the connection was encrypted (`https`), as the platform saw it.
    pub secure: bool,
    /// The country that the address is used in; `None` when the platform does not know.
    pub country: Option<Country>,
    /// The number of the autonomous system (RFC 1930) that announces the address; `None` when the platform does not know.
    pub asn: Option<u32>,
    /// The TLS client certificate, if one was presented and the platform verified it: its chain, its dates, possession of the
    /// key, and that it is not revoked as far as the platform knows. `None` otherwise, and on platforms that ask for none.
    pub certificate: Option<Arc<Certificate>>,
}

impl Peer {
    /// A peer of which nothing is known but its address and whether its connection is encrypted.
    pub const fn new(address: IpAddr, secure: bool) -> Self {
        Self { address, secure, country: None, asn: None, certificate: None }
    }
}

/// A TLS client certificate that the platform verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The distinguished name of its subject, as the platform writes it (RFC 4514). May be empty.
    pub subject: String,
    /// The distinguished name of its issuer, likewise.
    pub issuer: String,
    /// Its serial number, as the platform writes it, usually in hex.
    pub serial: String,
    /// The SHA-256 of the whole certificate (DER).
    pub sha256: [u8; 32],
}

impl Certificate {
    /// A certificate as platforms tell of it: the fingerprint is 64 hex digits of either case. `None` when it is not: a
    /// certificate that nobody can recognise proves nothing.
    pub fn new(subject: String, issuer: String, serial: String, sha256: &str) -> Option<Self> {
        Some(Self { subject, issuer, serial, sha256: digest::parse_hex(sha256)? })
    }

    /// A part of it as text.
    pub(crate) fn field(&self, field: CertificateField) -> Cow<'_, str> {
        match field {
            CertificateField::Subject => Cow::Borrowed(&self.subject),
            CertificateField::Issuer => Cow::Borrowed(&self.issuer),
            CertificateField::Serial => Cow::Borrowed(&self.serial),
            CertificateField::Sha256 => Cow::Owned(digest::hex(&self.sha256)),
        }
    }
}

/// A country: a code of ISO 3166-1 alpha-2, such as DE.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(&'static str);

impl Country {
    /// Reads a code in upper case. `None` for what is no country, which includes what platforms say when they do not know
    /// (`XX`) or when the client hides (`T1`, the Tor network).
    pub fn parse(code: &str) -> Option<Self> {
        CODES.binary_search(&code).ok().and_then(|index| CODES.get(index)).copied().map(Self)
    }

    /// The code.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// The codes that ISO 3166-1 assigns, and XK, which it leaves to users and everybody uses for Kosovo. Sorted.
const CODES: [&str; 250] = [
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ", "BA", "BB", "BD",
    "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS", "BT", "BV", "BW", "BY", "BZ", "CA",
    "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN", "CO", "CR", "CU", "CV", "CW", "CX", "CY", "CZ", "DE",
    "DJ", "DK", "DM", "DO", "DZ", "EC", "EE", "EG", "EH", "ER", "ES", "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA",
    "GB", "GD", "GE", "GF", "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY", "HK",
    "HM", "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE", "JM", "JO", "JP",
    "KE", "KG", "KH", "KI", "KM", "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC", "LI", "LK", "LR", "LS", "LT",
    "LU", "LV", "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK", "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS",
    "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA", "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ",
    "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PL", "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS",
    "RU", "RW", "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS", "ST",
    "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO", "TR", "TT", "TV", "TW",
    "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VI", "VN", "VU", "WF", "WS", "XK", "YE", "YT",
    "ZA", "ZM", "ZW",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_codes_in_upper_case() {
        assert!(CODES.is_sorted());
        for code in CODES {
            assert!(code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()), "{code}");
            assert_eq!(Country::parse(code).map(Country::as_str), Some(code));
        }
        for text in ["", "D", "de", "DEU", "UK", "EU", "XX", "T1", "Germany"] {
            assert_eq!(Country::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_certificate_has_a_fingerprint() {
        let certificate = |sha256: &str| Certificate::new("CN=a".into(), "CN=b".into(), "07".into(), sha256);
        let upper = certificate(&"AB".repeat(32)).unwrap();
        assert_eq!(upper.sha256, [0xab; 32]);
        assert_eq!(certificate(&"ab".repeat(32)), Some(upper));
        assert_eq!(certificate(""), None);
        assert_eq!(certificate(&"AB:".repeat(32)), None);
    }
}
