//! Step 14 of a request's life: what is asked upstream for the cache, and what comes of the answer.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, Method, Response, StatusCode, Uri};

use super::Cache;
use super::chore::{Chore, Draft, Keep};
use super::flight::Lead;
use super::keep::declared;
use super::serve::{Chores, Looked, Visit, note, response};
use crate::body::Body;
use crate::cache::{self, Entry, Item, Lifetime, NotStored, Status, Wish, answer, storable};
use crate::context::Context;
use crate::decision::{Outcome, Policy, Reason};
use crate::error::Refusal;
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

/// What a request goes upstream for.
#[derive(Debug)]
pub(crate) struct Need {
    /// What its response would replace or validate.
    pub(super) stale: Option<Arc<Item>>,
    /// Whether that is served if the upstream fails.
    pub(super) if_error: bool,
    /// Whether the whole response is wanted, whatever part of it the client asked for.
    pub(super) whole: bool,
    /// Where that was looked for.
    pub(super) looked: Looked,
    /// Others may wait for it.
    pub(super) lead: Option<Lead>,
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

impl<'g, P: Platform> Visit<'g, '_, P> {
    /// Asks upstream, and keeps what comes back if it may be kept.
    pub(super) async fn fetch(
        &self,
        context: &mut Context<'g>,
        chores: &mut Chores<P>,
        need: Need,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        let Need { stale, if_error, whole, looked, lead } = need;
        let mut requested = self.platform.now();
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
            && let Some(old) = old
        {
            Lead::release(lead);
            return Ok(instead(context, old, outcome.ok().map(|response| response.status()), received));
        }
        if let (Ok(response), Some(old)) = (&outcome, old) {
            match self.validate(context, old, response, requested, received) {
                Validated::Holds(item) => {
                    note(context, |status| status.forward_status(response.status()));
                    let Some(entry) = self::response(&item) else { return outcome };
                    let place = self.place(context, &entry.headers, received, &looked);
                    if let Some(place) = place.filter(|_| !Wish::of(&self.heard(context)).no_store) {
                        note(context, Status::stored);
                        chores.push(Chore::Keep(Keep { item: Arc::clone(&item), place, lead }));
                    }
                    if !get {
                        return outcome.map(without_tags);
                    }
                    became(context, Reason::CacheRevalidated, "");
                    return Ok(answer(entry, &context.method, &context.headers, received));
                }
                Validated::MayNotBeKept => {
                    self.drop_stored(chores, old, looked.key.clone());
                    requested = self.platform.now();
                    outcome = self.ask(context, None, true).await;
                    received = self.platform.now();
                }
                Validated::Outdated => self.drop_stored(chores, old, looked.key.clone()),
                Validated::Replaced => {}
            }
        }
        let response = match outcome {
            Ok(response) => response,
            Err(refusal) => {
                Lead::release(lead);
                return Err(refusal);
            }
        };
        note(context, |status| status.forward_status(response.status()));
        match self.judge(context, &response, requested, received) {
            Ok(lifetime) if whole => {
                let place = self.place(context, response.headers(), received, &looked);
                let room = place.is_some().then(|| self.room(&response, received)).flatten();
                if let (Some(place), Some(room)) = (place, &room) {
                    note(context, Status::stored);
                    context.held.room = Some(Arc::clone(room));
                    let draft = Draft {
                        url: self.cache.key.url(context),
                        status: response.status(),
                        headers: response.headers().clone(),
                        requested,
                        received,
                        lifetime,
                    };
                    let (response, chore) = self.fill(context, draft, place, response, Arc::clone(room), lead);
                    chores.push(chore);
                    return Ok(without_tags(response));
                }
                Lead::release(lead);
                if !looked.in_vain {
                    note(context, |status| status.detail("busy"));
                }
            }
            Ok(_) => {
                Lead::release(lead);
                note(context, |status| status.detail("partial"));
            }
            Err(why) => {
                // what is of this request or of bad times says nothing of the next one
                let passing = response.status().is_server_error()
                    || matches!(why, NotStored::RequestNoStore | NotStored::Authorization);
                if passing {
                    Lead::release(lead);
                } else {
                    Lead::pass(lead, received);
                }
                note(context, |status| status.detail(why.as_str()));
            }
        }
        Ok(without_tags(response))
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
        context.unstorable = None;
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
        // what this one request may have stored says nothing of what is stored already
        let fresh = old.freshened(&self.cache.rules, &HeaderMap::new(), fields, requested, received);
        fresh.map_or(Validated::MayNotBeKept, |entry| Validated::Holds(Arc::new(Item::Response(entry))))
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
        if declared(response).or(response.body().len()).is_some_and(|length| length > self.largest()) {
            return Err(NotStored::TooLarge);
        }
        if let Some(why) = context.unstorable {
            return Err(why);
        }
        let request = self.heard(context);
        storable(rules, &context.method, &request, response.status(), response.headers(), age, received)
    }
}

/// A stale response in place of what an upstream answered, or did not answer.
fn instead<S>(
    context: &mut Context<'_>,
    old: &Entry,
    answered: Option<StatusCode>,
    now: Timestamp,
) -> Response<Body<S>> {
    // the request goes on all the same
    if let Some(decision) = context.decisions.last_mut().filter(|decision| decision.outcome == Outcome::Deny) {
        decision.outcome = Outcome::Allow;
    }
    let why = "upstream-failed";
    became(context, Reason::CacheStale, why);
    note(context, |status| match answered {
        Some(answered) => status.forward_status(answered).detail(why),
        None => status.detail(why),
    });
    answer(old, &context.method, &context.headers, now)
}

/// Lets the cache's decision be another one than that the request missed.
fn became(context: &mut Context<'_>, reason: Reason, detail: &'static str) {
    if let Some(decision) = context.decisions.iter_mut().find(|one| one.policy == Policy::Cache) {
        (decision.reason, decision.detail) = (reason, detail.into());
    }
}

/// What speaks to this cache only does not go on.
pub(super) fn without_tags<B>(mut response: Response<B>) -> Response<B> {
    _ = cache::take_tags(response.headers_mut());
    response
}

/// Whether an upstream forbids to store its response: what a route makes of its fields does not take that away.
pub(crate) fn unstorable(headers: &HeaderMap) -> Option<NotStored> {
    let control = cache::Control::of(headers);
    match () {
        () if control.no_store && !control.must_understand => Some(NotStored::NoStore),
        () if control.private => Some(NotStored::Private),
        () => None,
    }
}
