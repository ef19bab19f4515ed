use http::HeaderValue;

use super::*;
use crate::sim::{Random, check_seeds};

fn control(fields: &[(&'static str, &str)]) -> Control {
    let mut response = HeaderMap::new();
    for (name, value) in fields {
        response.append(*name, HeaderValue::from_str(value).unwrap());
    }
    Control::of(&response)
}

fn cache_control(line: &str) -> Control {
    control(&[("cache-control", line)])
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

/// RFC 9111 §5.2.2 and RFC 5861.
#[test]
fn each_directive_is_heard() {
    let none = Control::default;
    for (line, expected) in [
        ("", none()),
        ("no-transform, immutable, foo, bar=\"no-store\"", none()),
        ("No-StOrE", Control { no_store: true, ..none() }),
        ("no-cache", Control { no_cache: true, ..none() }),
        ("private", Control { private: true, ..none() }),
        ("PUBLIC", Control { public: true, ..none() }),
        ("must-revalidate", Control { must_revalidate: true, ..none() }),
        ("proxy-revalidate", Control { proxy_revalidate: true, ..none() }),
        ("must-understand", Control { must_understand: true, ..none() }),
        ("max-age=60", Control { max_age: seconds(60), ..none() }),
        ("MaX-aGe=\"60\"", Control { max_age: seconds(60), ..none() }),
        ("s-maxage=60", Control { s_maxage: seconds(60), ..none() }),
        ("stale-while-revalidate=60", Control { stale_while_revalidate: seconds(60), ..none() }),
        ("stale-if-error=60", Control { stale_if_error: seconds(60), ..none() }),
    ] {
        assert_eq!(cache_control(line), expected, "{line}");
    }
}

/// RFC 9111 §4.2.1: the stricter of two, and what cannot be read is stale.
#[test]
fn the_stricter_holds() {
    for line in ["max-age=9, max-age=1", "max-age=1, max-age=9", "max-age=1, x=\"max-age=9\"", "max-age=1, max-age=1"] {
        assert_eq!(cache_control(line).max_age, seconds(1), "{line}");
    }
    assert_eq!(control(&[("cache-control", "max-age=9"), ("cache-control", "max-age=1")]).max_age, seconds(1));
    for value in ["", "=", "=\"\"", "=-1", "=1.0", "=a1", "=1a", "='1'", " =1", "= 1", "=1;x"] {
        assert_eq!(cache_control(&format!("max-age{value}")).max_age, seconds(0), "{value}");
        assert_eq!(cache_control(&format!("max-age=9, s-maxage{value}")).s_maxage, seconds(0), "{value}");
    }
    assert_eq!(cache_control("max-age=99999999999").max_age, seconds(1 << 31));
    // an argument where there is none makes nothing looser, and nothing less strict
    let odd = "public=1, must-understand=\"1\", no-store=0, must-revalidate=false, proxy-revalidate =1";
    let strict = Control { no_store: true, must_revalidate: true, proxy_revalidate: true, ..Control::default() };
    assert_eq!(cache_control(odd), strict);
    // what the end of a string hides
    assert!(cache_control("max-age=9, x=\"y").no_store);
}

/// RFC 9111 §5.2.2.4 and §5.2.2.7: the qualified forms.
#[test]
fn fields_are_left_out_by_name() {
    let names = |line| cache_control(line).unstored.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
    for line in ["no-cache=\"A, b\"", "private=\"a , ,B\"", "no-cache=\"a\", private=b", "NO-CACHE=a, No-Cache=\"b\""] {
        assert_eq!(names(line), ["a", "b"], "{line}");
        assert!(!cache_control(line).no_cache && !cache_control(line).private, "{line}");
    }
    // all is meant when it is not clear what is
    for argument in
        ["", "=", "=\"\"", "=\" , \"", "=\"a b\"", "=\"a, b:\"", "=\"\\a\"", " =\"a\"", "= \"a\"", "=\"a\"b"]
    {
        let line = format!("no-cache{argument}");
        assert!(cache_control(&line).no_cache, "{line}");
        let line = format!("private{argument}");
        assert!(cache_control(&line).private, "{line}");
    }
    assert!(cache_control("no-cache=\"a\", no-cache").no_cache);
    for name in ["Vary", "a, content-encoding", "Content-Type, a"] {
        let expected = Control { private: true, ..Control::default() };
        assert_eq!(cache_control(&format!("private=\"{name}\"")), expected, "{name}");
    }
}

/// RFC 9111 §5.4.
#[test]
fn pragma_counts_without_cache_control() {
    assert!(control(&[("pragma", "x, no-cache")]).no_cache);
    assert!(!control(&[("pragma", "no-cache"), ("cache-control", "max-age=60")]).no_cache);
    assert!(!control(&[("pragma", "foo")]).no_cache);
    assert!(!control(&[("pragma", "no-cache"), ("cdn-cache-control", "max-age=60")]).no_cache);
}

/// RFC 9213 §2.2.
#[test]
fn a_targeted_field_is_heard_alone() {
    let heard = |value: &str| control(&[("cdn-cache-control", value), ("cache-control", "no-store, max-age=1")]);
    let none = || Control { targeted: true, ..Control::default() };
    assert_eq!(heard("max-age=60"), Control { max_age: seconds(60), ..none() });
    assert_eq!(
        heard("max-age=60;x=1, private=\"a\", foo"),
        Control { max_age: seconds(60), unstored: vec![HeaderName::from_static("a")], ..none() }
    );
    assert_eq!(heard("foo"), none());
    assert_eq!(heard("no-store=?0, no-cache"), Control { no_cache: true, ..none() });
    // of two the last, as in any dictionary; a number of another type is none
    assert_eq!(heard("max-age=1, max-age=60").max_age, seconds(60));
    for value in ["max-age", "max-age=-1", "max-age=60.5", "max-age=a", "max-age=(60)", "max-age=:aaa:"] {
        assert_eq!(heard(value), Control { max_age: seconds(0), ..none() }, "{value}");
    }
    // empty, and not to be read
    for value in ["", " ", "max-age=60,", "Max-Age=60", "max-age = 60", "max-age=60 private", "max-age='60'"] {
        assert_eq!(heard(value), Control { no_store: true, max_age: seconds(1), ..Control::default() }, "{value}");
    }
    let lines = [("cdn-cache-control", "max-age=60"), ("cdn-cache-control", "no-cache")];
    assert_eq!(control(&lines), Control { max_age: seconds(60), no_cache: true, ..none() });
    let lines = [("cdn-cache-control", "max-age=60"), ("cdn-cache-control", "No-Store")];
    assert_eq!(control(&lines), Control::default());
}

/// W3C Note "Edge Architecture Specification" §2.2.
#[test]
fn surrogate_control_is_heard_next() {
    let heard = |value: &str| control(&[("surrogate-control", value), ("cache-control", "max-age=1")]);
    let none = || Control { targeted: true, ..Control::default() };
    for value in ["max-age=60", "foobar, MaX-aGe=60", "max-age=60;portico", "max-age=60 ; portico, max-age=9;other"] {
        assert_eq!(heard(value), Control { max_age: seconds(60), ..none() }, "{value}");
    }
    for value in ["no-store", "no-store;portico", "x=\"no end"] {
        assert_eq!(heard(value), Control { no_store: true, ..none() }, "{value}");
    }
    assert_eq!(heard("max-age=60+30").max_age, seconds(0));
    // for others, or of other things
    for value in ["", "foo", "max-age=60;other", "no-store;other", "no-store;portico;other", "content=\"ESI/1.0\""] {
        assert_eq!(heard(value), Control { max_age: seconds(1), ..Control::default() }, "{value}");
    }
    let both = [("surrogate-control", "max-age=60"), ("cdn-cache-control", "max-age=7")];
    assert_eq!(control(&both), Control { max_age: seconds(7), ..none() });
}

/// Whatever else is said, `no-store` is heard, and no directive more makes a lifetime longer.
#[test]
fn more_is_never_looser() {
    const PIECES: [&str; 14] = [
        "max-age=",
        "s-maxage",
        "no-cache",
        "private",
        "=",
        ",",
        "\"",
        "\\",
        " ",
        "7",
        "x",
        ";",
        "must-revalidate",
        "-",
    ];
    check_seeds(5_000, None, |seed| {
        let random = Random::new(seed);
        let text: String = (0..random.below(12)).filter_map(|_| random.pick(&PIECES).copied()).collect();
        let alone = cache_control(&text);
        for both in [
            control(&[("cache-control", &text), ("cache-control", "no-store, max-age=5")]),
            control(&[("cache-control", "no-store, max-age=5"), ("cache-control", &text)]),
        ] {
            assert!(both.no_store, "{text}");
            assert!(both.max_age <= seconds(5) && alone.max_age.is_none_or(|age| both.max_age <= Some(age)), "{text}");
            assert_eq!((alone.no_cache, alone.private, alone.s_maxage), (both.no_cache, both.private, both.s_maxage));
        }
    });
}
