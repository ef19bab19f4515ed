//! serde's words for types and values, in the words of whoever writes a document.

use serde::de::Unexpected;
use serde_json::Value;

/// More names than this are not worth listing.
const LISTED: usize = 12;
/// Longer text is cut when it is quoted.
const QUOTED: usize = 40;

/// The message and the help for a value that is none of `known`.
pub(super) fn unknown_value(value: &str, known: &[&str]) -> (String, Option<String>) {
    let message = format!("unknown value {}, expected {}", quoted(value), one_of(known));
    (message, closest(value, known).map(|name| format!("did you mean {name:?}?")))
}

/// The help for an unknown key: the known one that is closest, or all of them when they are few.
pub(super) fn did_you_mean(key: &str, known: &[&str]) -> Option<String> {
    if let Some(name) = closest(key, known) {
        return Some(format!("did you mean {name:?}?"));
    }
    match known {
        [] => Some("no keys are known here".to_owned()),
        [only] => Some(format!("the only known key is {only}")),
        known if known.len() <= LISTED => Some(format!("known keys: {}", known.join(", "))),
        _ => None,
    }
}

/// The name that was probably meant: the same but for case and separators, or a few slips: one in a short name, three in a long one.
pub(crate) fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let slips = match name.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        9..=QUOTED => 3,
        _ => return None,
    };
    if let Some(same) = known.iter().find(|candidate| plain(candidate) == plain(name)) {
        return Some(same);
    }
    let distance = |candidate: &&&str| strsim::osa_distance(&name.to_lowercase(), &candidate.to_lowercase());
    let best = known.iter().min_by_key(distance)?;
    (distance(&best) <= slips).then_some(*best)
}

/// The message and the help for a value of the wrong kind. `wanted` is what serde expected.
pub(super) fn mismatch(found: &Unexpected<'_>, wanted: &str) -> (String, Option<String>) {
    let wanted_words = match (found, wanted) {
        // Of text or a list where a whole number belongs, the range is not what is wrong.
        (Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_), _) => expected(wanted),
        _ if integer_range(wanted).is_some() => "a number".to_owned(),
        _ => expected(wanted),
    };
    let found_words = match found {
        Unexpected::Bool(value) => format!("{value}"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        // As it was written more or less: 5.0 is no whole number to serde.
        Unexpected::Float(value) => format!("the number {value:?}"),
        Unexpected::Char(value) => format!("text {value:?}"),
        Unexpected::Str(value) => format!("text {}", quoted(value)),
        Unexpected::Bytes(_) => "bytes".to_owned(),
        Unexpected::Unit | Unexpected::Option => {
            let help = "give it a value, or remove it";
            return (format!("has no value, expected {wanted_words}"), Some(help.to_owned()));
        }
        Unexpected::Seq | Unexpected::TupleVariant => "a list".to_owned(),
        Unexpected::Map | Unexpected::StructVariant | Unexpected::NewtypeStruct => "a map".to_owned(),
        Unexpected::Enum | Unexpected::UnitVariant | Unexpected::NewtypeVariant => "a name".to_owned(),
        Unexpected::Other(words) => (*words).to_owned(),
    };
    let help = match (wanted_words.as_str(), found) {
        ("text", Unexpected::Bool(_) | Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_)) => {
            Some("put it in quotes to make it text".to_owned())
        }
        ("a list", Unexpected::Str(text)) if text.len() <= QUOTED => Some(format!("write [{text:?}]")),
        _ => None,
    };
    (format!("expected {wanted_words}, found {found_words}"), help)
}

/// The variants of an enum, as the end of a phrase.
pub(super) fn one_of(variants: &[&str]) -> String {
    match variants {
        [only] => (*only).to_owned(),
        variants if variants.len() <= LISTED => format!("one of {}", variants.join(", ")),
        _ => "a name".to_owned(),
    }
}

/// serde's word for a value.
pub(super) fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(value), _, _) => Unexpected::Unsigned(value),
            (_, Some(value), _) => Unexpected::Signed(value),
            (_, _, Some(value)) => Unexpected::Float(value),
            _ => Unexpected::Other("a number"),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

