use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};

use super::{Read, read};
use crate::config::{Findings, Part, Pointer};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Gateway {
    name: Name,
    #[serde(default)]
    upstreams: BTreeMap<Name, Upstream>,
    #[serde(default)]
    routes: Vec<Route>,
    anything: Option<Value>,
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Name(String);

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Upstream {
    url: String,
    #[serde(default)]
    balance: Balance,
    weights: Option<(u8, i16)>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Balance {
    #[default]
    RoundRobin,
    Random,
    Hash(String),
    Sticky {
        cookie: String,
        bits: Option<u16>,
    },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Route {
    path: String,
    rate_limit: Option<RateLimit>,
    cache: Option<Cache>,
    body_limit: Option<BodyLimit>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct RateLimit {
    limit: u32,
    per: String,
    share: Option<f64>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Cache {
    ttl: Option<String>,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    headers: Vec<String>,
}

/// Text, or a map.
#[derive(Debug, PartialEq)]
struct BodyLimit(String);

impl<'de> Deserialize<'de> for BodyLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrMap;

        impl<'de> Visitor<'de> for TextOrMap {
            type Value = BodyLimit;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a size such as 1MiB")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<BodyLimit, E> {
                match text.strip_suffix("MiB") {
                    Some(_) => Ok(BodyLimit(text.to_owned())),
                    None => Err(E::custom("a size needs a unit")),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BodyLimit, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Long {
                    max: String,
                    #[serde(default)]
                    hard: bool,
                }
                let long = Long::deserialize(MapAccessDeserializer::new(map))?;
                if long.hard { Err(serde::de::Error::custom("hard is not done yet")) } else { Ok(BodyLimit(long.max)) }
            }
        }

        deserializer.deserialize_any(TextOrMap)
    }
}

fn check(document: &Value) -> (Read<Gateway>, Vec<String>) {
    let mut findings = Findings::new();
    let read = read(document, &Pointer::root(), &mut findings);
    (read, findings.iter().map(ToString::to_string).collect())
}

/// The findings about a route that is right but for `changes`.
fn route(changes: Value) -> Vec<String> {
    let mut route = json!({ "path": "/" });
    for (key, value) in changes.as_object().into_iter().flatten() {
        route[key] = value.clone();
    }
    check(&json!({ "name": "shop", "routes": [route] })).1
}

#[test]
fn what_is_right_is_read_as_it_is() {
    let (read, findings) = check(&json!({
        "name": "shop",
        "upstreams": {
            "a": { "url": "http://a", "balance": { "sticky": { "cookie": "c", "bits": 5 } }, "weights": [1, -2] },
            "b": { "url": "http://b", "balance": { "hash": "consumer" } },
            "c": { "url": "http://c", "balance": "random" },
        },
        "routes": [{ "path": "/", "rate_limit": { "limit": 5, "per": "1m", "share": 1 }, "body_limit": { "max": "2MiB" } }],
        "anything": null,
    }));
    assert_eq!(findings, [""; 0]);
    assert!(read.complete && !read.shifted);
    let gateway = read.value.expect("complete");
    assert_eq!(gateway.upstreams[&Name("a".into())].weights, Some((1, -2)));
    assert_eq!(gateway.upstreams[&Name("c".into())].balance, Balance::Random);
    assert_eq!(gateway.routes[0].rate_limit, Some(RateLimit { limit: 5, per: "1m".into(), share: Some(1.0) }));
    assert_eq!(gateway.routes[0].body_limit, Some(BodyLimit("2MiB".into())));
    assert_eq!(gateway.anything, Some(Value::Null), "null is a value where any value is");
}

#[test]
fn five_errors_at_once() {
    let document = json!({
        "name": "shop",
        "upstreams": { "a b": { "url": "http://a", "balance": "fast" } },
        "routes": [
            { "path": "/0" },
            { "path": "/1", "cache": { "tll": "5m", "headers": ["Accept", 7, "Cookie"] } },
            { "path": "/2", "rate_limit": { "per": "1m" } },
            { "path": 3 },
            { "path": "/4" },
        ],
    });
    let (read, findings) = check(&document);
    assert_eq!(
        findings,
        [
            "error: routes[1].cache.headers[1]: expected text, found the number 7 (put it in quotes to make it text)",
            "error: routes[1].cache.tll: unknown key \"tll\" (did you mean \"ttl\"?)",
            "error: routes[2].rate_limit: missing key `limit`",
            "error: routes[3].path: expected text, found the number 3 (put it in quotes to make it text)",
            "error: upstreams[\"a b\"].balance: unknown value \"fast\", expected one of round_robin, random, hash, sticky",
        ]
    );
    assert!(!read.complete && read.shifted);
    let gateway = read.value.expect("what is left is a gateway");
    let paths: Vec<_> = gateway.routes.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(paths, ["/0", "/1", "/2", "/4"]);
    assert_eq!(gateway.routes[1].cache.as_ref().expect("kept").headers, ["Accept", "Cookie"]);
    assert_eq!(gateway.routes[2].rate_limit, None, "half a limit is none");
    assert_eq!(gateway.upstreams[&Name("a b".into())].balance, Balance::RoundRobin);
}

#[test]
fn findings_start_where_reading_did() {
    let mut findings = Findings::new();
    let at = Pointer::root().child_key("defaults").child_index(2);
    let outcome = read::<Cache>(&json!({ "Private": true, "ttl": 5 }), &at, &mut findings);
    assert_eq!(outcome.value, Some(Cache { ttl: None, private: false, headers: vec![] }));
    assert!(!outcome.complete && !outcome.shifted);
    let found: Vec<_> = findings.iter().map(|finding| (finding.pointer.to_string(), finding.part)).collect();
    assert_eq!(found, [("defaults[2].Private".to_owned(), Part::Key), ("defaults[2].ttl".to_owned(), Part::Value)]);
}

#[test]
fn all_missing_keys_and_nothing_that_follows_from_them() {
    assert_eq!(
        route(json!({ "rate_limit": {} })),
        ["error: routes[0].rate_limit: missing key `limit`", "error: routes[0].rate_limit: missing key `per`"]
    );
    // `limit` is there and wrong, so it is not missing; `per` is.
    assert_eq!(
        route(json!({ "rate_limit": { "limit": "abc", "shar": 1 } })),
        [
            "error: routes[0].rate_limit.limit: expected a number, found text \"abc\"",
            "error: routes[0].rate_limit.shar: unknown key \"shar\" (did you mean \"share\"?)",
            "error: routes[0].rate_limit: missing key `per`",
        ]
    );
    // One element too few is ours, not theirs.
    let (read, findings) = check(&json!({ "name": "n", "upstreams": { "a": { "url": "u", "weights": [300, true] } } }));
    assert_eq!(
        findings,
        [
            "error: upstreams.a.weights[0]: expected a whole number from 0 to 255, found the number 300",
            "error: upstreams.a.weights[1]: expected a number, found true",
        ]
    );
    assert_eq!(read.value.expect("a gateway").upstreams[&Name("a".into())].weights, None);
    let (read, findings) = check(&json!({ "routes": [{}, { "path": null }], "nmae": "x" }));
    assert_eq!(
        findings,
        [
            "error: nmae: unknown key \"nmae\" (did you mean \"name\"?)",
            "error: routes[0]: missing key `path`",
            "error: routes[1].path: has no value, expected text (give it a value, or remove it)",
        ]
    );
    assert_eq!(read, Read { value: None, complete: false, shifted: false });
    // It is there, misspelt.
    assert_eq!(check(&json!({ "Name": "x" })).1, ["error: Name: unknown key \"Name\" (did you mean \"name\"?)"]);
}

#[test]
fn values_in_the_words_of_their_author() {
    for (changes, finding) in [
        (json!({ "cache": 5 }), "cache: expected a map, found the number 5"),
        (json!({ "cache": [] }), "cache: expected a map, found a list"),
        (json!({ "cache": null }), "cache: has no value, expected a map (give it a value, or remove it)"),
        (json!({ "cache": { "private": "yes" } }), "cache.private: expected true or false, found text \"yes\""),
        (json!({ "cache": { "headers": "A" } }), "cache.headers: expected a list, found text \"A\" (write [\"A\"])"),
        (json!({ "cache": { "headers": {} } }), "cache.headers: expected a list, found a map"),
        (
            json!({ "cache": { "ttl": true } }),
            "cache.ttl: expected text, found true (put it in quotes to make it text)",
        ),
        (json!({ "body_limit": 5 }), "body_limit: expected a size such as 1MiB, found the number 5"),
        (json!({ "body_limit": "5" }), "body_limit: a size needs a unit"),
        (json!({ "body_limit": {} }), "body_limit: missing key `max`"),
        (
            json!({ "body_limit": { "max": "1MiB", "mac": 1 } }),
            "body_limit.mac: unknown key \"mac\" (did you mean \"max\"?)",
        ),
        (json!({ "body_limit": { "max": [] } }), "body_limit.max: expected text, found a list"),
        (json!({ "body_limit": { "max": "1MiB", "hard": true } }), "body_limit: hard is not done yet"),
    ] {
        assert_eq!(route(changes), [format!("error: routes[0].{finding}")]);
    }
    for (limit, said) in [
        (json!(-1), "expected a whole number from 0 to 4294967295, found the number -1"),
        (json!(5_000_000_000_u64), "expected a whole number from 0 to 4294967295, found the number 5000000000"),
        (json!(5.0), "expected a whole number from 0 to 4294967295, found the number 5.0"),
        (json!({}), "expected a number, found a map"),
        (json!(null), "has no value, expected a number (give it a value, or remove it)"),
    ] {
        let limits = json!({ "rate_limit": { "limit": limit, "per": "1m" } });
        assert_eq!(route(limits), [format!("error: routes[0].rate_limit.limit: {said}")]);
    }
}

#[test]
fn enums() {
    let balance = |balance: Value| {
        let found = check(&json!({ "name": "n", "upstreams": { "a": { "url": "u", "balance": balance } } })).1;
        found.join("\n").replace("error: upstreams.a.", "")
    };
    for (value, finding) in [
        (
            json!({ "sticky": { "cookie": 5, "bits": -1 } }),
            "balance.sticky.bits: expected a whole number from 0 to 65535, found the number -1\n\
             balance.sticky.cookie: expected text, found the number 5 (put it in quotes to make it text)",
        ),
        (json!({ "sticky": {} }), "balance.sticky: missing key `cookie`"),
        (json!({ "stickey": {} }), "balance.stickey: unknown key \"stickey\" (did you mean \"sticky\"?)"),
        (json!({ "hash": null }), "balance.hash: has no value, expected text (give it a value, or remove it)"),
        (json!({ "random": {} }), "balance.random: `random` takes no value (write just random)"),
        (json!("hash"), "balance: `hash` needs a value (write { hash: … })"),
        (json!({}), "balance: expected exactly one of round_robin, random, hash, sticky, found an empty map"),
        (
            json!({ "hash": "a", "random": 1 }),
            "balance: expected exactly one of round_robin, random, hash, sticky, found several keys",
        ),
        (json!(1), "balance: expected one of round_robin, random, hash, sticky, found the number 1"),
        (
            json!("round-robin"),
            "balance: unknown value \"round-robin\", expected one of round_robin, random, hash, sticky (did you mean \"round_robin\"?)",
        ),
    ] {
        assert_eq!(balance(value), finding);
    }
}

#[test]
fn stops_when_nothing_is_left_and_when_it_is_enough() {
    for hopeless in [json!(null), json!([]), json!("x"), json!({})] {
        let (read, findings) = check(&hopeless);
        assert_eq!((read.value, findings.len()), (None, 1), "{hopeless}");
    }
    let (read, findings) = check(&json!({ "name": "n", "routes": vec![1; 1_000] }));
    assert_eq!((read.value, findings.len()), (None, 201));
    assert_eq!(
        findings.last().map(String::as_str),
        Some("error: there are more errors than these (mend these, then check again)")
    );
}
