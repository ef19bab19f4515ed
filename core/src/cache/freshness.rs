//! How old a response is when it comes (RFC 9111 §4.2.3), and how long it is fresh (§4.2.1, §4.2.2).

use std::time::Duration;

use http::header::{AGE, DATE, EXPIRES, HeaderValue, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, StatusCode};

use super::control::Control;
use super::date::http_date;
use super::directive::{LONGEST, delta_seconds};
use super::{Lifetime, Rules};
use crate::platform::Timestamp;

/// The longest that is guessed: `heuristic` of [`Rules`].
const LONGEST_GUESS: Duration = Duration::from_secs(86_400);

/// How old a response was when it was `received`: the corrected initial age (§4.2.3).
///
/// Never less than what its `Date` and its `Age` say, nor than it took to come. A `Date` that is missing or cannot be read says
/// nothing. An `Age` that is anything but one number of seconds makes it older than any lifetime: where caches before this one are
/// at odds, a miss is the answer that cannot be wrong (§5.1 would have the first of several numbers, and otherwise none).
pub fn initial_age(response: &HeaderMap, requested: Timestamp, received: Timestamp) -> Duration {
    // a date has no fraction of a second, so that of the clock is none of the age
    let clock = Timestamp::from_secs(received.as_secs());
    let apparent = date(response, &DATE, received).map_or(Duration::ZERO, |date| clock.since(date));
    let mut ages = response.get_all(AGE).iter();
    let said = match (ages.next(), ages.next()) {
        (None, _) => Duration::ZERO,
        (Some(age), None) => delta_seconds(age.as_bytes().trim_ascii()).unwrap_or(LONGEST),
        (Some(_), Some(_)) => LONGEST,
    };
    apparent.max(said.saturating_add(received.since(requested)))
}

/// How long a response is of use, from when it was generated: `ttl` and `negative` are for what the origin could have said itself, and a
/// chain of caches does not add them up. One of which nobody says how long it is fresh is stale at once.
pub(super) fn lifetime(
    rules: &Rules,
    status: StatusCode,
    response: &HeaderMap,
    control: &Control,
    received: Timestamp,
) -> Lifetime {
    let configured = configured(rules, status);
    let replaced = !rules.respect_origin && configured.is_some();
    let said = explicit(response, control, received).filter(|_| !replaced);
    let guess = || heuristic(rules, status, response, control, received);
    let fresh = said.or(configured).or_else(guess);

    let no_cache = control.no_cache && !replaced;
    // `s-maxage` says so, too (§5.2.2.10)
    let implied = control.s_maxage.is_some() && !replaced;
    let must_revalidate = control.must_revalidate || control.proxy_revalidate || implied;
    // what forbids stale responses outranks what allows them (§4.2.4); a rule is for what was fresh first
    let stale = |said: Option<Duration>, rule: Option<Duration>| {
        let allowed = said.or(rule.filter(|_| fresh.is_some()));
        allowed.filter(|_| !no_cache && !must_revalidate).unwrap_or_default()
    };
    // an error is of no more use than the next one
    let if_error = rules.stale_if_error.filter(|_| !status.is_server_error());
    Lifetime {
        fresh: fresh.unwrap_or_default(),
        stale_while_revalidate: stale(control.stale_while_revalidate, rules.stale_while_revalidate),
        stale_if_error: stale(control.stale_if_error, if_error),
        no_cache,
        must_revalidate,
    }
}

/// What the origin says (§4.2.1): `s-maxage`, else `max-age`, else `Expires`. Of several dates the earliest holds, and one that cannot be
/// read is in the past (§5.3).
pub(super) fn explicit(response: &HeaderMap, control: &Control, received: Timestamp) -> Option<Duration> {
    let said = control.s_maxage.or(control.max_age);
    if said.is_some() || control.targeted {
        return said;
    }
    let generated = date(response, &DATE, received).unwrap_or(received);
    let until = |line: &HeaderValue| http_date(line.as_bytes(), received).unwrap_or_default();
    response.get_all(EXPIRES).iter().map(|line| until(line).since(generated).min(LONGEST)).min()
}

/// What the configuration says: `negative` of errors, `ttl` of what is cacheable by default and no error.
pub(super) fn configured(rules: &Rules, status: StatusCode) -> Option<Duration> {
    match status.as_u16() {
        status @ 400.. => rules.negative.get(&status).copied(),
        _ => rules.ttl.filter(|_| cacheable_by_default(status)),
    }
}

/// A tenth of the time since it was modified (§4.2.2), where that is asked for and allowed.
fn heuristic(
    rules: &Rules,
    status: StatusCode,
    response: &HeaderMap,
    control: &Control,
    received: Timestamp,
) -> Option<Duration> {
    let allowed = rules.heuristic && (control.public || cacheable_by_default(status));
    let modified = date(response, &LAST_MODIFIED, received).filter(|_| allowed)?;
    let generated = date(response, &DATE, received).unwrap_or(received);
    Some((generated.since(modified) / 10).min(LONGEST_GUESS))
}

/// Whether responses with this status may be stored though nobody says so (RFC 9110 §15.1).
pub(super) fn cacheable_by_default(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

fn date(response: &HeaderMap, name: &HeaderName, now: Timestamp) -> Option<Timestamp> {
    http_date(response.get(name)?.as_bytes(), now)
}

#[cfg(test)]
mod tests;
