//! The policy `cache` and the action `purge`, as they are written.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::{Mode, OneOrMany};

/// Responses that are kept and served again (RFC 9111). What a response is kept under, its key, is all that it may depend on.
#[derive(Debug, Clone, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// How long a response with a status such as 200, 204 or 301 is fresh of which the upstream does not say it, such as 5m.
    /// Default: it is not stored.
    pub ttl: Option<String>,
    /// Whether what the upstream says of freshness outranks `ttl` and `negative`; `no-store` and `private` hold always.
    /// Default: true.
    #[serde(default = "yes")]
    pub respect_origin: bool,
    /// How long responses with a status from 400 to 599 are fresh of which the upstream does not say it: { "404": 10s }.
    /// Default: they are not stored.
    #[serde(default)]
    pub negative: BTreeMap<String, String>,
    /// What tells responses apart, besides scheme, host and path.
    #[serde(default)]
    pub key: CacheKey,
    /// Serve callers that are known what was stored for others. Needs a reason. Default: false.
    #[serde(default)]
    pub shared: bool,
    /// Why callers may share: "prices are the same for everybody".
    pub reason: Option<String>,
    /// Where responses are kept: local (default), by each node for itself, or shared, also in the platform's store.
    #[serde(default)]
    pub store: CacheStore,
    /// The largest body that is stored, up to 64MiB. Default: 1MiB.
    pub max_size: Option<String>,
    /// Media types that are stored: application/json, text/*. Default: all.
    #[serde(default)]
    pub content_types: Vec<String>,
    /// How long a stale response may be served while a fresh one is fetched, where the upstream does not say it (RFC 5861).
    /// Default: not.
    pub stale_while_revalidate: Option<String>,
    /// How long a stale response may be served when the upstream fails, where it does not say it (RFC 5861). Default: not.
    pub stale_if_error: Option<String>,
    /// Guess how long a response is fresh of which nobody says it: a tenth of the time since it was modified, at most a day
    /// (RFC 9111 section 4.2.2). Default: false.
    #[serde(default)]
    pub heuristic: bool,
    /// Whether Cache-Control of requests counts: respect (default) or ignore.
    #[serde(default)]
    pub client_directives: ClientDirectives,
    /// Let requests that miss the same response at the same time wait for one of them, on each node. Default: true.
    #[serde(default = "yes")]
    pub coalesce: bool,
    /// How the policy acts: enforce (default) or off. It cannot observe.
    #[serde(default)]
    pub mode: Mode,
}

/// What tells responses apart, besides scheme, host and path.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CacheKey {
    /// The query: all (default), none, a list of keys, or { except: […] }. What is not in the key does not go upstream.
    pub query: CacheQuery,
    /// Request header fields, besides those that the response names in Vary.
    pub headers: Vec<String>,
    /// Cookies. The others do not go upstream, with [] none. Default: a request with cookies passes the cache by.
    pub cookies: Option<Vec<String>>,
    /// Claims of the caller's token; needs `auth` on the route.
    pub claims: Vec<String>,
    /// consumer: each caller has responses of its own; needs `auth` on the route.
    pub by: Option<CacheBy>,
}

/// What of a query is in the key. `*` at the end of a name stands for whatever follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CacheQuery {
    /// All of it.
    #[default]
    All,
    /// Nothing.
    None,
    /// These keys.
    Only(Vec<String>),
    /// All but these keys; `tracking` stands for those that only analytics reads.
    Except(Vec<String>),
}

/// Whose responses are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CacheBy {
    /// Each consumer's.
    Consumer,
}

/// Where responses are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CacheStore {
    /// By each node for itself.
    #[default]
    Local,
    /// By each node, and in the platform's store.
    Shared,
}

/// Whether `Cache-Control` of requests counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClientDirectives {
    /// It counts (RFC 9111 §5.2.1).
    #[default]
    Respect,
    /// As if it were not there.
    Ignore,
}

/// Takes orders to serve stored responses no more; needs `auth` on the route.
#[derive(Debug, Clone, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Purge {}

impl<'de> Deserialize<'de> for CacheQuery {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrKeys;

        impl<'de> Visitor<'de> for WordOrKeys {
            type Value = CacheQuery;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("all, none, a list of keys or { except: […] }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<CacheQuery, E> {
                match text {
                    "all" => Ok(CacheQuery::All),
                    "none" => Ok(CacheQuery::None),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<CacheQuery, A::Error> {
                let mut keys = Vec::new();
                while let Some(key) = list.next_element()? {
                    keys.push(key);
                }
                Ok(CacheQuery::Only(keys))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CacheQuery, A::Error> {
                let ExceptMap { except } = ExceptMap::deserialize(MapAccessDeserializer::new(map))?;
                Ok(CacheQuery::Except(except.0))
            }
        }

        deserializer.deserialize_any(WordOrKeys)
    }
}

/// All but some keys.
#[derive(Debug, Clone, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct ExceptMap {
    /// Keys that are not in the key and do not go upstream. `tracking` stands for those that only analytics reads.
    except: OneOrMany,
}

const fn yes() -> bool {
    true
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{CacheQuery, ExceptMap};

    impl JsonSchema for CacheQuery {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            "CacheQuery".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "The query: all, none, a list of keys, or all but some.",
                "anyOf": [
                    { "enum": ["all", "none"] },
                    { "type": "array", "items": { "type": "string" } },
                    generator.subschema_for::<ExceptMap>(),
                ],
            })
        }
    }
}
