//! The simulated body stream.

use bytes::Bytes;

use crate::body::Body;
use crate::platform::{CollectError, FetchError};

/// The simulated stream: chunks, and whether the stream breaks off after them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SimStream {
    /// What it carries.
    pub chunks: Vec<Bytes>,
    /// Whether it breaks off instead of ending.
    pub breaks: bool,
    /// The bound it was given, if any.
    pub limit: Option<u64>,
}

impl SimStream {
    /// A stream that ends well.
    pub fn of(chunks: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        Self { chunks: chunks.into_iter().map(Into::into).collect(), breaks: false, limit: None }
    }

    /// The number of bytes it carries.
    fn size(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.len() as u64).sum()
    }

    pub(super) fn collect(self, limit: u64) -> Result<Bytes, CollectError> {
        match self.size() > limit {
            true => Err(CollectError::TooLarge),
            false if self.breaks => Err(CollectError::Broken),
            false => Ok(self.chunks.concat().into()),
        }
    }

    pub(super) fn bounded(self, limit: u64) -> Self {
        Self { limit: Some(self.limit.map_or(limit, |other| other.min(limit))), ..self }
    }

    /// What an upstream gets of it.
    pub(super) fn upload(self) -> Result<Bytes, FetchError> {
        let limit = self.limit.unwrap_or(u64::MAX);
        self.collect(limit).map_err(|error| match error {
            CollectError::TooLarge => FetchError::RequestTooLarge,
            CollectError::Broken => FetchError::ClientGone,
        })
    }
}

/// A body that breaks off after at most `after` bytes; one without content has nothing to break.
pub(super) fn broken(body: Body<SimStream>, after: usize) -> Body<SimStream> {
    let stream = match body {
        Body::Empty => return Body::Empty,
        Body::Full(bytes) => SimStream::of([bytes]),
        Body::Stream(stream) => stream,
    };
    let whole = Bytes::from(stream.chunks.concat());
    Body::Stream(SimStream { chunks: vec![whole.slice(..after.min(whole.len()))], breaks: true, limit: stream.limit })
}
