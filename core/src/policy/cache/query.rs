//! The query in a key: which of it counts, and in what order.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::route::decode_query;

/// What of a query counts. The rest does not go upstream either, so that it cannot change what is stored.
#[derive(Debug)]
pub(super) enum Query {
    /// All of it.
    All,
    /// The pairs of these names.
    Only(Vec<Name>),
    /// All but the pairs of these names.
    Except(Vec<Name>),
}

/// Names of a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// This one.
    Exactly(Box<str>),
    /// All that begin so: `utm_*`.
    Prefix(Box<str>),
}

/// Names that advertisers and analytics add to links, and that are read by scripts in the browser.
pub(super) const TRACKING: [&str; 22] = [
    "utm_*",
    "_ga",
    "_gl",
    "dclid",
    "epik",
    "fbclid",
    "gad_source",
    "gbraid",
    "gclid",
    "gclsrc",
    "igshid",
    "li_fat_id",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "msclkid",
    "srsltid",
    "ttclid",
    "twclid",
    "vero_id",
    "wbraid",
    "yclid",
];

impl Name {
    /// A name, or what names begin with and `*`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (begins, more) = text.strip_suffix('*').map_or((text, false), |begins| (begins, true));
        match begins {
            "" => Err("expected the name of a query key".to_owned()),
            _ if begins.contains('*') => Err(format!("{text:?} has a `*` that is not its end")),
            _ if more => Ok(Self::Prefix(begins.into())),
            _ => Ok(Self::Exactly(begins.into())),
        }
    }

    fn is(&self, name: &str) -> bool {
        match self {
            Self::Exactly(known) => **known == *name,
            Self::Prefix(begins) => name.starts_with(&**begins),
        }
    }
}

impl Query {
    /// Whether pairs of this name count.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|known| known.is(name)),
            Self::Except(names) => !names.iter().any(|known| known.is(name)),
        }
    }

    /// What counts, in the order in which it came; `None` when nothing is left.
    pub(super) fn select<'q>(&self, query: Option<&'q str>) -> Option<Cow<'q, str>> {
        let query = query?;
        // a name that is no text is none of those that are known
        let counts = |pair: &&str| match decode_query(name(pair)) {
            Some(name) => self.has(&name),
            None => matches!(self, Self::Except(_)),
        };
        if matches!(self, Self::All) || query.split('&').all(|pair| counts(&pair)) {
            return Some(Cow::Borrowed(query));
        }
        let pairs: Vec<_> = query.split('&').filter(counts).collect();
        (!pairs.is_empty()).then(|| Cow::Owned(pairs.join("&")))
    }

    /// What counts, so that queries of the same meaning are written alike: sorted, each pair as [`respell`] has it.
    pub(super) fn keyed(&self, query: Option<&str>) -> Option<String> {
        let selected = self.select(query)?;
        let mut pairs: Vec<_> = selected.split('&').map(respell).collect();
        // to some servers `;` is another `&`, and then the pairs are not those that are sorted here
        if !selected.contains(';') {
            pairs.sort_by_cached_key(|pair| rank(pair));
        }
        Some(pairs.join("&"))
    }
}

fn name(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

/// What pairs are sorted by: the letters and digits that the name begins with. Names that some server takes for one and the same
/// (`a`, `A`, ` a`, `a[]`, or `a.b` and `a_b`) are equal in that, so that their pairs stay in the order in which they came.
fn rank(pair: &str) -> Vec<u8> {
    let bytes = percent_decode_str(name(pair)).skip_while(|byte| matches!(byte, b' ' | b'+'));
    bytes.take_while(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect()
}

/// A pair in the one spelling of its percent-encoding (RFC 3986 §6.2.2.1, §6.2.2.2). One in which a `%` begins none stays as it is:
/// what is decoded beside that `%` could complete it.
fn respell(pair: &str) -> Cow<'_, str> {
    if !pair.contains('%') {
        return Cow::Borrowed(pair);
    }
    let mut spelled = String::with_capacity(pair.len());
    let mut parts = pair.split('%');
    spelled.extend(parts.next());
    for part in parts {
        let Some((byte, rest)) = part.split_at_checked(2).and_then(|(digits, rest)| Some((hex(digits)?, rest))) else {
            return Cow::Borrowed(pair);
        };
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            spelled.push(char::from(byte));
        } else {
            spelled.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
        }
        spelled.push_str(rest);
    }
    Cow::Owned(spelled)
}

