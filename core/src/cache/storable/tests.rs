use super::super::date::imf_fixdate;
use super::super::freshness::initial_age;
use super::*;
use crate::sim::{Random, check_seeds};

type Fields<'f> = &'f [(&'static str, &'f str)];

const NOW: Timestamp = Timestamp::from_secs(1_772_366_624);

/// Field values may hold a number of seconds from now in braces: a date.
fn fields(fields: Fields<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let offset = value.strip_prefix('{').and_then(|value| value.strip_suffix('}')?.parse().ok());
        let date = offset.map(|offset| imf_fixdate(Timestamp::from_secs(NOW.as_secs().saturating_add_signed(offset))));
        headers.append(*name, HeaderValue::from_str(date.as_deref().unwrap_or(value)).unwrap());
    }
    headers
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
        max_size: 1_000,
    }
}

fn judged(rules: &Rules, request: Fields<'_>, status: u16, response: Fields<'_>) -> Result<Lifetime, NotStored> {
    let (status, response) = (StatusCode::from_u16(status).unwrap(), fields(response));
    let age = initial_age(&response, NOW, NOW);
    storable(rules, &Method::GET, &fields(request), status, &response, age, NOW)
}

/// Why a 200 is not stored, if it is not.
fn refused(rules: &Rules, request: Fields<'_>, response: Fields<'_>) -> Option<NotStored> {
    judged(rules, request, 200, response).err()
}

const FRESH: (&str, &str) = ("cache-control", "max-age=3600");

/// RFC 9111 §3: the method is understood.
#[test]
fn only_answers_to_get_are_stored() {
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        let stored = storable(&rules(), &method, &fields(&[]), StatusCode::OK, &fields(&[FRESH]), Duration::ZERO, NOW);
        assert_eq!(stored, Err(NotStored::Method), "{method}");
    }
    assert_eq!(refused(&rules(), &[], &[FRESH]), None);
}

/// RFC 9111 §3: the status is final, and somebody allows it.
#[test]
fn a_status_is_stored_by_default_or_when_it_is_said() {
    for status in [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599] {
        for said in [FRESH, ("expires", "{3600}"), ("cdn-cache-control", "max-age=9"), ("cache-control", "s-maxage=9")]
        {
            assert!(judged(&rules(), &[], status, &[said]).is_ok(), "{status} {said:?}");
        }
        let tagged = judged(&rules(), &[], status, &[("etag", "\"a\"")]);
        let public = judged(&rules(), &[], status, &[("etag", "\"a\""), ("cache-control", "public")]);
        let by_default = [200, 203, 204, 301, 308, 404, 410].contains(&status);
        assert_eq!((tagged.err(), public.err()), ((!by_default).then_some(NotStored::Status), None), "{status}");
    }
    for (status, reason) in
        [(100, NotStored::Status), (101, NotStored::Status), (206, NotStored::Partial), (304, NotStored::Partial)]
    {
        assert_eq!(judged(&rules(), &[], status, &[("cache-control", "public, max-age=9")]), Err(reason));
    }
    let ruled =
        Rules { ttl: Some(Duration::from_secs(60)), negative: [(503, Duration::from_secs(3))].into(), ..rules() };
    for (status, reason) in [(200, None), (503, None), (302, Some(NotStored::Status)), (500, Some(NotStored::Status))] {
        assert_eq!(judged(&ruled, &[], status, &[]).err(), reason, "{status}");
    }
}

/// RFC 9111 §5.2.2.5, §5.2.1.5, §5.2.2.7.
#[test]
fn what_forbids_to_store_holds_whatever_the_rules_say() {
    let lax = Rules { ttl: Some(Duration::from_secs(60)), respect_origin: false, identified: true, ..rules() };
    for rules in [rules(), lax] {
        let refused =
            |request: Fields<'_>, line| refused(&rules, request, &[("cache-control", line), ("expires", "{99}")]);
        assert_eq!(refused(&[], "max-age=9, no-store"), Some(NotStored::NoStore));
        assert_eq!(refused(&[], "public, max-age=9, Private"), Some(NotStored::Private));
        assert_eq!(refused(&[], "max-age=9, private=\"x-user\""), None);
        assert_eq!(refused(&[("cache-control", "no-store")], "max-age=9"), Some(NotStored::RequestNoStore));
        assert_eq!(refused(&[("cache-control", "no-cache, max-age=0")], "max-age=9"), None);
    }
}

