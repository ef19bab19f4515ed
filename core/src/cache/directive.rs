//! The list of directives that `Cache-Control` is (RFC 9111 §5.2), read without allocating.

use std::borrow::Cow;
use std::time::Duration;

use http::header::HeaderValue;
use http::{HeaderMap, HeaderName};

/// The longest time that is told from longer ones (§1.2.2): 68 years.
pub(super) const LONGEST: Duration = Duration::from_secs(1 << 31);

/// One directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Directive<'h> {
    /// As it is written.
    pub(super) name: &'h [u8],
    /// What is behind the `=`, without the quotes of a quoted form. Escapes stay: nothing that has a meaning here needs them.
    pub(super) argument: Option<&'h [u8]>,
}

impl Directive<'_> {
    /// Whether this is its name, in any case of letters.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The directives of one line, in their order.
///
/// A quoted string without an end may hide anything: the line then ends with `no-store`. White space around `=` is no syntax, and
/// makes of the argument one that nobody can read.
pub(super) fn directives(line: &HeaderValue) -> impl Iterator<Item = Directive<'_>> {
    let mut left = Some(line.as_bytes());
    std::iter::from_fn(move || {
        let rest = left?;
        let Some(end) = end_of_member(rest) else {
            left = None;
            return Some(Directive { name: b"no-store", argument: None });
        };
        let (member, rest) = rest.split_at_checked(end)?;
        left = rest.get(1..);
        Some(directive(member.trim_ascii()))
    })
    .filter(|directive| !directive.name.is_empty())
}

/// Where the comma is that is in no quoted string, or the end; `None` in a quoted string that has none.
fn end_of_member(line: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in line.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(line.len())
}

fn directive(member: &[u8]) -> Directive<'_> {
    let mut halves = member.splitn(2, |byte| *byte == b'=');
    let (written, argument) = (halves.next().unwrap_or_default(), halves.next());
    let name = written.trim_ascii_end();
    let argument = argument.map(|argument| if name.len() == written.len() { unquoted(argument) } else { b"" });
    Directive { name, argument }
}

fn unquoted(argument: &[u8]) -> &[u8] {
    argument.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(argument)
}

/// A number of seconds (§1.2.2): digits, and no more than [`LONGEST`]. `None` for everything else.
pub(super) fn delta_seconds(text: &[u8]) -> Option<Duration> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    digits.then(|| Duration::from_secs(text.iter().fold(0, add)).min(LONGEST))
}

/// The lines of a field as one (RFC 9110 §5.3); `None` when there are none.
pub(super) fn joined<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Cow<'h, [u8]>> {
    let mut lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let first = Cow::Borrowed(lines.next()?);
    Some(lines.fold(first, |all, line| Cow::Owned([&all, line].join(&b", "[..]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &'static str) -> Vec<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let line = HeaderValue::from_static(line);
        directives(&line).map(|directive| (text(directive.name), directive.argument.map(text))).collect()
    }

    /// RFC 9111 §5.2: token and quoted form, in a list (RFC 9110 §5.6.1).
    #[test]
    fn directives_are_told_apart() {
        for (line, expected) in [
            ("", vec![]),
            (" , ,", vec![]),
            ("no-store", vec![("no-store", None)]),
            ("public,max-age=5\t, x", vec![("public", None), ("max-age", Some("5")), ("x", None)]),
            (r#"max-age="5", a"#, vec![("max-age", Some("5")), ("a", None)]),
            (
                r#"ext="max-age=5, \", no-store", b=1"#,
                vec![("ext", Some(r#"max-age=5, \", no-store"#)), ("b", Some("1"))],
            ),
            (r#"a="", b="#, vec![("a", Some("")), ("b", Some(""))]),
            (r#"a="1"2, b="1" 2"#, vec![("a", Some(r#""1"2"#)), ("b", Some(r#""1" 2"#))]),
            ("a=b=c", vec![("a", Some("b=c"))]),
            ("=5, x", vec![("x", None)]),
            // white space around `=`
            ("max-age =5, max-age= 5", vec![("max-age", Some("")), ("max-age", Some(" 5"))]),
            // no end
            (r#"a, ext="b, max-age=5"#, vec![("a", None), ("no-store", None)]),
            (r#"a="\"#, vec![("no-store", None)]),
            (r#"""#, vec![("no-store", None)]),
        ] {
            let expected = expected.iter().map(|(name, argument)| ((*name).to_owned(), argument.map(str::to_owned)));
            assert_eq!(read(line), expected.collect::<Vec<_>>(), "{line}");
        }
    }

    /// RFC 9111 §1.2.2.
    #[test]
    fn seconds_are_digits_and_end_at_two_to_the_31() {
        for (text, expected) in [
            ("0", Some(0)),
            ("003600", Some(3_600)),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", Some(2_147_483_648)),
            ("2147483649", Some(2_147_483_648)),
            ("99999999999999999999999999999999", Some(2_147_483_648)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1e3", None),
            ("a1", None),
            ("1a", None),
            ("'1'", None),
            (" 1", None),
            ("1 ", None),
            ("1;a", None),
            ("٣", None),
        ] {
            assert_eq!(delta_seconds(text.as_bytes()), expected.map(Duration::from_secs), "{text}");
        }
    }

    /// RFC 9110 §5.3.
    #[test]
    fn lines_of_a_field_are_one_list() {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static("a");
        assert_eq!(joined(&headers, &name), None);
        headers.append(&name, HeaderValue::from_static("1"));
        assert!(matches!(joined(&headers, &name), Some(Cow::Borrowed(b"1"))));
        headers.append(&name, HeaderValue::from_static("2"));
        assert_eq!(joined(&headers, &name).as_deref(), Some(&b"1, 2"[..]));
    }
}
