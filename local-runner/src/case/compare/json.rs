//! JSON against JSON: the smallest parts that differ.

use portico_core::config::Pointer;
use serde_json::Value;

/// Where `got` lacks what is `expected`: the place, and both values. Objects may have more members than expected, lists may not.
pub(super) fn differences(expected: &Value, got: &Value) -> Vec<(Pointer, Value, Value)> {
    let mut found = Vec::new();
    compare(&Pointer::root(), expected, Some(got), &mut found);
    found
}

fn compare(at: &Pointer, expected: &Value, got: Option<&Value>, found: &mut Vec<(Pointer, Value, Value)>) {
    match (expected, got) {
        (Value::Object(expected), Some(Value::Object(got))) => {
            for (name, expected) in expected {
                compare(&at.child_key(name), expected, got.get(name), found);
            }
        }
        (Value::Array(expected), Some(Value::Array(got))) if expected.len() == got.len() => {
            for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
                compare(&at.child_index(index), expected, Some(got), found);
            }
        }
        (expected, Some(got)) if expected == got => {}
        (expected, got) => found.push((at.clone(), expected.clone(), got.cloned().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_smallest_parts_are_told() {
        let got = json!({ "id": 7, "items": [{ "a": 1 }, { "a": 2, "b": 3 }], "more": true });
        for (expected, told) in [
            (json!({ "id": 7 }), &[][..]),
            (json!({ "items": [{}, { "a": 2 }] }), &[]),
            (json!({ "id": "7", "items": [{ "a": 1 }, { "a": 3 }] }), &["id: \"7\" 7", "items[1].a: 3 2"]),
            (json!({ "items": [{ "a": 1 }] }), &[r#"items: [{"a":1}] [{"a":1},{"a":2,"b":3}]"#]),
            (json!({ "none": 1 }), &["none: 1 null"]),
            (json!([]), &[r#": [] {"id":7,"items":[{"a":1},{"a":2,"b":3}],"more":true}"#]),
        ] {
            let found = differences(&expected, &got);
            let found: Vec<_> = found.iter().map(|(at, expected, got)| format!("{at}: {expected} {got}")).collect();
            assert_eq!(found, told);
        }
    }
}
