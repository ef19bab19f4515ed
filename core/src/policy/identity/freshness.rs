//! How long what came from outside holds: `fresh`, and `stale` when no better can be had.

use std::time::Duration;

use crate::config::{At, Compiler, units};

/// Without a look for something newer, nothing is used for longer.
const LONGEST_FRESH: &str = "1d";

/// Reads `fresh` and `stale`, of which the defaults and the longest `stale` come with them. A `fresh` beyond the default of
/// `stale` raises it.
pub(super) fn compile(
    (fresh, stale): (Option<&str>, Option<&str>),
    (usual_fresh, usual_stale, longest_stale): (&str, &str, &str),
    at: &At<'_>,
    compiler: &mut Compiler,
) -> Option<(Duration, Duration)> {
    let one = Duration::from_secs(1);
    let usual = units::duration(usual_stale).unwrap_or(one);
    let fresh = bounded(fresh.unwrap_or(usual_fresh), ("1s", one), LONGEST_FRESH, &at.child_key("fresh"), compiler);
    let stale = match stale {
        Some(stale) => {
            let least = ("`fresh`", fresh.unwrap_or(one));
            bounded(stale, least, longest_stale, &at.child_key("stale"), compiler)
        }
        None => fresh.map(|fresh| fresh.max(usual)),
    };
    Some((fresh?, stale?))
}

fn bounded(
    text: &str,
    (least, shortest): (&str, Duration),
    longest: &str,
    at: &At<'_>,
    compiler: &mut Compiler,
) -> Option<Duration> {
    let duration = compiler.check(at, units::duration(text))?;
    let longest_duration = units::duration(longest).unwrap_or(Duration::MAX);
    if duration < shortest || longest_duration < duration {
        compiler.error(at, format!("{text} is out of bounds")).help(format!("{least} to {longest}"));
        return None;
    }
    Some(duration)
}
