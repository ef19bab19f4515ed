//! Percent-encoding of single values: out of a path or query, and into one.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::path::hex_byte;

/// Everything but the unreserved characters of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The value that a path segment or parameter stands for.
///
/// `None` when it is no text that can be passed on: malformed percent-encoding, not UTF-8, or a control character
/// (line breaks end up in headers and logs). A `+` is a plus.
pub fn decode_segment(segment: &str) -> Option<Cow<'_, str>> {
    if !is_well_formed(segment) {
        return None;
    }
    let value = percent_decode_str(segment).decode_utf8().ok()?;
    (!value.contains(char::is_control)).then_some(value)
}

/// `value` as one path segment: everything but unreserved characters is percent-encoded, so it never adds a segment or
/// starts a query.
///
/// The values `.` and `..` cannot be encoded: they are dot segments in every spelling (RFC 3986 §6.2.2.3). A path that
/// was put together from values from outside is to be passed through [`canonical`](super::canonical) again, and refused
/// when that changes it.
pub fn encode_segment(value: &str) -> Cow<'_, str> {
    utf8_percent_encode(value, RESERVED).into()
}

/// The value that a name or value of a query stands for, by the rules of HTML forms that most servers follow: `+` is a
/// space, and a `%` that starts no percent-encoding is itself. `None` when it is not UTF-8.
pub fn decode_query(component: &str) -> Option<Cow<'_, str>> {
    if component.contains('+') {
        let spaced = component.replace('+', " ");
        return Some(Cow::Owned(percent_decode_str(&spaced).decode_utf8().ok()?.into_owned()));
    }
    percent_decode_str(component).decode_utf8().ok()
}

/// `value` as a name or value of a query: everything but unreserved characters is percent-encoded, a space as `%20`,
/// which servers read alike with and without the rules of HTML forms.
pub fn encode_query(value: &str) -> Cow<'_, str> {
    utf8_percent_encode(value, RESERVED).into()
}

fn is_well_formed(text: &str) -> bool {
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, tail @ ..] if hex_byte(*high, *low).is_some() => tail,
            [b'%', ..] => return false,
            [_, tail @ ..] => tail,
        };
    }
}

/// The first value of a query parameter, decoded; `None` when it is absent or not UTF-8.
pub fn query_value<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(key, _)| decode_query(key).is_some_and(|key| key == name))?;
    decode_query(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_decode_to_text_or_not_at_all() {
        assert_eq!(decode_segment("a%20b+c%2Fd").as_deref(), Some("a b+c/d"));
        assert_eq!(decode_segment("caf%C3%A9").as_deref(), Some("café"));
        assert!(matches!(decode_segment("plain"), Some(Cow::Borrowed("plain"))));
        for refused in ["%ff", "%C3", "%00", "a%0Ab", "%C2%85", "%", "%4", "%zz"] {
            assert_eq!(decode_segment(refused), None, "{refused}");
        }
    }

    #[test]
    fn encoding_leaves_unreserved_characters_only() {
        assert_eq!(encode_segment("a b/c?d#e%f;g=é"), "a%20b%2Fc%3Fd%23e%25f%3Bg%3D%C3%A9");
        assert!(matches!(encode_segment("A-z0.9_~"), Cow::Borrowed(_)));
        assert_eq!(encode_query("a b+c&d=e"), "a%20b%2Bc%26d%3De");
        for value in ["", "a b", "é%2F+", "\u{1F600}&=", "100%"] {
            assert_eq!(decode_segment(&encode_segment(value)).as_deref(), Some(value));
            assert_eq!(decode_query(&encode_query(value)).as_deref(), Some(value));
        }
    }

    #[test]
    fn queries_decode_like_forms() {
        assert_eq!(decode_query("a+b%2Bc%20d").as_deref(), Some("a b+c d"));
        assert_eq!(decode_query("100%").as_deref(), Some("100%"));
        assert_eq!(decode_query("%ff"), None);
        assert_eq!(decode_query("%ff+"), None);
    }
}
