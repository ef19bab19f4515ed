//! Where in a document something is: `routes[3].policies.cache.ttl`.

use std::fmt;

/// A place in a document: the keys and indexes that lead to it. Empty at the root.
///
/// It need not exist: a key that is missing, and a key that nobody knows, have pointers too.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(Vec<Segment>);

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Into a map, by its key.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

impl Pointer {
    /// The document itself.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The value of `key` below this place.
    pub fn child_key(&self, key: impl Into<String>) -> Self {
        self.child(Segment::Key(key.into()))
    }

    /// The value at `index` below this place, from 0.
    pub fn child_index(&self, index: usize) -> Self {
        self.child(Segment::Index(index))
    }

    /// One step further.
    pub fn child(&self, segment: Segment) -> Self {
        let mut segments = Vec::with_capacity(self.0.len() + 1);
        segments.extend_from_slice(&self.0);
        segments.push(segment);
        Self(segments)
    }

    /// What this place is in; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }

    /// The steps from the root; empty at the root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether this is the document itself.
    pub const fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&Self> for Pointer {
    fn from(pointer: &Self) -> Self {
        pointer.clone()
    }
}

impl From<Vec<Segment>> for Pointer {
    fn from(segments: Vec<Segment>) -> Self {
        Self(segments)
    }
}

impl FromIterator<Segment> for Pointer {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        Self(segments.into_iter().collect())
    }
}

/// `routes[3].headers["X Y"]`; nothing at the root.
impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(formatter, "[{index}]")?,
                Segment::Key(key) if is_word(key) => {
                    if depth > 0 {
                        formatter.write_str(".")?;
                    }
                    formatter.write_str(key)?;
                }
                // `Value`'s Display is JSON, escapes and all.
                Segment::Key(key) => write!(formatter, "[{}]", serde_json::Value::from(key.as_str()))?,
            }
        }
        Ok(())
    }
}

fn is_word(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a_path() {
        let root = Pointer::root();
        assert_eq!(root.to_string(), "");
        let cache = root.child_key("routes").child_index(3).child_key("policies").child_key("cache");
        assert_eq!(cache.child_key("tll").to_string(), "routes[3].policies.cache.tll");
        assert_eq!(root.child_index(0).child_index(12).to_string(), "[0][12]");
        assert_eq!(root.child_key("X-API_Key").child_key("a").to_string(), "X-API_Key.a");
    }

    #[test]
    fn quotes_what_is_not_a_word() {
        let headers = Pointer::root().child_key("headers");
        for (key, shown) in [
            ("X Y", r#"headers["X Y"]"#),
            ("", r#"headers[""]"#),
            ("a.b", r#"headers["a.b"]"#),
            ("a\"\\\n\u{1}", r#"headers["a\"\\\n\u0001"]"#),
            ("é", r#"headers["é"]"#),
        ] {
            assert_eq!(headers.child_key(key).to_string(), shown);
        }
        assert_eq!(Pointer::root().child_key("/*").child_key("x").to_string(), r#"["/*"].x"#);
    }

    #[test]
    fn orders_by_depth_first() {
        let a = Pointer::root().child_key("a");
        assert!(a < a.child_index(0));
        assert!(a.child_index(2) < a.child_index(10));
        assert_eq!(a.child_index(2).parent(), Some(a));
        assert_eq!(Pointer::root().parent(), None);
    }
}
