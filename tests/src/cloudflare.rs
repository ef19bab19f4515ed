//! The third subject: the Worker that `wrangler.toml` deploys, on workerd, the runtime of Cloudflare Workers, between a client
//! that plays Cloudflare's edge and real origins.
//!
//! `scripts/build-cloudflare` builds it; the cases share that one build, each with a bundle of its own. Each case has a
//! process of its own, so that its stores are fresh: a start takes a tenth of a second. What workerd leaves to others is by
//! its own means: rate limits are Durable Objects on its SQLite storage; the KV namespace and the data centre's cache are services
//! beside the Worker (`cloudflare/values.js`, `cloudflare/cache.js`).

mod capnp;
mod edge;
mod worker;
mod workerd;
mod wrangler;

pub use self::worker::Worker;

use self::workerd::Workerd;
use crate::joined::Joined;
use crate::origins::Origins;
use crate::{bundle, client};
use portico::case::http1;
use portico::case::subject::{Answer, Refusal, Session, Subject};
use portico::case::{Case, Need, Peer, Send};

/// The Worker.
#[derive(Debug)]
pub struct Cloudflare;

struct Running {
    // in the order in which they have to end
    workerd: Workerd,
    origins: Origins,
    peer: Peer,
    joined: Joined,
}

impl Subject for Cloudflare {
    fn name(&self) -> &'static str {
        "cloudflare"
    }

    fn lacks(&self, _: &Case, need: Need) -> Option<String> {
        match need {
            Need::Clock => Some("a real clock cannot be moved".to_owned()),
            Need::Store => Some("Durable Objects and KV do not fail on demand".to_owned()),
            // the edge says who the client is, and encrypts; the configuration is the case's
            Need::Peer | Need::Client | Need::Ipv6 | Need::Tls | Need::Keys | Need::Binding => None,
        }
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Session>, String> {
        let origins = Origins::start(case)?;
        let workerd = Workerd::start(case, &origins, None)?;
        Ok(Box::new(Running { workerd, origins, peer: case.peer.clone(), joined: Joined::of(case) }))
    }

    fn refuse(&self, case: &Case) -> Result<Refusal, String> {
        // a Worker gets a bundle, and what is wrong makes none
        bundle::refuse("cloudflare", &case.config)
    }
}

impl Session for Running {
    fn exchange(&mut self, send: &Send) -> Result<Answer, String> {
        drop(self.origins.received());
        let passed = edge::pass(send, &self.peer);
        let (status, message) =
            client::exchange(self.workerd.clients, &passed).map_err(|error| format!("no response: {error}"))?;
        let told = self.workerd.access.told(message.values("x-request-id").next());
        let (route, decisions) = told.map_err(|error| format!("{error}{}", self.workerd.said()))?;
        let http1::Message { headers, body, broke, .. } = message;
        let upstream = self.origins.received();
        Ok(self.joined.split(Answer { status, headers, body, broke, upstream, route, decisions }))
    }

    fn set_value(&mut self, key: &str, value: Option<&str>) -> Result<(), String> {
        client::put(self.workerd.values, "values", &format!("/{key}"), value)
    }
}
