//! The bound on a request's body: refused at once when its declared length is over it, cut off and refused when it grows
//! over it on the way.

use http::header::CONTENT_LENGTH;

use crate::body::Body;
use crate::config::{At, Compiler, units, wire};
use crate::context::{Context, Mode};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::platform::Platform;

/// A compiled body limit.
#[derive(Debug)]
pub struct BodyLimit {
    max: u64,
    mode: Mode,
}

impl BodyLimit {
    pub(crate) fn compile(wire: &wire::BodyLimit, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        let mode = super::mode(wire.mode)?;
        let max = compiler.check(at, units::size(&wire.max))?;
        Some(Self { max, mode })
    }

    /// Step 5 of a request's life: the declared length.
    pub fn check<S>(&self, context: &mut Context<'_>, body: &Body<S>) -> Result<(), Refusal> {
        let declared = || context.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        let length: Option<u64> = body.len().or_else(declared);
        if length.is_some_and(|length| length > self.max) {
            return context.refuse(self.refusal(), self.mode);
        }
        context.allow(Policy::BodyLimit, Reason::BodyWithinLimit, "");
        Ok(())
    }

    /// Bounds a body whose length is not known yet.
    pub fn bound<P: Platform>(&self, platform: &P, body: Body<P::Stream>) -> Body<P::Stream> {
        match (body, self.mode) {
            (Body::Stream(stream), Mode::Enforce) => Body::Stream(platform.bounded(stream, self.max)),
            (body, _) => body,
        }
    }

    /// The refusal of a body over the bound.
    pub fn refusal(&self) -> Refusal {
        Refusal::new(Policy::BodyLimit, Reason::BodyTooLarge)
            .detail(format!("At most {} bytes are accepted.", self.max))
    }
}
