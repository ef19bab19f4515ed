//! A JWK Set as a configuration names it: the set, or where it is.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// An issuer's public keys.
#[derive(Debug, Clone)]
pub enum Jwks {
    /// The set itself.
    Set(Value),
    /// Where it is.
    At(JwksPlace),
}

/// Where a JWK Set is. Exactly one of `url` and `store`.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename_all = "snake_case", deny_unknown_fields))]
pub struct JwksPlace {
    /// The issuer's URL. `http://` only on this machine.
    pub url: Option<String>,
    /// A name in the platform's key-value store: the set is under jwks/ and the name.
    pub store: Option<String>,
    /// How long the set is used without a look for a newer one: 1s to 1d. Default: 5m.
    pub fresh: Option<String>,
    /// How long it goes on being used while no newer one can be had: `fresh` to 30d. Default: 24h.
    pub stale: Option<String>,
    /// Other keys, which mean nothing.
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub unknown: Vec<String>,
}

impl JwksPlace {
    /// The keys that mean something.
    pub(crate) const KEYS: [&str; 4] = ["url", "store", "fresh", "stale"];
}

impl<'de> Deserialize<'de> for Jwks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrMap;

        impl<'de> Visitor<'de> for TextOrMap {
            type Value = Jwks;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a URL, or a JWK Set")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Jwks, E> {
                Ok(Jwks::At(JwksPlace { url: Some(text.to_owned()), ..JwksPlace::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Jwks, A::Error> {
                let mut place = JwksPlace::default();
                // a set may have members of any name (RFC 7517 §5), but no set has one of these two
                let mut set = Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "url" => place.url = map.next_value()?,
                        "store" => place.store = map.next_value()?,
                        "fresh" => place.fresh = map.next_value()?,
                        "stale" => place.stale = map.next_value()?,
                        _ => {
                            let value = map.next_value()?;
                            set.insert(key, value);
                        }
                    }
                }
                if place.url.is_none() && place.store.is_none() {
                    return Ok(Jwks::Set(Value::Object(set)));
                }
                place.unknown = set.into_iter().map(|(key, _)| key).collect();
                Ok(Jwks::At(place))
            }
        }

        deserializer.deserialize_any(TextOrMap)
    }
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde_json::{Map, Value};

    use super::{Jwks, JwksPlace};

    impl JsonSchema for Jwks {
        fn schema_name() -> Cow<'static, str> {
            "Jwks".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "An issuer's public keys: their URL, a file, where they are, or the JWK Set itself.",
                "anyOf": [
                    { "type": "string" },
                    generator.subschema_for::<JwksPlace>(),
                    generator.subschema_for::<Map<String, Value>>(),
                ],
            })
        }
    }
}
