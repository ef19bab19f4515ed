//! What Cloudflare's edge does to a request before a Worker sees it.

use portico::case::{Peer, Send};
use serde_json::json;

/// The field by which workerd is told `request.cf`; the Worker does not see it.
pub(super) const CF: &str = "Edge-Cf";

/// The field by which workerd is told the scheme of `request.url`; the Worker does not see it.
pub(super) const SCHEME: &str = "Edge-Scheme";

/// Fields that the edge sets, whatever the client said. `X-Forwarded-For` is not among them: it grows behind the Worker.
const OWN: [&str; 3] = ["cf-connecting-ip", "cf-ipcountry", "cf-visitor"];

/// The request of a client as it reaches the Worker.
pub(super) fn pass(send: &Send, peer: &Peer) -> Send {
    let mut send = send.clone();
    send.headers.retain(|(name, _)| !OWN.contains(&name.to_ascii_lowercase().as_str()));
    let scheme = if peer.secure { "https" } else { "http" };
    // not documented: whether it lets through what the client says. That is the harder case, so here it does
    for (name, value) in [("X-Real-IP", peer.address.to_string()), ("X-Forwarded-Proto", scheme.to_owned())] {
        if !send.headers.iter().any(|(sent, _)| sent.eq_ignore_ascii_case(name)) {
            send.headers.push((name.to_owned(), value));
        }
    }
    let mut set = |name: &str, value: String| send.headers.push((name.to_owned(), value));
    set("CF-Connecting-IP", peer.address.to_string());
    set("CF-Visitor", json!({ "scheme": scheme }).to_string());
    if let Some(country) = peer.country {
        set("CF-IPCountry", country.to_string());
    }
    set(CF, cf(peer).to_string());
    set(SCHEME, scheme.to_owned());
    send
}

/// `request.cf`: what the edge knows of a client.
fn cf(peer: &Peer) -> serde_json::Value {
    let certificate = match &peer.certificate {
        // what it says of connections without one
        None => json!({ "certPresented": "0", "certVerified": "NONE" }),
        Some(certificate) => json!({
            "certPresented": "1",
            "certVerified": "SUCCESS",
            "certRevoked": "0",
            "certSubjectDNRFC2253": certificate.subject,
            "certIssuerDNRFC2253": certificate.issuer,
            "certSerial": certificate.serial,
            "certFingerprintSHA256": portico_core::digest::hex(&certificate.sha256),
        }),
    };
    let mut cf = json!({ "httpProtocol": "HTTP/1.1", "tlsClientAuth": certificate });
    if let Some(country) = peer.country {
        cf["country"] = country.to_string().into();
    }
    if let Some(asn) = peer.asn {
        cf["asn"] = asn.into();
    }
    cf
}
