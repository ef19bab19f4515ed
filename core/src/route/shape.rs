//! Comparing a segment of a request with the literal text of a pattern.

use std::borrow::Cow;
use std::cmp::Reverse;

use super::path::{hex_byte, is_reserved_in_path};

/// The text around a parameter; sorts the most specific first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    literal_length: Reverse<usize>,
    prefix_length: Reverse<usize>,
    prefix: Box<str>,
    suffix: Box<str>,
}

impl Shape {
    /// From folded literal text.
    pub(super) fn new(prefix: &str, suffix: &str) -> Self {
        Self {
            literal_length: Reverse(prefix.len() + suffix.len()),
            prefix_length: Reverse(prefix.len()),
            prefix: prefix.into(),
            suffix: suffix.into(),
        }
    }

    /// The parameter's value when `segment` has this shape; never empty.
    pub(super) fn capture<'p>(&self, segment: &'p str) -> Option<&'p str> {
        let rest = strip_folded(segment, &self.prefix)?;
        // each character of the suffix is one byte in the segment, or three in percent-encoding
        let first = rest.len().saturating_sub(self.suffix.len() * 3).max(1);
        let last = rest.len().checked_sub(self.suffix.len())?;
        (first..=last).find_map(|at| {
            let (value, tail) = rest.split_at_checked(at)?;
            let inside_encoding = matches!(value.as_bytes(), [.., b'%'] | [.., b'%', _]);
            (!inside_encoding && strip_folded(tail, &self.suffix) == Some("")).then_some(value)
        })
    }
}

/// The spelling in which segments are compared: characters that may stand in a path as they are (`:`, `@`, `+`, …) are
/// decoded, so that `/orders%3Acancel` cannot slip past the route for `/orders:cancel` to a less strict one while the
/// upstream takes the two for one. Only for comparing; the upstream gets what the client wrote.
pub(super) fn fold(segment: &str) -> Cow<'_, str> {
    // nearly every segment ends here
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let mut folded = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((before, encoded)) = rest.split_once('%') {
        folded.push_str(before);
        match decode_reserved(encoded) {
            Some((byte, tail)) => {
                folded.push(char::from(byte));
                rest = tail;
            }
            None => {
                folded.push('%');
                rest = encoded;
            }
        }
    }
    folded.push_str(rest);
    Cow::Owned(folded)
}

/// `segment` without `literal` at its start, when it starts with it in one spelling or the other.
fn strip_folded<'p>(segment: &'p str, literal: &str) -> Option<&'p str> {
    literal.chars().try_fold(segment, |rest, wanted| {
        rest.strip_prefix(wanted).or_else(|| {
            let (byte, tail) = decode_reserved(rest.strip_prefix('%')?)?;
            (char::from(byte) == wanted).then_some(tail)
        })
    })
}

/// The reserved character that the two digits after a `%` stand for, and what follows them.
fn decode_reserved(digits: &str) -> Option<(u8, &str)> {
    let (pair, tail) = digits.split_at_checked(2)?;
    let &[high, low] = pair.as_bytes() else { return None };
    hex_byte(high, low).filter(|byte| is_reserved_in_path(*byte)).map(|byte| (byte, tail))
}

#[cfg(test)]
mod tests {
    use super::super::pattern::{Pattern, Segment};
    use super::*;

    fn capture<'p>(pattern: &str, segment: &'p str) -> Option<&'p str> {
        match Pattern::parse(pattern).unwrap().segments.as_slice() {
            [Segment::Mixed(shape)] => shape.capture(segment),
            _ => None,
        }
    }

    #[test]
    fn shapes_capture_what_is_between() {
        assert_eq!(capture("/img-{id}.png", "img-7.png"), Some("7"));
        assert_eq!(capture("/img-{id}.png", "img-.png"), None);
        assert_eq!(capture("/{id}.png", ".png.png"), Some(".png"));
        assert_eq!(capture("/a{id}a", "a"), None);
        assert_eq!(capture("/a{id}a", "aa"), None);
        assert_eq!(capture("/a{id}", "ab"), Some("b"));
        assert_eq!(capture("/{id}:cancel", "7:cancel"), Some("7"));
        assert_eq!(capture("/{id}:cancel", "7%3Acancel"), Some("7"));
        assert_eq!(capture("/{id}:cancel", ":cancel"), None);
        assert_eq!(capture("/{id}:", "7%3A%3A"), Some("7%3A"));
        // never half of a percent-encoded character
        assert_eq!(capture("/{id}A", "7%3A"), None);
        assert_eq!(capture("/{id}3A", "7%3A"), None);
        assert_eq!(capture("/{id}%3C", "7%253C"), None);
        assert_eq!(capture("/é{id}é", "%C3%A9x%C3%A9"), Some("x"));
        assert_eq!(capture("/{id}a", "é"), None);
    }

    #[test]
    fn folding_decodes_what_may_stand_in_a_path() {
        assert!(matches!(fold("a:b"), Cow::Borrowed("a:b")));
        assert_eq!(fold("%3Aa%40%2B"), ":a@+");
        assert_eq!(fold("%2F%25%3A%C3%A9%20%7B"), "%2F%25:%C3%A9%20%7B");
        assert_eq!(fold("%253A"), "%253A");
    }
}
