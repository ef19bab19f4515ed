//! Dates of HTTP (RFC 9110 §5.6.7).

use crate::platform::Timestamp;
use crate::time::{clock, date, first_day};

const DAY: i64 = 86_400;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// 1970-01-01 was the first of these.
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// The form in which dates are sent: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn imf_fixdate(time: Timestamp) -> String {
    let days = time.as_secs() as i64 / DAY;
    let (year, month, day) = date(days);
    let (weekday, month) = (WEEKDAYS[days as usize % 7], MONTHS[month as usize - 1]);
    format!("{weekday:.3}, {day:02} {month} {year:04} {} GMT", clock(time))
}

/// Reads each of the three forms: IMF-fixdate, that of RFC 850 and that of `asctime`, in any case of letters (RFC 9111 §4.2).
///
/// `None` for everything else: other zones, numbers without their leading zeros, days that no month has. Two digits of
/// a year name the last such year that is not more than 50 years after `now`. A date before 1970 is as if it was then.
pub fn http_date(value: &[u8], now: Timestamp) -> Option<Timestamp> {
    let value = str::from_utf8(value).ok()?.trim_ascii();
    let seconds = match value.split_once(", ") {
        Some((weekday, rest)) if weekday.len() == 3 => imf(weekday, rest),
        Some((weekday, rest)) => rfc850(weekday, rest, now),
        None => asctime(value),
    }?;
    Some(Timestamp::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// `Sun` and `06 Nov 1994 08:49:37 GMT`.
fn imf(weekday: &str, rest: &str) -> Option<i64> {
    let [day, month, year, time, zone] = parts(rest, ' ')?;
    is_weekday(weekday, 3).then_some(())?;
    let date = (number(year, 4)?, self::month(month)?, number(day, 2)?);
    zone.eq_ignore_ascii_case("GMT").then(|| seconds(date, time))?
}

/// `Sunday` and `06-Nov-94 08:49:37 GMT`.
fn rfc850(weekday: &str, rest: &str, now: Timestamp) -> Option<i64> {
    let [date, time, zone] = parts(rest, ' ')?;
    let [day, month, year] = parts(date, '-')?;
    is_weekday(weekday, usize::MAX).then_some(())?;
    let (day, month) = (number(day, 2)?, self::month(month)?);
    zone.eq_ignore_ascii_case("GMT").then_some(())?;

    let now = now.as_secs() as i64;
    let (this_year, this_month, this_day) = self::date(now / DAY);
    let last_year = this_year + 50;
    let last = (first_day(last_year, this_month) + this_day - 1) * DAY + now % DAY;
    let year = last_year - (last_year - number(year, 2)?).rem_euclid(100);
    seconds((year, month, day), time)
        .filter(|seconds| *seconds <= last)
        .or_else(|| seconds((year - 100, month, day), time))
}

/// `Sun Nov  6 08:49:37 1994`.
fn asctime(value: &str) -> Option<i64> {
    let (weekday, rest) = value.split_once(' ')?;
    let (month, rest) = rest.split_once(' ')?;
    let (day, rest) = rest.split_at_checked(2)?;
    let [before, time, year] = parts(rest, ' ')?;
    (before.is_empty() && is_weekday(weekday, 3)).then_some(())?;
    let day = day.strip_prefix(' ').map_or_else(|| number(day, 2), |day| number(day, 1))?;
    seconds((number(year, 4)?, self::month(month)?, day), time)
}

/// Since 1970, for a date that there is and a time such as `08:49:37`.
fn seconds((year, month, day): (i64, i64, i64), time: &str) -> Option<i64> {
    let [hour, minute, second] = parts(time, ':')?;
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    // 60 is a leap second
    let fits = hour < 24 && minute < 60 && second <= 60;
    let first = first_day(year, month);
    let fits = fits && (1..=first_day(year, month + 1) - first).contains(&day);
    fits.then_some((first + day - 1) * DAY + hour * 3_600 + minute * 60 + second)
}

fn parts<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    let mut parts = text.split(separator);
    let mut taken = [""; N];
    for part in &mut taken {
        *part = parts.next()?;
    }
    parts.next().is_none().then_some(taken)
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn month(name: &str) -> Option<i64> {
    let index = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    i64::try_from(index + 1).ok()
}

/// Whether this is the name of a weekday, or the first so many letters of one. Not whether it is that day: it says nothing new.
fn is_weekday(name: &str, letters: usize) -> bool {
    WEEKDAYS
        .iter()
        .any(|weekday| weekday.get(..letters.min(weekday.len())).is_some_and(|day| day.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests;
