//! The response to a request, made of a stored one (RFC 9111 §4).

mod range;

use http::header::{AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use self::range::{Part, part};
use super::entry::Entry;
use super::validation::{CONTENT_MD5, is_if_range_met, is_not_modified};
use crate::body::Body;
use crate::platform::Timestamp;

/// The largest number that a cache need understand (§1.2.2).
const MAX_AGE: u64 = 1 << 31;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// What a 304 does not say, because the client has it (RFC 9110 §15.4.5).
const OF_THE_CONTENT: [HeaderName; 7] =
    [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_RANGE, CONTENT_MD5, CONTENT_DIGEST];

/// The answer to a GET or HEAD with these fields: what is stored, 304 when the client has it, 206 with the one range that it asks for, or 416
/// when there is none of that. Who asks for several ranges gets the whole. Answers to HEAD have no body, but its length.
pub fn answer<S>(entry: &Entry, method: &Method, request: &HeaderMap, now: Timestamp) -> Response<Body<S>> {
    let mut response = if is_not_modified(entry, request, now) {
        not_modified(entry)
    } else {
        match asked_part(entry, method, request, now) {
            Part::Whole => whole(entry, method),
            Part::Bytes { first, last } => partial(entry, first, last),
            Part::Unsatisfiable => unsatisfiable(entry),
        }
    };
    let age = entry.age_at(now).as_secs().min(MAX_AGE);
    response.headers_mut().insert(AGE, HeaderValue::from(age));
    response
}

/// RFC 9110 §14.2: ranges are of what GET gets.
fn asked_part(entry: &Entry, method: &Method, request: &HeaderMap, now: Timestamp) -> Part {
    if method != Method::GET || entry.status != StatusCode::OK {
        return Part::Whole;
    }
    match part(request, entry.body.len()) {
        Part::Whole => Part::Whole,
        part if is_if_range_met(entry, request, now) => part,
        _ => Part::Whole,
    }
}

fn whole<S>(entry: &Entry, method: &Method) -> Response<Body<S>> {
    let mut headers = entry.headers.clone();
    if entry.status != StatusCode::NO_CONTENT && !headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(entry.body.len()));
    }
    let body = if method == Method::HEAD { Body::Empty } else { Body::from(entry.body.clone()) };
    respond(entry.status, headers, body)
}

fn not_modified<S>(entry: &Entry) -> Response<Body<S>> {
    let mut headers = entry.headers.clone();
    for name in OF_THE_CONTENT {
        headers.remove(name);
    }
    respond(StatusCode::NOT_MODIFIED, headers, Body::Empty)
}

/// Bytes from `first` to `last`, both of which there are.
fn partial<S>(entry: &Entry, first: usize, last: usize) -> Response<Body<S>> {
    let body = entry.body.slice(first..=last);
    let mut headers = entry.headers.clone();
    // these are of the whole
    for name in [CONTENT_MD5, CONTENT_DIGEST] {
        headers.remove(name);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    say_range(&mut headers, &format!("bytes {first}-{last}/{}", entry.body.len()));
    respond(StatusCode::PARTIAL_CONTENT, headers, body.into())
}

fn unsatisfiable<S>(entry: &Entry) -> Response<Body<S>> {
    let mut headers = HeaderMap::new();
    say_range(&mut headers, &format!("bytes */{}", entry.body.len()));
    respond(StatusCode::RANGE_NOT_SATISFIABLE, headers, Body::Empty)
}

fn say_range(headers: &mut HeaderMap, range: &str) {
    // what is written are digits: always a value
    if let Ok(range) = HeaderValue::from_str(range) {
        headers.insert(CONTENT_RANGE, range);
    }
}

fn respond<S>(status: StatusCode, headers: HeaderMap, body: Body<S>) -> Response<Body<S>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests;
