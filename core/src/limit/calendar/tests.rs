//! Dates that calendars know, what holds of all windows, and what zoneinfo of Python says of each zone of the table.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::rule::Rule;
use super::*;
use crate::sim::Random;
use crate::time::{first_day, rfc3339};

/// When the windows of every zone begin, told by zoneinfo, without rules.
const VECTORS: &str = include_str!("vectors.txt");

const UNITS: [(Unit, &str); 4] =
    [(Unit::Hour, "hour"), (Unit::Day, "day"), (Unit::Week, "week"), (Unit::Month, "month")];

/// Clocks that were or could be: set back over midnight, changed where years meet, and changed more than once in a month.
const ODD: [&str; 4] = [
    "NST3:30NDT,M3.2.0/0:01,M11.1.0/0:01",
    "<+14>-14<+15>,M1.1.0/-20,M12.5.6/40",
    "<-12>12<-11>,M12.5.6/40,M1.1.0/-20",
    "<+00>0<-02>2,M3.1.0,M3.3.0",
];

/// The zone of a name, or of a rule.
fn zone(text: &str) -> Zone {
    Rule::parse(text).map_or_else(|| Zone::named(text).unwrap(), Zone)
}

/// A moment in UTC: `2027-03-28T02:30`.
fn moment(text: &str) -> Timestamp {
    let numbers: Vec<i64> = text.split(['-', 'T', ':']).map(|number| number.parse().unwrap()).collect();
    let [year, month, day, hour, minute] = numbers[..] else { panic!("{text}") };
    let days = first_day(year, month) + day - 1;
    Timestamp::from_secs(u64::try_from(days * DAY + hour * HOUR + minute * 60).unwrap())
}

