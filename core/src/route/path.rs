//! The canonical path: one spelling for matching, for authorisation and for the upstream.
//!
//! A gateway that matches one spelling of a path and forwards another can be talked past: `/public/%2e%2e/admin` is
//! public to whoever matches it as written and `/admin` to whoever decodes it. So the path is spelled once, here, as
//! RFC 3986 §6.2.2 says, and everybody after this sees only that. What stays open to two readings even then is listed
//! in [`Canonical::ambiguities`].

use std::borrow::Cow;

use super::ambiguity::{Ambiguities, scan};

/// The longest path that is looked at, in bytes, raw and canonical: 8192, the usual limit of a whole request line
/// (RFC 9112 §3 asks for 8000 at least).
pub const MAX_PATH: usize = 8192;

/// A path in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical<'p> {
    /// Starts with `/`, has no dot segments, and consists of RFC 3986 `pchar`, `/` and upper-case `%XX` only. Borrowed
    /// when the request already spelled it so.
    pub path: Cow<'p, str>,
    /// The ways in which another server could read this path differently; refuse it when there are any, unless the
    /// route says that its upstream reads them as we do.
    pub ambiguities: Ambiguities,
}

/// Spells the path of a request in the one canonical way.
///
/// Dot segments are resolved (RFC 3986 §5.2.4), `%XX` of unreserved characters is decoded (§6.2.2.2), other `%XX` is
/// upper-cased (§6.2.2.1) and kept, and printable characters that have no place in a path (`"<>[\]^{|}` and the
/// backtick) are percent-encoded. `canonical` of a canonical path is that path.
///
/// `raw_path` is the request target up to the `?`. The `*` of `OPTIONS *` is none: deal with it before. A path with an
/// error is always a 400. A path that is canonical already costs one scan and no allocation.
///
/// ```
/// # use portico_core::route::canonical;
/// assert_eq!(canonical("/a/./b/../%7Ecarla/%c3%a9").unwrap().path, "/a/~carla/%C3%A9");
/// assert_eq!(canonical("/public/%2e%2e/admin").unwrap().ambiguities.to_string(), "dot segment in percent-encoding");
/// assert!(canonical("/100%").is_err());
/// ```
pub fn canonical(raw_path: &str) -> Result<Canonical<'_>, PathError> {
    if raw_path.len() > MAX_PATH {
        return Err(PathError::TooLong);
    }
    if !raw_path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    if is_plain(raw_path) {
        return Ok(Canonical { path: Cow::Borrowed(raw_path), ambiguities: Ambiguities::NONE });
    }
    let respelled = needs_respelling(raw_path)?;
    let ambiguities = scan(raw_path);
    let mut path = if respelled { Cow::Owned(respell(raw_path)) } else { Cow::Borrowed(raw_path) };
    if path.split('/').any(is_dot_segment) {
        path = Cow::Owned(remove_dot_segments(&path));
    }
    // encoding a character makes it three
    if path.len() > MAX_PATH {
        return Err(PathError::TooLong);
    }
    Ok(Canonical { path, ambiguities })
}

/// Why a path is refused on every route: it has no meaning that could be agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Empty, or an absolute URI, or `*`.
    #[error("the path does not start with `/`")]
    NotAbsolute,
    /// A control character, a space, `?`, `#` or a byte outside ASCII; `at` counts bytes from 0.
    #[error("the path has a character at byte {at} that must be percent-encoded")]
    InvalidCharacter {
        /// Where it is.
        at: usize,
    },
    /// A `%` that two hexadecimal digits do not follow; `at` counts bytes from 0.
    #[error("the path has a `%` at byte {at} that is not followed by two hexadecimal digits")]
    InvalidPercentEncoding {
        /// Where the `%` is.
        at: usize,
    },
    /// More than [`MAX_PATH`] bytes.
    #[error("the path is longer than {MAX_PATH} bytes")]
    TooLong,
}

