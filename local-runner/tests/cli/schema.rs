//! `portico schema`: the demo is valid by it, and mistakes are not.

use serde_json::{Value, json};

use crate::process::{checkout, run};

#[test]
fn the_demo_fits_the_schema_and_mistakes_do_not() {
    let (code, schema, _) = run(&checkout(), &["schema"]);
    assert_eq!(code, 0);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let (_, bundle, _) = run(&checkout(), &["build"]);
    let bundle: Value = serde_json::from_str(&bundle).unwrap();
    let demo = &bundle["config"];
    assert_eq!(fits(demo, &schema, &schema), Ok(()));

    for (pointer, mistake) in [
        ("/portico", json!(2)),
        ("/name", json!(1)),
        ("/routes/0/match", json!({ "pth": "/a" })),
        ("/routes/0/policies/auth", json!({ "any_of": ["users"], "scope": ["a"] })),
        ("/routes/1/policies/rate_limit/by", json!("adress")),
        ("/upstreams/orders/targets/0", json!("https://orders.internal")),
        ("/identities/users", json!({ "jwt": {}, "api_key": {} })),
    ] {
        let mut wrong = demo.clone();
        *wrong.pointer_mut(pointer).unwrap() = mistake;
        assert!(fits(&wrong, &schema, &schema).is_err(), "{pointer}");
    }
    assert!(schema["properties"]["routes"].to_string().contains("description"), "editors show the comments");
}

/// As much of JSON Schema (2020-12) as is used here; a keyword that is not known is an error, so that none is forgotten.
fn fits(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let schema = match schema {
        Value::Bool(true) => return Ok(()),
        Value::Object(schema) => schema,
        _ => return Err("nothing fits `false`".to_owned()),
    };
    for (keyword, argument) in schema {
        let each = || argument.as_array().into_iter().flatten();
        let holds = match keyword.as_str() {
            "$schema" | "$defs" | "$id" | "title" | "description" | "default" | "format" | "items" | "properties"
            | "pattern" => true,
            "$ref" => {
                let target = argument.as_str().and_then(|at| root.pointer(at.strip_prefix('#')?));
                fits(value, target.ok_or("dangling $ref")?, root)?;
                true
            }
            "type" => match argument {
                Value::Array(types) => types.iter().any(|kind| is(value, kind)),
                kind => is(value, kind),
            },
            "const" => value == argument,
            "enum" => each().any(|one| one == value),
            "anyOf" => each().any(|one| fits(value, one, root).is_ok()),
            "oneOf" => each().filter(|one| fits(value, one, root).is_ok()).count() == 1,
            "required" => each().all(|key| !value.is_object() || value.get(key.as_str().unwrap()).is_some()),
            "minimum" => value.as_f64() >= argument.as_f64(),
            "maximum" => value.as_f64() <= argument.as_f64(),
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (key, value) in value.as_object().into_iter().flatten() {
                    if !known.is_some_and(|known| known.contains_key(key)) {
                        fits(value, argument, root).map_err(|why| format!("{key}: {why}"))?;
                    }
                }
                true
            }
            other => return Err(format!("keyword {other} is not known to this test")),
        };
        if !holds {
            return Err(format!("{value} does not fit {keyword} {argument}"));
        }
    }
    for (key, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if let Some(value) = value.get(key) {
            fits(value, schema, root).map_err(|why| format!("{key}: {why}"))?;
        }
    }
    for value in value.as_array().into_iter().flatten() {
        fits(value, schema.get("items").unwrap_or(&Value::Bool(true)), root)?;
    }
    Ok(())
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => value.is_number(),
    }
}
