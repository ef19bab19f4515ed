//! The canonical path: one spelling, stable, below the root, and with one reading unless it is flagged.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use portico_core::route::{MAX_PATH, canonical};

fuzz_target!(|raw: &str| {
    let Ok(first) = canonical(raw) else { return };
    let path = &*first.path;
    assert!(path.starts_with('/') && path.len() <= MAX_PATH);
    assert!(!path.split('/').any(|segment| segment == "." || segment == ".."), "{path}");
    assert!(is_spelled_once(path.as_bytes()), "{path}");

    let second = canonical(path).expect("a canonical path has a canonical path");
    assert_eq!(second.path, path);
    assert!(matches!(second.path, Cow::Borrowed(_)), "a canonical path costs no allocation");

    if first.ambiguities.is_empty() {
        let ours = decoded(path.as_bytes()).split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
        for passes in 1..=3 {
            let theirs = (0..passes).fold(raw.as_bytes().to_vec(), |path, _| decoded(&path));
            // a server that decodes once too often may find other characters in a segment, but never other segments
            assert_eq!(resolved(&theirs).len(), ours.len(), "{raw} is {path}, read after {passes} decodings");
            if passes == 1 {
                assert_eq!(resolved(&theirs), ours, "{raw} is {path}");
            }
        }
    }
});

/// Only `pchar` (RFC 3986 §3.3), `/`, and upper-case percent-encoding of what is neither.
fn is_spelled_once(path: &[u8]) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    match path {
        [] => true,
        [b'%', high, low, rest @ ..] => {
            let upper = |digit: &u8| matches!(digit, b'0'..=b'9' | b'A'..=b'F');
            upper(high) && upper(low) && !unreserved(hex(*high) << 4 | hex(*low)) && is_spelled_once(rest)
        }
        [byte, rest @ ..] => (unreserved(*byte) || b"!$&'()*+,;=:@/".contains(byte)) && is_spelled_once(rest),
    }
}

/// Decodes percent-encoding once; what is none stays.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    loop {
        rest = match rest {
            [] => return decoded,
            [b'%', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(hex(*high) << 4 | hex(*low));
                tail
            }
            [byte, tail @ ..] => {
                decoded.push(*byte);
                tail
            }
        }
    }
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).unwrap_or(0) as u8
}

/// The segments of a decoded path as a careless server sees them: backslashes separate, dots are resolved.
fn resolved(path: &[u8]) -> Vec<Vec<u8>> {
    let mut segments: Vec<Vec<u8>> = vec![Vec::new()];
    let mut parts = path.split(|byte| matches!(byte, b'/' | b'\\')).skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            b"." | b".." => {
                if part == b".." && segments.len() > 1 {
                    segments.pop();
                }
                if last {
                    segments.push(Vec::new());
                }
            }
            _ => segments.push(part.to_vec()),
        }
    }
    segments
}
