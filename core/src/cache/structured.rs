//! Dictionaries of structured fields (RFC 8941 §3.2), as directives: what `CDN-Cache-Control` is (RFC 9213 §2.1).

use super::directive::Directive;

/// The members of a dictionary in their order, each key with what was said last. `None` unless all of it follows the syntax.
///
/// A member that is true has no argument, one that is false is left out, and of a string its quotes are taken off. Every other value is
/// as it is written, and parameters are not looked at: no directive has a use for either.
pub(super) fn dictionary(field: &[u8]) -> Option<Vec<Directive<'_>>> {
    let mut reader = Reader { left: field };
    let mut members: Vec<(&[u8], Value<'_>)> = Vec::new();
    reader.skip(b" ");
    while !reader.left.is_empty() {
        let key = reader.key()?;
        let value = if reader.takes(b'=') { reader.member()? } else { Value::Boolean(true) };
        reader.parameters()?;
        members.retain(|(other, _)| *other != key);
        members.push((key, value));
        reader.skip(b" \t");
        if !reader.left.is_empty() {
            reader.takes(b',').then_some(())?;
            reader.skip(b" \t");
            (!reader.left.is_empty()).then_some(())?;
        }
    }
    let directives = members.into_iter().filter_map(|(name, value)| match value {
        Value::Boolean(said) => said.then_some(Directive { name, argument: None }),
        Value::Written(argument) => Some(Directive { name, argument: Some(argument) }),
    });
    Some(directives.collect())
}

/// What a key is given.
#[derive(Clone, Copy)]
enum Value<'f> {
    Boolean(bool),
    Written(&'f [u8]),
}

/// What is left to be read.
struct Reader<'f> {
    left: &'f [u8],
}

impl<'f> Reader<'f> {
    fn takes(&mut self, byte: u8) -> bool {
        let rest = self.left.strip_prefix(&[byte]);
        self.left = rest.unwrap_or(self.left);
        rest.is_some()
    }

