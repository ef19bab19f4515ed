use super::super::entry::tests::{DATE_NOW, NOW, fields, seconds, stored};
use super::*;

type Answer = Response<Body<()>>;

fn entry() -> Entry {
    stored(
        &[
            ("etag", "\"1\""),
            ("date", DATE_NOW),
            ("cache-control", "max-age=60"),
            ("vary", "accept"),
            ("content-type", "text/plain"),
            ("content-encoding", "br"),
            ("content-language", "de"),
            ("content-md5", "x"),
            ("content-digest", "x"),
            ("content-location", "/a.txt"),
            ("last-modified", "Thu, 14 Jan 2027 08:00:00 GMT"),
            ("content-security-policy", "default-src 'self'"),
            ("age", "5"),
        ],
        "0123456789",
    )
}

fn get(request: &[(&'static str, &str)]) -> Answer {
    answer(&entry(), &Method::GET, &fields(request), NOW + seconds(3))
}

fn body(response: &Answer) -> &[u8] {
    match response.body() {
        Body::Full(bytes) => bytes,
        _ => b"",
    }
}

fn names(response: &Answer) -> Vec<&str> {
    let mut names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn section_5_1_the_whole_with_its_age() {
    let response = get(&[]);
    assert_eq!((response.status(), body(&response)), (StatusCode::OK, &b"0123456789"[..]));
    assert_eq!(response.headers().get_all("age").iter().collect::<Vec<_>>(), ["8"]);
    assert_eq!(response.headers()["date"], DATE_NOW, "§4.2.3: when it was generated");
    assert_eq!(response.headers()["content-length"], "10");
    let old = Entry { age: std::time::Duration::MAX, ..entry() };
    let response: Answer = answer(&old, &Method::GET, &HeaderMap::new(), NOW);
    assert_eq!(response.headers()["age"], "2147483648", "§1.2.2");
}

#[test]
fn rfc_9110_section_9_3_2_head_has_the_fields_and_no_body() {
    let response: Answer = answer(&entry(), &Method::HEAD, &fields(&[("range", "bytes=0-1")]), NOW + seconds(3));
    assert_eq!((response.status(), body(&response)), (StatusCode::OK, &b""[..]));
    assert_eq!(response.headers(), get(&[]).headers());
    let response: Answer = answer(&entry(), &Method::HEAD, &fields(&[("if-none-match", "\"1\"")]), NOW);
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
}

#[test]
fn rfc_9110_section_8_6_a_204_says_no_length() {
    let entry = Entry { status: StatusCode::NO_CONTENT, ..stored(&[], "") };
    let response: Answer = answer(&entry, &Method::GET, &HeaderMap::new(), NOW);
    assert_eq!((response.status(), names(&response)), (StatusCode::NO_CONTENT, vec!["age", "date"]));
}

#[test]
fn rfc_9110_section_15_4_5_a_304_says_what_a_200_would_but_nothing_of_the_content() {
    let response = get(&[("if-none-match", "\"1\""), ("range", "bytes=0-1")]);
    assert_eq!((response.status(), body(&response)), (StatusCode::NOT_MODIFIED, &b""[..]));
    assert_eq!(
        names(&response),
        [
            "age",
            "cache-control",
            "content-location",
            "content-security-policy",
            "date",
            "etag",
            "last-modified",
            "vary"
        ]
    );
    assert_eq!(get(&[("if-none-match", "\"2\"")]).status(), StatusCode::OK);
}

#[test]
fn rfc_9110_section_15_3_7_a_206_is_one_range_of_it() {
    for (range, said, expected) in [
        ("bytes=0-1", "bytes 0-1/10", "01"),
        ("bytes=8-", "bytes 8-9/10", "89"),
        ("bytes=-1", "bytes 9-9/10", "9"),
        ("bytes=0-99", "bytes 0-9/10", "0123456789"),
    ] {
        let response = get(&[("range", range)]);
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(body(&response), expected.as_bytes());
        assert_eq!(response.headers()["content-range"], said);
        assert_eq!(response.headers()["content-length"], expected.len().to_string().as_str());
        assert_eq!((&response.headers()["etag"], &response.headers()["age"]), (&"\"1\"".parse().unwrap(), &8.into()));
        let of_the_whole = ["content-md5", "content-digest"];
        assert!(!of_the_whole.iter().any(|name| response.headers().contains_key(*name)));
    }
}

#[test]
fn rfc_9110_section_14_2_ranges_that_are_not_served() {
    for request in [
        &[("range", "bytes=0-1, 4-5")][..],
        &[("range", "pages=1-2")],
        &[("range", "bytes=0-1"), ("if-range", "\"2\"")],
        &[("range", "bytes=99-"), ("if-range", "\"2\"")],
        &[("range", "bytes=0-1"), ("if-range", "W/\"1\"")],
    ] {
        let response = get(request);
        assert_eq!((response.status(), body(&response)), (StatusCode::OK, &b"0123456789"[..]), "{request:?}");
        assert!(!response.headers().contains_key("content-range"));
    }
    assert_eq!(get(&[("range", "bytes=0-1"), ("if-range", "\"1\"")]).status(), StatusCode::PARTIAL_CONTENT);
    let gone = Entry { status: StatusCode::NOT_FOUND, ..entry() };
    let response: Answer = answer(&gone, &Method::GET, &fields(&[("range", "bytes=0-1")]), NOW);
    assert_eq!((response.status(), body(&response).len()), (StatusCode::NOT_FOUND, 10));
}

#[test]
fn rfc_9110_section_15_5_17_a_416_says_how_much_there_is() {
    let response = get(&[("range", "bytes=10-")]);
    assert_eq!((response.status(), body(&response)), (StatusCode::RANGE_NOT_SATISFIABLE, &b""[..]));
    assert_eq!(response.headers()["content-range"], "bytes */10");
    assert_eq!(names(&response), ["age", "content-range"]);
}
