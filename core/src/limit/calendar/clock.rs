//! What the clocks of a zone show around some moment.

/// The changes of a clock in three years.
#[derive(Debug)]
pub(super) struct Clock {
    /// The offset before the first change.
    pub(super) before: i64,
    /// When, and the offset from then on; in order.
    pub(super) changes: [(i64, i64); 6],
    /// The largest of the offsets.
    pub(super) furthest: i64,
}

/// A time without a change of the clock.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) begins: i64,
    pub(super) ends: i64,
    /// How far the clock is ahead of UTC, in seconds.
    pub(super) offset: i64,
}

impl Clock {
    /// A clock that is never changed.
    pub(super) const fn steady(offset: i64) -> Self {
        Self { before: offset, changes: [(i64::MAX, offset); 6], furthest: offset }
    }

    /// The time around `at` without a change.
    pub(super) fn span(&self, at: i64) -> Span {
        let mut span = Span { begins: i64::MIN, ends: i64::MAX, offset: self.before };
        for (change, offset) in self.changes {
            if at < change {
                span.ends = change;
                break;
            }
            (span.begins, span.offset) = (change, offset);
        }
        span
    }

    /// The first moment at which the clock shows `local`, as seconds since it showed the beginning of 1970, or later.
    pub(super) fn first(&self, local: i64) -> i64 {
        let mut at = local - self.furthest;
        loop {
            let span = self.span(at);
            let shown = at.max(local - span.offset);
            if shown < span.ends {
                return shown;
            }
            at = span.ends;
        }
    }
}
