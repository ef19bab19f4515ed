use http::HeaderValue;

use super::super::date::imf_fixdate;
use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_772_366_624);

/// A date so many seconds from now.
fn at(seconds: i64) -> String {
    imf_fixdate(Timestamp::from_secs(NOW.as_secs().checked_add_signed(seconds).unwrap()))
}

fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut response = HeaderMap::new();
    for (name, value) in fields {
        response.append(*name, HeaderValue::from_str(value).unwrap());
    }
    response
}

fn rules() -> Rules {
    Rules {
        ttl: None,
        respect_origin: true,
        negative: Default::default(),
        heuristic: false,
        stale_while_revalidate: None,
        stale_if_error: None,
        identified: false,
        content_types: Vec::new(),
        max_size: u64::MAX,
    }
}

fn judged(rules: &Rules, status: u16, response: &[(&'static str, &str)]) -> Lifetime {
    let response = fields(response);
    lifetime(rules, StatusCode::from_u16(status).unwrap(), &response, &Control::of(&response), NOW)
}

/// The seconds for which a response is fresh.
fn fresh(rules: &Rules, status: u16, response: &[(&'static str, &str)]) -> u64 {
    judged(rules, status, response).fresh.as_secs()
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// RFC 9111 §4.2.3, with its names.
#[test]
fn the_initial_age_is_never_too_low() {
    let age = |response: &[(&'static str, &str)], delay: u64| {
        initial_age(&fields(response), NOW, NOW + Duration::from_millis(delay)).as_millis()
    };
    assert_eq!(age(&[], 0), 0);
    // response_delay
    assert_eq!(age(&[], 1_500), 1_500);
    // apparent_age: in whole seconds, as `Date` is
    assert_eq!(age(&[("date", &at(-7_200))], 0), 7_200_000);
    assert_eq!(age(&[("date", &at(0))], 900), 900);
    let late = NOW + Duration::from_millis(900);
    assert_eq!(initial_age(&fields(&[("date", &at(0))]), late, late), Duration::ZERO);
    assert_eq!(age(&[("date", &at(10))], 0), 0, "a clock that is ahead");
    assert_eq!(age(&[("date", "foo")], 0), 0);
    // corrected_age_value
    assert_eq!(age(&[("age", "30")], 250), 30_250);
    // corrected_initial_age
    assert_eq!(age(&[("age", "30"), ("date", &at(-40))], 0), 40_000);
    assert_eq!(age(&[("age", "50"), ("date", &at(-40))], 0), 50_000);
    assert_eq!(age(&[("age", "99999999999")], 0), 2_147_483_648_000);
    // a clock that was set back while the response was on its way
    assert_eq!(initial_age(&fields(&[]), NOW + seconds(5), NOW), Duration::ZERO);
}

/// RFC 9111 §5.1: what is not one number of seconds.
#[test]
fn an_age_that_cannot_be_read_is_older_than_any_lifetime() {
    for age in
        ["abc", "", "-7200", "7200.0", "7200,0", "0, 0", "3600, 3600", "7200;foo=bar", "0;foo=111", "+1", "\"1\""]
    {
        assert_eq!(initial_age(&fields(&[("age", age)]), NOW, NOW), LONGEST, "{age}");
    }
    for lines in [["7200", "0"], ["0", "7200"], ["0", "0"]] {
        assert_eq!(initial_age(&fields(&lines.map(|age| ("age", age))), NOW, NOW), LONGEST, "{lines:?}");
    }
}

/// RFC 9111 §4.2.1: `s-maxage`, then `max-age`, then `Expires` less `Date`.
#[test]
fn the_origin_is_heard_in_its_order() {
    let (past, future) = (at(-100), at(100));
    let fresh = |response: &[(&'static str, &str)]| fresh(&rules(), 200, response);
    assert_eq!(fresh(&[]), 0);
    assert_eq!(fresh(&[("cache-control", "max-age=5")]), 5);
    assert_eq!(fresh(&[("cache-control", "max-age=5, s-maxage=9"), ("expires", &past)]), 9);
    assert_eq!(fresh(&[("cache-control", "s-maxage=0, max-age=9"), ("expires", &future)]), 0);
    assert_eq!(fresh(&[("cache-control", "max-age=0"), ("expires", &future)]), 0);
    assert_eq!(fresh(&[("cache-control", "max-age=x"), ("expires", &future)]), 0);
    assert_eq!(fresh(&[("cache-control", "max-age=5"), ("expires", "0")]), 5);
    assert_eq!(fresh(&[("expires", &future)]), 100);
    assert_eq!(fresh(&[("expires", &future), ("cache-control", "public")]), 100);
    assert_eq!(fresh(&[("expires", &past)]), 0);
    // RFC 9213 §2.2
    assert_eq!(fresh(&[("cdn-cache-control", "max-age=3"), ("cache-control", "max-age=5"), ("expires", &future)]), 3);
    assert_eq!(fresh(&[("cdn-cache-control", "foo"), ("cache-control", "max-age=5"), ("expires", &future)]), 0);
    assert_eq!(fresh(&[("cdn-cache-control", "foo,"), ("cache-control", "max-age=5")]), 5);
}

/// RFC 9111 §5.3.
#[test]
fn expires_is_relative_to_date_and_else_past() {
    let fresh = |response: &[(&'static str, &str)]| fresh(&rules(), 200, response);
    assert_eq!(fresh(&[("expires", &at(10)), ("date", &at(-10))]), 20);
    assert_eq!(fresh(&[("expires", &at(300)), ("date", &at(400))]), 0);
    assert_eq!(fresh(&[("expires", &at(0)), ("date", &at(0))]), 0);
    assert_eq!(fresh(&[("expires", &at(10)), ("date", "foo")]), 10);
    assert_eq!(fresh(&[("expires", &at(10)), ("expires", &at(7))]), 7);
    assert_eq!(fresh(&[("expires", &at(10)), ("expires", "0")]), 0);
    for invalid in ["0", "-1", "", "foo", "Thu, 18 Aug 2050 02:01:18 UTC", "Thu 18 Aug 2050 02:01:18 GMT"] {
        assert_eq!(fresh(&[("expires", invalid)]), 0, "{invalid}");
    }
    assert_eq!(fresh(&[("expires", "Fri, 31 Dec 9999 23:59:59 GMT")]), 1 << 31);
    assert!(fresh(&[("expires", "Thursday, 18-Aug-50 02:01:18 GMT")]) > 700_000_000);
}

/// RFC 9111 §4.2.2.
#[test]
fn a_guess_is_a_tenth_and_at_most_a_day() {
    let guessing = Rules { heuristic: true, ..rules() };
    let modified = |ago: i64| fresh(&guessing, 200, &[("last-modified", &at(-ago)), ("date", &at(0))]);
    assert_eq!([modified(100), modified(86_400), modified(864_000), modified(8_640_000)], [10, 8_640, 86_400, 86_400]);
    assert_eq!(modified(-100), 0);
    assert_eq!(fresh(&guessing, 200, &[("last-modified", &at(-200)), ("date", &at(-100))]), 10);
    assert_eq!(fresh(&guessing, 200, &[("last-modified", &at(-100))]), 10, "without a date it was now");
    assert_eq!(fresh(&guessing, 200, &[("last-modified", "foo")]), 0);
    assert_eq!(fresh(&rules(), 200, &[("last-modified", &at(-100))]), 0, "off by default");
    let old = at(-100);
    for (status, expected) in [
        (200, 10),
        (201, 0),
        (202, 0),
        (203, 10),
        (204, 10),
        (300, 10),
        (301, 10),
        (302, 0),
        (308, 10),
        (403, 0),
        (404, 10),
        (405, 10),
        (410, 10),
        (414, 10),
        (501, 10),
        (502, 0),
        (503, 0),
        (504, 0),
        (599, 0),
    ] {
        assert_eq!(fresh(&guessing, status, &[("last-modified", &old)]), expected, "{status}");
    }
    assert_eq!(fresh(&guessing, 599, &[("last-modified", &old), ("cache-control", "public")]), 10);
    assert_eq!(fresh(&guessing, 200, &[("last-modified", &old), ("cache-control", "max-age=0")]), 0);
    assert_eq!(fresh(&guessing, 200, &[("last-modified", &old), ("expires", "0")]), 0);
    assert_eq!(fresh(&Rules { ttl: Some(seconds(7)), ..guessing }, 200, &[("last-modified", &old)]), 7);
}

#[test]
fn ttl_is_for_what_succeeds_and_negative_for_what_does_not() {
    let rules = Rules { ttl: Some(seconds(60)), negative: [(404, seconds(9)), (503, seconds(3))].into(), ..rules() };
    for (status, expected) in
        [(200, 60), (204, 60), (301, 60), (302, 0), (307, 0), (201, 0), (404, 9), (410, 0), (500, 0), (503, 3)]
    {
        assert_eq!(fresh(&rules, status, &[]), expected, "{status}");
        assert_eq!(fresh(&rules, status, &[("cache-control", "max-age=5")]), 5, "{status}: the origin said so");
    }
    assert!(judged(&rules, 200, &[("cache-control", "no-cache")]).no_cache);
    assert!(judged(&rules, 200, &[("pragma", "no-cache")]).no_cache);
}

#[test]
fn without_respect_for_the_origin_the_rules_replace_what_it_says_of_freshness() {
    let rules =
        Rules { ttl: Some(seconds(60)), negative: [(404, seconds(9))].into(), respect_origin: false, ..rules() };
    for field in [
        ("cache-control", "max-age=5"),
        ("cache-control", "s-maxage=5"),
        ("cache-control", "no-cache"),
        ("cdn-cache-control", "max-age=5, no-cache"),
        ("pragma", "no-cache"),
        ("expires", "0"),
    ] {
        let plain = Lifetime { fresh: seconds(60), ..Lifetime::default() };
        assert_eq!(judged(&rules, 200, &[field]), plain, "{field:?}");
        assert_eq!(judged(&rules, 404, &[field]).fresh, seconds(9), "{field:?}");
    }
    // what the rules do not speak of, the origin does
    assert_eq!(fresh(&rules, 302, &[("cache-control", "max-age=5")]), 5);
    assert_eq!(fresh(&rules, 410, &[("cache-control", "max-age=5")]), 5);
    assert!(judged(&rules, 410, &[("cache-control", "no-cache")]).no_cache);
    assert!(judged(&rules, 200, &[("cache-control", "must-revalidate")]).must_revalidate);
}

/// RFC 5861, and RFC 9111 §4.2.4: what forbids outranks what allows.
#[test]
fn stale_responses_are_served_where_it_is_said_and_not_forbidden() {
    let ruled = Rules { stale_while_revalidate: Some(seconds(30)), stale_if_error: Some(seconds(300)), ..rules() };
    let stale = |rules: &Rules, status, line: &str| {
        let judged = judged(rules, status, &[("cache-control", line)]);
        [judged.stale_while_revalidate, judged.stale_if_error].map(|stale| stale.as_secs())
    };
    assert_eq!(stale(&rules(), 200, "max-age=5"), [0, 0]);
    assert_eq!(stale(&rules(), 200, "max-age=5, stale-while-revalidate=7, stale-if-error=8"), [7, 8]);
    assert_eq!(stale(&rules(), 200, "stale-while-revalidate=7"), [7, 0]);
    assert_eq!(stale(&ruled, 200, "max-age=5"), [30, 300]);
    assert_eq!(stale(&ruled, 200, "max-age=5, stale-while-revalidate=0"), [0, 300]);
    assert_eq!(stale(&ruled, 200, "max-age=5, stale-if-error=x"), [30, 0]);
    assert_eq!(stale(&ruled, 503, "max-age=5"), [30, 0]);
    assert_eq!(stale(&ruled, 503, "max-age=5, stale-if-error=8"), [30, 8]);
    assert_eq!(stale(&ruled, 200, "foo"), [0, 0], "nobody says when it was fresh");
    for directive in ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=2"] {
        let line = format!("max-age=5, stale-while-revalidate=7, stale-if-error=8, {directive}");
        assert_eq!(stale(&ruled, 200, &line), [0, 0], "{directive}");
    }
    for directive in ["must-revalidate", "proxy-revalidate", "s-maxage=2"] {
        assert!(judged(&ruled, 200, &[("cache-control", directive)]).must_revalidate, "{directive}");
    }
    let replacing = Rules { ttl: Some(seconds(60)), respect_origin: false, ..ruled };
    assert_eq!(stale(&replacing, 200, "s-maxage=2"), [30, 300]);
    assert_eq!(stale(&replacing, 200, "must-revalidate"), [0, 0]);
}
