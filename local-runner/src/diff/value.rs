//! Values in the one form in which they are compared: `1m` is `60s`, `[a, b]` is `[b, a]`, `10.0.0.1` is `10.0.0.1/32`.

use std::collections::BTreeMap;

use portico_core::config::units;
use serde_json::Value;

use super::elements::{Element, set, targets};
use crate::log::plain;

/// What a key's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Compared as it stands.
    Plain,
    /// A text in which letter case does not count, and neither does a dot at its end: a host.
    Host,
    /// The name of a header field.
    Header,
    /// A number.
    Number,
    /// `60s` is `1m`.
    Duration,
    /// `1024KiB` is `1MiB`.
    Size,
    /// A text or a list of texts whose order does not count.
    Set(Element),
    /// What a rate limit counts: a word, or a map of one key.
    By,
    /// A text with templates, which may be a secret that somebody wrote down.
    Template,
    /// The targets of an upstream: their URLs, each with its weight.
    Targets,
    /// Nothing that a request could notice.
    Ignored,
}

/// A value as it is compared and shown.
#[derive(Debug, Clone)]
pub(super) enum Canonical {
    /// Compared as it stands.
    Plain(Value),
    /// Compared, and never shown.
    Hidden(String),
    /// Compared by its amount, in the smallest unit; shown as it was written.
    Amount(u64, Value),
    /// What each element is compared by, and what it is shown as.
    Set(BTreeMap<String, String>),
}

impl PartialEq for Canonical {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(one), Self::Plain(other)) => one == other,
            (Self::Hidden(one), Self::Hidden(other)) => one == other,
            (Self::Amount(one, _), Self::Amount(other, _)) => one == other,
            (Self::Set(one), Self::Set(other)) => one.keys().eq(other.keys()),
            _ => false,
        }
    }
}

impl Canonical {
    /// The value of a key, by what the key holds. What cannot be read so is compared as it stands.
    pub(super) fn new(kind: Kind, value: &Value) -> Self {
        let as_it_stands = || Self::Plain(value.clone());
        let text = value.as_str();
        let amount = |amount: Option<u64>| amount.map(|amount| Self::Amount(amount, value.clone()));
        match kind {
            Kind::Plain | Kind::Ignored => as_it_stands(),
            Kind::Host => text.map_or_else(as_it_stands, |host| Self::lower(host.strip_suffix('.').unwrap_or(host))),
            Kind::Header => text.map_or_else(as_it_stands, Self::lower),
            Kind::Number => amount(value.as_u64()).unwrap_or_else(as_it_stands),
            Kind::Duration => {
                let millis = |text| u64::try_from(units::duration(text).ok()?.as_millis()).ok();
                amount(text.and_then(millis)).unwrap_or_else(as_it_stands)
            }
            Kind::Size => amount(text.and_then(|text| units::size(text).ok())).unwrap_or_else(as_it_stands),
            Kind::Set(element) => Self::Set(set(element, value)),
            Kind::By => by(value).map_or_else(as_it_stands, |by| Self::Plain(by.into())),
            Kind::Template => as_it_stands(),
            Kind::Targets => Self::Set(targets(value)),
        }
    }

    fn lower(text: &str) -> Self {
        Self::Plain(text.to_ascii_lowercase().into())
    }

    /// For people: one line, not too long.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Hidden(_) => "(hidden)".to_owned(),
            Self::Plain(value) | Self::Amount(_, value) => shown(value),
            Self::Set(elements) if elements.is_empty() => "none".to_owned(),
            Self::Set(elements) => elements.values().map(|element| plain(element)).collect::<Vec<_>>().join(", "),
        }
    }

    /// For tools.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Hidden(_) => Value::Null,
            Self::Plain(value) | Self::Amount(_, value) => value.clone(),
            Self::Set(elements) => elements.values().cloned().collect(),
        }
    }
}

/// The longest text that is shown to people, in characters.
const LONGEST: usize = 80;

