//! The spans of time that limits' names carry.

use std::time::Duration;

use portico_core::Timestamp;
use portico_core::limit::Rule;

use crate::cells::HOUR;

/// Where limits are in the store.
const PREFIX: &str = "limits/";

/// The length of a limit's spans, in hours: at least as long as what is taken is not back, and the same for limits that do not differ
/// much. So it is for all hours, days, weeks and months of a calendar, which are not of one length.
pub(super) fn hours(rules: &[Rule]) -> u64 {
    let lasts = |rule: &Rule| match rule {
        Rule::Gcra(quota) => quota.window(),
        // of a sliding one a slice more
        Rule::Window(window) => (window.length() + window.length() / 59).max(Duration::from_micros(2 * HOUR)),
    };
    let longest = rules.iter().map(lasts).max().unwrap_or_default();
    u64::try_from(longest.as_micros()).unwrap_or(HOUR).div_ceil(HOUR).max(1).next_power_of_two()
}

/// The name of a limit in one span.
pub(crate) fn name(hours: u64, span: u64, key: &str) -> String {
    format!("{PREFIX}{hours}/{span}/{key}")
}

/// Whether a key of the store is a limit's, or one of its cells, that nobody comes back to.
pub(crate) fn is_over(name: &str, now: Timestamp) -> bool {
    let parts = || {
        let mut parts = name.strip_prefix(PREFIX)?.splitn(3, '/');
        let (hours, span) = (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?);
        parts.next()?;
        // one span more than the limit itself looks back, for those whose clock is behind
        hours.checked_mul(HOUR)?.checked_mul(span.checked_add(3)?)
    };
    parts().is_some_and(|end| end <= now.as_micros())
}
