//! What the whole chain of decisions costs in core: one request through `Gateway::handle` on a platform that does nothing
//! but answer, so that what remains is Portico's own.

use std::sync::Arc;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Request, Response};
use portico_core::cache::{Item, Purge, Reach};
use portico_core::limit::{Draw, MemoryStore, Rule, Verdict};
use portico_core::sim::block_on;
use portico_core::{Body, CollectError, FetchError, Gateway, Peer, Platform, StoreError, Timestamp, config};
use serde_json::json;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The clock stands, the upstream answers at once, the limits are in memory.
struct Bench {
    limits: MemoryStore,
}

impl Platform for Bench {
    type Stream = ();

    async fn fetch(&self, _: Request<Body<()>>, _: Duration) -> Result<Response<Body<()>>, FetchError> {
        Ok(Response::new(Body::Empty))
    }

    async fn collect(&self, (): (), _: u64) -> Result<Bytes, CollectError> {
        Ok(Bytes::new())
    }

    fn bounded(&self, (): (), _: u64) {}

    async fn sleep(&self, _: Duration) {}

    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
    }

    fn random(&self) -> u128 {
        0x0123_4567_89ab_cdef_0123_4567_89ab_cdef
    }

    async fn rate_limit(&self, key: &str, rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError> {
        Ok(self.limits.step(key, rules, || self.now(), draw))
    }

    async fn read(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
        Err(StoreError)
    }

    async fn write(&self, _: &str, _: Bytes, _: Duration) -> Result<(), StoreError> {
        Err(StoreError)
    }

    async fn cached(&self, _: &str, _: Reach) -> Result<Option<Arc<Item>>, StoreError> {
        Ok(None)
    }

    async fn cache(&self, _: &str, _: &Arc<Item>, _: Duration, _: Reach) -> Result<(), StoreError> {
        Ok(())
    }

    async fn forget(&self, _: &str, _: Reach) -> Result<(), StoreError> {
        Ok(())
    }

    fn tee(&self, (): (), _: u64) -> ((), ()) {
        ((), ())
    }

    async fn purges(&self) -> Result<Vec<Purge>, StoreError> {
        Ok(Vec::new())
    }

    async fn purge(&self, _: &[Purge]) -> Result<(), StoreError> {
        Ok(())
    }

    fn secret(&self, _: &str) -> Option<String> {
        Some(SECRET.to_owned())
    }
}

fn token() -> String {
    let part = |value: serde_json::Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let header = part(json!({ "alg": "HS256", "typ": "JWT" }));
    let claims = part(json!({
        "iss": "https://id.example/", "aud": "shop", "sub": "user-4711", "exp": 1_900_000_000, "nbf": 1_700_000_000,
        "scope": "orders:read orders:write profile", "email": "somebody@example.com", "org": "acme",
        "roles": ["buyer", "approver"], "session": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    }));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key of any length will do");
    mac.update(format!("{header}.{claims}").as_bytes());
    format!("{header}.{claims}.{}", Base64UrlUnpadded::encode_string(&mac.finalize().into_bytes()))
}

fn gateway(policies: &serde_json::Value) -> Gateway {
    let document = json!({
        "portico": 1, "name": "shop",
        "upstreams": { "orders": { "targets": [{ "url": "http://orders.internal" }] } },
        "identities": { "users": { "jwt": {
            "secret": "${secret.JWT}", "issuer": "https://id.example/", "audience": "shop", "algorithms": ["HS256"],
        } } },
        "routes": [{
            "name": "orders", "match": { "host": "api.example.com", "path": "/api/orders/{*rest}", "methods": ["GET"] },
            "upstream": "orders", "policies": policies,
        }],
    });
    config::compile(&document).expect("the bench's configuration is valid").0
}

fn chain(criterion: &mut Criterion) {
    let chains = [
        ("forward only", json!({})),
        (
            "address, limit by ip",
            json!({
                "ip": { "deny": ["203.0.113.0/24"] }, "rate_limit": { "limit": 1_000_000, "per": "1s" },
            }),
        ),
        (
            "JWT remembered, limit by consumer, headers",
            json!({
                "auth": { "any_of": ["users"], "scopes": ["orders:read"] },
                "rate_limit": { "limit": 1_000_000, "per": "1s", "by": "consumer", "burst": 4_000_000_000_u32 },
                "request": { "headers": { "set": { "X-User-Id": "${claims.sub}" }, "remove": ["X-Internal"] } },
                "response": { "headers": { "remove": ["Server"] } },
            }),
        ),
        (
            "the same with CORS, path and security headers",
            json!({
                "cors": { "origins": ["https://shop.example"], "credentials": true },
                "body_limit": "1MiB",
                "security_headers": {},
                "auth": { "any_of": ["users"], "scopes": ["orders:read"] },
                "rate_limit": { "limit": 1_000_000, "per": "1s", "by": "consumer", "burst": 4_000_000_000_u32 },
                "request": { "path": "/v1/orders/${path.rest}", "headers": { "set": { "X-User-Id": "${claims.sub}" } } },
                "response": { "headers": { "remove": ["Server"] } },
            }),
        ),
    ];
    let token = format!("Bearer {}", token());
    let platform = Bench { limits: MemoryStore::new(100_000, 1) };
    let peer = Peer::new([192, 0, 2, 1].into(), true);
    let mut group = criterion.benchmark_group("chain");
    for (name, policies) in chains {
        let gateway = gateway(&policies);
        // as a server makes them: every value is a slice of the one buffer that was read
        let request = || {
            let fields = [
                ("host", "api.example.com"),
                ("accept", "*/*"),
                ("user-agent", "bench/1"),
                ("origin", "https://shop.example"),
                ("authorization", &token),
            ];
            let read = Bytes::from(fields.map(|(_, value)| value).concat());
            let mut request = Request::get("/api/orders/7").body(Body::Empty).expect("the bench's request is valid");
            request.headers_mut().reserve(fields.len());
            let mut start = 0;
            for (name, value) in fields {
                let value = read.slice(start..start + value.len());
                start += value.len();
                let value = HeaderValue::from_maybe_shared(value).expect("the bench's values are valid");
                request.headers_mut().insert(name, value);
            }
            request
        };
        assert_eq!(block_on(gateway.handle(&platform, &peer, request())).0.status(), 200, "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                request,
                // dropping what came out is part of what a request costs
                |request| drop(block_on(gateway.handle(&platform, &peer, request))),
                criterion::BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, chain);
criterion_main!(benches);
