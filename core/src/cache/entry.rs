//! A stored response.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, DATE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::control::Control;
use super::date::imf_fixdate;
use super::freshness::initial_age;
use super::purge::MAX_TEXT;
use super::status::CACHE_STATUS;
use super::wish::Wish;
use crate::platform::Timestamp;

/// What is kept longer than it can be served, because it can be validated.
const VALIDATABLE: Duration = Duration::from_secs(86_400);

/// What is kept longer than it is fresh, because clients may accept it (`max-stale`).
const ACCEPTABLE: Duration = Duration::from_secs(60);

/// How long what tells variants apart is taken for granted that another node may have changed.
const TOLD: Duration = Duration::from_secs(60);

/// What a place in a map of fields takes, beside name and value.
const FIELD: usize = 112;

const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");
const PROXY_AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("proxy-authentication-info");

/// What a cache holds under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are responses, and each stands behind a pointer")]
pub enum Item {
    /// A response.
    Response(Entry),
    /// What names the variants, which stand under keys of their own.
    Varies(Variants),
}

/// What tells the variants of a resource apart (§4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variants {
    /// The fields, as `Vary` names them.
    pub names: Vec<HeaderName>,
    /// When the first of them came: those that were stored before it are not found any more.
    pub since: Timestamp,
}

/// One stored response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The status.
    pub status: StatusCode,
    /// The header fields, without those that are not stored.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// When it was asked for.
    pub requested: Timestamp,
    /// When it came.
    pub received: Timestamp,
    /// How old it was then (§4.2.3, the corrected initial age).
    pub age: Duration,
    /// What was decided when it was stored.
    pub lifetime: Lifetime,
    /// What was asked for, as `host/path?query`: purges name it.
    pub url: Box<str>,
    /// Its `Surrogate-Key` and `Cache-Tag`: purges name these too.
    pub tags: Vec<Box<str>>,
}

/// How long a stored response is of use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// From its beginning to when it is stale.
    pub fresh: Duration,
    /// How long a stale one may be served while it is revalidated.
    pub stale_while_revalidate: Duration,
    /// How long a stale one may be served when the origin fails.
    pub stale_if_error: Duration,
    /// Whether it is validated before each use.
    pub no_cache: bool,
    /// Whether it is never served stale, whatever the client accepts.
    pub must_revalidate: bool,
}

/// How a stored response may answer a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// As it is: it is fresh, or the client accepts it stale (§4.2.4).
    AsItIs,
    /// As it is, while it is validated (RFC 5861 §3).
    WhileRevalidating,
    /// Once it is validated.
    Validated {
        /// Whether it may be served when the origin fails (RFC 5861 §4).
        if_error: bool,
    },
}

impl Item {
    /// From when on a store that nodes share may have a newer one, which another node put there.
    pub fn renewed(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Response(entry) => now + entry.lifetime.fresh.saturating_sub(entry.age_at(now)),
            Self::Varies(_) => now + TOLD,
        }
    }

    /// The bytes that it takes in memory, about.
    pub fn size(&self) -> usize {
        match self {
            Self::Response(entry) => entry.size(),
            Self::Varies(variants) => {
                size_of::<Self>()
                    + variants.names.iter().map(|name| size_of::<HeaderName>() + name.as_str().len()).sum::<usize>()
            }
        }
    }
}

impl Entry {
    /// The response to a request that was sent at `requested` and answered at `received`, hop-by-hop fields already removed.
    ///
    /// Fields that are not stored are left out (§3.1); `Surrogate-Key` and `Cache-Tag` become tags. `Date` is added if it is missing
    /// (RFC 9110 §6.6.1).
    pub fn new(
        url: &str,
        status: StatusCode,
        mut headers: HeaderMap,
        body: Bytes,
        requested: Timestamp,
        received: Timestamp,
        lifetime: Lifetime,
    ) -> Self {
        let age = initial_age(&headers, requested, received);
        let tags = take_tags(&mut headers).unwrap_or_default();
        remove_unstored(&mut headers);
        add_date(&mut headers, received);
        Self { status, headers, body, requested, received, age, lifetime, url: url.into(), tags }
    }

    /// How old it is (§4.2.3). A clock that was set back makes it no younger than it came.
    pub fn age_at(&self, now: Timestamp) -> Duration {
        self.age.saturating_add(now.since(self.received))
    }

    /// For how many whole seconds it stays fresh; negative when it is stale.
    pub fn freshness_left(&self, now: Timestamp) -> i64 {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let (fresh, age) = (self.lifetime.fresh, self.age_at(now));
        if fresh >= age { seconds(fresh - age) } else { -seconds(age - fresh) }
    }

