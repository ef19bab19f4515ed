//! `Range` (RFC 9110 §14).

use http::HeaderMap;
use http::header::RANGE;

/// Which part of so many bytes is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All: no range is asked for, or several are, or what is asked for cannot be read.
    Whole,
    /// From the first to the last, both of which there are.
    Bytes {
        /// Counted from zero.
        first: usize,
        /// Not below `first`.
        last: usize,
    },
    /// None of that is there.
    Unsatisfiable,
}

/// The part of `length` bytes that a request asks for (§14.1.2).
pub(super) fn part(request: &HeaderMap, length: usize) -> Part {
    let mut lines = request.get_all(RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return Part::Whole };
    let Some((first, last)) = line.to_str().ok().and_then(range) else { return Part::Whole };
    let end = length.saturating_sub(1);
    match (first, last) {
        (Some(first), Some(last)) if last < first => Part::Whole,
        (None, Some(0)) => Part::Unsatisfiable,
        // any suffix of nothing is all of it, but no range can say so
        (None, Some(_)) if length == 0 => Part::Whole,
        (None, Some(count)) => Part::Bytes { first: length.saturating_sub(count), last: end },
        (Some(first), _) if first >= length => Part::Unsatisfiable,
        (Some(first), last) => Part::Bytes { first, last: last.map_or(end, |last| last.min(end)) },
        (None, None) => Part::Whole,
    }
}

/// The numbers on both sides of the one `-`.
fn range(value: &str) -> Option<(Option<usize>, Option<usize>)> {
    let (unit, range) = value.trim_ascii().split_once('=')?;
    let (first, last) = range.trim_ascii().split_once('-')?;
    unit.eq_ignore_ascii_case("bytes").then_some(())?;
    Some((number(first)?, number(last)?))
}

/// `Some(None)` when there is none. Numbers beyond all bytes count as the largest there is.
fn number(text: &str) -> Option<Option<usize>> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((!text.is_empty()).then(|| text.parse().unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        let bytes = |first, last| Part::Bytes { first, last };
        for (range, expected) in [
            // §14.1.2
            ("bytes=0-4", bytes(0, 4)),
            ("bytes=0-0", bytes(0, 0)),
            ("bytes=5-", bytes(5, 9)),
            ("bytes=-3", bytes(7, 9)),
            ("bytes=0-9", bytes(0, 9)),
            ("bytes=8-99", bytes(8, 9)),
            ("bytes=-99", bytes(0, 9)),
            ("Bytes=1-2", bytes(1, 2)),
            ("bytes=9-99999999999999999999999999", bytes(9, 9)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=99999999999999999999999999-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            // several, other units, and what is no range: §14.2
            ("bytes=0-1,4-5", Part::Whole),
            ("bytes=4-3", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=1-2-3", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes 0-1", Part::Whole),
            ("items=0-1", Part::Whole),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_static(range));
            assert_eq!(part(&headers, 10), expected, "{range}");
        }
    }

    #[test]
    fn nothing_has_no_range() {
        for (range, expected) in
            [("bytes=0-", Part::Unsatisfiable), ("bytes=-1", Part::Whole), ("bytes=-0", Part::Unsatisfiable)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_static(range));
            assert_eq!(part(&headers, 0), expected, "{range}");
        }
    }

    #[test]
    fn two_fields_are_several_ranges() {
        let mut headers = HeaderMap::new();
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.append(RANGE, HeaderValue::from_static("bytes=4-5"));
        assert_eq!(part(&headers, 10), Part::Whole);
    }
}
