//! Paths that a route's pattern matches: what looks at a gateway from outside makes its requests of them.

use std::borrow::Cow;

/// A parameter of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter<'p> {
    /// `{name}`: takes a segment, or a part of one.
    Segment(&'p str),
    /// `{*name}`: takes all that follows.
    Rest(&'p str),
}

/// A path that `pattern` matches, as it goes over the wire: `/orders/7` of `/orders/{id}`. What stands for a parameter is taken as
/// it is; of the rest, what a request target must not have is percent-encoded.
pub fn fill<'v>(pattern: &str, mut value: impl FnMut(Parameter<'_>) -> Cow<'v, str>) -> String {
    let mut path = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        path.push_str(&encoded(before));
        rest = if let Some(rest) = brace.strip_prefix("{{") {
            path.push_str("%7B");
            rest
        } else if let Some(rest) = brace.strip_prefix("}}") {
            path.push_str("%7D");
            rest
        } else {
            let (name, after) = brace.trim_start_matches('{').split_once('}').unwrap_or((brace, ""));
            let parameter = name.strip_prefix('*').map_or(Parameter::Segment(name), Parameter::Rest);
            path.push_str(&value(parameter));
            after
        };
    }
    path + &encoded(rest)
}

/// What is percent-encoded already stays so.
fn encoded(text: &str) -> String {
    let stays = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`|".contains(&byte);
    text.bytes().map(|byte| if stays(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_filled_and_the_rest_is_spelled() {
        for (pattern, path) in [
            ("/a", "/a"),
            ("/orders/{id}", "/orders/<id>"),
            ("/img-{id}.png/{*rest}", "/img-<id>.png/<*rest>"),
            ("/{{a}}/{b}", "/%7Ba%7D/<b>"),
            ("/café au lait%20", "/caf%C3%A9%20au%20lait%20"),
        ] {
            let filled = fill(pattern, |parameter| match parameter {
                Parameter::Segment(name) => format!("<{name}>").into(),
                Parameter::Rest(name) => format!("<*{name}>").into(),
            });
            assert_eq!(filled, path);
        }
    }
}
