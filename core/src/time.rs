//! Points in time as text, and dates.

use crate::platform::Timestamp;

/// RFC 3339 in UTC, to the millisecond: `2026-03-01T12:03:44.125Z`.
pub fn rfc3339(time: Timestamp) -> String {
    let seconds = time.as_secs();
    let (year, month, day) = date((seconds / 86_400) as i64);
    // by hand: this is on every request's way, and `format!` takes ten times as long
    let mut text = String::with_capacity(24);
    let mut two = |value: u64, after: &str| {
        text.extend([value / 10, value].map(|digit| char::from(b'0' + (digit % 10) as u8)));
        text.push_str(after);
    };
    let (second, millis) = (seconds % 86_400, time.as_micros() / 1_000 % 1_000);
    two(year.unsigned_abs() / 100, "");
    two(year.unsigned_abs(), "-");
    two(month.unsigned_abs(), "-");
    two(day.unsigned_abs(), "T");
    two(second / 3_600, ":");
    two(second / 60 % 60, ":");
    two(second % 60, ".");
    two(millis / 10, "");
    text.push(char::from(b'0' + (millis % 10) as u8));
    text.push('Z');
    text
}

/// The time of day in UTC: `12:03:44`.
pub fn clock(time: Timestamp) -> String {
    let second = time.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// The date of a day since 1970-01-01. Counted in years that begin in March, so that the leap day is the last one
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
pub(crate) const fn date(day: i64) -> (i64, i64, i64) {
    let days = day + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + (month <= 2) as i64, month, day)
}

/// The first day of a month, counted from 1970-01-01; month 13 is the next year's first (`days_from_civil`, as above).
pub(crate) const fn first_day(year: i64, month: i64) -> i64 {
    let (year, march_month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * march_month + 2) / 5;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_the_calendars() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_772_366_624, "2026-03-01T12:03:44.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(Timestamp::from_secs(seconds)), text);
        }
        assert_eq!(rfc3339(Timestamp::from_micros(1_999_999)), "1970-01-01T00:00:01.999Z");
        assert_eq!(date(-1), (1969, 12, 31));
    }

    #[test]
    fn days_follow_each_other_and_months_begin_with_their_first() {
        let mut before = (-1, 12, 31);
        for day in -719_528..=1_000_000 {
            let (year, month, of_month) = date(day);
            let follows = match before {
                (_, _, 1..28) => (before.0, before.1, before.2 + 1),
                (_, _, 28..) if of_month > 1 => (before.0, before.1, before.2 + 1),
                (_, 12, _) => (before.0 + 1, 1, 1),
                _ => (before.0, before.1 + 1, 1),
            };
            assert_eq!((year, month, of_month), follows);
            assert_eq!(first_day(year, month) + of_month - 1, day);
            before = follows;
        }
        assert_eq!(first_day(2026, 13), first_day(2027, 1));
    }
}
