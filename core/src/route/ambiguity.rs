//! Paths that two servers can read differently, even in their canonical spelling.

use std::fmt;

use super::path::hex_byte;

/// One way in which the server behind us could read a path differently from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ambiguity {
    /// `%2F`: data to us, a separator to a server that decodes before it splits.
    EncodedSlash,
    /// `\` or `%5C`: a separator to some servers, mostly on Windows, and to every browser.
    Backslash,
    /// `%00`: the end of the path to whatever is written in C.
    EncodedNul,
    /// Another control character in percent-encoding: line breaks end up in logs and headers.
    EncodedControl,
    /// A dot segment that appeared only after decoding, as `%2e%2e`: resolved by us, not by a server that decodes late.
    EncodedDotSegment,
    /// `..;x`: a path parameter on a dot segment, which Java servlet containers drop before they resolve the dots.
    DotSegmentParameter,
    /// `/admin;x`: a path parameter (RFC 3986 §3.3), part of the segment to us, dropped by Java servlet containers, to which
    /// this is `/admin`.
    PathParameter,
    /// `//`: servers that merge slashes see another path than we authorised.
    EmptySegment,
    /// `%252F` and the like: one of the above to a server that decodes twice.
    DoubleEncoding,
    /// `%C0%AF`: an ASCII character in more bytes than UTF-8 allows (RFC 3629 §3), decoded by careless servers.
    OverlongUtf8,
}

impl Ambiguity {
    const ALL: [Self; 10] = [
        Self::EncodedSlash,
        Self::Backslash,
        Self::EncodedNul,
        Self::EncodedControl,
        Self::EncodedDotSegment,
        Self::DotSegmentParameter,
        Self::PathParameter,
        Self::EmptySegment,
        Self::DoubleEncoding,
        Self::OverlongUtf8,
    ];

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EncodedSlash => "encoded slash (%2F)",
            Self::Backslash => "backslash",
            Self::EncodedNul => "encoded NUL (%00)",
            Self::EncodedControl => "encoded control character",
            Self::EncodedDotSegment => "dot segment in percent-encoding",
            Self::DotSegmentParameter => "path parameter on a dot segment (..;)",
            Self::PathParameter => "path parameter (;)",
            Self::EmptySegment => "empty segment (//)",
            Self::DoubleEncoding => "double percent-encoding",
            Self::OverlongUtf8 => "overlong UTF-8",
        })
    }
}

/// A set of [`Ambiguity`]; prints as a list, nothing when empty.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Ambiguities(u16);

impl Ambiguities {
    /// The path has one reading.
    pub const NONE: Self = Self(0);

    /// Whether the path has one reading.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `ambiguity` is in the set.
    pub const fn contains(self, ambiguity: Ambiguity) -> bool {
        self.0 & ambiguity.bit() != 0
    }

    /// The members, in the order of their declaration.
    pub fn iter(self) -> impl Iterator<Item = Ambiguity> {
        Ambiguity::ALL.into_iter().filter(move |ambiguity| self.contains(*ambiguity))
    }
}

impl std::ops::BitOrAssign<Ambiguity> for Ambiguities {
    fn bitor_assign(&mut self, ambiguity: Ambiguity) {
        self.0 |= ambiguity.bit();
    }
}

impl fmt::Display for Ambiguities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, ambiguity) in self.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{ambiguity}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Ambiguities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Collects what is ambiguous in a path as it is written, before anything is decoded or resolved.
pub(super) fn scan(path: &str) -> Ambiguities {
    let mut found = Ambiguities::NONE;
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            found |= Ambiguity::EmptySegment;
        }
        // only an encoded `%` leaves something to decode after decoding
        if segment.contains("%25") {
            let bytes = decode_fully(segment);
            scan_characters(bytes.iter().copied(), &mut found);
            scan_dots(bytes.into_iter(), &mut found);
        } else {
            scan_characters(decode_once(segment), &mut found);
            scan_dots(decode_once(segment), &mut found);
        }
        if segment.contains(';') && !found.contains(Ambiguity::DotSegmentParameter) {
            found |= Ambiguity::PathParameter;
        }
    }
    found
}

fn scan_characters(segment: impl Iterator<Item = Decoded>, found: &mut Ambiguities) {
    let mut previous = 0;
    for Decoded { byte, depth } in segment {
        let once = match byte {
            b'/' => Some(Ambiguity::EncodedSlash),
            b'\\' => Some(Ambiguity::Backslash),
            0 => Some(Ambiguity::EncodedNul),
            1..0x20 | 0x7f => Some(Ambiguity::EncodedControl),
            _ => None,
        };
        if let Some(once) = once {
            *found |= if depth > 1 { Ambiguity::DoubleEncoding } else { once };
        }
        // the lead bytes whose sequences could be shorter, RFC 3629 §4
        if matches!((previous, byte), (0xC0 | 0xC1, 0x80..=0xBF) | (0xE0, 0x80..=0x9F) | (0xF0, 0x80..=0x8F)) {
            *found |= Ambiguity::OverlongUtf8;
        }
        previous = byte;
    }
}

fn scan_dots(segment: impl Iterator<Item = Decoded>, found: &mut Ambiguities) {
    let mut dots = 0;
    let mut deepest = 0;
    for Decoded { byte, depth } in segment {
        match byte {
            b'.' if dots < 2 => dots += 1,
            b';' if dots > 0 => {
                *found |= Ambiguity::DotSegmentParameter;
                if deepest.max(depth) > 1 {
                    *found |= Ambiguity::DoubleEncoding;
                }
                return;
            }
            _ => return,
        }
        deepest = deepest.max(depth);
    }
    if dots > 0 {
        match deepest {
            0 => {}
            1 => *found |= Ambiguity::EncodedDotSegment,
            _ => *found |= Ambiguity::DoubleEncoding,
        }
    }
}

/// A byte of a path, and how many times one has to percent-decode to get at it: 0 as written.
#[derive(Debug, Clone, Copy)]
struct Decoded {
    byte: u8,
    depth: u32,
}

fn decode_once(segment: &str) -> impl Iterator<Item = Decoded> {
    let mut rest = segment.as_bytes();
    std::iter::from_fn(move || {
        let decoded = match rest {
            [b'%', high, low, tail @ ..] if let Some(byte) = hex_byte(*high, *low) => {
                rest = tail;
                Decoded { byte, depth: 1 }
            }
            [byte, tail @ ..] => {
                rest = tail;
                Decoded { byte: *byte, depth: 0 }
            }
            [] => return None,
        };
        Some(decoded)
    })
}

/// Decodes until nothing is left to decode, in one pass: `%25252F` and `%25%2532F` are a slash at depth 3.
///
/// What it looks for (slashes, dots, control characters) is never part of another encoding, so whatever a server finds
/// that decodes fewer times is still there in the end.
fn decode_fully(segment: &str) -> Vec<Decoded> {
    let mut out: Vec<Decoded> = Vec::with_capacity(segment.len());
    for byte in segment.bytes() {
        out.push(Decoded { byte, depth: 0 });
        while let [.., percent, high, low] = out.as_slice()
            && percent.byte == b'%'
            && let Some(byte) = hex_byte(high.byte, low.byte)
        {
            let decoded = Decoded { byte, depth: 1 + percent.depth.max(high.depth).max(low.depth) };
            out.truncate(out.len() - 3);
            out.push(decoded);
        }
    }
    out
}
