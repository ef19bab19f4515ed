//! The client certificate that API Gateway verified (mutual TLS of a custom domain).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use portico_core::{Certificate, digest};

use super::wire::{ClientCert, Text};

/// The certificate, recognised by the SHA-256 of its DER. `None` when that cannot be read.
pub(super) fn certificate(told: &ClientCert<'_>) -> Option<Certificate> {
    let der = der(&told.pem.0)?;
    let text = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.0.to_string()).unwrap_or_default();
    let (subject, issuer, serial) = (text(&told.subject), text(&told.issuer), text(&told.serial));
    Certificate::new(subject, issuer, serial, &digest::sha256_hex(&der))
}

/// The first certificate of a PEM (RFC 7468 §5): the client's own.
fn der(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (base64, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let base64: Vec<u8> = base64.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(base64).ok().filter(|der| !der.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_chain_is_the_clients() {
        let block = |base64: &str| format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        assert_eq!(der(&block("aGVs\r\nbG8=")).unwrap(), b"hello");
        assert_eq!(der(&[block("aGVsbG8="), block("aXNzdWVy")].concat()).unwrap(), b"hello");
        assert_eq!(der(&format!("Bag Attributes\n{}", block("aGVsbG8="))).unwrap(), b"hello");
        for broken in ["", "aGVsbG8=", &block(""), &block("a~"), "-----BEGIN CERTIFICATE-----\naGVsbG8=..."] {
            assert_eq!(der(broken), None, "{broken}");
        }
    }
}