fn shown(value: &Value) -> String {
    let text = plain(value.as_str().map_or_else(|| value.to_string(), str::to_owned).trim_end());
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None if text.is_empty() => "\"\"".to_owned(),
        None => text,
    }
}

/// `consumer`, or `header x-tenant`.
fn by(value: &Value) -> Option<String> {
    match value {
        Value::String(word) => Some(word.clone()),
        Value::Object(map) => {
            let (what, name) = map.iter().next()?;
            let name = name.as_str()?;
            Some(format!("{what} {}", if what == "header" { name.to_ascii_lowercase() } else { name.to_owned() }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn same(kind: Kind, one: Value, other: Value) -> bool {
        Canonical::new(kind, &one) == Canonical::new(kind, &other)
    }

    #[test]
    fn another_spelling_is_the_same_value() {
        for (kind, one, other) in [
            (Kind::Duration, json!("1m"), json!("60s")),
            (Kind::Size, json!("1MiB"), json!("1024KiB")),
            (Kind::Host, json!("API.example."), json!("api.example")),
            (Kind::Header, json!("X-API-Key"), json!("x-api-key")),
            (Kind::Set(Element::Text), json!("a"), json!(["a"])),
            (Kind::Set(Element::Text), json!(["b", "a", "b"]), json!(["a", "b"])),
            (Kind::Set(Element::Header), json!(["X-A"]), json!(["x-a"])),
            (Kind::Set(Element::Net), json!(["10.0.0.1", "::1"]), json!(["10.0.0.1/32", "0::1/128"])),
            (Kind::By, json!({ "header": "X-A" }), json!({ "header": "x-a" })),
            (Kind::Targets, json!([{ "url": "http://a", "weight": 7 }]), json!([{ "url": "http://a/" }])),
            (
                Kind::Targets,
                json!([{ "url": "http://a" }, { "url": "http://b", "weight": 0 }, { "url": "http://c" }]),
                json!([{ "url": "http://c" }, { "url": "http://a", "weight": 1 }]),
            ),
        ] {
            assert!(same(kind, one.clone(), other.clone()), "{kind:?} {one} {other}");
        }
    }

    #[test]
    fn another_value_is_another() {
        for (kind, one, other) in [
            (Kind::Plain, json!("1m"), json!("60s")),
            (Kind::Duration, json!("1m"), json!("61s")),
            (Kind::Set(Element::Text), json!(["a"]), json!(["A"])),
            (Kind::Set(Element::Net), json!(["10.0.0.0/8"]), json!(["10.0.0.0/9"])),
            (Kind::By, json!({ "claim": "A" }), json!({ "claim": "a" })),
            (Kind::By, json!("ip"), json!("route")),
            (
                Kind::Targets,
                json!([{ "url": "http://a", "weight": 9 }, { "url": "http://b" }]),
                json!([{ "url": "http://a", "weight": 8 }, { "url": "http://b" }]),
            ),
        ] {
            assert!(!same(kind, one.clone(), other.clone()), "{kind:?} {one} {other}");
        }
    }

    #[test]
    fn hashes_are_compared_whole_and_shown_in_part() {
        let (one, other) = ("8649cdeb00".to_owned() + &"0".repeat(54), "8649CDEB00".to_owned() + &"1".repeat(54));
        let kind = Kind::Set(Element::Fingerprint);
        assert!(!same(kind, json!(one), json!(other)));
        assert_eq!(Canonical::new(kind, &json!(other)).shown(), "8649cdeb…");
    }

    #[test]
    fn what_is_shown_is_one_short_line() {
        assert_eq!(Canonical::Plain(json!("a\nb\u{1b}[0m")).shown(), "a\\u{a}b\\u{1b}[0m");
        assert_eq!(Canonical::Plain(json!("é".repeat(200))).shown(), format!("{}…", "é".repeat(LONGEST)));
        assert_eq!(Canonical::new(Kind::Template, &json!("s3cret")).shown(), "s3cret");
        assert_eq!(Canonical::Hidden("s3cret".to_owned()).shown(), "(hidden)");
    }
}
