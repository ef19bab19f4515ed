//! `Vary`: which of a URL's responses belongs to a request (RFC 9111 §4.1).

mod accept;

use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, VARY};
use http::{HeaderMap, HeaderName};

/// The fields of a request that select among responses: sorted, each once, none when the response is for all requests. `None` when no
/// request is known to get the same one: `*`, and what is no name.
pub fn varies(response: &HeaderMap) -> Option<Vec<HeaderName>> {
    let lines = response.get_all(VARY).iter();
    let members = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let names = members.filter(|name| !name.is_empty());
    let mut names = names
        .map(|name| if name == b"*" { None } else { HeaderName::from_bytes(name).ok() })
        .collect::<Option<Vec<_>>>()?;
    names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    Some(names)
}

/// What a request says in these fields. Requests of which this is equal select the same response; it may hold any character.
///
/// `Accept-Encoding` is the set of codings that are acceptable, `Accept-Language` the languages by their rank. Of other fields,
/// lines are joined and white space around commas is left out, but not within quotes. A field that is not there differs from an empty one.
pub fn variant(names: &[HeaderName], request: &HeaderMap) -> String {
    let mut text = String::new();
    for name in names {
        text.push_str(name.as_str());
        let lines = || request.get_all(name).iter().map(|line| line.as_bytes());
        if lines().next().is_some() {
            let understood = match () {
                () if name == ACCEPT_ENCODING => accept::encodings(lines()),
                () if name == ACCEPT_LANGUAGE => accept::languages(lines()),
                () => None,
            };
            match understood {
                Some(meaning) => text.extend(["=", &meaning]),
                None => {
                    text.push(':');
                    text.extend(joined(lines()).into_iter().map(char::from));
                }
            }
        }
        // no value of a field has this
        text.push('\n');
    }
    text
}

/// The lines of a field as one list, without white space around its members.
fn joined<'v>(lines: impl Iterator<Item = &'v [u8]>) -> Vec<u8> {
    let lines: Vec<Vec<u8>> = lines.map(|line| tightened(line).unwrap_or_else(|| line.trim_ascii().to_vec())).collect();
    lines.join(&b',')
}

/// A line without white space around its commas; `None` when it is not clear what is quoted.
fn tightened(line: &[u8]) -> Option<Vec<u8>> {
    let (mut quoted, mut escaped) = (false, false);
    let members: Vec<_> = line
        .split(|byte| {
            let ends = *byte == b',' && !quoted;
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = quoted,
                b'"' => quoted = !quoted,
                _ => {}
            }
            ends
        })
        .map(<[u8]>::trim_ascii)
        .collect();
    (!quoted).then(|| members.join(&b','))
}

#[cfg(test)]
mod tests;