/// `.` or `..` (RFC 3986 §3.3), as written: nothing is decoded.
pub(super) fn is_dot_segment(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

/// Percent-encodes, decodes and upper-cases `text` so that every equivalent spelling comes out the same. Slashes and
/// dot segments stay as they are, malformed percent-encoding too.
pub(super) fn respell(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len() + 16);
    let mut rest = text.as_bytes();
    loop {
        let byte = match rest {
            [] => return spelled,
            [b'%', high, low, tail @ ..] if let Some(byte) = hex_byte(*high, *low) => {
                rest = tail;
                if is_unreserved(byte) {
                    spelled.push(char::from(byte));
                } else {
                    push_encoded(&mut spelled, byte);
                }
                continue;
            }
            [byte, tail @ ..] => {
                rest = tail;
                *byte
            }
        };
        if is_path_character(byte) || byte == b'%' {
            spelled.push(char::from(byte));
        } else {
            push_encoded(&mut spelled, byte);
        }
    }
}

/// The byte that two hexadecimal digits spell.
pub(super) fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let high = char::from(high).to_digit(16)?;
    let low = char::from(low).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

/// RFC 3986 §2.2 `sub-delims`, `:` and `@`: allowed in a path as they are, yet never decoded by us, because for some
/// applications `%3B` and `;` differ.
pub(super) const fn is_reserved_in_path(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@')
}

/// The fast way out: nothing to decode, nothing that could be a dot segment, no empty segment.
fn is_plain(path: &str) -> bool {
    let mut after_slash = false;
    path.bytes().all(|byte| {
        let plain = is_path_character(byte) && byte != b';' && !(after_slash && matches!(byte, b'/' | b'.'));
        after_slash = byte == b'/';
        plain
    })
}

/// Whether a path is spelled canonically already and open to no more readings than `permitted`: what may go upstream.
pub fn is_canonical(path: &str, permitted: Ambiguities) -> bool {
    canonical(path).is_ok_and(|canonical| {
        canonical.path == path && canonical.ambiguities.iter().all(|one| permitted.contains(one))
    })
}

/// Whether [`respell`] would change anything; all errors within a path are found here.
fn needs_respelling(path: &str) -> Result<bool, PathError> {
    let mut needed = false;
    let mut rest = path.as_bytes();
    loop {
        let at = path.len() - rest.len();
        rest = match rest {
            [] => return Ok(needed),
            [b'%', high, low, tail @ ..] => {
                let Some(byte) = hex_byte(*high, *low) else {
                    return Err(PathError::InvalidPercentEncoding { at });
                };
                needed |= is_unreserved(byte) || high.is_ascii_lowercase() || low.is_ascii_lowercase();
                tail
            }
            [b'%', ..] => return Err(PathError::InvalidPercentEncoding { at }),
            [b'#' | b'?', ..] => return Err(PathError::InvalidCharacter { at }),
            [byte, tail @ ..] if byte.is_ascii_graphic() => {
                needed |= !is_path_character(*byte);
                tail
            }
            _ => return Err(PathError::InvalidCharacter { at }),
        };
    }
}

/// RFC 3986 §5.2.4, for a path that starts with `/`.
fn remove_dot_segments(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    out.push('/');
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => {
                out.pop();
                // the root has no parent: `/..` is `/`
                out.truncate(out.rfind('/').map_or(0, |slash| slash + 1));
                if out.is_empty() {
                    out.push('/');
                }
            }
            _ => {
                out.push_str(segment);
                if segments.peek().is_some() {
                    out.push('/');
                }
            }
        }
    }
    out
}

/// RFC 3986 §2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 §3.3 `pchar` without percent-encoding, or `/`.
const fn is_path_character(byte: u8) -> bool {
    is_unreserved(byte) || is_reserved_in_path(byte) || byte == b'/'
}

fn push_encoded(out: &mut String, byte: u8) {
    out.push_str(percent_encoding::percent_encode_byte(byte));
}

#[cfg(test)]
mod tests {
    use super::super::Ambiguity;
    use super::*;

    fn path(raw: &str) -> String {
        canonical(raw).unwrap().path.into_owned()
    }