    /// As many bytes as `fits` says, maybe none.
    fn run(&mut self, fits: impl Fn(&u8) -> bool) -> &'f [u8] {
        let end = self.left.iter().position(|byte| !fits(byte)).unwrap_or(self.left.len());
        let (run, left) = self.left.split_at(end);
        self.left = left;
        run
    }

    fn skip(&mut self, bytes: &[u8]) {
        self.run(|byte| bytes.contains(byte));
    }

    /// §4.2.3.3.
    fn key(&mut self) -> Option<&'f [u8]> {
        self.left.first().filter(|byte| byte.is_ascii_lowercase() || **byte == b'*')?;
        Some(self.run(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(byte)))
    }

    /// An item or an inner list (§4.2.1.1), without its parameters.
    fn member(&mut self) -> Option<Value<'f>> {
        let whole = self.left;
        if !self.takes(b'(') {
            return self.bare_item();
        }
        loop {
            self.skip(b" ");
            if self.takes(b')') {
                return whole.get(..whole.len() - self.left.len()).map(Value::Written);
            }
            self.bare_item()?;
            self.parameters()?;
            self.left.first().filter(|byte| b" )".contains(byte))?;
        }
    }

    /// §4.2.3.2.
    fn parameters(&mut self) -> Option<()> {
        while self.takes(b';') {
            self.skip(b" ");
            self.key()?;
            if self.takes(b'=') {
                self.bare_item()?;
            }
        }
        Some(())
    }

    /// §4.2.3.1.
    fn bare_item(&mut self) -> Option<Value<'f>> {
        let whole = self.left;
        match whole.first()? {
            b'-' | b'0'..=b'9' => self.number()?,
            b'"' => return self.string().map(Value::Written),
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.run(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(byte));
            }
            b':' => {
                self.takes(b':');
                self.run(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte));
                self.takes(b':').then_some(())?;
            }
            b'?' => {
                self.takes(b'?');
                let said = self.takes(b'1');
                return (said || self.takes(b'0')).then_some(Value::Boolean(said));
            }
            _ => return None,
        }
        whole.get(..whole.len() - self.left.len()).map(Value::Written)
    }

    /// §4.2.4: an integer of at most 15 digits, or a decimal of at most 12 and 3.
    fn number(&mut self) -> Option<()> {
        self.takes(b'-');
        let digits = self.run(u8::is_ascii_digit).len();
        let fits = if self.takes(b'.') {
            (1..=12).contains(&digits) && (1..=3).contains(&self.run(u8::is_ascii_digit).len())
        } else {
            (1..=15).contains(&digits)
        };
        fits.then_some(())
    }

    /// §4.2.5. Escapes stay.
    fn string(&mut self) -> Option<&'f [u8]> {
        self.takes(b'"').then_some(())?;
        let whole = self.left;
        loop {
            self.run(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(byte));
            if self.takes(b'"') {
                return whole.get(..whole.len() - self.left.len() - 1);
            }
            (self.takes(b'\\') && (self.takes(b'"') || self.takes(b'\\'))).then_some(())?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Random, check_seeds};

    fn read(field: &str) -> Option<String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let member = |member: &Directive<'_>| match member.argument {
            None => text(member.name),
            Some(argument) => format!("{}={}", text(member.name), text(argument)),
        };
        Some(dictionary(field.as_bytes())?.iter().map(member).collect::<Vec<_>>().join("|"))
    }

    /// RFC 8941 §3.2 and §3.3.
    #[test]
    fn members_are_read_by_their_types() {
        for (field, expected) in [
            ("", ""),
            ("   ", ""),
            ("a", "a"),
            ("  a=1 \t, \tb=?1,c=?0  ", "a=1|b"),
            ("max-age=60, no-store", "max-age=60|no-store"),
            // the last one counts, in its place
            ("a=1, b=2, a=3", "b=2|a=3"),
            ("a, a=?0", ""),
            (r#"a="x, y", b="\"\\""#, r#"a=x, y|b=\"\\"#),
            ("a=tok*/:en, *b=*", "a=tok*/:en|*b=*"),
            ("a=-1, b=1.5, c=999999999999999", "a=-1|b=1.5|c=999999999999999"),
            ("a=:aGk=:, b=(1 2), c=( x;p \"y\" );q", "a=:aGk=:|b=(1 2)|c=( x;p \"y\" )"),
            ("a=1;b;c=2; d=?0, e;f=\"x\"", "a=1|e"),
        ] {
            assert_eq!(read(field).as_deref(), Some(expected), "{field}");
        }
    }

    /// RFC 8941 §4.2: what does not follow the syntax is nothing at all.
    #[test]
    fn one_mistake_is_enough() {
        for field in [
            ",",
            "a,",
            "a, ",
            "a,,b",
            "a b",
            "\ta",
            "A=1",
            "MaX-aGe=60",
            "1=a",
            "a=",
            "a =1",
            "a= 1",
            "a='1'",
            "a=1.",
            "a=.1",
            "a=1.2345",
            "a=-",
            "a=1000000000000000",
            "a=1234567890123.1",
            "a=1x",
            "a=\"x",
            "a=\"x\\",
            "a=\"\\x\"",
            "a=\"\u{e9}\"",
            "a=\"\t\"",
            "a=?2",
            "a=?",
            "a=:x",
            "a=:-:",
            "a=(1",
            "a=(1,2)",
            "a=(\"x\"\"y\")",
            "a;",
            "a;B",
            "a;b=",
            "a=@1",
            "=1",
        ] {
            assert_eq!(read(field), None, "{field}");
        }
    }

    #[test]
    fn anything_is_read_without_harm() {
        check_seeds(20_000, None, |seed| {
            let random = Random::new(seed);
            let bytes = b"ab=\"\\;,()?01.:-*A \t\xff";
            let field: Vec<u8> = (0..random.below(16)).filter_map(|_| random.pick(bytes).copied()).collect();
            for member in dictionary(&field).unwrap_or_default() {
                assert!(!member.name.is_empty());
                // what is handed on is part of the field
                let parts = [Some(member.name), member.argument].into_iter().flatten();
                parts.for_each(|part| {
                    assert!(part.is_empty() || field.windows(part.len()).any(|window| window == part))
                });
            }
        });
    }
}