#[test]
fn windows_end_when_the_clock_on_the_wall_says_so() {
    for (unit, zone_or_rule, now, ends) in [
        (Unit::Hour, "UTC", "2027-01-31T23:59", ["2027-01-31T23:00", "2027-02-01T00:00", "2027-02-01T01:00"]),
        // leap years, and years that begin within a week
        (Unit::Day, "UTC", "2028-02-28T12:00", ["2028-02-28T00:00", "2028-02-29T00:00", "2028-03-01T00:00"]),
        (Unit::Day, "UTC", "2100-02-28T12:00", ["2100-02-28T00:00", "2100-03-01T00:00", "2100-03-02T00:00"]),
        (Unit::Month, "UTC", "2028-02-01T00:00", ["2028-02-01T00:00", "2028-03-01T00:00", "2028-04-01T00:00"]),
        (Unit::Month, "UTC", "2027-11-30T23:59", ["2027-11-01T00:00", "2027-12-01T00:00", "2028-01-01T00:00"]),
        (Unit::Week, "UTC", "2027-01-01T00:00", ["2026-12-28T00:00", "2027-01-04T00:00", "2027-01-11T00:00"]),
        (Unit::Week, "UTC", "2028-12-31T23:59", ["2028-12-25T00:00", "2029-01-01T00:00", "2029-01-08T00:00"]),
        // an hour is left out on 28 March and repeated on 31 October
        (Unit::Day, "Europe/Berlin", "2027-03-28T12:00", ["2027-03-27T23:00", "2027-03-28T22:00", "2027-03-29T22:00"]),
        (Unit::Day, "Europe/Berlin", "2027-10-31T12:00", ["2027-10-30T22:00", "2027-10-31T23:00", "2027-11-01T23:00"]),
        (Unit::Hour, "Europe/Berlin", "2027-10-31T00:30", ["2027-10-31T00:00", "2027-10-31T01:00", "2027-10-31T02:00"]),
        (
            Unit::Month,
            "Europe/Berlin",
            "2027-10-31T23:00",
            ["2027-10-31T23:00", "2027-11-30T23:00", "2027-12-31T23:00"],
        ),
        (
            Unit::Month,
            "Europe/Berlin",
            "2027-10-31T22:59",
            ["2027-09-30T22:00", "2027-10-31T23:00", "2027-11-30T23:00"],
        ),
        (
            Unit::Week,
            "America/New_York",
            "2027-03-13T12:00",
            ["2027-03-08T05:00", "2027-03-15T04:00", "2027-03-22T04:00"],
        ),
        // summer is where the year ends
        (
            Unit::Month,
            "Australia/Sydney",
            "2027-04-02T12:00",
            ["2027-03-31T13:00", "2027-04-30T14:00", "2027-05-31T14:00"],
        ),
        (
            Unit::Month,
            "Australia/Sydney",
            "2027-12-31T20:00",
            ["2027-12-31T13:00", "2028-01-31T13:00", "2028-02-29T13:00"],
        ),
        // winter is the exception
        (Unit::Day, "Europe/Dublin", "2027-07-01T12:00", ["2027-06-30T23:00", "2027-07-01T23:00", "2027-07-02T23:00"]),
        (Unit::Day, "Europe/Dublin", "2027-12-01T12:00", ["2027-12-01T00:00", "2027-12-02T00:00", "2027-12-03T00:00"]),
        // full hours at other minutes than those of UTC, and hours that a change of the clock cuts short
        (
            Unit::Hour,
            "Asia/Kathmandu",
            "2027-06-01T00:00",
            ["2027-05-31T23:15", "2027-06-01T00:15", "2027-06-01T01:15"],
        ),
        (Unit::Day, "Asia/Kathmandu", "2027-06-01T00:00", ["2027-05-31T18:15", "2027-06-01T18:15", "2027-06-02T18:15"]),
        (
            Unit::Hour,
            "Australia/Lord_Howe",
            "2027-10-02T15:00",
            ["2027-10-02T14:30", "2027-10-02T15:30", "2027-10-02T16:00"],
        ),
        (
            Unit::Hour,
            "Australia/Lord_Howe",
            "2027-04-03T14:10",
            ["2027-04-03T14:00", "2027-04-03T15:00", "2027-04-03T15:30"],
        ),
        (
            Unit::Hour,
            "Pacific/Chatham",
            "2027-04-03T13:59",
            ["2027-04-03T13:15", "2027-04-03T14:00", "2027-04-03T14:15"],
        ),
        // midnight is left out on 5 September; on 3 April it comes an hour later
        (
            Unit::Day,
            "America/Santiago",
            "2027-09-05T12:00",
            ["2027-09-05T04:00", "2027-09-06T03:00", "2027-09-07T03:00"],
        ),
        (
            Unit::Day,
            "America/Santiago",
            "2027-04-03T12:00",
            ["2027-04-03T03:00", "2027-04-04T04:00", "2027-04-05T04:00"],
        ),
        // Havana's rule: midnight is shown twice on 7 November, and left out on 14 March
        (
            Unit::Day,
            "CST5CDT,M3.2.0/0,M11.1.0/1",
            "2027-11-07T05:30",
            ["2027-11-07T04:00", "2027-11-08T05:00", "2027-11-09T05:00"],
        ),
        (
            Unit::Day,
            "CST5CDT,M3.2.0/0,M11.1.0/1",
            "2027-03-14T05:00",
            ["2027-03-14T05:00", "2027-03-15T04:00", "2027-03-16T04:00"],
        ),
        // the clock is changed on Saturday, at an hour before Sunday
        (Unit::Day, "America/Nuuk", "2027-03-28T00:59", ["2027-03-27T02:00", "2027-03-28T01:00", "2027-03-29T01:00"]),
        // what St. John's had once: at a minute after midnight it is the day before again
        (Unit::Day, ODD[0], "2027-11-07T02:40", ["2027-11-07T02:30", "2027-11-08T03:30", "2027-11-09T03:30"]),
    ] {
        let found = Calendar::new(unit, zone(zone_or_rule)).ends(moment(now));
        assert_eq!(found.map(rfc3339), ends.map(moment).map(rfc3339), "{unit:?} in {zone_or_rule} at {now}");
    }
}

