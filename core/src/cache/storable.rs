//! Whether a response may be stored (RFC 9111 §3), by a shared cache that is configured so and so.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LAST_MODIFIED, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::control::Control;
use super::freshness::{cacheable_by_default, configured, explicit, lifetime};
use super::{Lifetime, Rules, Wish, varies};
use crate::platform::Timestamp;

/// Whether a response may be kept, and for how long (§3, §4.2).
///
/// `age` is its [`initial_age`](super::initial_age) and `received` when it came. Where `CDN-Cache-Control` or `Surrogate-Control`
/// is heard, `Cache-Control` and `Expires` are not (RFC 9213 §2.2).
pub fn storable(
    rules: &Rules,
    method: &Method,
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    age: Duration,
    received: Timestamp,
) -> Result<Lifetime, NotStored> {
    let control = Control::of(response);
    let authorized = rules.identified || control.public || control.must_revalidate || control.s_maxage.is_some();
    let expected = control.public
        || cacheable_by_default(status)
        || configured(rules, status).is_some()
        || explicit(response, &control, received).is_some();
    let lifetime = lifetime(rules, status, response, &control, received);
    let used_for = lifetime.fresh.saturating_add(lifetime.stale_while_revalidate.max(lifetime.stale_if_error));
    let validator = response.contains_key(ETAG) || response.contains_key(LAST_MODIFIED);

    // the first that holds is the reason: what the messages say before what the rules say
    let reasons = [
        (method != Method::GET, NotStored::Method),
        (matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED), NotStored::Partial),
        (status.is_informational() || (control.must_understand && !understood(status)), NotStored::Status),
        (Wish::of(request).no_store, NotStored::RequestNoStore),
        // beside `must-understand`, `no-store` is for those that do not (§5.2.2.3)
        (control.no_store && !control.must_understand, NotStored::NoStore),
        (control.private, NotStored::Private),
        (request.contains_key(AUTHORIZATION) && !authorized, NotStored::Authorization),
        (response.contains_key(SET_COOKIE) && !control.unstored.contains(&SET_COOKIE), NotStored::SetCookie),
        (varies(response).is_none(), NotStored::VaryStar),
        (!expected, NotStored::Status),
        (!of_a_type(&rules.content_types, response), NotStored::ContentType),
        (content_length(response).is_some_and(|length| length > rules.max_size), NotStored::TooLarge),
        (!validator && (lifetime.no_cache || used_for <= age), NotStored::NoLifetime),
    ];
    reasons.into_iter().find(|(holds, _)| *holds).map_or(Ok(lifetime), |(_, reason)| Err(reason))
}

/// Why a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotStored {
    /// It does not answer a GET.
    Method,
    /// Nobody allows it to be stored, and its status does not (§3), or the status is one that must be understood (§5.2.2.3).
    Status,
    /// It is a part (206), or says only that something was not modified (304).
    Partial,
    /// §5.2.2.5.
    NoStore,
    /// §5.2.1.5.
    RequestNoStore,
    /// §5.2.2.7.
    Private,
    /// The request had an `Authorization`, and nothing says that others may have the response (§3.5).
    Authorization,
    /// It sets a cookie, which `no-cache="Set-Cookie"` does not leave out.
    SetCookie,
    /// `Vary: *` (§4.1).
    VaryStar,
    /// Its media type is not one of those that are stored.
    ContentType,
    /// Its body is larger than what is stored.
    TooLarge,
    /// It would never be used: it is not fresh, may not be served stale, and cannot be validated.
    NoLifetime,
}

impl NotStored {
    /// What `Cache-Status` says of it as its `detail` (RFC 9211 §2.8).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::Partial => "partial",
            Self::NoStore => "no-store",
            Self::RequestNoStore => "request-no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::VaryStar => "vary-star",
            Self::ContentType => "content-type",
            Self::TooLarge => "too-large",
            Self::NoLifetime => "no-lifetime",
        }
    }
}

/// Whether this cache knows the status: all that RFC 9110 §15 has.
fn understood(status: StatusCode) -> bool {
    let code = status.as_u16();
    matches!(code, 200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505)
}

/// Whether the response has one of these media types: `text/html`, or `text/*`. Any does when there are none.
fn of_a_type(types: &[String], response: &HeaderMap) -> bool {
    let written = response.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = written.split(';').next().unwrap_or_default().trim_ascii();
    let matches = |wanted: &String| match wanted.strip_suffix("/*") {
        Some(wanted) => essence.split_once('/').is_some_and(|(kind, _)| kind.eq_ignore_ascii_case(wanted)),
        None => essence.eq_ignore_ascii_case(wanted),
    };
    types.is_empty() || types.iter().any(matches)
}

fn content_length(response: &HeaderMap) -> Option<u64> {
    response.get(CONTENT_LENGTH).map(HeaderValue::to_str)?.ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
