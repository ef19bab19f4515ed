//! JSON bodies that are edited: what is named is gone, everything else is as it was, and no body does harm.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portico_core::policy::json_edit::JsonEdit;
use serde_json::Value;

const REMOVED: [&str; 3] = ["a", "b.a", "b.b.c"];

fuzz_target!(|text: &str| {
    let names = REMOVED.map(str::to_owned);
    let edited = JsonEdit::parse(&names).expect("names without empty keys").apply(text);
    let parsed = serde_json::from_str::<Value>(text);
    let Ok(edited) = edited else {
        assert!(parsed.is_err(), "refused, and yet it is JSON: {text}");
        return;
    };
    // a number may be too large for a Value, and only for that
    let Ok(mut expected) = parsed else { return };
    for name in REMOVED {
        remove(&mut expected, &name.split('.').collect::<Vec<_>>());
    }
    let found: Value = serde_json::from_str(&edited).expect("what is left is JSON");
    assert_eq!(found, expected, "{text}");
    assert!(edited.len() <= text.len(), "nothing is added: {text}");
});

/// The same on parsed values, as slow and simple as can be.
fn remove(value: &mut Value, keys: &[&str]) {
    match (value, keys) {
        (Value::Array(items), _) => items.iter_mut().for_each(|item| remove(item, keys)),
        (Value::Object(map), [last]) => drop(map.remove(*last)),
        (Value::Object(map), [first, rest @ ..]) => {
            if let Some(value) = map.get_mut(*first) {
                remove(value, rest);
            }
        }
        _ => {}
    }
}