    /// Whether it may answer a request with this wish (§4). `no-store` says nothing of it (§5.2.1.5), and `only-if-cached` is its caller's affair.
    pub fn reuse(&self, wish: &Wish, now: Timestamp) -> Reuse {
        let Lifetime { fresh, stale_while_revalidate, stale_if_error, no_cache, must_revalidate } = self.lifetime;
        if no_cache || wish.no_cache {
            return Reuse::Validated { if_error: false };
        }
        let age = self.age_at(now);
        let stale = age.saturating_sub(fresh);
        let validated = Reuse::Validated { if_error: age < fresh || stale < stale_if_error };
        // `max-age=0` asks for validation, even of what came at this very moment
        if wish.max_age.is_some_and(|most| age > most || most.is_zero()) {
            return validated;
        }
        if wish.min_fresh.is_some_and(|least| fresh.saturating_sub(age) < least) {
            return validated;
        }
        if age < fresh {
            return Reuse::AsItIs;
        }
        match wish.max_stale {
            Some(most) if !must_revalidate && most.is_none_or(|most| stale <= most) => Reuse::AsItIs,
            None if wish.max_age.is_none() && stale < stale_while_revalidate => Reuse::WhileRevalidating,
            _ => validated,
        }
    }

    /// How long a store should keep it: until it can neither be served nor validated, a day beyond for one that has a validator. Zero when it
    /// can never be used.
    pub fn keep(&self, now: Timestamp) -> Duration {
        let Lifetime { fresh, stale_while_revalidate, stale_if_error, no_cache, must_revalidate } = self.lifetime;
        let served = match no_cache {
            true => Duration::ZERO,
            false => fresh.saturating_add(stale_while_revalidate.max(stale_if_error)),
        };
        let beyond = match (self.has_validator(), no_cache || must_revalidate) {
            (true, _) => VALIDATABLE,
            (false, false) => ACCEPTABLE,
            (false, true) => Duration::ZERO,
        };
        served.saturating_sub(self.age_at(now)).saturating_add(beyond)
    }

    /// Whether the origin can be asked if it changed.
    pub fn has_validator(&self) -> bool {
        self.headers.contains_key(ETAG) || self.headers.contains_key(LAST_MODIFIED)
    }

    /// The bytes that it takes in memory, about: body, fields, and what holds them.
    pub fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD).sum::<usize>();
        let tags = self.tags.iter().map(|tag| tag.len() + size_of::<Box<str>>()).sum::<usize>();
        size_of::<Item>() + self.url.len() + self.body.len() + headers + tags
    }
}

/// Takes the tags out, which speak to caches only; `None` when no field gives any. They are separated by white space in the one, by commas
/// in the other; each comes once.
pub(crate) fn take_tags(headers: &mut HeaderMap) -> Option<Vec<Box<str>>> {
    if !headers.contains_key(SURROGATE_KEY) && !headers.contains_key(CACHE_TAG) {
        return None;
    }
    let words = |name, separator: fn(char) -> bool| {
        let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(move |line| line.split(separator)).map(str::trim_ascii)
    };
    let keys = words(SURROGATE_KEY, |character| character.is_ascii_whitespace());
    let tags = keys.chain(words(CACHE_TAG, |character| character == ','));
    // purges of longer ones concern all
    let mut tags: Vec<Box<str>> = tags.filter(|tag| (1..=MAX_TEXT).contains(&tag.len())).map(Box::from).collect();
    tags.sort_unstable();
    tags.dedup();
    headers.remove(SURROGATE_KEY);
    headers.remove(CACHE_TAG);
    Some(tags)
}

/// Takes out what is not stored (§3.1), and what each answer says anew.
pub(super) fn remove_unstored(headers: &mut HeaderMap) {
    for name in Control::of(headers).unstored {
        headers.remove(name);
    }
    for name in [AGE, CACHE_STATUS, PROXY_AUTHENTICATION_INFO] {
        headers.remove(name);
    }
}

/// A recipient with a clock adds what is missing (RFC 9110 §6.6.1).
pub(super) fn add_date(headers: &mut HeaderMap, received: Timestamp) {
    if !headers.contains_key(DATE)
        && let Ok(date) = HeaderValue::try_from(imf_fixdate(received))
    {
        headers.insert(DATE, date);
    }
}

#[cfg(test)]
pub(super) mod tests;