#[test]
fn windows_join_without_gap_or_overlap() {
    let (from, to) = (moment("2024-01-01T00:00").as_micros(), moment("2101-01-01T00:00").as_micros());
    let random = Random::new(7);
    for zone in zones().into_values().chain(ODD.map(zone)) {
        for (unit, _) in UNITS {
            let calendar = Calendar::new(unit, zone);
            for _ in 0..50 {
                assert_joins(&calendar, Timestamp::from_micros(from + random.below(to - from)));
            }
        }
    }
}

/// Every window around every change of the clock, where they are least alike.
#[test]
fn windows_join_where_clocks_are_changed() {
    for zone in zones().into_values().chain(ODD.map(zone)) {
        for year in 2027..2030 {
            let middle = first_day(year, 7) * DAY;
            for (change, _) in zone.clock(middle).changes.into_iter().filter(|(change, _)| *change < i64::MAX) {
                for quarter in -8..8 {
                    let now = Timestamp::from_secs(u64::try_from(change + quarter * 900).unwrap());
                    for (unit, _) in UNITS {
                        assert_joins(&Calendar::new(unit, zone), now);
                    }
                }
            }
        }
    }
}

fn assert_joins(calendar: &Calendar, now: Timestamp) {
    let just_before = |end: Timestamp| Timestamp::from_micros(end.as_micros() - 1);
    let [began, ends, next] = calendar.ends(now);
    let context = || format!("{calendar:?} at {}", rfc3339(now));
    assert!(began <= now && now < ends && ends < next, "{}", context());
    assert_eq!(calendar.ends(began)[..2], [began, ends], "{}", context());
    assert_eq!(calendar.ends(ends)[..2], [ends, next], "{}", context());
    assert_eq!(calendar.ends(just_before(ends)), [began, ends, next], "{}", context());
    assert_eq!(calendar.ends(just_before(began))[1..], [began, ends], "{}", context());
}

#[test]
fn time_has_two_ends() {
    let month = Calendar::new(Unit::Month, zone("America/New_York"));
    let first = month.ends(Timestamp::from_micros(0));
    assert_eq!(
        first.map(rfc3339),
        ["1970-01-01T00:00", "1970-01-01T05:00", "1970-02-01T05:00"].map(moment).map(rfc3339)
    );
    let last = Timestamp::from_micros(u64::MAX);
    for zone in zones().into_values().chain(ODD.map(zone)) {
        for (unit, _) in UNITS {
            let [began, ends, next] = Calendar::new(unit, zone).ends(last);
            assert!(began < last);
            assert_eq!([ends, next], [last; 2]);
        }
    }
}

/// As scripts/zones.py wrote it down, for every zone of the table and for no other.
#[test]
fn zoneinfo_says_the_same_of_every_zone() {
    let mut found: Vec<(Zone, String)> = Vec::new();
    let mut proven = Vec::new();
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let (expected, names) = line.split_once(' ').unwrap();
        for name in names.split(' ') {
            let zone = Zone::named(name).unwrap();
            let known = found.iter().position(|(other, _)| *other == zone).unwrap_or_else(|| {
                found.push((zone, hash(zone)));
                found.len() - 1
            });
            assert_eq!(found[known].1, expected, "{name}");
            proven.push(name);
        }
    }
    proven.sort_unstable();
    assert_eq!(proven, zones().into_keys().collect::<Vec<_>>());
}

/// Of the moments at which windows begin within each of the years.
fn hash(zone: Zone) -> String {
    let mut text = String::new();
    for (unit, word) in UNITS {
        writeln!(text, "{word}").unwrap();
        let calendar = Calendar::new(unit, zone);
        for year in [2027, 2028, 2061, 2100] {
            let [mut now, end] = [year, year + 1].map(|year| moment(&format!("{year}-01-01T00:00")));
            loop {
                now = calendar.ends(now)[1];
                if now >= end {
                    break;
                }
                writeln!(text, "{}", now.as_secs()).unwrap();
            }
        }
    }
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// All that may be named.
fn zones() -> BTreeMap<&'static str, Zone> {
    zone::zones().filter_map(|(name, _)| Zone::named(name).ok().map(|zone| (name, zone))).collect()
}
