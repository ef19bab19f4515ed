//! What the derive cannot write: values of several shapes.

use std::collections::BTreeMap;
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

/// What a request costs: `2`, or `{ base: 1, methods: { POST: 5 } }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Units of a request of which nothing else is said.
    pub base: u32,
    /// Units by method.
    pub methods: BTreeMap<String, u32>,
    /// Units by the value of a header.
    pub headers: BTreeMap<String, BTreeMap<String, u32>>,
    /// Units by the size of the response.
    pub response: Vec<SizeClass>,
}

impl Default for Cost {
    fn default() -> Self {
        Self::flat(1)
    }
}

impl Cost {
    /// The same for every request.
    pub const fn flat(base: u32) -> Self {
        Self { base, methods: BTreeMap::new(), headers: BTreeMap::new(), response: Vec::new() }
    }
}

impl<'de> Deserialize<'de> for Cost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrMap;

        impl<'de> Visitor<'de> for NumberOrMap {
            type Value = Cost;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number of units")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Cost, E> {
                let base = u32::try_from(number).ok();
                base.map(Cost::flat).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cost, A::Error> {
                let CostMap { base, methods, headers, response } =
                    CostMap::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Cost { base, methods, headers, response })
            }
        }

        deserializer.deserialize_any(NumberOrMap)
    }
}

/// The long form of a cost. A header's value says more than the method, and that more than `base`.
#[derive(Debug, Clone, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct CostMap {
    /// Units of a request of which nothing else is said. Default: 1.
    #[serde(default = "super::one")]
    base: u32,
    /// Units by method: { POST: 5 }. 0 is free.
    #[serde(default)]
    methods: BTreeMap<String, u32>,
    /// Units by the value of a request header: { X-Mode: { bulk: 10 } }. Of several that are there the most counts.
    #[serde(default)]
    headers: BTreeMap<String, BTreeMap<String, u32>>,
    /// Units of requests whose responses are large. What that is more than was taken before is taken afterwards, as far as there is
    /// enough left.
    #[serde(default)]
    response: Vec<SizeClass>,
}

/// A class of responses by their size.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SizeClass {
    /// Responses whose Content-Length is more than that, such as 1MiB.
    pub over: String,
    /// Units that such a request costs altogether.
    pub cost: u32,
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

impl Failure {
    /// Whether an upstream that fails so may fare better another time: of statuses 429 and those from 500 to 599 say so.
    pub const fn is_of_upstream(self) -> bool {
        match self {
            Self::ConnectError | Self::Timeout | Self::Reset => true,
            Self::Status(status) => matches!(status, 429 | 500..=599),
        }
    }
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

    use super::{BodyLimit, BodyLimitMap, Cost, CostMap, Failure, OneOrMany, Setting};

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

    impl JsonSchema for Cost {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "Cost".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "The units that a request takes: a number, or by method, header and size of the response.",
                "anyOf": [{ "type": "integer", "minimum": 0, "maximum": u32::MAX }, generator.subschema_for::<CostMap>()],
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
