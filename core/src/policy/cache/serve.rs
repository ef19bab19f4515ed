//! Steps 10 and 14 of a request's life: what is served from the cache, what goes upstream instead, and what is kept of what comes back.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, COOKIE, PRAGMA, RANGE, UPGRADE};
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, Uri};

use super::Cache;
use super::chore::{Chore, Draft, Fill, Keep, Place, Revalidation};
use super::flight::{Lead, PATIENCE, STEP, Stage, Turn};
use super::node::Look;
use crate::body::Body;
use crate::cache::{
    self, Entry, Forward, Item, Lifetime, NotStored, Purged, Reuse, Status, Wish, answer, storable, variant, varies,
};
use crate::context::Context;
use crate::decision::{Outcome, Policy, Reason};
use crate::error::Refusal;
use crate::gateway::{Gateway, Route};
use crate::platform::{Platform, Timestamp};

/// What goes upstream in place of a request that missed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    cache: &'a Cache,
    /// What is to be validated, if anything is.
    validates: Option<&'a Entry>,
    /// Whether the whole response is wanted, whatever part of it the client asked for.
    whole: bool,
}

impl Ask<'_> {
    /// Shapes the fields that go upstream: what is not keyed must not decide about a response that others get.
    pub(crate) fn shape(&self, headers: &mut HeaderMap) {
        self.cache.key.clean(headers);
        match self.validates {
            Some(entry) => cache::make_conditional(headers, entry),
            None if self.whole => cache::remove_conditions(headers),
            None => {}
        }
    }
}

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
type Chores<P> = Vec<Chore<<P as Platform>::Stream>>;

/// What was found under a request's key.
struct Found {
    /// A response for this request.
    item: Option<Arc<Item>>,
    /// Why there is none.
    miss: Forward,
    /// What whoever runs the gateway should know.
    note: &'static str,
}

