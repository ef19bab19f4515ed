//! JSON that can stand in a header field.

use std::fmt::Write as _;

use serde_json::Value;

/// JSON in visible ASCII and spaces: what else there is stands in texts, where JSON can escape it.
pub(super) fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            ' '..='~' => text.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    // writing to a String does not fail
                    _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text
}

/// Cuts texts off after `cap` bytes of what [`ascii`] writes for them.
pub(super) fn shorten(value: &mut Value, cap: usize) {
    match value {
        Value::String(text) => {
            let mut length = 0;
            let over = |char: char| {
                length += ascii(&Value::from(String::from(char)).to_string()).len() - 2;
                length > cap
            };
            if let Some(cut) = text.find(over) {
                text.truncate(cut);
                text.push('…');
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| shorten(item, cap)),
        Value::Object(members) => members.values_mut().for_each(|member| shorten(member, cap)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
