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
    let mut walk = Walk { root: schema, found: BTreeSet::new(), followed: BTreeSet::new() };
    walk.schema(schema, "Gateway", config);
    walk.found
}

struct Walk<'a> {
    root: &'a Value,
    found: BTreeSet<String>,
    /// Types that need not be followed again: types may hold themselves.
    followed: BTreeSet<&'a str>,
}

impl<'a> Walk<'a> {
    /// Follows the schema of a value in `owner`; without a value, all of it.
    fn schema(&mut self, schema: &'a Value, owner: &str, value: Option<&Value>) {
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
        if let Some(name) = name.filter(|name| value.is_some() || self.followed.insert(name)) {
            self.schema(&self.root["$defs"][name], name, value);
        }
        for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
            let (wanted, value) = (value.is_none(), value.and_then(|value| value.get(key)));
            if wanted || value.is_some() {
                self.found.insert(format!("{owner}.{key}"));
                self.schema(schema, owner, value);
            }
        }
        for (part, members) in [
            ("items", value.map(|value| value.as_array().into_iter().flatten().collect::<Vec<_>>())),
            (
                "additionalProperties",
                value.map(|value| value.as_object().into_iter().flat_map(|map| map.values()).collect()),
            ),
        ] {
            match (schema.get(part).filter(|schema| schema.is_object()), members) {
                (Some(schema), None) => self.schema(schema, owner, None),
                (Some(schema), Some(members)) => {
                    members.iter().for_each(|value| self.schema(schema, owner, Some(value)))
                }
                (None, _) => {}
            }
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            for schema in schema[choice].as_array().into_iter().flatten() {
                self.schema(schema, owner, value);
            }
        }
    }
}

#[test]
fn keys_are_found_wherever_they_stand() {
    let schema = serde_json::json!({
        "properties": { "name": { "type": "string" }, "routes": { "items": { "$ref": "#/$defs/Route" } } },
        "$defs": { "Route": {
            "properties": {
                "limit": { "anyOf": [{ "enum": ["off"] }, { "$ref": "#/$defs/Limit" }] },
                "inner": { "additionalProperties": { "$ref": "#/$defs/Route" } },
            },
        }, "Limit": { "properties": { "per": {}, "by": {} } } },
    });
    let config =
        serde_json::json!({ "routes": [{ "limit": "off" }, { "inner": { "a": { "limit": { "per": "1m" } } } }] });
    let names = |names: &str| names.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(all(&schema), names("Gateway.name Gateway.routes Route.limit Route.inner Limit.per Limit.by"));
    assert_eq!(used(&schema, &config), names("Gateway.routes Route.limit Route.inner Limit.per"));
}
