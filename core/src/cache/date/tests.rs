use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_772_366_624); // 2026-03-01T12:03:44Z

fn read(text: &str) -> Option<u64> {
    http_date(text.as_bytes(), NOW).map(Timestamp::as_secs)
}

/// RFC 9110 §5.6.7, its own examples.
#[test]
fn the_three_forms_say_the_same() {
    for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
        assert_eq!(read(text), Some(784_111_777), "{text}");
    }
    assert_eq!(imf_fixdate(Timestamp::from_secs(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
}

/// RFC 9111 §4.2: in any case of letters; only GMT.
#[test]
fn letters_have_any_case_and_zones_do_not_count() {
    for text in [
        "SUN, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 NOV 1994 08:49:37 gMT",
        "sunday, 06-nov-94 08:49:37 gmt",
        "sun nov  6 08:49:37 1994",
        " Sun, 06 Nov 1994 08:49:37 GMT ",
        // what weekday it was follows from the rest
        "Mon, 06 Nov 1994 08:49:37 GMT",
    ] {
        assert_eq!(read(text), Some(784_111_777), "{text}");
    }
    for text in ["UTC", "AEST", "+0000", "", "GMT GMT", "G"] {
        assert_eq!(read(&format!("Sun, 06 Nov 1994 08:49:37 {text}")), None, "{text}");
    }
}

#[test]
fn what_is_no_date_is_none() {
    for text in [
        "",
        "0",
        "-1",
        "foo",
        ", ",
        "Sun",
        "Sun, ",
        "1994-11-06T08:49:37Z",
        "784111777",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun, 06  Nov  1994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 08.49.37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov +994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1995 08:49:37 GMT",
        "Sun, 06 Növ 1994 08:49:37 GMT",
        "Foo, 06 Nov 1994 08:49:37 GMT",
        "Sunda, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov 006 08:49:37 1994",
        "Sun Nov 060 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sunday Nov  6 08:49:37 1994",
        "Sun Nov é6 08:49:37 1994",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
    assert_eq!(http_date(b"Sun, 06 Nov 1994 08:49:37 GMT\xff", NOW), None);
}

#[test]
fn leap_days_leap_seconds_and_the_ends_of_time_are_dates() {
    assert_eq!(read("Tue, 29 Feb 2000 00:00:00 GMT"), Some(951_782_400));
    assert_eq!(read("Sat, 31 Dec 2016 23:59:60 GMT"), Some(1_483_228_800));
    assert_eq!(read("Tue, 19 Jan 2038 14:14:08 GMT"), Some(2_147_523_248));
    assert_eq!(read("Fri, 31 Dec 9999 23:59:59 GMT"), Some(253_402_300_799));
    assert_eq!(read("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
    assert_eq!(read("Wed, 31 Dec 1969 23:59:59 GMT"), Some(0));
    assert_eq!(read("Sat, 01 Jan 0000 00:00:00 GMT"), Some(0));
}

/// RFC 9110 §5.6.7: what seems to be more than 50 years in the future was in the past.
#[test]
fn two_digits_of_a_year_are_at_most_50_years_ahead() {
    let year = |text: &str, now: &str| {
        let now = http_date(now.as_bytes(), NOW).unwrap();
        let read = http_date(text.as_bytes(), now).unwrap();
        imf_fixdate(read).get(12..16).unwrap().to_owned()
    };
    let march = "Sun, 01 Mar 2026 12:03:44 GMT";
    for (text, now, expected) in [
        ("Thursday, 18-Aug-50 02:01:18 GMT", march, "2050"),
        ("Sunday, 01-Mar-76 12:03:44 GMT", march, "2076"),
        ("Sunday, 01-Mar-76 12:03:45 GMT", march, "1976"),
        ("Sunday, 01-Jan-77 00:00:00 GMT", march, "1977"),
        ("Sunday, 06-Nov-94 08:49:37 GMT", march, "1994"),
        ("Sunday, 01-Jan-26 00:00:00 GMT", march, "2026"),
        ("Sunday, 01-Jan-20 00:00:00 GMT", "Mon, 01 Jan 2080 00:00:00 GMT", "2120"),
        ("Sunday, 01-Jan-31 00:00:00 GMT", "Mon, 01 Jan 2080 00:00:00 GMT", "2031"),
        // 2100 has no leap day
        ("Tuesday, 29-Feb-00 00:00:00 GMT", "Thu, 01 Jan 2060 00:00:00 GMT", "2000"),
    ] {
        assert_eq!(year(text, now), expected, "{text} in {now}");
    }
}

#[test]
fn every_day_is_read_as_it_is_written() {
    for day in 0..=100_000_u64 {
        let time = Timestamp::from_secs(day * 86_400 + day % 86_400);
        let text = imf_fixdate(time);
        assert_eq!(http_date(text.as_bytes(), time), Some(time), "{text}");

        let (weekday, rest) = text.split_once(", ").unwrap();
        let [of_month, month, year, clock, _] = parts(rest, ' ').unwrap();
        let padded = format!("{:>2}", of_month.trim_start_matches('0'));
        let asctime = format!("{weekday} {month} {padded} {clock} {year}");
        assert_eq!(http_date(asctime.as_bytes(), time), Some(time), "{asctime}");

        let weekday = WEEKDAYS.iter().find(|name| name.starts_with(weekday)).unwrap();
        let rfc850 = format!("{weekday}, {of_month}-{month}-{} {clock} GMT", year.get(2..).unwrap());
        assert_eq!(http_date(rfc850.as_bytes(), time), Some(time), "{rfc850}");
    }
}
