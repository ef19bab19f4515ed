//! Windows of the calendar: hours, days, weeks and months as the clocks of a time zone show them.
//!
//! A day begins when the clock first shows midnight or later: at one o'clock where a change of the clock skips midnight, and once where
//! it shows midnight twice. Weeks and months begin with their first day. An hour is what the clock shows between two full hours
//! without being changed: one that is shown twice is two windows, and one that is cut short by a change is a short window.
//!
//! ```
//! use portico_core::Timestamp;
//! use portico_core::limit::{Calendar, Unit, Zone};
//!
//! let berlin = Calendar::new(Unit::Month, Zone::named("Europe/Berlin").unwrap());
//! let [began, ends, _] = berlin.ends(Timestamp::from_secs(1_806_000_000)); // in March 2027, which has its change to summer time
//! assert_eq!(ends.since(began).as_secs(), 31 * 86_400 - 3_600);
//! ```

mod clock;
mod rule;
#[cfg(test)]
mod tests;
mod zone;

use clock::Clock;
pub use zone::{Zone, ZoneError};

use crate::platform::Timestamp;
use crate::time::date;

/// In seconds.
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// What a window is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// From one full hour to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday (ISO 8601).
    Week,
    /// From the first of a month to the first of the next.
    Month,
}

/// All windows of one unit in one zone. They follow each other without gap or overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    unit: Unit,
    zone: Zone,
}

impl Calendar {
    /// The windows that are a `unit` each by the clocks of `zone`.
    pub const fn new(unit: Unit, zone: Zone) -> Self {
        Self { unit, zone }
    }

    /// The ends of the window before that of `now`, of that one, and of the one after it: `ends[0] <= now < ends[1] < ends[2]`.
    ///
    /// A window that began before 1970 is said to have begun then, and one that ends after [`Timestamp`]s do ends with them.
    pub fn ends(&self, now: Timestamp) -> [Timestamp; 3] {
        // microseconds in 64 bits are never too many seconds
        let now = now.as_secs() as i64;
        let clock = self.zone.clock(now);
        let ends = match self.unit {
            Unit::Hour => hours(&clock, now),
            Unit::Day => days(&clock, now, 1, |day| day),
            Unit::Week => days(&clock, now, 7, monday),
            Unit::Month => days(&clock, now, 31, |day| day + 1 - date(day).2),
        };
        ends.map(|end| Timestamp::from_secs(u64::try_from(end).unwrap_or(0)))
    }
}

fn hours(clock: &Clock, now: i64) -> [i64; 3] {
    let hour = |at| {
        let span = clock.span(at);
        let full = at - (at + span.offset).rem_euclid(HOUR);
        (full.max(span.begins), span.ends.min(full + HOUR))
    };
    let (begins, ends) = hour(now);
    [begins, ends, hour(ends).1]
}

/// For windows of whole days, `longest` of them at most. `first` is the first day of the window that a day is in.
fn days(clock: &Clock, now: i64, longest: i64, first: impl Fn(i64) -> i64) -> [i64; 3] {
    let begins = |day| clock.first(day * DAY);
    let shown = first((now + clock.span(now).offset).div_euclid(DAY));
    let next = first(shown + longest);
    let later = first(next + longest);
    let ends = [shown, next, later].map(begins);
    // a clock that was set back over midnight shows a day that is over
    if ends[1] <= now { [ends[1], ends[2], begins(first(later + longest))] } else { ends }
}

/// That of a day's week. 1970-01-01 was a Thursday.
const fn monday(day: i64) -> i64 {
    day - (day + 3).rem_euclid(7)
}
