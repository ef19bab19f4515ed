//! What the derive cannot write: values of several shapes.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::Mode;

/// The largest request body: `1MiB`, or `{ max: 1MiB, mode: observe }`.
#[derive(Debug, Clone)]
pub struct BodyLimit {
    /// The bound, such as 64KiB or 1MiB.
    pub max: String,
    /// How the policy acts.
    pub mode: Mode,
}

impl<'de> Deserialize<'de> for BodyLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrMap;

        impl<'de> Visitor<'de> for TextOrMap {
            type Value = BodyLimit;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a size such as 1MiB")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<BodyLimit, E> {
                Ok(BodyLimit { max: text.to_owned(), mode: Mode::Enforce })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BodyLimit, A::Error> {
                let long = BodyLimitMap::deserialize(MapAccessDeserializer::new(map))?;
                Ok(BodyLimit { max: long.max, mode: long.mode })
            }
        }

        deserializer.deserialize_any(TextOrMap)
    }
}

/// The long form of a body limit.
#[derive(Debug, Clone, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct BodyLimitMap {
    /// The bound, such as 64KiB or 1MiB.
    max: String,
    /// How the policy acts.
    #[serde(default)]
    mode: Mode,
}

/// A policy's configuration, or `off`.
#[derive(Debug)]
pub enum Setting<T> {
    /// Not on this route, whatever the defaults say.
    Off,
    /// The policy. Routes share what they take over from the defaults.
    On(Arc<T>),
}

impl<T> Clone for Setting<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Off => Self::Off,
            Self::On(policy) => Self::On(Arc::clone(policy)),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OffOr<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OffOr<T> {
            type Value = Setting<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the policy's settings, or off")
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<Setting<T>, E> {
                if on { Err(E::invalid_type(Unexpected::Bool(on), &self)) } else { Ok(Setting::Off) }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Setting<T>, E> {
                if text == "off" {
                    return Ok(Setting::Off);
                }
                T::deserialize(serde::de::value::StrDeserializer::new(text)).map(|policy| Setting::On(Arc::new(policy)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Setting<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|policy| Setting::On(Arc::new(policy)))
            }
        }

        deserializer.deserialize_any(OffOr(PhantomData))
    }
}

/// One text, or a list of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrList;

        impl<'de> Visitor<'de> for TextOrList {
            type Value = OneOrMany;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("text, or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMany(texts))
            }
        }

        deserializer.deserialize_any(TextOrList)
    }
}

/// What may come of a request to an upstream that is worth another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection.
    ConnectError,
    /// No response in time.
    Timeout,
    /// The connection broke before there was a response.
    Reset,
    /// A response with this status.
    Status(u16),
}

impl<'de> Deserialize<'de> for Failure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrStatus;

        impl Visitor<'_> for WordOrStatus {
            type Value = Failure;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("connect_error, timeout, reset or a status")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Failure, E> {
                match text {
                    "connect_error" => Ok(Failure::ConnectError),
                    "timeout" => Ok(Failure::Timeout),
                    "reset" => Ok(Failure::Reset),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Failure, E> {
                let status = u16::try_from(number).ok();
                status.map(Failure::Status).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }
        }

        deserializer.deserialize_any(WordOrStatus)
    }
}

/// The shapes that serde's derive cannot see.
#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{BodyLimit, BodyLimitMap, Failure, OneOrMany, Setting};

    impl JsonSchema for OneOrMany {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "OneOrMany".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
        }
    }

    impl JsonSchema for Failure {
        fn schema_name() -> Cow<'static, str> {
            "Failure".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "A failure that is worth another attempt.",
                "anyOf": [
                    { "enum": ["connect_error", "timeout", "reset", 429] },
                    { "type": "integer", "minimum": 500, "maximum": 599 },
                ],
            })
        }
    }

    impl JsonSchema for BodyLimit {
        fn schema_name() -> Cow<'static, str> {
            "BodyLimit".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let size = r"^[0-9]+(B|KiB|MiB|GiB)$";
            json_schema!({
                "description": "The largest request body: 1MiB, or { max: 1MiB, mode: observe }.",
                "anyOf": [{ "type": "string", "pattern": size }, generator.subschema_for::<BodyLimitMap>()],
            })
        }
    }

    impl<T: JsonSchema> JsonSchema for Setting<T> {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            format!("{}OrOff", T::schema_name()).into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            json_schema!({ "anyOf": [{ "enum": ["off", false] }, generator.subschema_for::<T>()] })
        }
    }
}