/// RFC 9111 §5.2.2.3.
#[test]
fn must_understand_is_for_statuses_that_are_understood() {
    let judged = |status, line| judged(&rules(), &[], status, &[("cache-control", line)]).err();
    assert_eq!(judged(200, "max-age=9, must-understand, no-store"), None);
    assert_eq!(judged(599, "max-age=9, must-understand, no-store"), Some(NotStored::Status));
    assert_eq!(judged(599, "max-age=9, must-understand"), Some(NotStored::Status));
    assert_eq!(judged(599, "max-age=9"), None);
    assert_eq!(judged(200, "max-age=9, must-understand, private"), Some(NotStored::Private));
}

/// RFC 9111 §3.5.
#[test]
fn authorized_responses_are_stored_where_that_is_allowed() {
    const AUTHORIZED: (&str, &str) = ("authorization", "FOO");
    let said = |rules: &Rules, line| refused(rules, &[AUTHORIZED], &[("cache-control", line)]);
    for line in ["max-age=9, public", "max-age=9, must-revalidate", "s-maxage=9"] {
        assert_eq!(said(&rules(), line), None, "{line}");
    }
    for line in ["max-age=9", "max-age=9, proxy-revalidate", "max-age=9, public=1", "max-age=9, x=\"public\""] {
        assert_eq!(said(&rules(), line), Some(NotStored::Authorization), "{line}");
        assert_eq!(said(&Rules { identified: true, ..rules() }, line), None, "{line}");
    }
    // said in a field that is not heard
    let unheard = [("cdn-cache-control", "max-age=9"), ("cache-control", "public, max-age=9")];
    assert_eq!(refused(&rules(), &[AUTHORIZED], &unheard), Some(NotStored::Authorization));
}

#[test]
fn cookies_are_never_stored() {
    assert_eq!(refused(&rules(), &[], &[FRESH, ("set-cookie", "a=b")]), Some(NotStored::SetCookie));
    let without = ("cache-control", "no-cache=\"set-cookie\"");
    assert_eq!(refused(&rules(), &[], &[FRESH, ("set-cookie", "a=b"), without]), None);
    assert_eq!(refused(&rules(), &[("cookie", "a=b")], &[FRESH]), None);
}

/// RFC 9111 §4.1.
#[test]
fn a_response_that_varies_by_all_is_not_stored() {
    for vary in ["*", " * ", "accept, *", "*, accept", "a,*,b"] {
        assert_eq!(refused(&rules(), &[], &[FRESH, ("vary", vary)]), Some(NotStored::VaryStar), "{vary}");
    }
    assert_eq!(refused(&rules(), &[], &[FRESH, ("vary", "a"), ("vary", "*")]), Some(NotStored::VaryStar));
    assert_eq!(refused(&rules(), &[], &[FRESH, ("vary", "accept, x*")]), None);
}

#[test]
fn media_types_and_sizes_are_those_of_the_rules() {
    let rules = Rules { content_types: vec!["application/json".to_owned(), "text/*".to_owned()], ..rules() };
    let refused = |response: Fields<'_>| refused(&rules, &[], &[&[FRESH], response].concat());
    for kind in ["application/json", "Application/JSON ; charset=utf-8", "text/html", "TEXT/plain;a=b"] {
        assert_eq!(refused(&[("content-type", kind)]), None, "{kind}");
    }
    for kind in ["", "application/json+x", "application", "text", "textual/html", "image/png; text/html", "é"] {
        assert_eq!(refused(&[("content-type", kind)]), Some(NotStored::ContentType), "{kind}");
    }
    assert_eq!(refused(&[]), Some(NotStored::ContentType));
    let json = ("content-type", "application/json");
    assert_eq!(refused(&[json, ("content-length", "1000")]), None);
    assert_eq!(refused(&[json, ("content-length", "1001")]), Some(NotStored::TooLarge));
}

/// RFC 9111 §3: nothing is stored that could never be used.
#[test]
fn a_response_without_a_use_is_not_stored() {
    for response in [
        &[][..],
        &[("cache-control", "max-age=0")],
        &[("expires", "0")],
        &[("cache-control", "max-age=9"), ("age", "9")],
        &[("cache-control", "max-age=9"), ("date", "{-9}")],
        &[("cache-control", "max-age=9, no-cache")],
        &[("cache-control", "max-age=9, stale-while-revalidate=3, stale-if-error=5"), ("age", "14")],
    ] {
        assert_eq!(refused(&rules(), &[], response), Some(NotStored::NoLifetime), "{response:?}");
        for validator in [("etag", "W/\"a\""), ("last-modified", "{-9}")] {
            assert_eq!(refused(&rules(), &[], &[response, &[validator]].concat()), None, "{response:?} {validator:?}");
        }
    }
    for response in [
        &[("cache-control", "max-age=9"), ("age", "8")][..],
        &[("cache-control", "stale-if-error=5")],
        &[("cache-control", "max-age=9, stale-while-revalidate=3, stale-if-error=5"), ("age", "13")],
    ] {
        assert_eq!(refused(&rules(), &[], response), None, "{response:?}");
    }
}

