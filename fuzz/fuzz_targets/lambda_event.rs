//! Events of Lambda: whatever the front was made to write, there is a request that core takes, or a refusal.
#![no_main]

use http::Version;
use http::header::{CONTENT_LENGTH, HOST};
use libfuzzer_sys::fuzz_target;

use crate::lambda::event::{self, Front};

#[path = "../../adapters/lambda/src"]
mod lambda {
    pub(crate) mod event;
}

fuzz_target!(|text: &[u8]| {
    let incoming = match event::request(text) {
        Ok(incoming) => incoming,
        Err(refused) => return assert!(!refused.to_string().is_empty()),
    };
    let (front, peer, request) = (incoming.front, incoming.peer, incoming.request);
    let target = request.uri();
    assert!(target.path().starts_with('/') && target.authority().is_none(), "{target}");
    assert!(target.to_string().bytes().all(|byte| matches!(byte, b'!'..=b'~')), "{target}");
    let named = request.headers().contains_key(HOST);
    assert_eq!(named, request.version() == Version::HTTP_11, "{front:?}");
    if let Some(length) = request.headers().get(CONTENT_LENGTH) {
        assert_eq!(length, &request.body().len().to_string());
    }
    // a load balancer hands on what clients say of their certificates in fields, which are nobody's word
    assert!(peer.certificate.is_none() || !matches!(front, Front::Alb { .. }));
});
