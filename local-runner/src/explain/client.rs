//! Who asks: what a platform would know of the client, as far as the command line says it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use portico_core::{Certificate, Country, Peer};

/// Options about the connection that the request comes in on.
#[derive(Debug, clap::Args)]
pub(crate) struct Client {
    /// The address that connects to the gateway
    #[arg(long, value_name = "ADDRESS", default_value_t = Ipv4Addr::LOCALHOST.into())]
    from: IpAddr,
    /// The country that the platform knows for the address, such as DE [default: unknown]
    #[arg(long, value_name = "CODE", value_parser = country)]
    country: Option<Country>,
    /// The number of the autonomous system that the platform knows for the address, such as 64496 [default: unknown]
    #[arg(long, value_name = "NUMBER")]
    asn: Option<u32>,
    /// A TLS client certificate that the platform verified: subject=, issuer=, serial= or sha256=; several times for several of
    /// them [default: none]
    #[arg(long, value_name = "FIELD=VALUE", value_parser = field)]
    certificate: Vec<Field>,
}

/// One thing that is said of the certificate.
#[derive(Debug, Clone)]
enum Field {
    Subject(String),
    Issuer(String),
    Serial(String),
    Sha256(String),
}

impl Client {
    /// The peer that core is told of; a certificate of which no fingerprint is said has one of zeros.
    pub(crate) fn peer(&self, secure: bool) -> Peer {
        let mut peer = Peer::new(self.from, secure);
        (peer.country, peer.asn) = (self.country, self.asn);
        if !self.certificate.is_empty() {
            let (mut subject, mut issuer, mut serial) = (String::new(), String::new(), String::new());
            let mut sha256 = "0".repeat(64);
            for field in self.certificate.iter().cloned() {
                match field {
                    Field::Subject(text) => subject = text,
                    Field::Issuer(text) => issuer = text,
                    Field::Serial(text) => serial = text,
                    Field::Sha256(hex) => sha256 = hex,
                }
            }
            peer.certificate = Certificate::new(subject, issuer, serial, &sha256).map(Arc::new);
        }
        peer
    }
}

fn country(text: &str) -> Result<Country, String> {
    Country::parse(text).ok_or_else(|| "expected two capital letters of ISO 3166-1, such as DE".to_owned())
}

fn field(text: &str) -> Result<Field, String> {
    let known = || "expected subject=NAME, issuer=NAME, serial=HEX or sha256=HEX".to_owned();
    let (name, value) = text.split_once('=').ok_or_else(known)?;
    let value = value.to_owned();
    match name {
        "subject" => Ok(Field::Subject(value)),
        "issuer" => Ok(Field::Issuer(value)),
        "serial" => Ok(Field::Serial(value)),
        "sha256" if value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(Field::Sha256(value)),
        "sha256" => Err("expected 64 hex digits: openssl x509 -in FILE -outform DER | sha256sum".to_owned()),
        _ => Err(known()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_ends_its_name_at_the_first_equals_sign() {
        let Field::Subject(subject) = field("subject=CN=device-7,O=Example").unwrap() else { panic!() };
        assert_eq!(subject, "CN=device-7,O=Example");
        for (text, says) in [
            ("CN", "expected subject=NAME"),
            ("cn=a", "expected subject=NAME"),
            ("sha256=ab", "expected 64 hex digits"),
            ("sha256=", "expected 64 hex digits"),
        ] {
            assert!(field(text).unwrap_err().contains(says), "{text}");
        }
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        let mut client = Client { from: Ipv4Addr::LOCALHOST.into(), country: None, asn: None, certificate: Vec::new() };
        assert_eq!(client.peer(true), Peer::new(Ipv4Addr::LOCALHOST.into(), true));
        client.certificate = vec![Field::Serial("07".to_owned())];
        let certificate = client.peer(true).certificate.unwrap();
        assert_eq!(
            (certificate.serial.as_str(), certificate.subject.as_str(), certificate.sha256),
            ("07", "", [0; 32])
        );
    }
}