    #[test]
    fn rfc3986_5_2_4_removes_dot_segments() {
        assert_eq!(path("/a/b/c/./../../g"), "/a/g");
        // §5.4.1 and §5.4.2, merged with the base path /b/c/d;p
        for (merged, expected) in [
            ("/b/c/g", "/b/c/g"),
            ("/b/c/./g", "/b/c/g"),
            ("/b/c/g/", "/b/c/g/"),
            ("/b/c/;x", "/b/c/;x"),
            ("/b/c/g;x", "/b/c/g;x"),
            ("/b/c/.", "/b/c/"),
            ("/b/c/./", "/b/c/"),
            ("/b/c/..", "/b/"),
            ("/b/c/../", "/b/"),
            ("/b/c/../g", "/b/g"),
            ("/b/c/../..", "/"),
            ("/b/c/../../", "/"),
            ("/b/c/../../g", "/g"),
            ("/b/c/../../../g", "/g"),
            ("/b/c/../../../../g", "/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("/b/c/g.", "/b/c/g."),
            ("/b/c/.g", "/b/c/.g"),
            ("/b/c/g..", "/b/c/g.."),
            ("/b/c/..g", "/b/c/..g"),
            ("/b/c/./../g", "/b/g"),
            ("/b/c/./g/.", "/b/c/g/"),
            ("/b/c/g/./h", "/b/c/g/h"),
            ("/b/c/g/../h", "/b/c/h"),
            ("/b/c/g;x=1/./y", "/b/c/g;x=1/y"),
            ("/b/c/g;x=1/../y", "/b/c/y"),
            ("/", "/"),
            ("/..", "/"),
            ("/.", "/"),
            ("/...", "/..."),
        ] {
            let canonical = canonical(merged).unwrap();
            assert_eq!(canonical.path, expected, "{merged}");
            let parameters: Vec<_> = merged.contains(';').then_some(Ambiguity::PathParameter).into_iter().collect();
            assert_eq!(canonical.ambiguities.iter().collect::<Vec<_>>(), parameters, "{merged}");
        }
    }

    #[test]
    fn rfc3986_6_2_2_normalises_spelling() {
        assert_eq!(path("/a%c2%b1b%2b"), "/a%C2%B1b%2B");
        assert_eq!(path("/%7esmith/%41%2D%5f"), "/~smith/A-_");
        assert_eq!(path("/a/./b/../b/%63/%7bfoo%7d"), "/a/b/c/%7Bfoo%7D");
        // reserved characters mean what they are written as
        assert_eq!(path("/a%3Bb;c%40@"), "/a%3Bb;c%40@");
        assert_eq!(path("/{a}|\"<b>^`[c]"), "/%7Ba%7D%7C%22%3Cb%3E%5E%60%5Bc%5D");
    }

    #[test]
    fn a_canonical_path_is_borrowed() {
        for raw in ["/", "/api/orders/7", "/a:b@c/;x=(1)!*'", "/caf%C3%A9/a%20b", "/.well-known/jwks.json", "/a/..b/"] {
            assert!(matches!(canonical(raw).unwrap().path, Cow::Borrowed(_)), "{raw}");
        }
        assert!(matches!(canonical("/a%2Fb").unwrap().path, Cow::Borrowed(_)));
    }

    #[test]
    fn what_has_no_meaning_is_an_error() {
        use PathError::{InvalidCharacter, InvalidPercentEncoding, NotAbsolute, TooLong};
        for (raw, error) in [
            ("", NotAbsolute),
            ("*", NotAbsolute),
            ("a/b", NotAbsolute),
            ("http://example.com/", NotAbsolute),
            ("%2Fa", NotAbsolute),
            ("/a b", InvalidCharacter { at: 2 }),
            ("/a\tb", InvalidCharacter { at: 2 }),
            ("/a\r\nX: y", InvalidCharacter { at: 2 }),
            ("/a\0", InvalidCharacter { at: 2 }),
            ("/a\u{7f}", InvalidCharacter { at: 2 }),
            ("/é", InvalidCharacter { at: 1 }),
            ("/a#b", InvalidCharacter { at: 2 }),
            ("/a?b", InvalidCharacter { at: 2 }),
            ("/%", InvalidPercentEncoding { at: 1 }),
            ("/a%4", InvalidPercentEncoding { at: 2 }),
            ("/%zz", InvalidPercentEncoding { at: 1 }),
            ("/%%32%66", InvalidPercentEncoding { at: 1 }),
            ("/%u002f", InvalidPercentEncoding { at: 1 }),
            ("/%+1", InvalidPercentEncoding { at: 1 }),
            ("/a%2é", InvalidPercentEncoding { at: 2 }),
        ] {
            assert_eq!(canonical(raw), Err(error), "{raw:?}");
        }
        let longest = format!("/{}", "a".repeat(MAX_PATH - 1));
        assert!(canonical(&longest).is_ok());
        assert_eq!(canonical(&format!("{longest}a")), Err(TooLong));
        assert_eq!(canonical(&longest.replace('a', "|")), Err(TooLong));
    }

    /// The tricks that got requests past other gateways, and what is seen in them.
    #[test]
    fn known_bypasses_are_resolved_or_flagged() {
        use Ambiguity::{
            Backslash, DotSegmentParameter, DoubleEncoding, EmptySegment, EncodedControl, EncodedDotSegment,
            EncodedNul, EncodedSlash, OverlongUtf8, PathParameter,
        };
        let cases: &[(&str, &str, &[Ambiguity])] = &[
            ("/%61dmin", "/admin", &[]),
            ("/public/../admin", "/admin", &[]),
            ("/./admin", "/admin", &[]),
            ("/public/%2e%2e/admin", "/admin", &[EncodedDotSegment]),
            ("/public/%2E./admin", "/admin", &[EncodedDotSegment]),
            ("/public/.%2e/admin", "/admin", &[EncodedDotSegment]),
            ("/%2e/admin", "/admin", &[EncodedDotSegment]),
            ("/admin/%2e%2e", "/", &[EncodedDotSegment]),
            ("/public/..%2fadmin", "/public/..%2Fadmin", &[EncodedSlash]),
            ("/public%2f..%2fadmin", "/public%2F..%2Fadmin", &[EncodedSlash]),
            ("/%2e%2e%2fadmin", "/..%2Fadmin", &[EncodedSlash]),
            ("/admin%2F", "/admin%2F", &[EncodedSlash]),
            ("/public/..\\admin", "/public/..%5Cadmin", &[Backslash]),
            ("/public\\..\\admin", "/public%5C..%5Cadmin", &[Backslash]),
            ("/public/..%5cadmin", "/public/..%5Cadmin", &[Backslash]),
            ("/\\example.com", "/%5Cexample.com", &[Backslash]),
            ("//admin", "//admin", &[EmptySegment]),
            ("//example.com/%2e%2e", "//", &[EncodedDotSegment, EmptySegment]),
            ("/public//admin", "/public//admin", &[EmptySegment]),
            ("/public//../admin", "/public/admin", &[EmptySegment]),
            ("/admin//", "/admin//", &[EmptySegment]),
            ("/public/..;/admin", "/public/..;/admin", &[DotSegmentParameter]),
            ("/public/..;x=y/admin", "/public/..;x=y/admin", &[DotSegmentParameter]),
            ("/public/.;/admin", "/public/.;/admin", &[DotSegmentParameter]),
            ("/public/%2e%2e;/admin", "/public/..;/admin", &[DotSegmentParameter]),
            ("/public/..%3B/admin", "/public/..%3B/admin", &[DotSegmentParameter]),
            ("/public/..%253b/admin", "/public/..%253b/admin", &[DotSegmentParameter, DoubleEncoding]),
            ("/admin%00", "/admin%00", &[EncodedNul]),
            ("/admin%00.png", "/admin%00.png", &[EncodedNul]),
            ("/admin%0d%0aX:y", "/admin%0D%0AX:y", &[EncodedControl]),
            ("/admin%09", "/admin%09", &[EncodedControl]),
            ("/admin%7f", "/admin%7F", &[EncodedControl]),
            ("/public/%252e%252e/admin", "/public/%252e%252e/admin", &[DoubleEncoding]),
            ("/public/.%252e/admin", "/public/.%252e/admin", &[DoubleEncoding]),
            ("/public/..%252fadmin", "/public/..%252fadmin", &[DoubleEncoding]),
            ("/public/..%25252fadmin", "/public/..%25252fadmin", &[DoubleEncoding]),
            ("/public/..%25%32%66admin", "/public/..%252fadmin", &[DoubleEncoding]),
            ("/public/..%25%2532fadmin", "/public/..%25%2532fadmin", &[DoubleEncoding]),
            ("/public/..%255cadmin", "/public/..%255cadmin", &[DoubleEncoding]),
            ("/admin%2500", "/admin%2500", &[DoubleEncoding]),
            ("/public/..%c0%afadmin", "/public/..%C0%AFadmin", &[OverlongUtf8]),
            ("/public/%c0%ae%c0%ae/admin", "/public/%C0%AE%C0%AE/admin", &[OverlongUtf8]),
            ("/public/..%e0%80%afadmin", "/public/..%E0%80%AFadmin", &[OverlongUtf8]),
            ("/public/..%f0%80%80%afadmin", "/public/..%F0%80%80%AFadmin", &[OverlongUtf8]),
            // and what only looks like one
            ("/100%25", "/100%25", &[]),
            ("/100%2525", "/100%2525", &[]),
            ("/a%252Eb", "/a%252Eb", &[]),
            ("/a%252Bb", "/a%252Bb", &[]),
            ("/%25zz", "/%25zz", &[]),
            ("/a%20b", "/a%20b", &[]),
            ("/...;/a", "/...;/a", &[PathParameter]),
            ("/admin;x=y/z", "/admin;x=y/z", &[PathParameter]),
            ("/admin%3Bx/z", "/admin%3Bx/z", &[]),
            ("/orders/", "/orders/", &[]),
            ("/%C3%A0%E0%A4%85%F0%9F%98%80", "/%C3%A0%E0%A4%85%F0%9F%98%80", &[]),
        ];
        for (raw, expected, flags) in cases {
            let found = canonical(raw).unwrap();
            assert_eq!(found.path, *expected, "{raw}");
            assert_eq!(found.ambiguities.iter().collect::<Vec<_>>(), *flags, "{raw}");
        }
    }

    /// Whatever comes in: the spelling is stable, stays below the root, and when nothing was flagged a server that
    /// decodes first (up to three times), merges slashes or takes backslashes for slashes still sees the same segments.
    #[test]
    fn unflagged_paths_have_one_reading() {
        const PIECES: [&str; 31] = [
            "/",
            "/",
            "/",
            "a",
            "b",
            ".",
            ".",
            "..",
            "%2e",
            "%2E",
            "%2f",
            "%5c",
            "\\",
            "%00",
            "%25",
            "25",
            "2e",
            "2F",
            "%32",
            "%46",
            ";",
            "%3b",
            "%c3%a9",
            "%C0%AF",
            "%20",
            "%7e",
            "%41",
            "|",
            "%0A",
            "3B",
            "%e0%a4%85",
        ];
        let mut random = super::super::tests::Random::new(3986);
        let mut unflagged = 0;
        for _ in 0..60_000 {
            let raw: String = std::iter::once("/")
                .chain((0..random.below(9)).map(|_| PIECES.get(random.below(PIECES.len())).copied().unwrap_or("/")))
                .collect();
            let first = canonical(&raw).unwrap();
            let second = canonical(&first.path).unwrap();
            assert_eq!(first.path, second.path, "{raw}");
            assert!(matches!(second.path, Cow::Borrowed(_)), "{raw}");
            assert!(first.path.starts_with('/') && !first.path.split('/').any(is_dot_segment), "{raw}");
            if !first.ambiguities.is_empty() {
                continue;
            }
            unflagged += 1;
            assert!(second.ambiguities.is_empty(), "{raw}");
            let mut reading = first.path.into_owned();
            for _ in 0..3 {
                let slashes = reading.matches('/').count();
                reading = percent_encoding::percent_decode_str(&reading).decode_utf8_lossy().into_owned();
                assert_eq!(reading.matches(['/', '\\']).count(), slashes, "{raw} reads {reading}");
                assert!(!reading.contains("//") && !reading.contains(char::is_control), "{raw} reads {reading}");
                let mut segments = reading.split('/').map(|segment| segment.split(';').next().unwrap_or(""));
                assert!(!segments.any(is_dot_segment), "{raw} reads {reading}");
            }
        }
        assert!(unflagged > 10_000, "{unflagged}");
    }
}
