//! What is no longer to be served, said once.

use serde::{Deserialize, Serialize};

use crate::platform::Timestamp;

/// The longest URL, prefix or tag that is remembered, in bytes. Longer ones make a purge wider, never narrower.
pub(super) const MAX_TEXT: usize = 2_048;

/// One purge: what was asked for until then is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// Of what.
    pub scope: Scope,
    /// When it was asked for.
    pub at: Timestamp,
    /// Whether what is concerned is stale, and is validated; otherwise it is gone.
    pub soft: bool,
}

/// What a purge concerns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All.
    Everything,
    /// One URL, as `host/path?query`, in all its variants.
    Url(Box<str>),
    /// All URLs that begin so.
    Prefix(Box<str>),
    /// What carries this tag.
    Tag(Box<str>),
}

/// A purge as stores keep it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<S> {
    scope: S,
    at: u64,
    soft: bool,
}

impl Purge {
    /// One line of JSON: `{"scope":{"url":"example.com/a"},"at":1700000000000000,"soft":true}`, the time in microseconds.
    pub fn encode(&self) -> String {
        let line = Line { scope: &self.scope, at: self.at.as_micros(), soft: self.soft };
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// What [`encode`](Self::encode) wrote; `None` for anything else.
    pub fn decode(line: &str) -> Option<Self> {
        let Line { scope, at, soft } = serde_json::from_str(line).ok()?;
        Some(Self { scope, at: Timestamp::from_micros(at), soft })
    }
}

impl Scope {
    /// The same, no longer than [`MAX_TEXT`]: a long URL or prefix becomes the prefix of its beginning, and as no response keeps a tag
    /// that long, purging one is purging all.
    pub(super) fn bounded(&self) -> Self {
        match self {
            Self::Url(text) | Self::Prefix(text) if text.len() > MAX_TEXT => {
                Self::Prefix(text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default().into())
            }
            Self::Tag(text) if text.len() > MAX_TEXT => Self::Everything,
            _ => self.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_is_a_line() {
        let purge = |scope, soft| Purge { scope, at: Timestamp::from_micros(1_700_000_000_000_001), soft };
        let line = r#"{"scope":{"url":"example.com/a?b"},"at":1700000000000001,"soft":true}"#;
        assert_eq!(purge(Scope::Url("example.com/a?b".into()), true).encode(), line);
        assert_eq!(
            purge(Scope::Everything, false).encode(),
            r#"{"scope":"everything","at":1700000000000001,"soft":false}"#
        );
        let text = || "a\n\"b\" ü".into();
        for scope in [Scope::Everything, Scope::Url(text()), Scope::Prefix(text()), Scope::Tag(text())] {
            let purge = purge(scope, true);
            assert!(!purge.encode().contains('\n'));
            assert_eq!(Purge::decode(&purge.encode()), Some(purge));
        }
    }

    #[test]
    fn what_is_no_purge_is_none() {
        let line = Purge { scope: Scope::Tag("a".into()), at: Timestamp::from_secs(1), soft: false }.encode();
        for length in 0..line.len() {
            assert_eq!(Purge::decode(&line[..length]), None);
        }
        for other in [
            r#"{"scope":"all","at":1,"soft":true}"#,
            r#"{"scope":{"tag":"a"},"at":-1,"soft":true}"#,
            r#"{"scope":{"tag":"a"},"at":1,"soft":true,"why":1}"#,
            r#"{"scope":{"tag":"a"},"at":1}"#,
        ] {
            assert_eq!(Purge::decode(other), None, "{other}");
        }
    }
}