/// What a response says of the one that is stored.
enum Validated {
    /// It is still good, with these fields.
    Holds(Arc<Item>),
    /// It may no longer be kept, and the response is not one for the client.
    MayNotBeKept,
    /// It is another one than the upstream has.
    Outdated,
    /// Nothing: it comes in its place, or leaves it alone.
    Replaced,
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
        return gateway.produce(route, platform, context, body, None).await;
    }
    let key = cache.key.of(context);
    Visit { gateway, route, cache, platform, key }.serve(context, chores).await
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
    async fn serve(
        &self,
        context: &mut Context<'g>,
        chores: &mut Chores<P>,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        let wish = if self.cache.obeys_client { Wish::of(&context.headers) } else { Wish::NONE };
        self.look_for_purges(chores).await;
        let mut found = self.find(context).await;
        let now = self.platform.now();
        let purged = found.item.as_deref().and_then(response).and_then(|entry| self.gateway.responses.purged(entry));
        if purged == Some(Purged::Hard) {
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
                if let Turn::Lead(lead) = self.gateway.responses.flights.board(&self.key, now) {
                    let revalidation = Revalidation::new(context, Arc::clone(&item), lead);
                    chores.push(Chore::Revalidate(Box::new(revalidation)));
                }
                return self.stale(context, &item, now, "revalidating");
            }
            _ if wish.only_if_cached => {
                context.cache = Some(Status::forward(Forward::Request).detail("only-if-cached"));
                return Err(context.refused(Refusal::new(Policy::Cache, Reason::CacheOnly)));
            }
            _ => {}
        }
        let forward = match (&reuse, wish.no_cache) {
            (Some(_), true) => Forward::Request,
            (Some(_), false) => Forward::Stale,
            (None, _) => found.miss,
        };
        let part = context.headers.contains_key(&RANGE) && reuse.is_none();
        let alone = part || context.method != Method::GET || wish.no_cache || wish.no_store || !self.cache.coalesce;
        let next = if alone { Next::Fetch(None) } else { self.wait(context, &wish).await };
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
                let stale = found.item.filter(|_| reuse.is_some());
                context.cache = Some(explained(Status::forward(forward), found.note));
                context.allow(Policy::Cache, Reason::CacheMiss, found.note);
                self.fetch(context, chores, stale, if_error, !part, lead).await
            }
        }
    }

    /// What others purged: looked for now, or behind the response.
    async fn look_for_purges(&self, chores: &mut Chores<P>) {
        match self.gateway.responses.look(self.cache.reach, self.platform.now()) {
            Look::Not => {}
            Look::After => chores.push(Chore::LookForPurges),
            // what is known holds, and it is looked for again
            Look::Now => _ = self.gateway.responses.look_for_purges(self.platform).await,
        }
    }

    /// Looks under the request's key, and under that of its variant if there are some.
    async fn find(&self, context: &Context<'_>) -> Found {
        let nothing = |miss| Found { item: None, miss, note: "" };
        let trouble = Found { item: None, miss: Forward::Miss, note: "store-unavailable" };
        let item = match self.platform.cached(&self.key, self.cache.reach).await {
            Ok(Some(item)) => item,
            Ok(None) => return nothing(Forward::UriMiss),
            Err(_) => return trouble,
        };
        let Item::Varies(names) = &*item else { return Found { item: Some(item), miss: Forward::Miss, note: "" } };
        let key = variant_key(&self.key, &variant(names, &context.headers));
        match self.platform.cached(&key, self.cache.reach).await {
            Ok(Some(item)) if response(&item).is_some() => Found { item: Some(item), miss: Forward::Miss, note: "" },
            Ok(_) => nothing(Forward::VaryMiss),
            Err(_) => trouble,
        }
    }

    /// Whose turn it is: this request's, or that of another one, whose response is waited for.
    async fn wait(&self, context: &Context<'_>, wish: &Wish) -> Next {
        let (node, start) = (&self.gateway.responses, self.platform.now());
        let patience = PATIENCE.min(self.route.action.timeout());
        let mut turn = node.flights.board(&self.key, start);
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
                    let mine = |(names, said): &(Vec<HeaderName>, String)| variant(names, &context.headers) == *said;
                    let usable =
                        |entry: &Entry| matches!(entry.reuse(wish, now), Reuse::AsItIs) && node.purged(entry).is_none();
                    return if landing.variant.as_ref().is_none_or(mine) && response(&landing.item).is_some_and(usable) {
                        Next::Share(Arc::clone(&landing.item), waited)
                    } else {
                        Next::Fetch(None)
                    };
                }
                Stage::Released => return Next::Fetch(None),
                Stage::Flying if !now.is_within(patience, start) => return Next::Fetch(None),
                Stage::Flying => {
                    waited = true;
                    self.platform.sleep(STEP).await;
                    turn = Turn::Follow(flight);
                }
                Stage::Abandoned => turn = node.flights.board(&self.key, now),
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

    /// A stored response that is stale, and why it is served all the same.
    fn stale(
        &self,
        context: &mut Context<'g>,
        item: &Item,
        now: Timestamp,
        why: &'static str,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        let response = self.hit(context, item, now)?;
        if let Some(decision) = context.decisions.last_mut() {
            (decision.reason, decision.detail) = (Reason::CacheStale, why.into());
        }
        note(context, |status| status.detail(why));
        Ok(response)
    }

    /// Asks upstream, and keeps what comes back if it may be kept. `stale` is what it would replace or validate.
    pub(super) async fn fetch(
        &self,
        context: &mut Context<'g>,
        chores: &mut Chores<P>,
        stale: Option<Arc<Item>>,
        if_error: bool,
        whole: bool,
        lead: Option<Lead>,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        let requested = self.platform.now();
        // a HEAD cannot replace what is stored: it only shows whether that still holds
        let get = context.method == Method::GET;
        let old = stale.as_deref().and_then(response);
        let mut outcome = self.ask(context, old.filter(|_| get), whole && get).await;
        let mut received = self.platform.now();
        let failed = match &outcome {
            Ok(response) => matches!(response.status().as_u16(), 500 | 502 | 503 | 504),
            Err(refusal) => refusal.policy == Policy::Forward,
        };
        if failed
            && if_error
            && let Some(item) = &stale
        {
            if let Some(lead) = lead {
                lead.release();
            }
            // the request goes on all the same
            if let Some(decision) = context.decisions.last_mut().filter(|decision| decision.outcome == Outcome::Deny) {
                decision.outcome = Outcome::Allow;
            }
            return self.stale(context, item, received, "upstream-failed");
        }
        if let (Ok(response), Some(old)) = (&outcome, old) {
            match self.validate(context, old, response, requested, received) {
                Validated::Holds(item) => {
                    note(context, |status| status.forward_status(response.status()).stored());
                    self.keep(context, chores, &item, lead);
                    let Some(entry) = self::response(&item).filter(|_| get) else { return outcome };
                    if let Some(decision) = context.decisions.iter_mut().find(|one| one.policy == Policy::Cache) {
                        decision.reason = Reason::CacheRevalidated;
                    }
                    return Ok(answer(entry, &context.method, &context.headers, received));
                }
                Validated::MayNotBeKept => {
                    self.gateway.responses.change(&old.url, received);
                    outcome = self.ask(context, None, true).await;
                    received = self.platform.now();
                }
                Validated::Outdated => self.gateway.responses.change(&old.url, received),
                Validated::Replaced => {}
            }
        }
        let mut response = match outcome {
            Ok(response) => response,
            Err(refusal) => {
                if let Some(lead) = lead {
                    lead.release();
                }
                return Err(refusal);
            }
        };
        note(context, |status| status.forward_status(response.status()));
        match self.judge(context, &response, requested, received) {
            Ok(lifetime) if whole => {
                note(context, Status::stored);
                let draft = Draft {
                    url: self.cache.key.url(context),
                    status: response.status(),
                    headers: response.headers().clone(),
                    requested,
                    received,
                    lifetime,
                };
                response = self.fill(context, chores, draft, response, lead);
            }
            Ok(_) => {
                if let Some(lead) = lead {
                    lead.release();
                }
                note(context, |status| status.detail("partial"));
            }
            Err(why) => {
                if let Some(lead) = lead {
                    lead.pass(received);
                }
                note(context, |status| status.detail(why.as_str()));
            }
        }
        _ = cache::take_tags(response.headers_mut());
        Ok(response)
    }

    /// Steps 11 to 13 for the cache: what validates `old`, or brings the whole.
    async fn ask(
        &self,
        context: &mut Context<'g>,
        validates: Option<&Entry>,
        whole: bool,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        let ask = Ask { cache: self.cache, validates, whole };
        let came = context.uri.clone();
        if let Some(uri) = self.asked_for(&came) {
            context.uri = uri;
        }
        let outcome = self.gateway.produce(self.route, self.platform, context, Body::Empty, Some(ask)).await;
        context.uri = came;
        outcome
    }

    /// What a response says of the one that is stored.
    fn validate(
        &self,
        context: &Context<'_>,
        old: &Entry,
        response: &Response<Body<P::Stream>>,
        requested: Timestamp,
        received: Timestamp,
    ) -> Validated {
        let fields = response.headers();
        let holds = match context.method {
            Method::HEAD if response.status() == old.status => match old.is_described_by(fields) {
                true => true,
                false => return Validated::Outdated,
            },
            Method::HEAD => false,
            _ => response.status() == StatusCode::NOT_MODIFIED,
        };
        if !holds {
            return Validated::Replaced;
        }
        let fresh = old.freshened(&self.cache.rules, &self.heard(context), fields, requested, received);
        fresh.map_or(Validated::MayNotBeKept, |entry| Validated::Holds(Arc::new(Item::Response(entry))))
    }

    /// Keeps a response while it is sent. A client that has it already gets 304, and the store gets it all.
    fn fill(
        &self,
        context: &Context<'_>,
        chores: &mut Chores<P>,
        draft: Draft,
        response: Response<Body<P::Stream>>,
        lead: Option<Lead>,
    ) -> Response<Body<P::Stream>> {
        let max = self.cache.rules.max_size;
        let place = self.place(context, &draft.headers);
        let has = answer(&draft.clone().entry(Bytes::new()), &context.method, &context.headers, draft.received);
        let has = (has.status() == StatusCode::NOT_MODIFIED && draft.status != StatusCode::NOT_MODIFIED).then_some(has);
        let declared = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let (head, body) = response.into_parts();
        let mine = match body {
            Body::Stream(stream) => {
                let (mine, body) = match has {
                    Some(_) => (Body::Empty, stream),
                    None => {
                        let (first, second) = self.platform.tee(stream, max);
                        (Body::Stream(first), second)
                    }
                };
                chores.push(Chore::Fill(Box::new(Fill { draft, place, declared, max, body, lead })));
                mine
            }
            whole => {
                let bytes = if let Body::Full(bytes) = &whole { bytes.clone() } else { Bytes::new() };
                let item = Arc::new(Item::Response(draft.entry(bytes)));
                chores.push(Chore::Keep(Keep { item, place, lead }));
                whole
            }
        };
        has.unwrap_or_else(|| Response::from_parts(head, mine))
    }

    /// The request target without what of its query is not keyed; `None` when that is all of it.
    fn asked_for(&self, came: &Uri) -> Option<Uri> {
        let query = self.cache.key.query(came.query());
        if query.as_deref() == came.query() {
            return None;
        }
        let mut parts = came.clone().into_parts();
        let target = query.map_or_else(|| came.path().to_owned(), |query| [came.path(), "?", &query].concat());
        parts.path_and_query = Some(target.parse().ok()?);
        Uri::from_parts(parts).ok()
    }

    /// The request's fields, as far as they count.
    fn heard<'c>(&self, context: &'c Context<'_>) -> Cow<'c, HeaderMap> {
        if self.cache.obeys_client {
            return Cow::Borrowed(&context.headers);
        }
        let mut headers = context.headers.clone();
        headers.remove(CACHE_CONTROL);
        headers.remove(PRAGMA);
        Cow::Owned(headers)
    }

    /// Whether a response may be kept, and for how long.
    fn judge(
        &self,
        context: &Context<'_>,
        response: &Response<Body<P::Stream>>,
        requested: Timestamp,
        received: Timestamp,
    ) -> Result<Lifetime, NotStored> {
        let rules = &self.cache.rules;
        let age = cache::initial_age(response.headers(), requested, received);
        if response.body().len().is_some_and(|length| length > rules.max_size) {
            return Err(NotStored::TooLarge);
        }
        let request = self.heard(context);
        storable(rules, &context.method, &request, response.status(), response.headers(), age, received)
    }

    /// Keeps a response behind the one to the client. Others who wait get it at once.
    fn keep(&self, context: &Context<'_>, chores: &mut Chores<P>, item: &Arc<Item>, lead: Option<Lead>) {
        let Some(entry) = response(item) else { return };
        let place = self.place(context, &entry.headers);
        chores.push(Chore::Keep(Keep { item: Arc::clone(item), place, lead }));
    }

    /// Where a response with these fields is kept.
    fn place(&self, context: &Context<'_>, headers: &HeaderMap) -> Place {
        let names = varies(headers).unwrap_or_default();
        let variant = (!names.is_empty()).then(|| {
            let said = variant(&names, &context.headers);
            (names, said)
        });
        Place { key: self.key.clone(), variant, reach: self.cache.reach }
    }
}

impl Place {
    /// The key under which the response itself stands.
    pub(super) fn own_key(&self) -> String {
        match &self.variant {
            Some((_, said)) => variant_key(&self.key, said),
            None => self.key.clone(),
        }
    }
}

/// Adds to what the cache says it did.
fn note(context: &mut Context<'_>, more: impl FnOnce(Status) -> Status) {
    context.cache = context.cache.map(more);
}

/// With a detail, if there is one.
fn explained(status: Status, why: &'static str) -> Status {
    if why.is_empty() { status } else { status.detail(why) }
}

fn variant_key(key: &str, said: &str) -> String {
    format!("{key}/{}", &crate::digest::sha256_hex(said.as_bytes())[..32])
}

/// The response that an item is.
pub(super) fn response(item: &Item) -> Option<&Entry> {
    match item {
        Item::Response(entry) => Some(entry),
        Item::Varies(_) => None,
    }
}
