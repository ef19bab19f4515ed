//! Bodies of the host's, which are handed on and never read here, unless core wants to.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use portico_core::{Body, CollectError};
use wasip3::http::types::ErrorCode;
use wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult};
use wasip3::{wit_future, wit_stream};

use crate::tee::{self, Ended, Half};
use crate::upload::{self, Upload};

/// What comes after a body: trailers or none, or why it broke off.
pub(crate) type End = FutureReader<Ended>;

/// As much is read at once.
pub(crate) const PART: usize = 64 * 1024;

/// Where a body comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// From the host, which has more of it than passed here yet.
    Host { contents: StreamReader<u8>, end: End },
    /// It is read by two.
    Half(Half<Self>),
}

impl Source {
    /// Reads what is there next to the end of `buffer`, or waits for it. `Dropped` when nothing is to come any more.
    pub(crate) async fn read(&mut self, mut buffer: Vec<u8>) -> (StreamResult, Vec<u8>) {
        match self {
            Self::Host { contents, .. } => contents.read(buffer).await,
            Self::Half(half) => {
                let Some(part) = half.part().await else { return (StreamResult::Dropped, buffer) };
                buffer.extend_from_slice(&part);
                (StreamResult::Complete(part.len()), buffer)
            }
        }
    }

    /// How it ended, once nothing was to come any more.
    pub(crate) async fn end(self) -> Ended {
        match self {
            Self::Host { end, .. } => end.await,
            Self::Half(half) => half.end(),
        }
    }
}

impl tee::Source for Source {
    async fn part(&mut self) -> Option<Vec<u8>> {
        let (result, part) = self.read(Vec::with_capacity(PART)).await;
        (result != StreamResult::Dropped).then_some(part)
    }

    async fn end(self) -> Ended {
        self.end().await
    }
}

/// A body.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) source: Source,
    /// Its length, where the message declares it.
    pub(crate) length: Option<u64>,
    /// It fails once more than this came through.
    pub(crate) limit: Option<u64>,
}

impl Stream {
    /// The body of a message of a declared length, which `consume` takes out of it.
    pub(crate) fn new(
        length: Option<u64>,
        consume: impl FnOnce(FutureReader<Result<(), ErrorCode>>) -> (StreamReader<u8>, End),
    ) -> Self {
        let (_, taken) = wit_future::new(|| Ok(()));
        let (contents, end) = consume(taken);
        Self { source: Source::Host { contents, end }, length, limit: None }
    }

    /// Whether it is known to have ended. Nobody waits for it. Not for one that is handed on as it is: the host would lose what it has
    /// ready by then.
    pub(crate) fn is_over(&mut self) -> bool {
        let Source::Host { contents, .. } = &mut self.source else { return false };
        let mut read = pin!(contents.read(Vec::new()));
        let (result, _) = match read.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => read,
            Poll::Pending => read.cancel(),
        };
        result == StreamResult::Dropped
    }

    /// Reads all of it, at most `limit` bytes.
    pub(crate) async fn collect(mut self, limit: u64) -> Result<Bytes, CollectError> {
        let limit = self.limit.map_or(limit, |bound| bound.min(limit));
        if self.length.is_some_and(|length| length > limit) {
            return Err(CollectError::TooLarge);
        }
        // what is declared may never come; one byte more than that, for the end shows when a read finds nothing
        let room = self
            .length
            .and_then(|length| usize::try_from(length).ok())
            .map_or(PART, |length| PART.min(length.saturating_add(1)));
        let mut collected = Vec::with_capacity(room);
        loop {
            if collected.len() == collected.capacity() {
                collected.reserve_exact(PART.max(collected.len()));
            }
            let (result, read) = self.source.read(collected).await;
            collected = read;
            if collected.len() as u64 > limit {
                return Err(CollectError::TooLarge);
            }
            if result == StreamResult::Dropped {
                break;
            }
        }
        match self.source.end().await {
            Ok(_) => Ok(collected.into()),
            Err(ErrorCode::HttpResponseBodySize(_)) => Err(CollectError::TooLarge),
            Err(_) => Err(CollectError::Broken),
        }
    }

    /// The same, which fails once more than `limit` bytes came through.
    pub(crate) fn bounded(mut self, limit: u64) -> Self {
        // HTTP lets nobody send more than was declared, and what was declared has been checked
        if self.length.is_none_or(|length| length > limit) {
            self.limit = Some(self.limit.map_or(limit, |bound| bound.min(limit)));
        }
        self
    }

    /// The same body twice. The second one fails once more than `limit` bytes came through.
    pub(crate) fn tee(self, limit: u64) -> (Self, Self) {
        let (first, second) = tee::halves(self.source, limit);
        let half = |half| Self { source: Source::Half(half), length: self.length, limit: self.limit };
        (half(first), half(second))
    }
}

/// A body as the host takes it. One of the host's own goes back as it came: the host knows it again, and nothing of it passes here.
pub(crate) fn contents(body: Body<Stream>) -> (Option<StreamReader<u8>>, End) {
    match body {
        Body::Empty => (None, nothing()),
        Body::Full(bytes) => {
            let (mut writer, contents) = wit_stream::new();
            // whoever takes no more knows why
            wasip3::spawn(async move { drop(writer.write_all(bytes.into()).await) });
            (Some(contents), nothing())
        }
        Body::Stream(Stream { source: Source::Host { contents, end }, limit: None, .. }) => (Some(contents), end),
        Body::Stream(stream) => upload::send(stream, Upload::default().into()),
    }
}

/// No trailers.
pub(crate) fn nothing() -> End {
    let (_, end) = wit_future::new(|| Ok(None));
    end
}
