use super::*;

pub(in crate::cache) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// [`NOW`] as a date.
pub(in crate::cache) const DATE_NOW: &str = "Fri, 15 Jan 2027 08:00:00 GMT";

pub(in crate::cache) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(in crate::cache) fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// A response 200 that came at [`NOW`] and is fresh for a minute.
pub(in crate::cache) fn stored(headers: &[(&'static str, &str)], body: &'static str) -> Entry {
    let lifetime = Lifetime { fresh: seconds(60), ..Lifetime::default() };
    let body = Bytes::from_static(body.as_bytes());
    Entry::new("example.com/a", StatusCode::OK, fields(headers), body, NOW, NOW, lifetime)
}

fn with(lifetime: Lifetime) -> Entry {
    Entry { lifetime, ..stored(&[], "") }
}

const FRESH: Lifetime = Lifetime {
    fresh: seconds(60),
    stale_while_revalidate: Duration::ZERO,
    stale_if_error: Duration::ZERO,
    no_cache: false,
    must_revalidate: false,
};

const VALIDATED: Reuse = Reuse::Validated { if_error: false };
const VALIDATED_IF_POSSIBLE: Reuse = Reuse::Validated { if_error: true };

#[test]
fn section_3_1_what_is_not_stored_is_left_out() {
    let entry = stored(
        &[
            ("age", "7"),
            ("cache-status", "cdn; hit"),
            ("proxy-authentication-info", "x"),
            ("cache-control", "max-age=60, no-cache=\"x-user, x-once\", private=\"x-mine\""),
            ("x-user", "1"),
            ("x-once", "1"),
            ("x-mine", "1"),
            ("x-kept", "1"),
            ("x-kept", "2"),
            ("date", DATE_NOW),
            ("surrogate-key", "b  a"),
            ("surrogate-key", "c"),
            ("cache-tag", "a, d e,"),
        ],
        "",
    );
    let mut names: Vec<_> = entry.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["cache-control", "date", "x-kept"]);
    assert_eq!(entry.headers.get_all("x-kept").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(entry.tags, ["a".into(), "b".into(), "c".into(), "d e".into()] as [Box<str>; 4]);
    assert_eq!(entry.age, seconds(7));
}

#[test]
fn rfc_9110_section_6_6_1_a_date_is_added_and_never_replaced() {
    assert_eq!(stored(&[], "").headers["date"], DATE_NOW);
    assert_eq!(stored(&[("date", "yesterday")], "").headers["date"], "yesterday");
}

#[test]
fn tags_that_are_too_long_are_not_kept() {
    let (fits, long) = ("a".repeat(MAX_TEXT), "b".repeat(MAX_TEXT + 1));
    let entry = stored(&[("surrogate-key", &format!("{fits} {long}"))], "");
    assert_eq!(entry.tags, [fits.into()] as [Box<str>; 1]);
}

#[test]
fn section_4_2_3_age_is_what_it_was_and_the_time_since() {
    let entry = stored(&[("age", "10")], "");
    assert_eq!(entry.age_at(NOW), seconds(10));
    assert_eq!(entry.age_at(NOW + seconds(5)), seconds(15));
    assert_eq!(entry.age_at(Timestamp::from_secs(0)), seconds(10), "a clock that was set back");
    assert_eq!(entry.freshness_left(NOW + seconds(20)), 30);
    assert_eq!(entry.freshness_left(NOW + seconds(50)), 0);
    assert_eq!(entry.freshness_left(NOW + seconds(80)), -30);
}

#[test]
fn section_4_2_fresh_until_the_lifetime_is_over() {
    let entry = with(FRESH);
    let last = NOW + Duration::from_micros(59_999_999);
    assert_eq!(entry.reuse(&Wish::NONE, last), Reuse::AsItIs);
    assert_eq!(entry.reuse(&Wish::NONE, NOW + seconds(60)), VALIDATED);
}

#[test]
fn section_5_2_2_4_no_cache_is_validated_even_when_fresh() {
    let entry = with(Lifetime { no_cache: true, stale_if_error: seconds(60), ..FRESH });
    let any = Wish { max_stale: Some(None), ..Wish::NONE };
    assert_eq!((entry.reuse(&Wish::NONE, NOW), entry.reuse(&any, NOW)), (VALIDATED, VALIDATED));
}

#[test]
fn rfc_5861_stale_while_revalidating_and_if_error() {
    let entry = with(Lifetime { stale_while_revalidate: seconds(10), stale_if_error: seconds(20), ..FRESH });
    for (after, expected) in [
        (59, Reuse::AsItIs),
        (60, Reuse::WhileRevalidating),
        (69, Reuse::WhileRevalidating),
        (70, VALIDATED_IF_POSSIBLE),
        (79, VALIDATED_IF_POSSIBLE),
        (80, VALIDATED),
    ] {
        assert_eq!(entry.reuse(&Wish::NONE, NOW + seconds(after)), expected, "{after}");
    }
}

#[test]
fn section_5_2_1_what_the_request_wishes() {
    let wish = Wish::NONE;
    let stale = Lifetime { stale_while_revalidate: seconds(100), stale_if_error: seconds(100), ..FRESH };
    let strict = Lifetime { must_revalidate: true, ..FRESH };
    let (max_age, max_stale) = (|age| Some(seconds(age)), |stale| Some(Some(seconds(stale))));
    for (lifetime, wish, after, expected) in [
        // §5.2.1.1
        (FRESH, Wish { max_age: max_age(10), ..wish }, 10, Reuse::AsItIs),
        (FRESH, Wish { max_age: max_age(10), ..wish }, 11, VALIDATED_IF_POSSIBLE),
        (FRESH, Wish { max_age: max_age(0), ..wish }, 0, VALIDATED_IF_POSSIBLE),
        (stale, Wish { max_age: max_age(600), ..wish }, 61, VALIDATED_IF_POSSIBLE),
        (FRESH, Wish { max_age: max_age(600), ..wish }, 61, VALIDATED),
        (FRESH, Wish { max_age: max_age(600), max_stale: Some(None), ..wish }, 61, Reuse::AsItIs),
        // §5.2.1.2
        (FRESH, Wish { max_stale: max_stale(5), ..wish }, 65, Reuse::AsItIs),
        (FRESH, Wish { max_stale: max_stale(5), ..wish }, 66, VALIDATED),
        (FRESH, Wish { max_stale: Some(None), ..wish }, 1_000_000, Reuse::AsItIs),
        (strict, Wish { max_stale: Some(None), ..wish }, 61, VALIDATED),
        (stale, Wish { max_stale: max_stale(5), ..wish }, 66, VALIDATED_IF_POSSIBLE),
        // §5.2.1.3
        (FRESH, Wish { min_fresh: max_age(10), ..wish }, 50, Reuse::AsItIs),
        (FRESH, Wish { min_fresh: max_age(10), ..wish }, 51, VALIDATED_IF_POSSIBLE),
        (stale, Wish { min_fresh: max_age(1), ..wish }, 61, VALIDATED_IF_POSSIBLE),
        // §5.2.1.4
        (stale, Wish { no_cache: true, ..wish }, 0, VALIDATED),
        (stale, Wish { no_cache: true, max_stale: Some(None), ..wish }, 61, VALIDATED),
        // §5.2.1.5: a cache may answer with what it stored before
        (FRESH, Wish { no_store: true, ..wish }, 0, Reuse::AsItIs),
    ] {
        assert_eq!(with(lifetime).reuse(&wish, NOW + seconds(after)), expected, "{lifetime:?} {wish:?} {after}");
    }
}

#[test]
fn it_is_kept_as_long_as_it_is_of_use() {
    let etag = |lifetime| Entry { lifetime, ..stored(&[("etag", "\"a\"")], "") };
    let stale = Lifetime { stale_while_revalidate: seconds(10), stale_if_error: seconds(20), ..FRESH };
    let strict = Lifetime { must_revalidate: true, ..FRESH };
    assert_eq!(with(strict).keep(NOW), seconds(60));
    assert_eq!(with(strict).keep(NOW + seconds(60)), Duration::ZERO);
    assert_eq!(with(FRESH).keep(NOW), seconds(60) + ACCEPTABLE);
    assert_eq!(with(stale).keep(NOW + seconds(5)), seconds(75) + ACCEPTABLE);
    assert_eq!(etag(stale).keep(NOW), seconds(80) + VALIDATABLE);
    let no_cache = Lifetime { no_cache: true, ..FRESH };
    assert_eq!((with(no_cache).keep(NOW), etag(no_cache).keep(NOW)), (Duration::ZERO, VALIDATABLE));
    assert_eq!(with(Lifetime { fresh: Duration::MAX, ..FRESH }).keep(NOW), Duration::MAX);
}

#[test]
fn its_size_is_that_of_all_it_holds() {
    let (small, body) = (stored(&[], ""), stored(&[], "0123456789"));
    assert_eq!(body.size(), small.size() + 10);
    assert!(stored(&[("x-long", &"a".repeat(1_000))], "").size() > small.size() + 1_000);
    assert!(stored(&[("cache-tag", &"a".repeat(1_000))], "").size() > small.size() + 1_000);
    assert!(Item::Response(small).size() > size_of::<Item>());
    let names = |count: usize| vec![HeaderName::from_static("accept"); count];
    let names = |count: usize| Item::Varies(Variants { names: names(count), since: NOW }).size();
    assert!(names(10) > names(1));
}