/// Whatever else a response says, `no-store` and `private` keep it out, and an `Authorization` does without being told otherwise.
#[test]
fn nothing_gets_around_what_forbids() {
    const MORE: [(&str, &str); 12] = [
        ("cache-control", "max-age=9"),
        ("cache-control", "public"),
        ("cache-control", "x=\"y"),
        ("cache-control", "private=\"a\""),
        ("surrogate-control", "content=\"x\""),
        ("cdn-cache-control", "max-age=9,"),
        ("expires", "{99}"),
        ("etag", "\"a\""),
        ("pragma", "public"),
        ("vary", "accept"),
        ("age", "0"),
        ("date", "{0}"),
    ];
    let lax = Rules { ttl: Some(Duration::from_secs(60)), respect_origin: false, heuristic: true, ..rules() };
    check_seeds(2_000, None, |seed| {
        let random = Random::new(seed);
        let mut more: Vec<_> = (0..random.below(6)).filter_map(|_| random.pick(&MORE).copied()).collect();
        let at = random.below(more.len() as u64 + 1) as usize;
        let status = 200 + random.below(400) as u16;
        more.insert(
            at,
            ("cache-control", random.pick(&["no-store", "PRIVATE", "a, no-store=0", "private=\"\""]).unwrap()),
        );
        assert!(judged(&lax, &[], status, &more).is_err(), "{more:?}");
        more.retain(|(name, value)| *name != "cache-control" || *value == "max-age=9");
        assert!(judged(&lax, &[("authorization", "a")], status, &more).is_err(), "{more:?}");
    });
}

