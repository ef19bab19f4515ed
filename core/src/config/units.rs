//! Durations (`250ms 5s 1m 2h 7d`) and sizes (`64KiB 1MiB`), as they are written in a configuration.

use std::time::Duration;

/// Parses a duration: a whole number and `ms`, `s`, `m`, `h` or `d`, nothing between.
pub fn duration(text: &str) -> Result<Duration, String> {
    let help = || format!("expected a duration such as 250ms, 5s, 1m, 2h or 7d, found {text:?}");
    let (number, unit) = split(text).ok_or_else(help)?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(help()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(|| format!("{text} is too long"))
}

/// Parses a size: a whole number and `B`, `KiB`, `MiB` or `GiB`, nothing between.
pub fn size(text: &str) -> Result<u64, String> {
    let help = || format!("expected a size such as 512B, 64KiB, 1MiB or 2GiB, found {text:?}");
    let (number, unit) = split(text).ok_or_else(help)?;
    let factor: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(help()),
    };
    number.checked_mul(factor).ok_or_else(|| format!("{text} is too large"))
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in
            [("250ms", 250), ("5s", 5_000), ("1m", 60_000), ("2h", 7_200_000), ("7d", 604_800_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "5", "s", "5 s", "-1s", "1.5s", "5sec", "5S", "99999999999999999999s", "18446744073709551615d", "١s"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("512B", 512), ("64KiB", 65_536), ("1MiB", 1_048_576), ("2GiB", 2_147_483_648)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "1", "1MB", "1 MiB", "-1B", "99999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
