//! Conditions of requests: those that a cache sends (RFC 9111 §4.3.1), and those that it answers (§4.3.2; RFC 9110 §13).

use http::header::{
    DATE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderName};

use super::date::http_date;
use super::entry::Entry;
use crate::platform::Timestamp;

pub(super) const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// Makes a request ask whether `entry` is still current, whatever the client asked: the entry's validators replace the client's
/// conditions, and the whole is asked for. Without validators it asks for the whole only.
pub fn make_conditional(headers: &mut HeaderMap, entry: &Entry) {
    remove_conditions(headers);
    for (condition, validator) in [(IF_NONE_MATCH, ETAG), (IF_MODIFIED_SINCE, LAST_MODIFIED)] {
        // as it came, even if it is none: only its origin has to understand it
        if let Some(value) = entry.headers.get(validator) {
            headers.insert(condition, value.clone());
        }
    }
}

/// Makes a request ask for the whole: what comes is stored, and answers the client's conditions here.
pub fn remove_conditions(headers: &mut HeaderMap) {
    for name in [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_RANGE, RANGE] {
        headers.remove(name);
    }
}

/// Whether a request has a condition that only the origin can answer: then no cache does (RFC 9110 §13.2.2, steps 1 and 2).
pub fn is_conditional(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_MATCH) || headers.contains_key(IF_UNMODIFIED_SINCE)
}

/// Whether the client has what is stored: by `If-None-Match`, or else by `If-Modified-Since` (RFC 9110 §13.2.2, steps 3 and 4).
pub(super) fn is_not_modified(entry: &Entry, request: &HeaderMap, now: Timestamp) -> bool {
    // RFC 9110 §13.2.1: other responses would be the same without the condition
    if !entry.status.is_success() {
        return false;
    }
    if request.contains_key(IF_NONE_MATCH) {
        let stored = entry.headers.get(ETAG).map(|tag| tag.as_bytes());
        return request.get_all(IF_NONE_MATCH).iter().any(|line| {
            let line = line.as_bytes();
            line.trim_ascii() == b"*" || stored.is_some_and(|stored| tags(line).any(|tag| is_weak_match(stored, tag)))
        });
    }
    let Some(since) = single(request, IF_MODIFIED_SINCE).and_then(|since| http_date(since, now)) else { return false };
    let modified = match (entry.headers.get(LAST_MODIFIED), entry.headers.get(DATE)) {
        (Some(date), _) | (None, Some(date)) => http_date(date.as_bytes(), now),
        (None, None) => Some(entry.received),
    };
    modified.is_some_and(|modified| modified.as_secs() <= since.as_secs())
}

/// Whether `If-Range` lets a range be served: it is not there, or it names what is stored by a strong validator (RFC 9110 §13.1.5).
pub(super) fn is_if_range_met(entry: &Entry, request: &HeaderMap, now: Timestamp) -> bool {
    if !request.contains_key(IF_RANGE) {
        return true;
    }
    let Some(wanted) = single(request, IF_RANGE) else { return false };
    let stored = |name: HeaderName| entry.headers.get(name).map(|value| value.as_bytes());
    if wanted.contains(&b'"') {
        return wanted.starts_with(b"\"") && stored(ETAG) == Some(wanted);
    }
    let date = |name| stored(name).and_then(|value| http_date(value, now));
    // RFC 9110 §8.8.2.2: what was sent in the second of its change may have changed again
    let strong = || date(LAST_MODIFIED).zip(date(DATE)).is_some_and(|(modified, sent)| modified < sent);
    stored(LAST_MODIFIED) == Some(wanted) && strong()
}

/// RFC 9110 §8.8.3.2. A tag that lacks its quotes names what it would name with them.
pub(super) fn is_weak_match(one: &[u8], other: &[u8]) -> bool {
    opaque(one) == opaque(other)
}

/// What a tag holds, weak or not.
fn opaque(tag: &[u8]) -> &[u8] {
    let tag = tag.trim_ascii();
    let tag = tag.strip_prefix(b"W/").or_else(|| tag.strip_prefix(b"w/")).unwrap_or(tag);
    tag.strip_prefix(b"\"").and_then(|tag| tag.strip_suffix(b"\"")).unwrap_or(tag)
}

/// The members of a list of tags: commas in quotes belong to a tag.
fn tags(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    line.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    })
    .filter(|tag| !tag.trim_ascii().is_empty())
}

/// The value of a field that is there once.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(value), None) => Some(value.as_bytes().trim_ascii()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
