//! Step 10 of a request's life: what the cache has no part in, what it answers, who waits for whom, and what goes upstream.

use std::sync::Arc;

use http::header::{COOKIE, RANGE, UPGRADE};
use http::{HeaderName, Method, Response};

use super::Cache;
use super::chore::{Chore, Revalidation, Variant};
use super::fetch::{Need, without_tags};
use super::flight::{Lead, PATIENCE, STEP, Stage, Turn};
use super::keep::{selected, variant_key};
use super::node::Look;
use crate::body::Body;
use crate::cache::{self, Entry, Forward, Item, Purged, Reuse, Status, Variants, Wish, answer};
use crate::context::Context;
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::gateway::{Gateway, Route};
use crate::platform::{Platform, Timestamp};

/// One request to a route that caches.
pub(super) struct Visit<'g, 'p, P: Platform> {
    pub(super) gateway: &'g Gateway,
    pub(super) route: &'g Route,
    pub(super) cache: &'g Cache,
    pub(super) platform: &'p P,
    /// The key, before anything varies.
    pub(super) key: String,
}

/// What is left to do behind the response.
pub(super) type Chores<P> = Vec<Chore<<P as Platform>::Stream>>;

/// Where a request looked for its response.
#[derive(Debug)]
pub(crate) struct Looked {
    /// The key where it looked last: that of its variant, if there are some.
    pub(super) key: String,
    /// What tells variants apart, as far as it is known.
    pub(super) variants: Option<Variants>,
    /// Whether the store could not be asked: then there may be variants.
    pub(super) in_vain: bool,
}

/// What was found under a request's key.
struct Found {
    looked: Looked,
    /// A response for this request.
    item: Option<Arc<Item>>,
    /// Why there is none.
    miss: Forward,
    /// What whoever runs the gateway should know.
    note: &'static str,
}

/// What a request does after it has missed.
enum Next {
    /// It goes upstream.
    Fetch(Option<Lead>),
    /// It gets what another one brought; whether it had to wait.
    Share(Arc<Item>, bool),
}

/// Serves a request to a route that caches. What is left to do afterwards is added to `chores`.
pub(crate) async fn serve<'g, P: Platform>(
    gateway: &'g Gateway,
    route: &'g Route,
    cache: &'g Cache,
    platform: &P,
    context: &mut Context<'g>,
    body: Body<P::Stream>,
    chores: &mut Vec<Chore<P::Stream>>,
) -> Result<Response<Body<P::Stream>>, Refusal> {
    if let Some((forward, why)) = passed_by(cache, context, &body) {
        context.allow(Policy::Cache, Reason::CacheBypassed, why);
        context.cache = Some(explained(Status::forward(forward), why));
        return gateway.produce(route, platform, context, body, None).await.map(without_tags);
    }
    let key = cache.key.of(context);
    let visit = Visit { gateway, route, cache, platform, key };
    let look = gateway.responses.look(cache.reach, platform.now());
    let known = match look {
        Look::Not | Look::After => true,
        Look::Now => gateway.responses.look_for_purges(platform).await.is_ok() || gateway.responses.knows(),
        Look::Unknown => false,
    };
    let served = visit.serve(context, chores, known).await;
    if look == Look::After {
        chores.push(Chore::LookForPurges);
    }
    served
}

/// Why the cache has no part in a request: its method is another one than GET and HEAD, or its answer depends on more than is keyed.
fn passed_by<S>(cache: &Cache, context: &Context<'_>, body: &Body<S>) -> Option<(Forward, &'static str)> {
    let has = |name: &HeaderName| context.headers.contains_key(name);
    match &context.method {
        method if !matches!(*method, Method::GET | Method::HEAD) => Some((Forward::Method, "")),
        _ if !body.is_empty() => Some((Forward::Bypass, "request-body")),
        // who it is may stand in them, and nobody said that it does not matter
        _ if has(&COOKIE) && cache.key.ignores_cookies() => Some((Forward::Bypass, "cookie")),
        _ if has(&UPGRADE) => Some((Forward::Bypass, "upgrade")),
        // what these ask, only the origin knows (RFC 9111 §4.3.2)
        _ if cache::is_conditional(&context.headers) => Some((Forward::Bypass, "precondition")),
        _ => None,
    }
}

