//! The request target: path and query as the client sent them, as far as the front left that to be known.

use std::borrow::Cow;

use http::Uri;
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What neither a path nor a query that was sent has in it.
const STRAY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');
/// The same of a path, which ends at a question mark.
const STRAY_IN_PATH: &AsciiSet = &STRAY.add(b'?').add(b'`');
/// Of a path that came decoded: whatever a path is not written with (RFC 3986 §3.3), and the percent sign, which is one.
const OF_DECODED: &AsciiSet =
    &STRAY_IN_PATH.add(b'%').add(b'[').add(b'\\').add(b']').add(b'^').add(b'{').add(b'|').add(b'}');
/// Of a name or value that came decoded: whatever may mean something, which leaves the unreserved (RFC 3986 §2.3).
const OF_DECODED_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// In which form a front hands on paths or queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As the client sent them.
    Sent,
    /// With their percent-encodings undone.
    Decoded,
}

/// The path without the stage that API Gateway put, or let the client put, before it.
pub(super) fn without_stage<'p>(path: &'p str, stage: Option<&str>) -> &'p str {
    let rest = stage.filter(|stage| *stage != "$default").and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    match rest {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// A path as it is sent.
pub(super) fn path(path: &str, form: Form) -> Cow<'_, str> {
    utf8_percent_encode(path, if form == Form::Sent { STRAY_IN_PATH } else { OF_DECODED }).into()
}

/// A query as it is sent, from one that came whole.
pub(super) fn query(query: &str) -> Cow<'_, str> {
    utf8_percent_encode(query, STRAY).into()
}

/// A query as it is sent, from its names and values. Whether a name without a value had an equals sign, no front tells.
pub(super) fn joined<'q>(pairs: impl Iterator<Item = (&'q str, &'q str)>, form: Form) -> String {
    let set = if form == Form::Sent { STRAY } else { OF_DECODED_VALUE };
    let mut query = String::new();
    for (name, value) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend(utf8_percent_encode(name, set));
        query.push('=');
        query.extend(utf8_percent_encode(value, set));
    }
    query
}

/// A target of path and query. `None` when it is none, which a front would not let through.
pub(super) fn uri(path: &str, query: &str) -> Option<Uri> {
    if !path.starts_with('/') {
        return None;
    }
    let target = if query.is_empty() {
        PathAndQuery::try_from(path)
    } else {
        PathAndQuery::try_from([path, "?", query].concat())
    };
    target.ok().map(Uri::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_a_whole_segment_before_the_path() {
        for (whole, stage, rest) in [
            ("/prod/a", Some("prod"), "/a"),
            ("/prod/prod/a", Some("prod"), "/prod/a"),
            ("/prod", Some("prod"), "/"),
            ("/prod/", Some("prod"), "/"),
            ("/prod//a", Some("prod"), "//a"),
            ("/production/a", Some("prod"), "/production/a"),
            ("/a/prod", Some("prod"), "/a/prod"),
            ("/$default/a", Some("$default"), "/$default/a"),
            ("/a", None, "/a"),
            ("", Some("prod"), ""),
        ] {
            assert_eq!(without_stage(whole, stage), rest, "{whole} {stage:?}");
        }
    }

    #[test]
    fn what_was_sent_encoded_stays_and_what_was_decoded_is_encoded_again() {
        assert_eq!(path("/a%2Fb%20c;d=e:@!$&'()*+,~", Form::Sent), "/a%2Fb%20c;d=e:@!$&'()*+,~");
        assert_eq!(path("/a b/ü?#%2F", Form::Sent), "/a%20b/%C3%BC%3F%23%2F");
        assert_eq!(path("/a b/ü?#%2F100%", Form::Decoded), "/a%20b/%C3%BC%3F%23%252F100%25");
        assert_eq!(path("/a{b}|[c]", Form::Sent), "/a{b}|[c]");
        assert_eq!(path("/a{b}|[c]", Form::Decoded), "/a%7Bb%7D%7C%5Bc%5D");
        assert_eq!(query("a=%20+?/{}&a= \"ü"), "a=%20+?/{}&a=%20%22%C3%BC");
        assert_eq!(joined([("a+b", "c&d=é"), ("a+b", "")].into_iter(), Form::Decoded), "a%2Bb=c%26d%3D%C3%A9&a%2Bb=");
        assert_eq!(joined([("a%2Bb", "c%26"), ("x", "+")].into_iter(), Form::Sent), "a%2Bb=c%26&x=+");
    }

    #[test]
    fn a_target_begins_with_a_slash() {
        assert_eq!(uri("//evil.example/a", "b").unwrap().to_string(), "//evil.example/a?b");
        assert_eq!(uri("//evil.example/a", "b").unwrap().authority(), None);
        for path in ["", "a", "*", "http://evil.example/"] {
            assert_eq!(uri(path, ""), None, "{path}");
        }
    }
}
