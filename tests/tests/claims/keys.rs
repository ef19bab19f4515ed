//! The keys of the configuration, by the type that has them (`RateLimit.burst`): all that its schema knows, and those that a
//! configuration has.

use std::collections::BTreeSet;

use serde_json::Value;

/// All keys of the schema.
pub(crate) fn all(schema: &Value) -> BTreeSet<String> {
    look(schema, None)
}

/// The keys that the configuration has.
pub(crate) fn used(schema: &Value, config: &Value) -> BTreeSet<String> {
    look(schema, Some(config))
}

fn look(schema: &Value, config: Option<&Value>) -> BTreeSet<String> {
    let mut walk = Walk { root: schema, found: BTreeSet::new(), seen: BTreeSet::new() };
    walk.schema(schema, "Gateway", config);
    walk.found
}

struct Walk<'a> {
    root: &'a Value,
    found: BTreeSet<String>,
    /// Types whose keys all have been found.
    seen: BTreeSet<&'a str>,
}

impl<'a> Walk<'a> {
    /// Follows a schema; with a value only as far as the value goes.
    fn schema(&mut self, schema: &'a Value, owner: &str, value: Option<&Value>) {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            if value.is_some() || self.seen.insert(name) {
                self.schema(&self.root["$defs"][name], name, value);
            }
        }
        for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
            let inner = value.map(|value| value.get(key));
            if inner != Some(None) {
                self.found.insert(format!("{owner}.{key}"));
                self.schema(schema, owner, inner.flatten());
            }
        }
        for (part, members) in [
            ("items", value.map(|value| value.as_array().map(|list| list.iter().collect()))),
            ("additionalProperties", value.map(|value| value.as_object().map(|map| map.values().collect()))),
        ] {
            let Some(schema) = schema.get(part).filter(|schema| schema.is_object()) else { continue };
            let members: Option<Vec<&Value>> = members.map(Option::unwrap_or_default);
            match members {
                None => self.schema(schema, owner, None),
                Some(members) => members.into_iter().for_each(|member| self.schema(schema, owner, Some(member))),
            }
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            for schema in schema[choice].as_array().into_iter().flatten() {
                self.schema(schema, owner, value);
            }
        }
    }
}
