//! What a request wishes of a cache (RFC 9111 §5.2.1).

use std::time::Duration;

use http::HeaderMap;
use http::header::CACHE_CONTROL;

use super::control::pragma_no_cache;
use super::directive::{Directive, delta_seconds, directives};

/// The directives of a request. Of those given twice the stricter holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// §5.2.1.5: neither the request nor a response to it is stored.
    pub no_store: bool,
    /// §5.2.1.4: what is stored is validated first. `Pragma: no-cache` wishes it, too, without `Cache-Control` (§5.4).
    pub no_cache: bool,
    /// §5.2.1.7: only what is stored is wanted, otherwise a 504.
    pub only_if_cached: bool,
    /// §5.2.1.1: the age up to which a response is wanted. One that cannot be read is zero.
    pub max_age: Option<Duration>,
    /// §5.2.1.3: how long a response is still to be fresh. One that cannot be read is not wished.
    pub min_fresh: Option<Duration>,
    /// §5.2.1.2: how long a response may have been stale; `Some(None)` for any time. One that cannot be read is not wished.
    pub max_stale: Option<Option<Duration>>,
}

impl Wish {
    /// Nothing.
    pub const NONE: Self = Self {
        no_store: false,
        no_cache: false,
        only_if_cached: false,
        max_age: None,
        min_fresh: None,
        max_stale: None,
    };

    /// What a request with these fields wishes.
    pub fn of(request: &HeaderMap) -> Self {
        let mut wish = Self::NONE;
        let mut lines = request.get_all(CACHE_CONTROL).iter().peekable();
        if lines.peek().is_none() {
            return Self { no_cache: pragma_no_cache(request), ..wish };
        }
        lines.flat_map(directives).for_each(|directive| wish.add(directive));
        wish
    }

    fn add(&mut self, directive: Directive<'_>) {
        let seconds = directive.argument.and_then(delta_seconds);
        if directive.is("no-store") {
            self.no_store = true;
        } else if directive.is("no-cache") {
            self.no_cache = true;
        } else if directive.is("only-if-cached") {
            self.only_if_cached = true;
        } else if directive.is("max-age") {
            let seconds = seconds.unwrap_or_default();
            self.max_age = Some(self.max_age.map_or(seconds, |said| said.min(seconds)));
        } else if directive.is("min-fresh") {
            self.min_fresh = self.min_fresh.max(seconds);
        } else if directive.is("max-stale") && seconds.is_some() == directive.argument.is_some() {
            let bounds = [self.max_stale.flatten(), seconds];
            self.max_stale = Some(bounds.into_iter().flatten().min());
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::PRAGMA;

    use super::*;

    fn wish(lines: &[&'static str]) -> Wish {
        let mut request = HeaderMap::new();
        for line in lines {
            request.append(CACHE_CONTROL, HeaderValue::from_static(line));
        }
        Wish::of(&request)
    }

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    /// RFC 9111 §5.2.1.
    #[test]
    fn each_directive_is_heard() {
        assert_eq!(wish(&[]), Wish::NONE);
        assert_eq!(wish(&["", "foo, bar=\"no-store\", stale-if-error=60"]), Wish::NONE);
        assert_eq!(wish(&["no-store"]), Wish { no_store: true, ..Wish::NONE });
        assert_eq!(wish(&["a, No-Cache"]), Wish { no_cache: true, ..Wish::NONE });
        assert_eq!(wish(&["only-if-cached"]), Wish { only_if_cached: true, ..Wish::NONE });
        assert_eq!(wish(&["max-age=0"]), Wish { max_age: seconds(0), ..Wish::NONE });
        assert_eq!(wish(&["min-fresh=\"20\""]), Wish { min_fresh: seconds(20), ..Wish::NONE });
        assert_eq!(wish(&["max-stale"]), Wish { max_stale: Some(None), ..Wish::NONE });
        assert_eq!(wish(&["max-stale=7"]), Wish { max_stale: Some(seconds(7)), ..Wish::NONE });
    }

    /// RFC 9111 §4.2.1.
    #[test]
    fn of_two_the_stricter_holds() {
        for line in ["max-age=5, max-age=9", "max-age=9, max-age=5"] {
            assert_eq!(wish(&[line]).max_age, seconds(5), "{line}");
        }
        for line in ["min-fresh=5, min-fresh=9", "min-fresh=9, min-fresh=5", "min-fresh=9, min-fresh=x"] {
            assert_eq!(wish(&[line]).min_fresh, seconds(9), "{line}");
        }
        for lines in [["max-stale=5", "max-stale"], ["max-stale", "max-stale=5"], ["max-stale=5", "max-stale=9"]] {
            assert_eq!(wish(&lines).max_stale, Some(seconds(5)), "{lines:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_loosens_nothing() {
        assert_eq!(wish(&["max-age"]).max_age, seconds(0));
        assert_eq!(wish(&["max-age=-1"]).max_age, seconds(0));
        assert_eq!(wish(&["max-age =5"]).max_age, seconds(0));
        assert_eq!(wish(&["max-stale=x, max-stale= 5, min-fresh=x, min-fresh"]), Wish::NONE);
        assert_eq!(
            wish(&["max-stale=5, x=\"no end"]),
            Wish { no_store: true, max_stale: Some(seconds(5)), ..Wish::NONE }
        );
    }

    /// RFC 9111 §5.4.
    #[test]
    fn pragma_counts_without_cache_control() {
        let mut request = HeaderMap::new();
        request.insert(PRAGMA, HeaderValue::from_static("x, No-Cache"));
        assert_eq!(Wish::of(&request), Wish { no_cache: true, ..Wish::NONE });
        request.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        assert_eq!(Wish::of(&request), Wish { max_age: seconds(60), ..Wish::NONE });
        request.clear();
        request.insert(PRAGMA, HeaderValue::from_static("unrecognised-extension"));
        assert_eq!(Wish::of(&request), Wish::NONE);
    }
}