/// What serde expected, without the names of Rust's types. Words that are not serde's stay as they are.
pub(super) fn expected(wanted: &str) -> String {
    if let Some(range) = integer_range(wanted) {
        return format!("a whole number{range}");
    }
    if let Some(bare) = wanted.strip_prefix("a nonzero ") {
        return match integer_range(bare) {
            Some(range) => format!("a whole number{range}, not 0"),
            None => "a number, not 0".to_owned(),
        };
    }
    let fixed = match wanted {
        "f32" | "f64" => "a number",
        "a string" | "str" | "string" => "text",
        "a boolean" | "bool" => "true or false",
        "a character" | "char" => "one character",
        "a sequence" => "a list",
        "unit" | "()" | "null" => "no value",
        "variant identifier" | "field identifier" | "identifier" => "a name",
        "option" => "a value",
        "path string" | "OS string" => "a path",
        "byte array" | "borrowed bytes" => "bytes",
        "a borrowed string" => "text",
        _ => "",
    };
    if !fixed.is_empty() {
        return fixed.to_owned();
    }
    if let Some(count) = ["a tuple of size ", "an array of length ", "tuple of ", "array of "]
        .iter()
        .find_map(|prefix| wanted.strip_prefix(prefix))
        .or_else(|| wanted.split_once(" with ").filter(|_| names_a_type(wanted)).map(|(_, count)| count))
        .and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok())
    {
        return format!("a list of {count}");
    }
    if !names_a_type(wanted) {
        return wanted.to_owned();
    }
    let first = wanted.split(' ').next().unwrap_or_default();
    match first {
        "struct" if wanted.starts_with("struct variant") => "a map".to_owned(),
        "struct" => "a map".to_owned(),
        "tuple" => "a list".to_owned(),
        "unit" => "a name".to_owned(),
        _ => "another value".to_owned(),
    }
}

fn names_a_type(wanted: &str) -> bool {
    ["struct ", "enum ", "tuple ", "unit ", "newtype "].iter().any(|prefix| wanted.starts_with(prefix))
        || wanted.contains("::")
}

/// The range of a Rust integer type, as the end of a phrase.
fn integer_range(wanted: &str) -> Option<&'static str> {
    Some(match wanted {
        "u8" => " from 0 to 255",
        "u16" => " from 0 to 65535",
        "u32" => " from 0 to 4294967295",
        "u64" | "usize" | "u128" => " from 0 up",
        "i8" => " from -128 to 127",
        "i16" => " from -32768 to 32767",
        "i32" => " from -2147483648 to 2147483647",
        "i64" | "isize" | "i128" => "",
        _ => return None,
    })
}

/// Text in quotes, cut when it is long: it may be anything, a secret or a whole file.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{:?}", format!("{}…", text.get(..end).unwrap_or_default())),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_was_meant() {
        let known = ["ttl", "key", "stale_while_revalidate", "on_error", "origins"];
        for (typed, meant) in [
            ("tll", "ttl"),
            ("TTL", "ttl"),
            ("staleWhileRevalidate", "stale_while_revalidate"),
            ("on-error", "on_error"),
            ("origin", "origins"),
            ("orgins", "origins"),
        ] {
            assert_eq!(did_you_mean(typed, &known), Some(format!("did you mean {meant:?}?")), "{typed}");
        }
        for typed in ["timeout", "x", "", "kk", &"k".repeat(1_000)] {
            let all = "known keys: ttl, key, stale_while_revalidate, on_error, origins";
            assert_eq!(did_you_mean(typed, &known).as_deref(), Some(all), "{typed}");
        }
        assert_eq!(did_you_mean("zzzz", &["abcdef"; 13]), None);
    }

    #[test]
    fn never_names_a_rust_type() {
        for (wanted, words) in [
            ("u16", "a whole number from 0 to 65535"),
            ("i64", "a whole number"),
            ("a nonzero u8", "a whole number from 0 to 255, not 0"),
            ("f64", "a number"),
            ("a string", "text"),
            ("struct Cache", "a map"),
            ("struct variant By::Header", "a map"),
            ("tuple struct Pair with 2 elements", "a list of 2"),
            ("a tuple of size 3", "a list of 3"),
            ("an array of length 4", "a list of 4"),
            ("unit variant Mode::Off", "a name"),
            ("enum By", "another value"),
            ("a size such as 1MiB", "a size such as 1MiB"),
        ] {
            assert_eq!(expected(wanted), words, "{wanted}");
        }
    }

    #[test]
    fn cuts_long_text() {
        let (message, _) = unknown_value(&"ä".repeat(41), &["a", "b"]);
        assert_eq!(message, format!("unknown value \"{}…\", expected one of a, b", "ä".repeat(40)));
    }
}
