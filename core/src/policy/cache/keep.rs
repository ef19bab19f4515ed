//! Step 14 of a request's life, its end: what is kept of a response, and where.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, Response, StatusCode};

use super::chore::{Chore, Draft, Fill, Keep, Place, Spot, Variant};
use super::flight::Lead;
use super::room::{Room, UNKNOWN};
use super::serve::{Chores, Looked, Visit};
use crate::body::Body;
use crate::cache::{Entry, Item, Reuse, Variants, Wish, answer, variant, varies};
use crate::context::Context;
use crate::forward::hop_by_hop;
use crate::platform::{Platform, Timestamp};

impl<P: Platform> Visit<'_, '_, P> {
    /// Keeps a response while it is sent. A client that has it already gets 304, and the store gets it all.
    pub(super) fn fill(
        &self,
        context: &Context<'_>,
        draft: Draft,
        place: Place,
        response: Response<Body<P::Stream>>,
        room: Arc<Room>,
        lead: Option<Lead>,
    ) -> (Response<Body<P::Stream>>, Chore<P::Stream>) {
        let max = self.largest();
        let preview = draft.clone().entry(Bytes::new());
        let lead = match preview.reuse(&Wish::NONE, draft.received) {
            Reuse::AsItIs | Reuse::WhileRevalidating => lead,
            // nobody but its own client can use it as it is
            _ => {
                Lead::pass(lead, draft.received);
                None
            }
        };
        let conditional = [IF_NONE_MATCH, IF_MODIFIED_SINCE].iter().any(|name| context.headers.contains_key(name));
        let has = conditional.then(|| answer(&preview, &context.method, &context.headers, draft.received));
        let has = has.filter(|has| has.status() == StatusCode::NOT_MODIFIED);
        let declared = declared(&response);
        let (head, body) = response.into_parts();
        let (mine, chore) = match body {
            Body::Stream(stream) => {
                let (mine, body) = match has {
                    Some(_) => (Body::Empty, stream),
                    None => {
                        let (first, second) = self.platform.tee(stream, max);
                        (Body::Stream(first), second)
                    }
                };
                (mine, Chore::Fill(Box::new(Fill { draft, place, declared, max, body, room, lead })))
            }
            whole => {
                let bytes = if let Body::Full(bytes) = &whole { bytes.clone() } else { Bytes::new() };
                let item = Arc::new(Item::Response(draft.entry(bytes)));
                (whole, Chore::Keep(Keep { item, place, lead }))
            }
        };
        (has.unwrap_or_else(|| Response::from_parts(head, mine)), chore)
    }

    /// Where a response with these fields is kept. `None` when it varies and may be one of several: how those are told apart is not known.
    pub(super) fn place(
        &self,
        context: &Context<'_>,
        headers: &HeaderMap,
        received: Timestamp,
        looked: &Looked,
    ) -> Option<Place> {
        let spot = Spot { key: self.key.clone(), reach: self.cache.reach };
        let names = varies(headers).unwrap_or_default();
        if names.is_empty() {
            return Some(Place { spot, variant: None });
        }
        let said = selected(&names, &context.headers);
        let known = looked.variants.as_ref().filter(|variants| variants.names == names).cloned();
        let first = known.is_none();
        if first && looked.in_vain {
            return None;
        }
        let of = known.unwrap_or(Variants { names, since: received });
        Some(Place { spot, variant: Some(Variant { of, said, first }) })
    }

    /// Serves nothing more of what is stored, and removes it.
    pub(super) fn drop_stored(&self, chores: &mut Chores<P>, old: &Entry, key: String) {
        // what is asked for from now on is another one, even if it is in the same moment
        self.gateway.responses.change(&old.url, old.requested);
        chores.push(Chore::Forget(Spot { key, reach: self.cache.reach }));
    }

    /// The most bytes of a response that are kept.
    pub(super) fn largest(&self) -> u64 {
        self.cache.rules.max_size.min(self.platform.largest(self.cache.reach))
    }

    /// The memory that a response may take until it is stored and sent, if there is so much.
    pub(super) fn room(&self, response: &Response<Body<P::Stream>>, now: Timestamp) -> Option<Arc<Room>> {
        let bytes = match response.body() {
            Body::Stream(_) => declared(response).unwrap_or(UNKNOWN).min(self.largest()),
            // it is there already
            _ => 0,
        };
        self.gateway.responses.rooms.take(bytes, now)
    }
}

/// The length that a response declares.
pub(super) fn declared<B>(response: &Response<B>) -> Option<u64> {
    response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok())
}

/// The key under which a variant stands.
pub(super) fn variant_key(key: &str, variants: &Variants, said: &str) -> String {
    let variant = [&variants.since.as_micros().to_be_bytes(), said.as_bytes()].concat();
    format!("{key}/{}", &crate::digest::sha256_hex(&variant)[..32])
}

/// What the request says in the fields that select a variant, as its upstream reads it: a field that `Connection` names does not go there
/// (RFC 9110 §7.6.1), and what is answered without it is not what others get who send it.
pub(super) fn selected(names: &[HeaderName], headers: &HeaderMap) -> String {
    if !headers.contains_key(CONNECTION) {
        return variant(names, headers);
    }
    variant(names, &hop_by_hop::passed_on(names, headers))
}
