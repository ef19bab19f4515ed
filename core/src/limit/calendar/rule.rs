//! When the clocks of a zone are changed, year after year: the TZ string of POSIX.1, as the last line of a zone's file has it
//! (RFC 8536 §3.3), with hours from -167 to 167. `CET-1CEST,M3.5.0,M10.5.0/3`: an hour ahead of UTC (the sign is that of the other
//! direction), and two hours from the last (fifth) Sunday in March at two until the last one in October at three.
//!
//! Summer time may be behind: in Dublin it is winter that is an exception. Only changes on weekdays of a month are read, for no zone
//! has others.

use super::clock::Clock;
use super::{DAY, HOUR};
use crate::time::{date, first_day};

/// The offsets of a zone from UTC, in seconds, positive to the east.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    standard: i64,
    summer: Option<Summer>,
}

/// What POSIX calls the alternative time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Summer {
    offset: i64,
    begins: Change,
    ends: Change,
}

/// A weekday of a month, and a time on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    month: i64,
    /// From 1; 5 is the last.
    week: i64,
    /// From Sunday, 0.
    weekday: i64,
    /// Seconds after midnight, as shown by the clock that is about to be changed.
    time: i64,
}

impl Rule {
    pub(super) const UTC: Self = Self { standard: 0, summer: None };

    /// `None` for what is no rule.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (west, text) = clock_time(designation(text)?)?;
        let standard = -west;
        if text.is_empty() {
            return Some(Self { standard, summer: None });
        }
        let text = designation(text)?;
        let (offset, text) = match clock_time(text) {
            Some((west, text)) => (-west, text),
            None => (standard + HOUR, text),
        };
        let (begins, ends) = text.strip_prefix(',')?.split_once(',')?;
        let summer = Summer { offset, begins: Change::parse(begins)?, ends: Change::parse(ends)? };
        Some(Self { standard, summer: Some(summer) })
    }

    /// The clock for some months around `at`.
    pub(super) fn clock(&self, at: i64) -> Clock {
        let Some(summer) = &self.summer else { return Clock::steady(self.standard) };
        let begins = |year| (summer.begins.day(year) * DAY + summer.begins.time - self.standard, summer.offset);
        let ends = |year| (summer.ends.day(year) * DAY + summer.ends.time - summer.offset, self.standard);
        let (year, _, _) = date(at.div_euclid(DAY));
        let (last, next) = (year - 1, year + 1);
        let furthest = self.standard.max(summer.offset);
        if (summer.begins.month, summer.begins.week) < (summer.ends.month, summer.ends.week) {
            let changes = [begins(last), ends(last), begins(year), ends(year), begins(next), ends(next)];
            Clock { before: self.standard, changes, furthest }
        } else {
            let changes = [ends(last), begins(last), ends(year), begins(year), ends(next), begins(next)];
            Clock { before: summer.offset, changes, furthest }
        }
    }
}

impl Change {
    /// `M3.5.0/1`: month, week, weekday, and the time if it is not two o'clock.
    fn parse(text: &str) -> Option<Self> {
        let (day, time) = match text.split_once('/') {
            Some((day, time)) => (day, whole(time)?),
            None => (text, 2 * HOUR),
        };
        let mut numbers = day.strip_prefix('M')?.split('.').map(|number| number.parse().ok());
        let (month, week, weekday) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let exists = (1..=12).contains(&month) && (1..=5).contains(&week) && (0..=6).contains(&weekday);
        (exists && numbers.next().is_none()).then_some(Self { month, week, weekday, time })
    }

    /// In days since 1970-01-01, which was a Thursday.
    const fn day(&self, year: i64) -> i64 {
        let earliest = match self.week {
            5 => first_day(year, self.month + 1) - 7,
            week => first_day(year, self.month) + 7 * (week - 1),
        };
        earliest + (self.weekday - 4 - earliest).rem_euclid(7)
    }
}

/// What follows a zone's abbreviation, `CET` or `<+0530>`.
fn designation(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('<') {
        return quoted.split_once('>').map(|(_, rest)| rest);
    }
    let rest = text.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    (text.len() >= rest.len() + 3).then_some(rest)
}

/// `3`, `-1:30` or `2:00:01` as seconds, and what follows.
fn clock_time(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && !"+-:".contains(letter)).unwrap_or(text.len());
    let (time, rest) = text.split_at_checked(end)?;
    let (sign, digits) = match time.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, time.strip_prefix('+').unwrap_or(time)),
    };
    let mut parts = digits.split(':').map(|part| part.parse::<u8>().ok().map(i64::from));
    let hours = parts.next()?.filter(|hours| *hours <= 167)?;
    let mut sixtieth = || parts.next().unwrap_or(Some(0)).filter(|part| *part < 60);
    let (minutes, seconds) = (sixtieth()?, sixtieth()?);
    parts.next().is_none().then_some((sign * (hours * HOUR + minutes * 60 + seconds), rest))
}

fn whole(time: &str) -> Option<i64> {
    clock_time(time).filter(|(_, rest)| rest.is_empty()).map(|(seconds, _)| seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_as_it_is_meant() {
        let rule = Rule::parse("<-02>2<-01>,M3.5.0/-1,M10.5.0/0:30").unwrap();
        let begins = Change { month: 3, week: 5, weekday: 0, time: -HOUR };
        let ends = Change { month: 10, week: 5, weekday: 0, time: HOUR / 2 };
        assert_eq!(rule, Rule { standard: -2 * HOUR, summer: Some(Summer { offset: -HOUR, begins, ends }) });
        let dublin = Rule::parse("IST-1GMT0,M10.5.0,M3.5.0/1").unwrap();
        assert_eq!((dublin.standard, dublin.summer.unwrap().offset), (HOUR, 0));
        assert_eq!(Rule::parse("UTC0"), Some(Rule::UTC));
        assert_eq!(Rule::parse("<+0545>-5:45:30").unwrap().standard, 5 * HOUR + 45 * 60 + 30);
        assert_eq!(Rule::parse("EET-2EEST,M3.4.4/50,M10.4.4/-167").unwrap().summer.unwrap().ends.time, -167 * HOUR);
    }

    #[test]
    fn what_is_no_rule_is_not_read() {
        for text in [
            "",
            "-",
            "CET",
            "CE-1",
            "<+01-1",
            "CET-1CEST",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M3.5.0,M10.5",
            "CET-1CEST,M3.5.0,M10.5.0.1",
            "CET-1CEST,M3.5.0,M13.5.0",
            "CET-1CEST,M3.5.0,M10.6.0",
            "CET-1CEST,M3.5.0,M10.5.7",
            "CET-1CEST,M3.5.0,M10.5.0/3x",
            "CET-1CEST,M3.5.0,M10.5.0/168",
            "CET-1CEST,J60,J300",
            "CET-1:60",
            "CET-1:00:00:00",
            "CET-1 ",
        ] {
            assert_eq!(Rule::parse(text), None, "{text:?}");
        }
    }
}
