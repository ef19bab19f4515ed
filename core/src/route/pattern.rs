//! Path patterns as users write them: `/orders/{id}`, `/files/{name}.png`, `/api/{*rest}`.

use super::ambiguity::Ambiguities;
use super::path::{PathError, canonical, is_dot_segment, respell};
use super::shape::{Shape, fold};

/// Parameters in one pattern: a fixed number keeps a match free of allocation, and nobody nests resources deeper.
pub(super) const MAX_PARAMETERS: usize = 10;

/// Segments in one pattern: matching recurses once a segment.
const MAX_SEGMENTS: usize = 64;

/// A pattern, parsed.
pub(super) struct Pattern {
    /// What each segment must be; never empty.
    pub(super) segments: Vec<Segment>,
    /// The names of the parameters, from left to right.
    pub(super) names: Vec<Box<str>>,
}

/// One segment, without its parameter's name: patterns that differ only in names are the same place in the tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    /// Exactly this text, [folded](fold).
    Static(Box<str>),
    /// A parameter with text around it in the same segment.
    Mixed(Shape),
    /// A parameter: any text but none.
    Parameter,
    /// Everything that is left, slashes included; also nothing.
    CatchAll,
}

/// What is wrong with a path pattern, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No `/` at the start.
    #[error("a path starts with `/`")]
    NotAbsolute,
    /// A query or fragment.
    #[error(
        "a path ends before `?` and `#`; match a query with `query`, write `%3F` or `%23` for the character itself"
    )]
    QueryOrFragment,
    /// `{id` or `{}`; or `}` alone.
    #[error(
        "`{segment}` has a brace without its partner; write `{{name}}` for a parameter, `{{{{` or `}}}}` for a brace"
    )]
    Brace {
        /// The segment as written.
        segment: String,
    },
    /// `{a}-{b}`.
    #[error("`{segment}` has two parameters; a segment can have one")]
    SeveralParameters {
        /// The segment as written.
        segment: String,
    },
    /// A name that no template could refer to.
    #[error("`{name}` is no name for a parameter; use letters, digits, `_` and `-`, a letter or `_` first")]
    InvalidName {
        /// The name as written.
        name: String,
    },
    /// The same name twice.
    #[error("the parameter `{name}` appears twice; give each its own name")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// `/{*rest}/edit`.
    #[error("`{{*{name}}}` takes the whole rest of the path, so it must be the last segment")]
    CatchAllNotLast {
        /// The parameter's name.
        name: String,
    },
    /// `/files-{*rest}`.
    #[error("`{segment}` mixes a catch-all with text; write it as a segment of its own, `/{{*name}}`")]
    CatchAllNotAlone {
        /// The segment as written.
        segment: String,
    },
    /// `/orders/:id` or `/orders/*`: another router's syntax, which would silently match nothing but itself.
    #[error("`{segment}` would match only itself; write `{instead}`")]
    ForeignSyntax {
        /// The segment as written.
        segment: String,
        /// The same in our syntax.
        instead: String,
    },
    /// `.` or `..`, in any spelling.
    #[error("`.` and `..` are resolved before routing, so this can never match; write the path they lead to")]
    DotSegment,
    /// A path that requests are refused for.
    #[error("the path is ambiguous: {0}; requests with such paths are refused before routing")]
    Ambiguous(Ambiguities),
    /// A `%` that is none of an encoding's, or a path of excessive length.
    #[error("{0}; write `%25` for a percent sign")]
    Path(PathError),
    /// More parameters than are kept.
    #[error("more than {MAX_PARAMETERS} parameters; take the rest as a catch-all")]
    TooManyParameters,
    /// More segments than are matched.
    #[error("more than {MAX_SEGMENTS} segments; take the rest as a catch-all")]
    TooManySegments,
}

impl Pattern {
    /// Parses what a user wrote; literal text may be in any spelling (`/café`, `/caf%c3%a9`).
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        let inner = text.strip_prefix('/').ok_or(PatternError::NotAbsolute)?;
        if text.contains(['?', '#']) {
            return Err(PatternError::QueryOrFragment);
        }
        let mut pattern = Self { segments: Vec::new(), names: Vec::new() };
        // the same path with a stand-in for each parameter, to be judged like a request's
        let mut example = String::new();
        let mut parts = inner.split('/').peekable();
        while let Some(part) = parts.next() {
            let Parts { before, name, after } = split(part)?;
            let (before, after) = (respell(&before), respell(&after));
            if name.is_none() && is_dot_segment(&before) {
                return Err(PatternError::DotSegment);
            }
            let stand_in = if name.is_some() { "x" } else { "" };
            example.extend(["/", &before, stand_in, &after]);
            let segment = match &name {
                None => Segment::Static(fold(&before).into()),
                Some(Name { catch_all: true, .. }) if !before.is_empty() || !after.is_empty() => {
                    return Err(PatternError::CatchAllNotAlone { segment: part.to_owned() });
                }
                Some(Name { catch_all: true, name }) if parts.peek().is_some() => {
                    return Err(PatternError::CatchAllNotLast { name: name.clone() });
                }
                Some(Name { catch_all: true, .. }) => Segment::CatchAll,
                Some(_) if before.is_empty() && after.is_empty() => Segment::Parameter,
                Some(_) => Segment::Mixed(Shape::new(&fold(&before), &fold(&after))),
            };
            pattern.segments.push(segment);
            pattern.names.extend(name.map(|name| name.name.into_boxed_str()));
        }
        for (position, name) in pattern.names.iter().enumerate() {
            if pattern.names.iter().take(position).any(|earlier| earlier == name) {
                return Err(PatternError::DuplicateName { name: name.to_string() });
            }
        }
        if pattern.names.len() > MAX_PARAMETERS {
            return Err(PatternError::TooManyParameters);
        }
        if pattern.segments.len() > MAX_SEGMENTS {
            return Err(PatternError::TooManySegments);
        }
        let ambiguities = canonical(&example).map_err(PatternError::Path)?.ambiguities;
        if ambiguities.is_empty() { Ok(pattern) } else { Err(PatternError::Ambiguous(ambiguities)) }
    }
}