/// The byte of two hexadecimal digits.
fn hex(digits: &str) -> Option<u8> {
    // the number could have a sign
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

fn digit(nibble: u8) -> char {
    char::from(crate::digest::digit(nibble)).to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<Name> {
        texts.iter().map(|text| Name::parse(text).unwrap()).collect()
    }

    fn keyed(query: &str) -> String {
        Query::All.keyed(Some(query)).unwrap()
    }

    #[test]
    fn names_may_end_in_a_star_and_nowhere_else() {
        assert_eq!(Name::parse("page"), Ok(Name::Exactly("page".into())));
        assert_eq!(Name::parse("utm_*"), Ok(Name::Prefix("utm_".into())));
        for text in ["", "*", "a*b", "**"] {
            assert!(Name::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_that_only_analytics_reads_are_those_of_the_documentation() {
        let documentation = include_str!("../../../../docs/configuration.md");
        let (_, listed) = documentation.split_once("`tracking` stands for ").unwrap();
        let (listed, _) = listed.split_once(". ").unwrap();
        let listed: Vec<_> = listed.split('`').skip(1).step_by(2).collect();
        assert_eq!(listed, TRACKING);
        assert_eq!(names(&TRACKING).len(), TRACKING.len());
    }

    #[test]
    fn what_does_not_count_is_left_out_and_the_rest_stays_as_it_came() {
        let only = Query::Only(names(&["page", "f_*"]));
        let except = Query::Except(names(&["utm_*", "gclid"]));
        let none = Query::Only(Vec::new());
        for (query, by, selected) in [
            ("b=2&a=1", &Query::All, Some("b=2&a=1")),
            ("", &Query::All, Some("")),
            ("x=1&page=%31&page=2&f_a&y", &only, Some("page=%31&page=2&f_a")),
            // the name counts as servers read it
            ("p%61ge=1&page%20=2&Page=3", &only, Some("p%61ge=1")),
            ("x=1", &only, None),
            ("%ff=1", &only, None),
            ("b&utm_source=x&a=1&%75tm_=y&gclid=z&gclids=1", &except, Some("b&a=1&gclids=1")),
            ("%ff=1&utm_x", &except, Some("%ff=1")),
            // what another server could read as a pair of its own goes with the one that it stands in
            ("a=1&utm_x=1;callback=evil", &except, Some("a=1")),
            ("page=1", &none, None),
        ] {
            assert_eq!(by.select(Some(query)).as_deref(), selected, "{query}");
        }
        assert!(matches!(except.select(Some("a&b")), Some(Cow::Borrowed("a&b"))));
        assert_eq!(Query::All.select(None), None);
    }

    #[test]
    fn queries_of_the_same_meaning_are_keyed_alike() {
        for (query, alike) in [
            ("b=2&a=1", "a=1&b=2"),
            ("c&b=1&a=3&b=2", "a=3&b=1&b=2&c"),
            ("a=%7e%41%2f", "a=~A%2F"),
            ("%61=1", "a=1"),
            ("b=1&%61=2", "a=2&b=1"),
        ] {
            assert_eq!(keyed(query), alike, "{query}");
        }
    }

    #[test]
    fn queries_that_a_server_could_take_for_different_are_keyed_apart() {
        for (one, other) in [
            ("a=1&a=2", "a=2&a=1"),
            ("a", "a="),
            ("a=1", "a=1&"),
            ("a=1&&b", "a=1&b"),
            ("a=+", "a=%20"),
            ("a=%2B", "a=+"),
            ("a=1%26b=2", "a=1&b=2"),
            ("a%3D1", "a=1"),
            // names that are one to a server, in another order: forms, ASP.NET, PHP (https://www.php.net/variables.external)
            ("a+b=1&a%20b=2", "a%20b=2&a+b=1"),
            ("A=1&a=2", "a=2&A=1"),
            ("a[5]=1&a[]=2", "a[]=2&a[5]=1"),
            ("a.b=1&a_b=2", "a_b=2&a.b=1"),
            ("+a=1&a=2", "a=2&+a=1"),
            ("a%00x=1&a=2", "a=2&a%00x=1"),
            // `;` between pairs
            ("a=1;b=2&b=3", "b=3&a=1;b=2"),
            // a `%` that begins nothing, and what follows it
            ("a=%2%46", "a=%2F"),
            ("a=%%341", "a=A"),
            ("a=%+f", "a=%0f"),
        ] {
            assert_ne!(keyed(one), keyed(other), "{one} and {other}");
        }
        assert_ne!(Query::All.keyed(Some("")), Query::All.keyed(None));
    }
}
