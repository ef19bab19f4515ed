//! Time zones by their names in the IANA time zone database.

use super::clock::Clock;
use super::rule::Rule;
use crate::config::closest;

/// A rule and the names of its zones in each line, as `scripts/zones.py` wrote it.
const TABLE: &str = include_str!("zones.txt");

/// By what clock windows are told. Zones that always show the same are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub(super) Rule);

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(Rule::UTC);

    /// The zone of a name such as `Europe/Berlin`, also of an old one such as `US/Pacific`.
    ///
    /// It is the rule that holds now: the past had others. An error when there is no such zone, and when its clock will be changed by no
    /// rule.
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        let Some((_, rule)) = zones().find(|(zone, _)| *zone == name) else {
            return Err(ZoneError::Unknown { name: name.to_owned(), meant: meant(name) });
        };
        Rule::parse(rule).map(Self).ok_or_else(|| ZoneError::Irregular { name: name.to_owned() })
    }

    /// What it shows around `at`, in seconds since 1970.
    pub(super) fn clock(&self, at: i64) -> Clock {
        self.0.clock(at)
    }
}

/// Why a name makes no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// It is not in the database.
    #[error("unknown time zone {name:?}")]
    Unknown {
        /// What was written.
        name: String,
        /// The name that was probably meant.
        meant: Option<&'static str>,
    },
    /// Changes of its clock are planned that a yearly rule does not give.
    #[error("no yearly rule gives the coming changes of the clock in {name}")]
    Irregular {
        /// What was written.
        name: String,
    },
}

impl ZoneError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Unknown { meant: Some(name), .. } => format!("did you mean {name:?}?"),
            Self::Unknown { meant: None, .. } => {
                "write a name of the IANA time zone database, such as Europe/Berlin, or UTC".to_owned()
            }
            Self::Irregular { .. } => "write another zone whose clock shows nearly the same, or UTC".to_owned(),
        }
    }
}

/// Every name, and its rule.
pub(super) fn zones() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.lines().filter(|line| !line.starts_with('#')).flat_map(|line| {
        let mut words = line.split(' ');
        let rule = words.next().unwrap_or_default();
        words.map(move |name| (name, rule))
    })
}

/// The zone of a city, or one that is written nearly like this. Of an abbreviation such as `PST` others that look like it are not meant.
fn meant(name: &str) -> Option<&'static str> {
    let names: Vec<_> = zones().map(|(zone, _)| zone).collect();
    let place = name.trim().replace(' ', "_");
    let is_in = |zone: &&&str| zone.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&place));
    let near = || if place.len() > 5 { closest(&place, &names) } else { None };
    names.iter().filter(is_in).min_by_key(|zone| zone.len()).copied().or_else(near)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_has_each_zone_once_and_rules_that_are_read() {
        let names: BTreeSet<_> = zones().map(|(name, _)| name).collect();
        assert_eq!(names.len(), zones().count());
        assert!(names.len() > 500, "{}", names.len());
        for (name, rule) in zones() {
            assert_eq!(Zone::named(name).is_err(), rule == "-", "{name}: {rule}");
        }
        assert!(names.iter().all(|name| !name.is_empty() && name.trim() == *name));
    }

    #[test]
    fn old_names_are_the_same_zone() {
        assert_eq!(Zone::named("US/Eastern"), Zone::named("America/New_York"));
        assert_eq!(Zone::named("Asia/Calcutta"), Zone::named("Asia/Kolkata"));
        assert_eq!(Zone::named("Etc/UTC"), Ok(Zone::UTC));
        assert_eq!(Zone::named("UTC"), Ok(Zone::UTC));
        assert_ne!(Zone::named("Europe/London"), Ok(Zone::UTC));
    }

    #[test]
    fn an_unknown_name_comes_with_the_one_that_was_meant() {
        for (written, meant) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("America/New York", "America/New_York"),
            ("America/New_Yrok", "America/New_York"),
            ("Berlin", "Europe/Berlin"),
            ("buenos aires", "America/Buenos_Aires"),
            ("utc", "UTC"),
        ] {
            let error = Zone::named(written).unwrap_err();
            assert_eq!(error.to_string(), format!("unknown time zone {written:?}"));
            assert_eq!(error.help(), format!("did you mean {meant:?}?"));
        }
        for written in ["", "PST", "CEST", "UTC+2", "Mars/Olympus_Mons", "-", "#", "Factory", &"x".repeat(10_000)] {
            let error = Zone::named(written).unwrap_err();
            assert_eq!(
                error.help(),
                "write a name of the IANA time zone database, such as Europe/Berlin, or UTC",
                "{written}"
            );
        }
    }

    /// Gaza's clocks keep Ramadan in mind, which is at another time each year.
    #[test]
    fn a_zone_without_a_yearly_rule_is_refused() {
        let error = Zone::named("Asia/Gaza").unwrap_err();
        assert_eq!(error.to_string(), "no yearly rule gives the coming changes of the clock in Asia/Gaza");
        assert_eq!(error.help(), "write another zone whose clock shows nearly the same, or UTC");
    }
}
