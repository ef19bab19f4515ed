//! What is left to do for a cache once the response is on its way: storing it, revalidating, looking for what others purged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, Method, Request, StatusCode};

use super::fetch::Need;
use super::flight::{Landing, Lead};
use super::keep::variant_key;
use super::room::Room;
use super::serve::{Visit, response};
use crate::cache::{self, Entry, Item, Lifetime, Reach, Variants};
use crate::context::{Context, Principal, RequestId, Trace};
use crate::gateway::Gateway;
use crate::peer::Peer;
use crate::platform::{CollectError, Platform, Timestamp, within};

/// How long the body of a response that is to be stored may take. The client may take longer.
const FILL: Duration = Duration::from_secs(50);

/// How long it is kept what tells variants apart, at least: one that is short-lived does not take the others along.
const DAY: Duration = Duration::from_secs(86_400);

/// One thing that is left to do.
#[derive(Debug)]
pub(crate) enum Chore<S> {
    /// A response is stored whose body is still coming.
    Fill(Box<Fill<S>>),
    /// A response is stored that is whole.
    Keep(Keep),
    /// A stale response was served, and is revalidated.
    Revalidate(Box<Revalidation>),
    /// What is stored was changed.
    Forget(Spot),
    /// What others purged is looked for.
    LookForPurges,
}

/// A key, and how far what is there reaches.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(super) key: String,
    pub(super) reach: Reach,
}

/// Where a response is kept.
#[derive(Debug)]
pub(crate) struct Place {
    /// The request's key.
    pub(super) spot: Spot,
    /// Which variant it is, if the response varies.
    pub(super) variant: Option<Variant>,
}

/// One of several responses under a key.
#[derive(Debug, Clone)]
pub(crate) struct Variant {
    /// What tells them apart.
    pub(super) of: Variants,
    /// What the request said there.
    pub(super) said: String,
    /// Whether it is not stored yet what tells them apart. Only then it is: others may have begun anew since this request looked.
    pub(super) first: bool,
}

/// A response that is to be stored, without its body.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// What purges call it.
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) requested: Timestamp,
    pub(super) received: Timestamp,
    pub(super) lifetime: Lifetime,
}

/// A response whose body is still coming.
#[derive(Debug)]
pub(crate) struct Fill<S> {
    /// All of it but its body.
    pub(super) draft: Draft,
    pub(super) place: Place,
    /// The length that it declares.
    pub(super) declared: Option<u64>,
    /// The most bytes that are stored.
    pub(super) max: u64,
    pub(super) body: S,
    /// The memory that it may take.
    pub(super) room: Arc<Room>,
    pub(super) lead: Option<Lead>,
}

/// A response that is whole.
#[derive(Debug)]
pub(crate) struct Keep {
    pub(super) item: Arc<Item>,
    pub(super) place: Place,
    pub(super) lead: Option<Lead>,
}

/// A request whose response was stale, to be made once more for the cache.
#[derive(Debug)]
pub(crate) struct Revalidation {
    peer: Peer,
    request: Request<()>,
    id: RequestId,
    trace: Trace,
    principal: Option<Arc<Principal>>,
    need: Need,
}

impl<S> Chore<S> {
    /// Does it. What goes wrong is a miss for the next request.
    pub(crate) async fn run<P: Platform<Stream = S>>(self, gateway: &Gateway, platform: &P) {
        match self {
            Self::Fill(fill) => fill.run(platform).await,
            Self::Keep(keep) => keep.run(platform).await,
            Self::Revalidate(revalidation) => revalidation.run(gateway, platform).await,
            // what cannot be removed is served until it is stale
            Self::Forget(Spot { key, reach }) => _ = platform.forget(&key, reach).await,
            Self::LookForPurges => _ = gateway.responses.look_for_purges(platform).await,
        }
    }
}

impl Draft {
    /// With its body.
    pub(super) fn entry(self, body: Bytes) -> Entry {
        let Self { url, status, headers, requested, received, lifetime } = self;
        Entry::new(&url, status, headers, body, requested, received, lifetime)
    }
}

impl<S> Fill<S> {
    async fn run<P: Platform<Stream = S>>(self, platform: &P) {
        let Self { draft, place, declared, max, body, room: _room, lead } = self;
        let collected = within(platform.sleep(FILL), platform.collect(body, max)).await;
        match collected {
            // a body that is shorter than declared broke off
            Some(Ok(body)) if declared.is_none_or(|declared| declared == body.len() as u64) => {
                let item = Arc::new(Item::Response(draft.entry(body)));
                Keep { item, place, lead }.run(platform).await;
            }
            None | Some(Err(CollectError::TooLarge)) => Lead::pass(lead, platform.now()),
            Some(_) => Lead::release(lead),
        }
    }
}

impl Keep {
    async fn run<P: Platform>(self, platform: &P) {
        let Self { item, place, lead } = self;
        let Some(entry) = response(&item) else { return };
        if let Some(lead) = &lead {
            lead.land(Landing { item: Arc::clone(&item), variant: place.variant.clone() });
        }
        let keep = entry.keep(platform.now());
        let Place { spot: Spot { key, reach }, variant } = place;
        // a cache that cannot be written has nothing to say next time
        let Some(Variant { of, said, first }) = variant else {
            _ = platform.cache(&key, &item, keep, reach).await;
            return;
        };
        let kept = platform.cache(&variant_key(&key, &of, &said), &item, keep, reach).await;
        if kept.is_ok() && first {
            let varies = Arc::new(Item::Varies(of));
            _ = platform.cache(&key, &varies, keep.max(DAY), reach).await;
        }
    }
}

impl Revalidation {
    pub(super) fn new(context: &Context<'_>, need: Need) -> Self {
        let mut request = Request::new(());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = context.uri.clone();
        *request.version_mut() = context.version;
        let headers = request.headers_mut();
        headers.clone_from(&context.headers);
        // what the client wished of its own response
        cache::remove_conditions(headers);
        headers.remove(CACHE_CONTROL);
        headers.remove(PRAGMA);
        let peer = Peer {
            address: context.peer,
            secure: context.secure,
            country: context.country,
            asn: context.asn,
            certificate: context.certificate.clone(),
        };
        let (id, trace, principal) = (context.id.clone(), context.trace, context.principal.clone());
        Self { peer, request, id, trace, principal, need }
    }

    async fn run<P: Platform>(self, gateway: &Gateway, platform: &P) {
        let Self { peer, request, id, trace, principal, need } = self;
        let mut context = Context::new(platform, &peer, &gateway.trusted_proxies, request.into_parts().0);
        (context.id, context.trace, context.principal) = (id, trace, principal);
        let Some(route) = gateway.again(&mut context) else { return };
        let Some(cache) = &route.policies.cache else { return };
        let key = cache.key.of(&context);
        let (visit, mut chores) = (Visit { gateway, route, cache, platform, key }, Vec::new());
        let whole = visit.fetch(&mut context, &mut chores, need).await;
        drop(whole);
        for chore in chores {
            match chore {
                Chore::Fill(fill) => fill.run(platform).await,
                Chore::Keep(keep) => keep.run(platform).await,
                Chore::Forget(Spot { key, reach }) => _ = platform.forget(&key, reach).await,
                Chore::Revalidate(_) | Chore::LookForPurges => {}
            }
        }
    }
}