struct Parts {
    before: String,
    name: Option<Name>,
    after: String,
}

struct Name {
    catch_all: bool,
    name: String,
}

/// Takes a segment apart at its parameter; `{{` and `}}` are braces.
fn split(segment: &str) -> Result<Parts, PatternError> {
    refuse_foreign(segment)?;
    let brace = || PatternError::Brace { segment: segment.to_owned() };
    let mut parts = Parts { before: String::new(), name: None, after: String::new() };
    let mut rest = segment;
    while let Some(character) = rest.chars().next() {
        let literal = if parts.name.is_none() { &mut parts.before } else { &mut parts.after };
        if let Some(tail) = rest.strip_prefix("{{") {
            literal.push('{');
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix("}}") {
            literal.push('}');
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix('{') {
            let (inside, tail) = tail.split_once('}').ok_or_else(brace)?;
            if parts.name.is_some() {
                return Err(PatternError::SeveralParameters { segment: segment.to_owned() });
            }
            let name = inside.strip_prefix('*').unwrap_or(inside);
            if !is_name(name) {
                return Err(PatternError::InvalidName { name: inside.to_owned() });
            }
            parts.name = Some(Name { catch_all: inside.starts_with('*'), name: name.to_owned() });
            rest = tail;
        } else if character == '}' {
            return Err(brace());
        } else {
            literal.push(character);
            rest = rest.strip_prefix(character).unwrap_or_default();
        }
    }
    Ok(parts)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|other| other.is_ascii_alphanumeric() || matches!(other, '_' | '-'))
}

/// `:id`, `<id>`, `*`: parameters in other routers, text in a URL. Whoever means the text writes `%3A`, `%3C`, `%2A`.
fn refuse_foreign(segment: &str) -> Result<(), PatternError> {
    let bracketed = segment.strip_prefix('<').and_then(|inner| inner.strip_suffix('>'));
    let instead = if let Some(name) = segment.strip_prefix(':').or(bracketed).filter(|name| is_name(name)) {
        format!("{{{name}}}")
    } else if matches!(segment, "*" | "**") {
        "{*rest}".to_owned()
    } else {
        return Ok(());
    };
    Err(PatternError::ForeignSyntax { segment: segment.to_owned(), instead })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Pattern::parse(text).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn literals_are_spelled_canonically() {
        for spelling in ["/café", "/caf%C3%A9", "/caf%c3%a9", "/%63afé"] {
            assert_eq!(Pattern::parse(spelling).unwrap().segments, [Segment::Static("caf%C3%A9".into())]);
        }
        assert_eq!(Pattern::parse("/a%3Ab c").unwrap().segments, [Segment::Static("a:b%20c".into())]);
        assert_eq!(Pattern::parse("/{{id}}").unwrap().segments, [Segment::Static("%7Bid%7D".into())]);
        assert_eq!(Pattern::parse("/%2A").unwrap().segments, [Segment::Static("*".into())]);
        assert_eq!(Pattern::parse("/").unwrap().segments, [Segment::Static("".into())]);
    }

    #[test]
    fn mistakes_are_explained() {
        for (text, expected) in [
            ("", "a path starts with `/`"),
            ("orders", "a path starts with `/`"),
            ("/a?b=c", "a path ends before `?`"),
            ("/a#b", "a path ends before `?`"),
            ("/{id", "`{id` has a brace without its partner; write `{name}` for a parameter, `{{` or `}}` for a brace"),
            ("/id}", "`id}` has a brace"),
            ("/{a/b}", "`{a` has a brace"),
            ("/{}", "`` is no name"),
            ("/{*}", "`*` is no name"),
            ("/{a.b}", "`a.b` is no name"),
            ("/{{a}-{b}}", "`{{a}-{b}}` has a brace"),
            ("/{a}-{b}", "two parameters"),
            ("/{a}/{a}", "`a` appears twice"),
            ("/{a}/{*a}", "`a` appears twice"),
            ("/{*rest}/edit", "`{*rest}` takes the whole rest"),
            ("/a-{*rest}", "mixes a catch-all"),
            ("/orders/:id", "`:id` would match only itself; write `{id}`"),
            ("/orders/<id>", "write `{id}`"),
            ("/orders/*", "write `{*rest}`"),
            ("/a/../b", "resolved before routing"),
            ("/a/%2e", "resolved before routing"),
            ("/a//b", "ambiguous: empty segment (//)"),
            ("/a%2fb", "ambiguous: encoded slash (%2F)"),
            ("/a\\b", "ambiguous: backslash"),
            ("/..;/b", "ambiguous: path parameter"),
            ("/a\nb", "ambiguous: encoded control character"),
            ("/100%", "write `%25`"),
        ] {
            let message = error(text);
            assert!(message.contains(expected), "{text}: {message}");
        }
        assert_eq!(
            Pattern::parse(&"/{a}".repeat(2)).map(|_| ()),
            Err(PatternError::DuplicateName { name: "a".into() })
        );
        let many: String = (0..11).map(|i| format!("/{{p{i}}}")).collect();
        assert_eq!(Pattern::parse(&many).map(|_| ()), Err(PatternError::TooManyParameters));
        assert_eq!(Pattern::parse(&"/a".repeat(65)).map(|_| ()), Err(PatternError::TooManySegments));
        assert!(Pattern::parse(&"/a".repeat(64)).is_ok());
    }
}
