//! Keys from outside: how long they hold, who fetches them and when, and what becomes of it when somebody fails or goes away.

mod flights;
mod issuers;
mod records;

use std::cell::Cell;
use std::rc::Rc;

use base64ct::{Base64UrlUnpadded, Encoding};
use ed25519_dalek::{Signer, SigningKey};
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::after::{FollowUp, Record};
use crate::body::Body;
use crate::config;
use crate::gateway::Gateway;
use crate::peer::Peer;
use crate::platform::Platform;
use crate::sim::{Sim, SimStream, block_on};

/// The URL under which the issuer of all tests has its keys.
const URL: &str = "https://id.example/keys";

/// One of many Ed25519 keys.
fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// The public half of that key, called `k` and its number.
fn jwk(seed: u8) -> Value {
    let x = Base64UrlUnpadded::encode_string(key(seed).verifying_key().as_bytes());
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": format!("k{seed}"), "x": x })
}

/// A set of such keys, as text.
fn set(seeds: &[u8]) -> String {
    json!({ "keys": seeds.iter().map(|seed| jwk(*seed)).collect::<Vec<_>>() }).to_string()
}

/// A token that the key signed, for a caller of this name, good until 2030.
fn token(seed: u8, sub: &str) -> String {
    let part = |value: Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let header = part(json!({ "alg": "EdDSA", "kid": format!("k{seed}") }));
    let input = format!("{header}.{}", part(json!({ "sub": sub, "exp": 1_893_456_000 })));
    let signature = key(seed).sign(input.as_bytes()).to_bytes();
    format!("{input}.{}", Base64UrlUnpadded::encode_string(&signature))
}

/// A gateway whose only route takes what this identity proves.
fn gateway(identity: &Value) -> Gateway {
    let document = json!({
        "portico": 1, "name": "shop", "identities": { "callers": identity },
        "routes": [{
            "name": "hello", "match": { "path": "/hello" }, "respond": { "status": 200 },
            "policies": { "auth": { "any_of": ["callers"] } },
        }],
    });
    config::compile(&document).unwrap().0
}

/// One whose keys are at the issuer's URL, fresh for 5 m, stale after 24 h.
fn remote() -> Gateway {
    gateway(&json!({ "jwt": { "jwks": URL, "algorithms": ["EdDSA"] } }))
}

/// A request that carries a header field; what the auth policy said to it, its detail, and what is left to do.
async fn call<P: Platform>(
    gateway: &Gateway,
    platform: &P,
    name: &str,
    value: &str,
) -> (String, String, FollowUp<P::Stream>) {
    let request = Request::get("/hello").header("host", "a").header(name, value).body(Body::Empty).unwrap();
    let (response, after) = gateway.handle(platform, &Peer::new([127, 0, 0, 1].into(), false), request).await;
    let (code, detail) = said(&after.record);
    assert_eq!(response.status() == StatusCode::OK, code.ends_with("_valid"), "{code}");
    (code, detail, after.follow_up)
}

fn said(record: &Record) -> (String, String) {
    let auth = record.decisions.iter().find(|decision| decision.policy.as_str() == "auth").unwrap();
    (auth.reason.code().to_owned(), auth.detail.to_string())
}

/// The same on a platform that never waits, and what follows is done.
fn ask(gateway: &Gateway, sim: &Sim, token: &str) -> String {
    block_on(async {
        let (code, _, follow_up) = call(gateway, sim, "authorization", &format!("Bearer {token}")).await;
        follow_up.run(gateway, sim).await;
        code
    })
}

/// An issuer that answers what it is told to, and counts.
#[derive(Clone)]
struct Issuer {
    answer: Rc<std::cell::RefCell<(u16, String)>>,
    asked: Rc<Cell<u32>>,
}

impl Issuer {
    /// One with these keys.
    fn new(sim: &Sim, seeds: &[u8]) -> Self {
        let issuer = Self { answer: Rc::new((200, set(seeds)).into()), asked: Rc::default() };
        let this = issuer.clone();
        sim.upstream("id.example", move |request| {
            assert_eq!(request.uri(), URL);
            assert_eq!(request.method(), "GET");
            expect_polite(request.headers());
            this.asked.set(this.asked.get() + 1);
            let (status, body) = this.answer.borrow().clone();
            let body = Body::Stream(SimStream::of([body.into_bytes()]));
            let mut response = Response::new(body);
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response
        });
        issuer
    }

    fn says(&self, status: u16, body: String) {
        *self.answer.borrow_mut() = (status, body);
    }

    fn has(&self, seeds: &[u8]) {
        self.says(200, set(seeds));
    }

    /// How often it was asked since this was asked.
    fn asked(&self) -> u32 {
        self.asked.replace(0)
    }
}

/// Nothing of the caller's request goes to the issuer.
fn expect_polite(headers: &HeaderMap) {
    let mut names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "user-agent"]);
    assert_eq!(headers["accept"], "application/json");
}
