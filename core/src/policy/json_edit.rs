//! What is removed from a JSON body. The rest stays byte for byte: no number is rounded, no member changes its place.

use serde::de::IgnoredAny;

/// Members to remove, each by the keys that lead to it. A list on the way stands for each of its items.
#[derive(Debug)]
pub struct JsonEdit {
    remove: Vec<Vec<String>>,
}

/// Lists and objects inside each other, as far as they are walked through. Deeper ones would cost stack, and are refused.
const DEEPEST: usize = 128;

/// The text is no JSON, or nested too deeply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson;

impl JsonEdit {
    /// Parses names like `customer.email`; an empty key is an error.
    pub fn parse(names: &[String]) -> Result<Self, usize> {
        let mut remove = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            let keys: Vec<_> = name.split('.').map(ToOwned::to_owned).collect();
            if keys.iter().any(String::is_empty) {
                return Err(index);
            }
            remove.push(keys);
        }
        Ok(Self { remove })
    }

    /// The text without what is to be removed.
    pub fn apply(&self, text: &str) -> Result<String, NotJson> {
        // what is walked below is known to be well-formed; of any depth, as this needs no stack
        serde_json::from_str::<IgnoredAny>(text).map_err(|_| NotJson)?;
        let remove: Vec<_> = self.remove.iter().map(Vec::as_slice).collect();
        let mut walk = Walk { rest: text, out: String::with_capacity(text.len()) };
        walk.value(&remove, DEEPEST).ok_or(NotJson)?;
        Ok(walk.out)
    }
}

/// Goes through a well-formed text and copies what stays.
struct Walk<'t> {
    rest: &'t str,
    out: String,
}

impl<'t> Walk<'t> {
    /// One value, in which at most `depth` lists and objects are inside each other.
    fn value(&mut self, remove: &[&[String]], depth: usize) -> Option<()> {
        self.space();
        match self.rest.as_bytes().first()? {
            b'{' if !remove.is_empty() => self.object(remove, depth.checked_sub(1)?),
            b'[' if !remove.is_empty() => self.list(remove, depth.checked_sub(1)?),
            _ => {
                let value = self.skip()?;
                self.out.push_str(value);
                Some(())
            }
        }
    }

    fn object(&mut self, remove: &[&[String]], depth: usize) -> Option<()> {
        self.out.push('{');
        let (mut separator, mut open) = ("", self.enter('}'));
        while open {
            self.space();
            let written = self.skip()?;
            // "\u0061" is another way to write "a"
            let key: String = serde_json::from_str(written).ok()?;
            self.space();
            self.rest = self.rest.strip_prefix(':')?;
            let below: Vec<_> =
                remove.iter().filter(|keys| keys.first() == Some(&key)).filter_map(|keys| keys.get(1..)).collect();
            if below.iter().any(|keys| keys.is_empty()) {
                self.space();
                self.skip()?;
            } else {
                self.out.push_str(separator);
                self.out.push_str(written);
                self.out.push(':');
                self.value(&below, depth)?;
                separator = ",";
            }
            open = self.next()?;
        }
        self.out.push('}');
        Some(())
    }

