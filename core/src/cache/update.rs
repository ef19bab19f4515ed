//! Stored responses brought up to date (RFC 9111 §3.2, §4.3.4, §4.3.5).

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, Method};

use super::Rules;
use super::entry::{Entry, add_date, remove_unstored, take_tags};
use super::freshness::initial_age;
use super::storable::storable;
use super::validation::CONTENT_MD5;
use crate::platform::Timestamp;

/// What describes the stored bytes, which an update does not change.
const OF_THE_BODY: [HeaderName; 4] = [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_MD5];

impl Entry {
    /// This response, validated by a 304 with these fields, or described by a response to HEAD: its fields replace those of the same
    /// names, and the lifetime is judged anew. Fields of the body and `ETag` stay: the bytes are what they were.
    ///
    /// A 304 with the validators of another response updates no field (§4.3.4), but still says that this one has not changed. `None` when what
    /// is said now forbids to keep the response: then it is asked for without conditions, and what was stored is not used again.
    pub fn freshened(
        &self,
        rules: &Rules,
        request: &HeaderMap,
        fields: &HeaderMap,
        requested: Timestamp,
        received: Timestamp,
    ) -> Option<Self> {
        let age = initial_age(fields, requested, received);
        if !self.is_same(fields) {
            return Some(Self { requested, received, age, ..self.clone() });
        }
        let mut fields = fields.clone();
        add_date(&mut fields, received);
        let tags = take_tags(&mut fields).unwrap_or_else(|| self.tags.clone());
        let mut headers = self.headers.clone();
        for name in fields.keys() {
            if OF_THE_BODY.contains(name) || name == ETAG && headers.contains_key(ETAG) {
                continue;
            }
            headers.remove(name);
            for value in fields.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        let lifetime = storable(rules, &Method::GET, request, self.status, &headers, age, received).ok()?;
        remove_unstored(&mut headers);
        let (body, url) = (self.body.clone(), self.url.clone());
        Some(Self { status: self.status, headers, body, requested, received, age, lifetime, url, tags })
    }

    /// Whether a response 200 to HEAD describes this one: the validators are the same, and so is the length (§4.3.5). What is not said is
    /// the same. Otherwise this one is outdated.
    pub fn is_described_by(&self, head: &HeaderMap) -> bool {
        let length =
            head.get(CONTENT_LENGTH).is_none_or(|length| length.as_bytes() == self.body.len().to_string().as_bytes());
        length && self.is_same(head)
    }

    /// Whether fields are of this representation, by `ETag` or else by `Last-Modified`. What lacks both is.
    fn is_same(&self, fields: &HeaderMap) -> bool {
        let both = |name: HeaderName| self.headers.get(&name).zip(fields.get(&name));
        match (both(ETAG), both(LAST_MODIFIED)) {
            (Some((stored, new)), _) => super::validation::is_weak_match(stored.as_bytes(), new.as_bytes()),
            (None, Some((stored, new))) => stored == new,
            (None, None) => true,
        }
    }
}

#[cfg(test)]
mod tests;