impl<'g, P: Platform> Visit<'g, '_, P> {
    /// Serves the request; nothing of what is stored, unless it is known what was purged of it.
    async fn serve(
        &self,
        context: &mut Context<'g>,
        chores: &mut Chores<P>,
        known: bool,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        let wish = if self.cache.obeys_client { Wish::of(&context.headers) } else { Wish::NONE };
        let mut found = self.find(context).await;
        let now = self.platform.now();
        let purged = found.item.as_deref().and_then(response).and_then(|entry| self.gateway.responses.purged(entry));
        if purged == Some(Purged::Hard) || !known {
            found.item = None;
        }
        let reuse = found.item.as_deref().and_then(response).map(|entry| match entry.reuse(&wish, now) {
            Reuse::AsItIs | Reuse::WhileRevalidating if purged.is_some() => {
                Reuse::Validated { if_error: !entry.lifetime.stale_if_error.is_zero() }
            }
            reuse => reuse,
        });
        match (found.item.clone(), reuse) {
            (Some(item), Some(Reuse::AsItIs)) => return self.hit(context, &item, now),
            (Some(item), Some(Reuse::WhileRevalidating)) => {
                if let Turn::Lead(lead) = self.gateway.responses.flights.board(&found.looked.key, now) {
                    let (stale, lead) = (Some(Arc::clone(&item)), Some(lead));
                    let need = Need { stale, if_error: true, whole: true, looked: found.looked, lead };
                    chores.push(Chore::Revalidate(Box::new(Revalidation::new(context, need))));
                }
                return self.stale(context, &item, now);
            }
            _ if wish.only_if_cached => {
                context.cache = Some(Status::forward(Forward::Request).detail("only-if-cached"));
                return Err(context.refused(Refusal::new(Policy::Cache, Reason::CacheOnly)));
            }
            _ => {}
        }
        let fresh = |entry: &Entry| entry.age_at(now) < entry.lifetime.fresh && !entry.lifetime.no_cache;
        let forward = match found.item.as_deref().and_then(response) {
            Some(entry) if fresh(entry) && purged.is_none() => Forward::Request,
            Some(_) => Forward::Stale,
            None => found.miss,
        };
        let part = context.headers.contains_key(&RANGE) && reuse.is_none();
        let alone = part || context.method != Method::GET || wish.no_cache || wish.no_store || !self.cache.coalesce;
        let next = if alone { Next::Fetch(None) } else { self.wait(context, &wish, &mut found.looked).await };
        match next {
            Next::Share(item, waited) => {
                let now = self.platform.now();
                let response = self.hit(context, &item, now);
                if waited {
                    context.cache = Some(Status::forward(forward).collapsed());
                }
                response
            }
            Next::Fetch(lead) => {
                let if_error = matches!(reuse, Some(Reuse::Validated { if_error: true }));
                let Found { looked, item, note, .. } = found;
                context.cache = Some(explained(Status::forward(forward), note));
                context.allow(Policy::Cache, Reason::CacheMiss, note);
                let stale = item.filter(|_| reuse.is_some());
                let need = Need { stale, if_error, whole: !part, looked, lead };
                // a future of its own: it is the largest part of all, and hits do without
                Box::pin(self.fetch(context, chores, need)).await
            }
        }
    }

    /// Looks under the request's key, and under that of its variant if there are some.
    async fn find(&self, context: &Context<'_>) -> Found {
        let trouble = |found: Found| Found {
            looked: Looked { in_vain: true, ..found.looked },
            miss: Forward::Miss,
            note: "store-unavailable",
            ..found
        };
        let looked = Looked { key: self.key.clone(), variants: None, in_vain: false };
        let found = Found { looked, item: None, miss: Forward::UriMiss, note: "" };
        let item = match self.platform.cached(&found.looked.key, self.cache.reach).await {
            Ok(Some(item)) => item,
            Ok(None) => return found,
            Err(_) => return trouble(found),
        };
        let Item::Varies(variants) = &*item else { return Found { item: Some(item), miss: Forward::Miss, ..found } };
        let key = variant_key(&self.key, variants, &selected(&variants.names, &context.headers));
        let looked = Looked { key, variants: Some(variants.clone()), in_vain: false };
        let found = Found { looked, miss: Forward::VaryMiss, ..found };
        match self.platform.cached(&found.looked.key, self.cache.reach).await {
            Ok(Some(item)) if response(&item).is_some() => Found { item: Some(item), miss: Forward::Miss, ..found },
            Ok(_) => found,
            Err(_) => trouble(found),
        }
    }

    /// Whose turn it is: this request's, or that of another one, whose response is waited for. That may be the first to show that there are
    /// variants.
    async fn wait(&self, context: &Context<'_>, wish: &Wish, looked: &mut Looked) -> Next {
        let (node, start) = (&self.gateway.responses, self.platform.now());
        let patience = PATIENCE.min(self.route.action.timeout());
        let mut turn = node.flights.board(&looked.key, start);
        let mut waited = false;
        loop {
            let now = self.platform.now();
            let flight = match turn {
                Turn::Lead(lead) => return Next::Fetch(Some(lead)),
                Turn::Alone => return Next::Fetch(None),
                Turn::Follow(flight) => flight,
            };
            match flight.stage(now) {
                Stage::Landed(landing) => {
                    let other = |Variant { of, said, .. }: &Variant| {
                        let own = selected(&of.names, &context.headers);
                        let key = variant_key(&self.key, of, &own);
                        (own != *said).then(|| Looked { key, variants: Some(of.clone()), in_vain: false })
                    };
                    let another = landing.variant.as_ref().and_then(other);
                    let usable = |entry: &Entry| {
                        matches!(entry.reuse(wish, now), Reuse::AsItIs | Reuse::WhileRevalidating)
                            && node.purged(entry).is_none()
                    };
                    match another {
                        None if response(&landing.item).is_some_and(usable) => {
                            return Next::Share(Arc::clone(&landing.item), waited);
                        }
                        // now it is known that there are variants, and which is this request's
                        Some(another) if looked.key == self.key => {
                            *looked = another;
                            // others of its kind may have gone and come back meanwhile
                            let stored = self.platform.cached(&looked.key, self.cache.reach).await;
                            if let Ok(Some(item)) = stored
                                && response(&item).is_some_and(usable)
                            {
                                return Next::Share(item, waited);
                            }
                            turn = node.flights.board(&looked.key, now);
                        }
                        None | Some(_) => return Next::Fetch(None),
                    }
                }
                Stage::Released => return Next::Fetch(None),
                Stage::Flying if !now.is_within(patience, start) => return Next::Fetch(None),
                Stage::Flying => {
                    waited = true;
                    self.platform.sleep(STEP).await;
                    turn = Turn::Follow(flight);
                }
                Stage::Abandoned => turn = node.flights.board(&looked.key, now),
            }
        }
    }

    /// A stored response, as it is.
    fn hit(
        &self,
        context: &mut Context<'g>,
        item: &Item,
        now: Timestamp,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        let Some(entry) = response(item) else { return Err(Refusal::new(Policy::Cache, Reason::InternalError)) };
        context.respond(Policy::Cache, Reason::CacheHit);
        context.cache = Some(Status::HIT.ttl(entry.freshness_left(now)));
        Ok(answer(entry, &context.method, &context.headers, now))
    }

    /// A stored response that is stale, while it is revalidated.
    fn stale(
        &self,
        context: &mut Context<'g>,
        item: &Item,
        now: Timestamp,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        let response = self.hit(context, item, now)?;
        let why = "revalidating";
        if let Some(decision) = context.decisions.last_mut() {
            (decision.reason, decision.detail) = (Reason::CacheStale, why.into());
        }
        note(context, |status| status.detail(why));
        Ok(response)
    }
}

/// Adds to what the cache says it did.
pub(super) fn note(context: &mut Context<'_>, more: impl FnOnce(Status) -> Status) {
    context.cache = context.cache.map(more);
}

/// With a detail, if there is one.
fn explained(status: Status, why: &'static str) -> Status {
    if why.is_empty() { status } else { status.detail(why) }
}

/// The response that an item is.
pub(super) fn response(item: &Item) -> Option<&Entry> {
    match item {
        Item::Response(entry) => Some(entry),
        Item::Varies(_) => None,
    }
}
