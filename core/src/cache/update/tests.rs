use std::collections::BTreeMap;

use super::super::Rules;
use super::super::entry::tests::{DATE_NOW, NOW, fields, seconds, stored};
use super::*;

/// [`LATER`] as a date.
const DATE_LATER: &str = "Fri, 15 Jan 2027 08:01:40 GMT";

fn rules() -> Rules {
    Rules {
        ttl: None,
        respect_origin: true,
        negative: BTreeMap::new(),
        heuristic: false,
        stale_while_revalidate: None,
        stale_if_error: None,
        identified: false,
        content_types: Vec::new(),
        max_size: 1_000,
    }
}

fn entry() -> Entry {
    stored(
        &[
            ("etag", "\"1\""),
            ("date", DATE_NOW),
            ("cache-control", "max-age=60"),
            ("content-type", "text/plain"),
            ("content-encoding", "br"),
            ("content-length", "10"),
            ("content-md5", "x"),
            ("x-kept", "1"),
            ("x-list", "1"),
            ("x-list", "2"),
            ("cache-tag", "a"),
        ],
        "0123456789",
    )
}

fn freshened(entry: &Entry, new: &[(&'static str, &str)]) -> Option<Entry> {
    let (requested, received) = (NOW + seconds(99), NOW + seconds(100));
    entry.freshened(&rules(), &HeaderMap::new(), &fields(new), requested, received)
}

#[test]
fn section_3_2_fields_are_replaced_but_not_those_of_the_body() {
    let new = freshened(
        &entry(),
        &[
            ("etag", "W/\"1\""),
            ("date", DATE_LATER),
            ("cache-control", "max-age=600"),
            ("content-type", "text/html"),
            ("content-encoding", "gzip"),
            ("content-length", "0"),
            ("content-md5", "y"),
            ("content-range", "y"),
            ("x-list", "3"),
            ("x-new", "1"),
            ("x-new", "2"),
            ("age", "7"),
            ("cache-status", "cdn; hit"),
        ],
    )
    .unwrap();
    let expected = fields(&[
        ("etag", "\"1\""),
        ("date", DATE_LATER),
        ("cache-control", "max-age=600"),
        ("content-type", "text/html"),
        ("content-encoding", "br"),
        ("content-length", "10"),
        ("content-md5", "x"),
        ("x-kept", "1"),
        ("x-list", "3"),
        ("x-new", "1"),
        ("x-new", "2"),
    ]);
    assert_eq!(new.headers, expected);
    assert_eq!((new.requested, new.received), (NOW + seconds(99), NOW + seconds(100)));
    assert_eq!((new.age, new.lifetime.fresh), (seconds(8), seconds(600)));
    assert_eq!((&new.body, &new.tags, &new.url), (&entry().body, &entry().tags, &entry().url));
}

#[test]
fn section_4_3_4_without_fields_it_is_fresh_anew() {
    let new = freshened(&entry(), &[]).unwrap();
    assert_eq!(new.headers["date"], DATE_LATER, "RFC 9110 §6.6.1");
    assert_eq!((new.age, new.lifetime.fresh), (seconds(1), seconds(60)));
    assert_eq!(new.tags, entry().tags);
}

#[test]
fn tags_are_replaced_when_there_are_new_ones() {
    let new = freshened(&entry(), &[("surrogate-key", "b c")]).unwrap();
    assert_eq!(new.tags, ["b".into(), "c".into()] as [Box<str>; 2]);
    assert!(!new.headers.contains_key("surrogate-key"));
}

#[test]
fn section_4_3_4_a_304_for_another_response_updates_no_field() {
    for other in [&[("etag", "\"2\""), ("x-kept", "2")][..], &[("etag", "W/\"2\""), ("x-kept", "2")]] {
        let new = freshened(&entry(), other).unwrap();
        assert_eq!((&new.headers, new.lifetime), (&entry().headers, entry().lifetime));
        assert_eq!((new.received, new.age), (NOW + seconds(100), seconds(1)), "and still says that it has not changed");
    }
    let dated = stored(&[("last-modified", DATE_NOW), ("cache-control", "max-age=60"), ("x-kept", "1")], "");
    let kept = |date| freshened(&dated, &[("last-modified", date), ("x-kept", "2")]).unwrap().headers["x-kept"].clone();
    assert_eq!((kept(DATE_NOW), kept(DATE_LATER)), ("2".parse().unwrap(), "1".parse().unwrap()));
}

#[test]
fn a_validator_that_was_missing_is_added() {
    let new = freshened(&stored(&[("last-modified", DATE_NOW)], ""), &[("etag", "\"2\"")]).unwrap();
    assert_eq!(new.headers["etag"], "\"2\"");
}

#[test]
fn section_3_what_may_not_be_kept_any_more_is_not() {
    for forbidding in
        [("cache-control", "no-store"), ("cache-control", "private"), ("set-cookie", "a=b"), ("vary", "*")]
    {
        assert_eq!(freshened(&entry(), &[forbidding]), None, "{forbidding:?}");
    }
}

#[test]
fn section_3_1_fields_that_are_not_stored_are_not_added() {
    let new = freshened(&entry(), &[("cache-control", "max-age=60, no-cache=\"x-user\""), ("x-user", "1")]).unwrap();
    assert!(!new.headers.contains_key("x-user"));
}

#[test]
fn section_4_3_5_a_head_that_shows_another_response() {
    for (head, expected) in [
        (&[][..], true),
        (&[("etag", "\"1\""), ("content-length", "10")], true),
        (&[("etag", "W/\"1\"")], true),
        (&[("etag", "\"2\"")], false),
        (&[("content-length", "9")], false),
        (&[("etag", "\"1\""), ("content-length", "ten")], false),
        (&[("last-modified", DATE_NOW)], true),
    ] {
        assert_eq!(entry().is_described_by(&fields(head)), expected, "{head:?}");
    }
    let dated = stored(&[("last-modified", DATE_NOW)], "");
    assert!(dated.is_described_by(&fields(&[("last-modified", DATE_NOW)])));
    assert!(!dated.is_described_by(&fields(&[("last-modified", DATE_LATER)])));
}
