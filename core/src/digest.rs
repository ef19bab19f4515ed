//! SHA-256, and hex.

use sha2::{Digest, Sha256};

/// The SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The SHA-256 of `bytes`, in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&sha256(bytes))
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let (eights, rest) = bytes.as_chunks();
    let mut text = Vec::with_capacity(bytes.len() * 2);
    for eight in eights {
        text.extend_from_slice(&hex16(u64::from_be_bytes(*eight)));
    }
    text.extend(rest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]));
    // digits: this does not fail
    String::from_utf8(text).unwrap_or_default()
}

/// A number's 16 lower-case hex digits. By hand: ids are on every request's way, and `format!` takes many times as long.
pub(crate) fn hex16(number: u64) -> [u8; 16] {
    // one digit a byte, all sixteen at once: no digit carries into its neighbour
    let spread = |half: u32| {
        let mut digits = u64::from(half);
        digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
        digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
        digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
        u128::from(digits + 0x3030_3030_3030_3030 + letters * 0x27)
    };
    (spread((number >> 32) as u32) << 64 | spread(number as u32)).to_be_bytes()
}

/// The hex digit of a number below 16.
pub(crate) fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// 32 bytes from 64 hex digits of either case.
pub(crate) fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | nibble)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_hex() {
        for number in [0, 1, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0x9a9a_a9a9_0f0f_f0f0, u64::MAX] {
            assert_eq!(hex16(number), *format!("{number:016x}").as_bytes());
        }
    }

    #[test]
    fn vectors() {
        // FIPS 180-2, appendix B.1
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), abc);
        assert_eq!(parse_hex(&abc.to_uppercase()), Some(sha256(b"abc")));
        assert_eq!(parse_hex(&abc[1..]), None);
        assert_eq!(parse_hex(&abc.replace('b', "g")), None);
    }
}
