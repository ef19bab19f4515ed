use super::super::entry::tests::{DATE_NOW, NOW, fields, seconds, stored};
use super::*;

const LAST_MODIFIED_THEN: (&str, &str) = ("last-modified", "Thu, 14 Jan 2027 08:00:00 GMT");

fn not_modified(stored_fields: &[(&'static str, &str)], request: &[(&'static str, &str)]) -> bool {
    is_not_modified(&stored(stored_fields, "0123456789"), &fields(request), NOW)
}

#[test]
fn section_4_3_1_the_cache_asks_for_the_whole_and_for_itself() {
    let mut headers = fields(&[
        ("if-none-match", "\"other\""),
        ("if-modified-since", DATE_NOW),
        ("if-match", "\"x\""),
        ("if-unmodified-since", DATE_NOW),
        ("if-range", "\"x\""),
        ("range", "bytes=0-1"),
        ("accept", "*/*"),
    ]);
    make_conditional(&mut headers, &stored(&[("etag", "W/\"a\""), LAST_MODIFIED_THEN], ""));
    let asked = [("accept", "*/*"), ("if-none-match", "W/\"a\""), ("if-modified-since", LAST_MODIFIED_THEN.1)];
    assert_eq!(headers, fields(&asked));
    make_conditional(&mut headers, &stored(&[("etag", "not quoted")], ""));
    assert_eq!(headers, fields(&[("accept", "*/*"), ("if-none-match", "not quoted")]));
    make_conditional(&mut headers, &stored(&[], ""));
    assert_eq!(headers, fields(&[("accept", "*/*")]));
}

#[test]
fn rfc_9110_section_13_2_2_what_only_the_origin_can_answer() {
    for (request, expected) in [
        (("if-match", "*"), true),
        (("if-unmodified-since", DATE_NOW), true),
        (("if-none-match", "*"), false),
        (("if-modified-since", DATE_NOW), false),
        (("if-range", DATE_NOW), false),
    ] {
        assert_eq!(is_conditional(&fields(&[request])), expected, "{request:?}");
    }
}

/// RFC 9110 §8.8.3.2: the examples, compared weakly.
#[test]
fn rfc_9110_section_13_1_2_if_none_match() {
    for (etag, condition, expected) in [
        ("W/\"1\"", "W/\"1\"", true),
        ("W/\"1\"", "W/\"2\"", false),
        ("W/\"1\"", "\"1\"", true),
        ("\"1\"", "\"1\"", true),
        ("\"1\"", "*", true),
        ("\"1\"", "\"0\", \"1\", \"2\"", true),
        ("\"1\"", "\"0\",W/\"1\"", true),
        ("\"1\"", "\"0\", \"2\"", false),
        ("\"a,b\"", "\"x\", \"a,b\"", true),
        ("\"b\"", "\"a,b\"", false),
        ("\"1\"", "\"*\"", false),
        ("\"1\"", "", false),
        ("\"\"", ",", false),
        ("\"abcdef\u{fc}\"", "\"abcdef\u{fc}\"", true),
        // what is no tag, but sent by many
        ("\"1\"", "1", true),
        ("1", "1", true),
        ("1", "\"1\"", true),
        ("w/\"1\"", "w/\"1\"", true),
        ("W\\\"1\"", "W\\\"1\"", true),
    ] {
        assert_eq!(not_modified(&[("etag", etag)], &[("if-none-match", condition)]), expected, "{etag} {condition}");
    }
    assert!(not_modified(&[("etag", "\"1\"")], &[("if-none-match", "\"0\""), ("if-none-match", "\"1\"")]));
    assert!(not_modified(&[], &[("if-none-match", "*")]));
    assert!(!not_modified(&[], &[("if-none-match", "\"1\"")]));
}

