//! What a plain scalar means: the core schema of YAML 1.2.2, §10.3.2. So `off`, `no` and `1_000` are text.

use serde_json::{Number, Value};

/// Reads a plain scalar. It fails where it is a number that JSON does not have, or that no computer here holds.
pub(super) fn plain(text: &str) -> Result<Value, &'static str> {
    match text {
        "" | "null" | "Null" | "NULL" | "~" => Ok(Value::Null),
        "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
        _ => number(text).unwrap_or_else(|| Ok(Value::String(text.to_owned()))),
    }
}

/// `None`: not a number but text.
fn number(text: &str) -> Option<Result<Value, &'static str>> {
    let based = |digits: &str, radix| {
        let own = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
        own.then(|| u64::from_str_radix(digits, radix).map(Value::from).map_err(|_| TOO_LARGE))
    };
    if let Some(digits) = text.strip_prefix("0o") {
        return based(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return based(digits, 16);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Err("infinity and not-a-number are no numbers here"));
    }
    if is_integer(unsigned) {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let value = digits.parse::<u64>().map(Value::from).or_else(|_| digits.parse::<i64>().map(Value::from));
        return Some(value.map_err(|_| TOO_LARGE));
    }
    if is_float(unsigned) {
        let value = text.parse::<f64>().ok().and_then(Number::from_f64);
        return Some(value.map(Value::Number).ok_or(TOO_LARGE));
    }
    None
}

const TOO_LARGE: &str = "this number is too large";

fn is_integer(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => is_integer(fraction),
        Some((whole, fraction)) => is_integer(whole) && (fraction.is_empty() || is_integer(fraction)),
        None => is_integer(mantissa),
    };
    mantissa_fits && exponent.is_none_or(|exponent| is_integer(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn core_schema() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("NULL", json!(null)),
            ("nULL", json!("nULL")),
            ("True", json!(true)),
            ("off", json!("off")),
            ("no", json!("no")),
            ("yes", json!("yes")),
            ("y", json!("y")),
            ("0", json!(0)),
            ("007", json!(7)),
            ("-19", json!(-19)),
            ("+12", json!(12)),
            ("0o14", json!(12)),
            ("0o8", json!("0o8")),
            ("0x3A", json!(58)),
            ("0x", json!("0x")),
            ("-0x1", json!("-0x1")),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("0.", json!(0.0)),
            ("-0.0", json!(-0.0)),
            (".5", json!(0.5)),
            ("+12e03", json!(12000.0)),
            ("-2E+05", json!(-200_000.0)),
            ("1.10", json!(1.1)),
            (".", json!(".")),
            ("-", json!("-")),
            ("+-1", json!("+-1")),
            ("1e", json!("1e")),
            ("1e+", json!("1e+")),
            (".e1", json!(".e1")),
            ("1.2.3", json!("1.2.3")),
            ("1_000", json!("1_000")),
            ("5s", json!("5s")),
            ("inf", json!("inf")),
            ("nan", json!("nan")),
            ("12:30", json!("12:30")),
            ("2024-01-01", json!("2024-01-01")),
            ("١", json!("١")),
        ] {
            assert_eq!(plain(text), Ok(value), "{text}");
        }
        for text in [
            ".inf",
            "-.INF",
            "+.Inf",
            ".nan",
            "1e999",
            "18446744073709551616",
            "-9223372036854775809",
            "0xfffffffffffffffff",
        ] {
            assert!(plain(text).is_err(), "{text}");
        }
    }
}
