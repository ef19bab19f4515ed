//! Header fields as the answers have them.

use std::borrow::Cow;

use http::header::{
    ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED, SET_COOKIE,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Serialize, Serializer};

/// Every line: a list for each name.
pub(super) struct Lines<'a>(pub(super) &'a HeaderMap);

impl Serialize for Lines<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lines = |name| self.0.get_all(name).iter().map(text).collect::<Vec<_>>();
        serializer.collect_map(self.0.keys().map(|name| (name.as_str(), lines(name))))
    }
}

/// One line for each name.
pub(super) struct Joined<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) cookies: Cookies,
}

/// What becomes of `Set-Cookie`, whose lines cannot be joined (RFC 9110 §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookies {
    /// They stand elsewhere in the answer.
    Elsewhere,
    /// Each has a name of its own, which differs from the others' in the case of its letters.
    ByCase,
}

impl Serialize for Joined<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let others = self.headers.keys().filter(|name| **name != SET_COOKIE);
        let others = others.map(|name| (Cow::Borrowed(name.as_str()), joined(self.headers, name)));
        let cookies = self.headers.get_all(SET_COOKIE).iter().filter(|_| self.cookies == Cookies::ByCase);
        let cookies = (0..SPELLINGS).zip(cookies).map(|(number, cookie)| (Cow::Owned(spelling(number)), text(cookie)));
        serializer.collect_map(others.chain(cookies))
    }
}

/// In how many ways the nine letters of `set-cookie` can be written. No browser keeps as many cookies of one site.
const SPELLINGS: u32 = 1 << 9;

/// One of the ways: each bit of its number makes one letter a capital.
fn spelling(number: u32) -> String {
    let mut letters = 0;
    let spell = |letter: char| {
        if !letter.is_ascii_alphabetic() {
            return letter;
        }
        letters += 1;
        if number >> (letters - 1) & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
    };
    SET_COOKIE.as_str().chars().map(spell).collect()
}

/// All lines of a name as one (RFC 9110 §5.3).
pub(super) fn joined<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Cow<'h, str> {
    let mut lines = headers.get_all(name).iter().map(text);
    let first = lines.next().unwrap_or_default();
    lines.fold(first, |all, line| Cow::Owned([&*all, ", ", &*line].concat()))
}

/// A value as text: UTF-8, and what is none as ISO 8859-1, which it was when HTTP/1.0 was written.
pub(super) fn text(value: &HeaderValue) -> Cow<'_, str> {
    let latin_1 = || value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
    std::str::from_utf8(value.as_bytes()).map_or_else(|_| Cow::Owned(latin_1()), Cow::Borrowed)
}

/// Removes what a response says about its body, and how long to keep it.
pub(super) fn remove_body_fields(headers: &mut HeaderMap) {
    for name in [
        ACCEPT_RANGES,
        AGE,
        CACHE_CONTROL,
        CONTENT_DISPOSITION,
        CONTENT_ENCODING,
        CONTENT_LANGUAGE,
        CONTENT_LENGTH,
        CONTENT_LOCATION,
        CONTENT_RANGE,
        CONTENT_TYPE,
        ETAG,
        EXPIRES,
        LAST_MODIFIED,
        SET_COOKIE,
    ] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cookie_has_a_spelling_of_its_own() {
        assert_eq!(
            [spelling(0), spelling(1), spelling(5), spelling(511)],
            ["set-cookie", "Set-cookie", "SeT-cookie", "SET-COOKIE"]
        );
        let spellings: std::collections::BTreeSet<_> = (0..SPELLINGS).map(spelling).collect();
        assert_eq!(spellings.len(), 512);
        assert!(spellings.iter().all(|name| name.eq_ignore_ascii_case("set-cookie")));
    }

    #[test]
    fn lines_are_joined_in_their_order_and_bytes_are_text() {
        let mut headers = HeaderMap::new();
        for value in [&b"b"[..], b"a, c", "ü".as_bytes(), b"\xfc"] {
            headers.append("x", HeaderValue::from_bytes(value).unwrap());
        }
        assert_eq!(joined(&headers, &HeaderName::from_static("x")), "b, a, c, ü, ü");
    }
}