#[test]
fn rfc_9110_section_13_1_3_if_none_match_outranks_if_modified_since() {
    let stored = [("etag", "\"1\""), LAST_MODIFIED_THEN];
    assert!(!not_modified(&stored, &[("if-none-match", "\"0\""), ("if-modified-since", DATE_NOW)]));
    let before = "Thu, 14 Jan 2027 07:59:59 GMT";
    assert!(not_modified(&stored, &[("if-none-match", "\"1\""), ("if-modified-since", before)]));
}

#[test]
fn section_4_3_2_if_modified_since() {
    for (stored, since, expected) in [
        (LAST_MODIFIED_THEN, "Thu, 14 Jan 2027 08:00:00 GMT", true),
        (LAST_MODIFIED_THEN, "Thu, 14 Jan 2027 08:00:01 GMT", true),
        (LAST_MODIFIED_THEN, "Thu, 14 Jan 2027 07:59:59 GMT", false),
        (LAST_MODIFIED_THEN, "Thursday, 14-Jan-27 08:00:00 GMT", true),
        (LAST_MODIFIED_THEN, "Thu Jan 14 08:00:00 2027", true),
        (LAST_MODIFIED_THEN, "yesterday", false),
        (("last-modified", "yesterday"), DATE_NOW, false),
        // without `Last-Modified`, `Date` says it
        (("date", "Thu, 14 Jan 2027 08:00:00 GMT"), "Thu, 14 Jan 2027 08:00:00 GMT", true),
        (("date", "Thu, 14 Jan 2027 08:00:00 GMT"), "Thu, 14 Jan 2027 07:59:59 GMT", false),
    ] {
        assert_eq!(not_modified(&[stored], &[("if-modified-since", since)]), expected, "{stored:?} {since}");
    }
    let twice = [("if-modified-since", DATE_NOW), ("if-modified-since", DATE_NOW)];
    assert!(!not_modified(&[LAST_MODIFIED_THEN], &twice));
}

#[test]
fn section_4_3_2_without_any_date_the_time_when_it_came_counts() {
    let mut entry = stored(&[], "");
    entry.headers.remove(DATE);
    let since = |date| is_not_modified(&entry, &fields(&[("if-modified-since", date)]), NOW + seconds(9));
    assert!(since(DATE_NOW));
    assert!(!since("Fri, 15 Jan 2027 07:59:59 GMT"));
}

#[test]
fn rfc_9110_section_13_2_1_only_what_succeeded_has_conditions() {
    let mut entry = stored(&[("etag", "\"1\"")], "");
    entry.status = http::StatusCode::NOT_FOUND;
    assert!(!is_not_modified(&entry, &fields(&[("if-none-match", "*")]), NOW));
}

#[test]
fn rfc_9110_section_13_1_5_if_range_takes_strong_validators_only() {
    let date = ("date", DATE_NOW);
    for (stored_fields, condition, expected) in [
        ([("etag", "\"1\""), date], "\"1\"", true),
        ([("etag", "\"1\""), date], "\"2\"", false),
        ([("etag", "\"1\""), date], "W/\"1\"", false),
        ([("etag", "W/\"1\""), date], "W/\"1\"", false),
        ([("etag", "W/\"1\""), date], "\"1\"", false),
        ([LAST_MODIFIED_THEN, date], LAST_MODIFIED_THEN.1, true),
        ([LAST_MODIFIED_THEN, date], "Thu, 14 Jan 2027 08:00:01 GMT", false),
        ([LAST_MODIFIED_THEN, date], "Thu Jan 14 08:00:00 2027", false),
        // changed in the second in which it was sent
        ([("last-modified", DATE_NOW), date], DATE_NOW, false),
        ([("x-none", ""), date], "\"1\"", false),
        ([("x-none", ""), date], DATE_NOW, false),
    ] {
        let entry = stored(&stored_fields, "");
        let met = is_if_range_met(&entry, &fields(&[("if-range", condition)]), NOW);
        assert_eq!(met, expected, "{stored_fields:?} {condition}");
    }
    assert!(is_if_range_met(&stored(&[], ""), &HeaderMap::new(), NOW));
}
