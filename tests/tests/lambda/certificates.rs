//! Client certificates: API Gateway says whose connection it is in a place that no client writes to, and a load balancer does not.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portico_tests::lambda::{Front, Function};
use serde_json::{Value, json};

use super::support::{ask, get, peer, start};

/// A certificate of this name.
fn made(name: &str) -> rcgen::Certificate {
    rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert
}

/// A function for whoever has this certificate.
fn function(certificate: &rcgen::Certificate) -> Function {
    let sha256 = portico_core::digest::sha256_hex(certificate.der());
    let identities = json!({ "devices": { "client_cert": { "certs": { "acme": { "sha256": sha256 } } } } });
    let route = json!({
        "name": "a", "match": { "path": "/" }, "respond": { "body": "${consumer}" }, "policies": { "auth": { "any_of": ["devices"] } },
    });
    start(&json!({ "portico": 1, "name": "test", "identities": identities, "routes": [route] }), &[])
}

/// What API Gateway tells of a certificate that it verified.
fn told(pem: &str) -> Value {
    json!({
        "clientCertPem": pem, "subjectDN": "CN=a", "issuerDN": "CN=b", "serialNumber": "1",
        "validity": { "notBefore": "Aug 29 00:28:21 2020 GMT", "notAfter": "Aug  5 00:28:21 2120 GMT" },
    })
}

#[test]
fn api_gateway_says_whose_certificate_it_is() {
    let (ours, other) = (made("device-7"), made("device-8"));
    let function = function(&ours);
    for (front, part) in [(Front::Http, "authentication"), (Front::Rest, "identity")] {
        let ask = |pem: Option<String>| {
            let mut event = front.event(&get("/"), &peer()).unwrap();
            if let Some(pem) = pem {
                event["requestContext"][part]["clientCert"] = told(&pem);
            }
            let answered = front.answer(&function.invoke(&event).unwrap(), "GET").unwrap();
            (answered.status, String::from_utf8(answered.body).unwrap())
        };
        assert_eq!(ask(Some(ours.pem())), (200, "acme".to_owned()), "{}", front.name());
        assert_eq!((ask(Some(other.pem())).0, ask(None).0), (401, 401), "{}", front.name());
    }
}

#[test]
fn no_field_of_a_request_is_a_certificate() {
    let ours = made("device-7");
    let function = function(&ours);
    let pem = utf8_percent_encode(&ours.pem(), NON_ALPHANUMERIC).to_string();
    for front in Front::ALL {
        for name in ["X-Amzn-Mtls-Clientcert-Leaf", "X-Amzn-Mtls-Clientcert"] {
            let mut send = get("/");
            send.headers.push((name.to_owned(), pem.clone()));
            assert_eq!(ask(&function, front, &send).status, 401, "{} {name}", front.name());
        }
    }
}