/// What the tests of <https://cache-tests.fyi> say of these responses, three seconds after they came, by their names.
#[test]
fn what_is_reused_is_what_cache_tests_say() {
    let rules = Rules { heuristic: true, ..rules() };
    let reused = |status, response: Fields<'_>| {
        let lifetime = judged(&rules, &[], status, response).unwrap_or_default();
        let age = initial_age(&fields(response), NOW, NOW) + Duration::from_secs(3);
        !lifetime.no_cache && age < lifetime.fresh
    };
    let cases: [(&str, bool, Fields<'_>); 54] = [
        ("freshness-none", false, &[]),
        ("freshness-max-age", true, &[FRESH]),
        ("freshness-max-age-0", false, &[("cache-control", "max-age=0")]),
        ("freshness-max-age-max-minus-1", true, &[("cache-control", "max-age=2147483647")]),
        ("freshness-max-age-max", true, &[("cache-control", "max-age=2147483648")]),
        ("freshness-max-age-max-plus-1", true, &[("cache-control", "max-age=2147483649")]),
        ("freshness-max-age-max-plus", true, &[("cache-control", "max-age=99999999999")]),
        ("freshness-max-age-age", false, &[("date", "{0}"), FRESH, ("age", "7200")]),
        ("freshness-max-age-date", false, &[("date", "{-7200}"), FRESH]),
        ("freshness-max-age-expires", true, &[FRESH, ("expires", "{-7200}"), ("date", "{0}")]),
        ("freshness-max-age-expires-invalid", true, &[FRESH, ("expires", "0"), ("date", "{0}")]),
        (
            "freshness-max-age-0-expires",
            false,
            &[("expires", "{3600}"), ("cache-control", "max-age=0"), ("date", "{0}")],
        ),
        ("freshness-max-age-extension", true, &[("cache-control", "foobar, max-age=3600")]),
        ("freshness-max-age-negative", false, &[("cache-control", "max-age=-3600")]),
        ("freshness-max-age-s-maxage-shared-longer", false, &[("cache-control", "max-age=3600, s-maxage=1")]),
        ("freshness-max-age-s-maxage-shared-longer-multiple", false, &[FRESH, ("cache-control", "s-maxage=1")]),
        (
            "freshness-max-age-s-maxage-shared-shorter-expires",
            true,
            &[("expires", "{-10}"), ("cache-control", "max-age=0, s-maxage=3600")],
        ),
        ("freshness-max-age-quoted", true, &[("cache-control", "max-age=\"3600\"")]),
        ("freshness-max-age-single-quoted", false, &[("cache-control", "max-age='3600'")]),
        ("freshness-max-age-ignore-quoted", false, &[("cache-control", "extension=\"max-age=3600\", max-age=1")]),
        (
            "freshness-max-age-ignore-quoted-all-rev",
            false,
            &[("cache-control", "max-age=\"1\", extension=\"max-age=3600\"")],
        ),
        ("freshness-max-age-leading-zero", true, &[("cache-control", "max-age=003600")]),
        ("freshness-max-age-space-before-equals", false, &[("cache-control", "max-age =3600")]),
        ("freshness-max-age-space-after-equals", false, &[("cache-control", "max-age= 3600")]),
        ("freshness-expires-future", true, &[("expires", "{2592000}"), ("date", "{0}")]),
        ("freshness-expires-past", false, &[("expires", "{-2592000}"), ("date", "{0}")]),
        ("freshness-expires-old-date", false, &[("expires", "{300}"), ("date", "{400}")]),
        ("freshness-expires-invalid", false, &[("expires", "0"), ("date", "{0}")]),
        ("freshness-expires-invalid-date", true, &[("date", "foo"), ("expires", "{10}")]),
        ("freshness-expires-age-slow-date", false, &[("date", "{-10}"), ("expires", "{10}"), ("age", "25")]),
        ("freshness-expires-age-fast-date", false, &[("date", "{10}"), ("expires", "{20}"), ("age", "15")]),
        ("freshness-expires-rfc850", true, &[("expires", "Thursday, 18-Aug-50 02:01:18 GMT"), ("date", "{0}")]),
        ("freshness-expires-ansi-c", true, &[("expires", "Thu Aug  8 02:01:18 2050"), ("date", "{0}")]),
        ("freshness-expires-wrong-case-month", true, &[("expires", "Thu, 18 AUG 2050 02:01:18 GMT"), ("date", "{0}")]),
        ("age-parse-nonnumeric", false, &[FRESH, ("age", "abc")]),
        ("age-parse-suffix-twoline", false, &[FRESH, ("age", "7200"), ("age", "0")]),
        ("age-parse-prefix-twoline", false, &[FRESH, ("age", "0"), ("age", "7200")]),
        ("age-parse-dup-0", false, &[FRESH, ("age", "0, 0")]),
        ("age-parse-numeric-parameter", false, &[FRESH, ("age", "7200;foo=111")]),
        ("cc-resp-private-shared", false, &[("cache-control", "private, max-age=3600")]),
        ("cc-resp-no-store-case-insensitive", false, &[("cache-control", "No-StOrE")]),
        ("cc-resp-no-cache", false, &[("cache-control", "max-age=10000, no-cache"), ("expires", "{10000}")]),
        (
            "headers-omit-headers-listed-in-Cache-Control-no-cache",
            true,
            &[("cache-control", "no-cache=\"a, b\""), FRESH],
        ),
        (
            "cc-resp-must-revalidate-fresh",
            true,
            &[("cache-control", "max-age=10000, must-revalidate"), ("etag", "\"abcd\"")],
        ),
        ("pragma-response-no-cache", true, &[FRESH, ("pragma", "no-cache")]),
        ("pragma-response-no-cache-heuristic", false, &[("last-modified", "{-10000}"), ("pragma", "no-cache")]),
        ("heuristic-delta-3600", true, &[("last-modified", "{-3600}"), ("date", "{0}")]),
        ("surrogate-max-age", true, &[("surrogate-control", "max-age=3600")]),
        (
            "surrogate-max-age-other-target",
            false,
            &[("surrogate-control", "max-age=3600;not-for-you"), ("age", "7200")],
        ),
        ("surrogate-max-age-0-expires", false, &[("surrogate-control", "max-age=0"), ("expires", "{10000}")]),
        (
            "surrogate-max-age-short-cc-max-age",
            true,
            &[("cache-control", "max-age=1"), ("surrogate-control", "max-age=3600")],
        ),
        ("surrogate-max-age-long-cc-max-age", false, &[FRESH, ("surrogate-control", "max-age=1")]),
        (
            "surrogate-no-store-cc-fresh",
            false,
            &[("cache-control", "max-age=10000"), ("surrogate-control", "no-store")],
        ),
        (
            "surrogate-fresh-cc-nostore",
            true,
            &[("cache-control", "no-store"), ("surrogate-control", "max-age=10000;portico")],
        ),
    ];
    for (name, expected, response) in cases {
        assert_eq!(reused(200, response), expected, "{name}");
    }
    assert!(!reused(599, &[("cache-control", "max-age=3600, must-understand")]), "status-599-must-understand");
    assert!(!reused(599, &[("last-modified", "{-86400}")]), "heuristic-599-not_cached");
    assert!(reused(599, &[("last-modified", "{-86400}"), ("cache-control", "public")]), "heuristic-599-cached");
}