    fn list(&mut self, remove: &[&[String]], depth: usize) -> Option<()> {
        self.out.push('[');
        let (mut separator, mut open) = ("", self.enter(']'));
        while open {
            self.out.push_str(separator);
            self.value(remove, depth)?;
            separator = ",";
            open = self.next()?;
        }
        self.out.push(']');
        Some(())
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Past the opening bracket. False when the closing one follows, past that.
    fn enter(&mut self, close: char) -> bool {
        self.advance(1);
        self.space();
        match self.rest.strip_prefix(close) {
            Some(rest) => {
                self.rest = rest;
                false
            }
            None => true,
        }
    }

    /// Past a comma, true; or past the closing bracket, false.
    fn next(&mut self) -> Option<bool> {
        self.space();
        let comma = self.rest.starts_with(',');
        self.advance(1)?;
        Some(comma)
    }

    fn advance(&mut self, bytes: usize) -> Option<&'t str> {
        let (passed, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(passed)
    }

    /// Past one value.
    fn skip(&mut self) -> Option<&'t str> {
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        for (at, byte) in self.rest.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => {
                    quoted = !quoted;
                    if !quoted && depth == 0 {
                        return self.advance(at + 1);
                    }
                }
                _ if quoted => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => return self.advance(at),
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        return self.advance(at + 1);
                    }
                }
                b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return self.advance(at),
                _ => {}
            }
        }
        self.advance(self.rest.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn edit(names: &[&str], text: &str) -> Result<String, NotJson> {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        JsonEdit::parse(&names).unwrap().apply(text)
    }

    #[test]
    fn what_is_named_goes_and_the_rest_stays_as_it_is() {
        for (names, text, edited) in [
            (&["a"][..], r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
            (&["b"], r#"{"a":1,"b":2}"#, r#"{"a":1}"#),
            (&["a", "b"], r#" { "a" : 1 , "b" : [ ] } "#, "{}"),
            (&["a"], r#"{"b":{"a":1}}"#, r#"{"b":{"a":1}}"#),
            (&["b.a"], r#"{"a":0,"b":{"a":1,"c":2}}"#, r#"{"a":0,"b":{"c":2}}"#),
            (&["a"], r#"[{"a":1,"b":2},{"a":3},4]"#, r#"[{"b":2},{},4]"#),
            (&["items.cost"], r#"{"items":[{"cost":1,"id":7},[{"cost":2}]]}"#, r#"{"items":[{"id":7},[{}]]}"#),
            (&["a"], r#"{"\u0061":1,"b":"}\"{,"}"#, r#"{"b":"}\"{,"}"#),
            (
                &["a"],
                r#"{"a":1,"a":2,"b":123456789012345678901234567890.10}"#,
                r#"{"b":123456789012345678901234567890.10}"#,
            ),
            (&["a"], "7", "7"),
            (&["a"], r#""a""#, r#""a""#),
            (&["a", "a.b"], r#"{"a":{"b":1}}"#, "{}"),
            (&["é"], r#"{"é":"ü","ü":"é"}"#, r#"{"ü":"é"}"#),
        ] {
            assert_eq!(edit(names, text).as_deref(), Ok(edited), "{names:?} of {text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "{}x", r#"{"a":1,}"#, "[1 2]", "{'a':1}", &"[".repeat(200), "NaN"] {
            assert_eq!(edit(&["a"], text), Err(NotJson), "{text}");
        }
        assert_eq!(JsonEdit::parse(&["a".to_owned(), "b..c".to_owned()]).err(), Some(1));
    }

    #[test]
    fn no_depth_exhausts_the_stack() {
        let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(edit(&["a"], &lists(128)), Ok(lists(128)));
        assert_eq!(edit(&["a"], &lists(129)), Err(NotJson));
        assert_eq!(edit(&["a"], &lists(500_000)), Err(NotJson));
        let beside = format!(r#"{{"a":1,"b":{}}}"#, lists(500_000));
        assert_eq!(edit(&["a"], &beside).map(|edited| edited.len()), Ok(beside.len() - 6), "where nothing is removed");
    }

    /// The same on parsed values, as slow and simple as can be.
    fn reference(value: &mut Value, keys: &[&str]) {
        match (value, keys) {
            (Value::Array(items), _) => items.iter_mut().for_each(|item| reference(item, keys)),
            (Value::Object(map), [last]) => drop(map.remove(*last)),
            (Value::Object(map), [first, rest @ ..]) => {
                if let Some(value) = map.get_mut(*first) {
                    reference(value, rest);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn agrees_with_a_reference_on_random_documents() {
        let random = crate::sim::Random::new(11);
        fn grow(random: &crate::sim::Random, depth: u64) -> Value {
            match random.below(if depth == 0 { 3 } else { 5 }) {
                0 => Value::from(random.next()),
                1 => Value::from(["", "a", "}\",\\[", "é"][random.below(4) as usize]),
                2 => Value::Null,
                3 => (0..random.below(4)).map(|_| grow(random, depth - 1)).collect(),
                _ => {
                    let key = || ["a", "b", "c\"", "d "][random.below(4) as usize].to_owned();
                    Value::Object((0..random.below(4)).map(|_| (key(), grow(random, depth - 1))).collect())
                }
            }
        }
        for _ in 0..2_000 {
            let document = grow(&random, 5);
            for path in ["a", "b.a", "a.b.a"] {
                let keys: Vec<_> = path.split('.').collect();
                let mut expected = document.clone();
                reference(&mut expected, &keys);
                for text in [document.to_string(), format!("{document:#}")] {
                    let edited: Value = serde_json::from_str(&edit(&[path], &text).unwrap()).unwrap();
                    assert_eq!(edited, expected, "{path} of {text}");
                }
            }
        }
    }
}
