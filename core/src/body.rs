//! A message body: empty, whole in memory, or the platform's own stream.

use bytes::Bytes;

/// A request or response body. Core never reads a stream itself; it hands it on untouched, or asks the platform to
/// collect it within a bound ([`Platform::collect`](crate::Platform::collect)).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Body<S> {
    /// No content at all.
    #[default]
    Empty,
    /// The whole content, in memory.
    Full(Bytes),
    /// The platform's own stream, not read yet.
    Stream(S),
}

impl<S> Body<S> {
    /// The number of bytes when it is known without reading; `None` for a stream.
    pub fn len(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Full(bytes) => Some(bytes.len() as u64),
            Self::Stream(_) => None,
        }
    }

    /// Whether the body is known to have no content. A stream counts as having some.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

impl<S> From<Bytes> for Body<S> {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }
}

impl<S> From<String> for Body<S> {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}
