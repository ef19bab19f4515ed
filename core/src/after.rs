//! What is left to do once the response is on its way: the access log's record, and what nobody had to wait for.

mod line;

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};

use crate::config::Hash;
use crate::context::{Context, Principal, RequestId, Trace};
use crate::decision::{Decision, Outcome, Policy, Reason};
use crate::gateway::Gateway;
use crate::limit::Slot;
use crate::peer::{Country, Peer};
use crate::platform::{Platform, Timestamp};
use crate::policy::cache::{Chore, Room};
use crate::policy::identity::Errand;

/// What the platform does after the response, in its own way (`wait_until`, a task, an await).
#[derive(Debug)]
#[must_use = "the access log and everything else that follows a response depend on it"]
pub struct After<S> {
    /// What happened, for the access log.
    pub record: Record,
    /// What nobody had to wait for.
    pub follow_up: FollowUp<S>,
    /// What the response takes until its body was sent or given up: kept for so long.
    pub held: Held,
}

/// What a response takes of what is limited: the request's place among those that are under way, and memory on a route that caches.
#[derive(Debug, Default)]
#[must_use = "what it takes is free again when it is dropped"]
pub struct Held {
    pub(crate) slot: Option<Slot>,
    pub(crate) room: Option<Arc<Room>>,
}

/// What could wait until the response was on its way: key sets that are to be fetched anew, copies of them to be stored, responses for
/// the cache. Nearly always nothing, but on routes that cache.
#[derive(Debug)]
pub struct FollowUp<S> {
    errands: Vec<Errand>,
    chores: Vec<Chore<S>>,
}

impl<S> Default for FollowUp<S> {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

impl<S> FollowUp<S> {
    pub(crate) fn new(errands: Vec<Errand>, chores: Vec<Chore<S>>) -> Self {
        Self { errands, chores }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.errands.is_empty() && self.chores.is_empty()
    }

    /// Does it, for the gateway that answered. What goes wrong shows with the next request that it concerns.
    ///
    /// A response that is stored may be read on while its client still reads it: run this beside the sending of the response, not
    /// behind it, wherever the platform can.
    pub async fn run<P: Platform<Stream = S>>(self, gateway: &Gateway, platform: &P) {
        for chore in self.chores {
            chore.run(gateway, platform).await;
        }
        for errand in &self.errands {
            errand.run(platform).await;
        }
    }
}

/// What a platform keeps of a request while core decides it, for [`Record::abandoned`]. Made without copying.
#[derive(Debug, Clone)]
pub struct Seen {
    received: Timestamp,
    method: Method,
    uri: Uri,
    authority: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
}

impl Seen {
    /// Looks at a request that is about to be decided.
    pub fn new<P: Platform, B>(platform: &P, request: &Request<B>) -> Self {
        let header = |name| request.headers().get(name).cloned();
        Self {
            received: platform.now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            authority: header(HOST),
            user_agent: header(USER_AGENT),
        }
    }
}

/// One request as the access log tells it.
#[derive(Debug)]
pub struct Record {
    /// When the request arrived.
    pub received: Timestamp,
    /// The request's id.
    pub id: RequestId,
    /// The trace it belongs to.
    pub trace: Trace,
    /// The peer's address.
    pub peer: IpAddr,
    /// The client's address: the peer's, or what trusted proxies said.
    pub client: IpAddr,
    /// The client's country, if the platform knows it.
    pub country: Option<Country>,
    /// The number of the client's autonomous system, if the platform knows it.
    pub asn: Option<u32>,
    /// The method.
    pub method: Method,
    /// The request target as it came.
    pub uri: Uri,
    /// The canonical path, where it differs from the path as it came.
    pub canonical: Option<String>,
    /// The host the client asked for, with its port if it gave one.
    pub authority: Option<HeaderValue>,
    /// The `User-Agent`.
    pub user_agent: Option<HeaderValue>,
    /// The route that served it.
    pub route: Option<Arc<str>>,
    /// Who was authenticated.
    pub principal: Option<Arc<Principal>>,
    /// The upstream and target that were asked.
    pub upstream: Option<Arc<str>>,
    /// The response's status.
    pub status: StatusCode,
    /// What each step decided.
    pub decisions: Vec<Decision>,
    /// The configuration that decided it.
    pub config: Hash,
}

impl Record {
    /// The record of a request whose client went away before there was an answer, so that core never came to its end: what
    /// is known from outside. Its status is nginx's 499, which was sent to nobody.
    pub fn abandoned<P: Platform>(platform: &P, peer: &Peer, request: Seen, config: Hash) -> Self {
        let reason = Reason::ClientGone;
        Self {
            received: request.received,
            id: RequestId::new(platform.random()),
            trace: Trace::new(&HeaderMap::new(), platform.random(), platform.random()),
            peer: peer.address.to_canonical(),
            client: peer.address.to_canonical(),
            country: peer.country,
            asn: peer.asn,
            method: request.method,
            uri: request.uri,
            canonical: None,
            authority: request.authority,
            user_agent: request.user_agent,
            route: None,
            principal: None,
            upstream: None,
            status: reason.status(),
            decisions: vec![Decision { policy: Policy::Forward, outcome: Outcome::Deny, reason, detail: "".into() }],
            config,
        }
    }

    pub(crate) fn new(context: Context<'_>, status: StatusCode, config: Hash) -> Self {
        Self {
            received: context.received,
            trace: context.trace,
            peer: context.peer,
            client: context.client,
            country: context.country,
            asn: context.asn,
            route: context.route.map(|route| Arc::clone(&route.name)),
            upstream: context.upstream.map(Arc::clone),
            id: context.id,
            method: context.method,
            uri: context.uri,
            canonical: context.canonical,
            authority: context.authority,
            user_agent: context.user_agent,
            principal: context.principal,
            status,
            decisions: context.decisions,
            config,
        }
    }
}
