//! `portico schema`: the demo and all cases are valid by it, and mistakes are not.

use std::path::Path;

use portico::case;
use portico::config::{FileId, parse};
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

fn cases_schema() -> Value {
    let (code, schema, _) = run(&checkout(), &["schema", "--cases"]);
    assert_eq!(code, 0);
    serde_json::from_str(&schema).unwrap()
}

/// A file of cases. A configuration that has to be refused need not fit, so there is another in its place.
fn document(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    let mut document = parse(&text, FileId(0)).unwrap().to_value();
    let mut parts = vec![&mut document];
    while let Some(part) = parts.pop() {
        if part.get("refused").is_some() && part.get("config").is_some() {
            part["config"] = json!({ "include": "elsewhere.yaml" });
        }
        parts.extend(part.get_mut("cases").and_then(Value::as_array_mut).into_iter().flatten());
    }
    document
}

#[test]
fn every_case_fits_the_schema_of_cases() {
    let schema = cases_schema();
    let files = case::files(&checkout().join("tests/cases")).unwrap();
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        assert_eq!(fits(&document(&file), &schema, &schema), Ok(()), "{}", file.display());
    }
}

#[test]
fn mistakes_do_not_fit_the_schema_of_cases() {
    let schema = cases_schema();
    let gateway =
        json!({ "portico": 1, "name": "a", "routes": [{ "name": "a", "match": { "path": "/a" }, "respond": {} }] });
    let right = json!({
        "config": gateway,
        "secrets": { "S": "s" },
        "tokens": { "alice": { "claims": { "sub": "alice", "exp": null }, "signature": "forged" } },
        "upstreams": { "a": [{ "when": { "method": "GET" }, "times": 1, "fail": "reset" }, { "respond": { "delay": "1s" } }] },
        "peer": { "secure": true },
        "cases": [{ "name": "a", "needs": ["clock"], "steps": [
            { "send": { "url": "http://a/a", "headers": { "X-A": ["1", 2] } }, "expect": {
                "status": 200, "problem": "no_route", "headers": { "X-A": { "present": true } }, "body": "",
                "decisions": { "auth": "deny key_unknown" }, "upstream": { "a": [{ "path": "/a" }] },
            } },
            { "advance": "1s" },
            { "store": "stale_read" },
        ] }],
    });
    assert_eq!(fits(&right, &schema, &schema), Ok(()));
    for (pointer, mistake) in [
        ("/config", json!({ "include": "a.yaml", "portico": 1 })),
        ("/config/routes/0/match", json!({ "pth": "/a" })),
        ("/secrets/S", json!(1)),
        ("/tokens/alice", json!({ "claim": {} })),
        ("/tokens/alice/signature", json!("wrong")),
        ("/upstreams/a", json!({})),
        ("/upstreams/a/0/fail", json!("slow")),
        ("/upstreams/a/1/respond", json!({ "latency": "1s" })),
        ("/peer", json!({ "ip": "::1" })),
        ("/cases/0", json!({ "nam": "a" })),
        ("/cases/0/needs", json!(["time"])),
        ("/cases/0/steps/0/send", json!({ "method": "GET" })),
        ("/cases/0/steps/0/expect", json!({ "headers": {} })),
        ("/cases/0/steps/0/expect/problem", json!("no_rout")),
        ("/cases/0/steps/0/expect/headers/X-A", json!({ "match": "a" })),
        ("/cases/0/steps/0/expect/decisions", json!({ "auht": "allow" })),
        ("/cases/0/steps/2/store", json!("slow")),
    ] {
        let mut wrong = right.clone();
        *wrong.pointer_mut(pointer).unwrap() = mistake;
        assert!(fits(&wrong, &schema, &schema).is_err(), "{pointer}");
    }
    let text = schema.to_string();
    assert!(
        text.contains("exactly this line") && text.contains("The services behind the gateway"),
        "editors show the comments"
    );
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
