//! Windows: at most `limit` units at a time, each of which is back at a moment that is known when it is taken.
//!
//! * A *sliding window* gives back what is taken once every window of length `per` that it was in is over. It counts in slices, 60 to a
//!   `per`, so that it is back up to one slice later than it could be: never more than `limit` pass in any window, and a caller who asks
//!   without pause gets `limit` in each `per + per/60`.
//! * A *fixed window* gives everything back at its end. Around an end up to twice the `limit` may pass in less than a window.
//!
//! The state is what was taken and is not back yet: one pair of numbers for each moment at which something is.

use std::time::Duration;

use super::gcra::{CENTURY, QuotaError};
use super::{SLACK, Verdict};
use crate::platform::Timestamp;

/// The slices of a sliding window.
const SLICES: u64 = 60;

/// At most so many units in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    limit: u32,
    span: Span,
}

/// When what is taken is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// When so many microseconds are over, and the slice in which they are.
    Sliding { per: u64 },
    /// At the first of these moments that is to come: the ends of the window before that in which the clock of the caller is, of that one,
    /// and of the one after it.
    Fixed { ends: [Timestamp; 3] },
}

/// Units that are back at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Timestamp,
    pub(super) units: u32,
}

/// What was taken and is not back yet, in the order in which it will be.
pub(super) type Taken = Vec<Due>;

impl Window {
    /// Never more than `limit` units in any window of length `per`.
    ///
    /// An error when a number is zero, or `per` has no 60 microseconds or more than a century.
    pub fn sliding(limit: u32, per: Duration) -> Result<Self, QuotaError> {
        let per = u64::try_from(per.as_micros()).map_err(|_| QuotaError::TooLong)?;
        if limit == 0 || per == 0 {
            return Err(QuotaError::Zero);
        }
        if per < SLICES {
            return Err(QuotaError::TooFast);
        }
        if per > CENTURY {
            return Err(QuotaError::TooLong);
        }
        Ok(Self { limit, span: Span::Sliding { per } })
    }

    /// At most `limit` units in each window of a calendar. Whoever asks knows the calendar, by its own clock: `ends` are the ends of the
    /// window before that of now, of that one, and of the one after it, one after the other.
    pub const fn fixed(limit: u32, ends: [Timestamp; 3]) -> Self {
        Self { limit, span: Span::Fixed { ends } }
    }

    /// Units that fit into a window.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// How long the window of now is.
    pub const fn length(&self) -> Duration {
        match self.span {
            Span::Sliding { per } => Duration::from_micros(per),
            Span::Fixed { ends: [before, this, _] } => this.since(before),
        }
    }

    pub(super) const fn span(&self) -> Span {
        self.span
    }

    /// Decides one request of `cost` units. Returns the verdict and what is taken then; a denied request costs nothing.
    pub(super) fn decide(&self, taken: &[Due], now: Timestamp, cost: u32) -> (Verdict, Taken) {
        let (mut taken, back) = self.settled(taken, now);
        let used = sum(&taken);
        let limit = u64::from(self.limit);
        let wanted = used + u64::from(cost);
        let allowed = wanted <= limit;
        let retry_after = if allowed {
            add(&mut taken, back, cost);
            Duration::ZERO
        } else {
            self.wait(&taken, now, wanted - limit)
        };
        let left = limit.saturating_sub(if allowed { wanted } else { used });
        let verdict = Verdict {
            allowed,
            remaining: u32::try_from(left).unwrap_or(u32::MAX),
            reset: taken.last().map_or(Duration::ZERO, |due| due.at.since(now)),
            retry_after,
        };
        (verdict, taken)
    }

    /// Takes `units`, or what is left of the window.
    pub(super) fn charge(&self, taken: &[Due], now: Timestamp, units: u32) -> Taken {
        let (mut taken, back) = self.settled(taken, now);
        let left = u64::from(self.limit).saturating_sub(sum(&taken));
        add(&mut taken, back, units.min(u32::try_from(left).unwrap_or(u32::MAX)));
        taken
    }

    /// Puts `units` back, those first that would be back first; of a fixed window that has begun since none.
    pub(super) fn give_back(&self, taken: &[Due], now: Timestamp, mut units: u32) -> Taken {
        let (mut taken, _) = self.settled(taken, now);
        for due in
            taken.iter_mut().filter(|due| !matches!(self.span, Span::Fixed { ends: [_, this, _] } if due.at > this))
        {
            let given = due.units.min(units);
            (due.units, units) = (due.units - given, units - given);
        }
        taken.retain(|due| due.units > 0);
        taken
    }

    /// What is not back yet, and when what is taken now is. What would not be back for longer than anything that is taken now was taken by a
    /// clock that has gone back since, or when the window was longer. A fixed window that anybody takes of has begun for all: who read the
    /// time before, or has a clock that is behind, takes of that one, for what was taken of the one before may be forgotten.
    fn settled(&self, taken: &[Due], now: Timestamp) -> (Taken, Timestamp) {
        let back = self.back_at(now);
        let believed = match self.span {
            Span::Sliding { .. } => back + SLACK,
            // one whose clock is ahead is in the next window already
            Span::Fixed { ends } if back <= now + SLACK => Self::following(ends, back),
            Span::Fixed { .. } => back,
        };
        let mut settled = Taken::with_capacity(taken.len() + 1);
        for due in taken.iter().filter(|due| due.at > now) {
            add(&mut settled, if due.at > believed { back } else { due.at }, due.units);
        }
        match (self.span, settled.last().map(|due| due.at)) {
            (Span::Fixed { .. }, Some(begun)) if begun > back => {
                settled.retain(|due| due.at == begun);
                (settled, begun)
            }
            _ => (settled, back),
        }
    }

    /// When what is taken now is back.
    fn back_at(&self, now: Timestamp) -> Timestamp {
        match self.span {
            Span::Sliding { per } => {
                let slice = per.div_ceil(SLICES);
                Timestamp::from_micros(now.as_micros().saturating_add(per).div_ceil(slice).saturating_mul(slice))
            }
            Span::Fixed { ends } => Self::following(ends, now),
        }
    }

    /// The first end of a window after `time`: one of those that are known, or one of windows as long as the last of them.
    fn following(ends: [Timestamp; 3], time: Timestamp) -> Timestamp {
        if let Some(end) = ends.into_iter().find(|end| *end > time) {
            return end;
        }
        let [_, this, next] = ends;
        let length = next.since(this).as_micros().max(1);
        let windows = time.since(next).as_micros() / length + 1;
        next + Duration::from_micros(u64::try_from(windows.saturating_mul(length)).unwrap_or(u64::MAX))
    }

    /// Until so many units are back, of what is taken.
    fn wait(&self, taken: &[Due], now: Timestamp, missing: u64) -> Duration {
        let mut back = 0;
        let enough = taken.iter().find(|due| {
            back += u64::from(due.units);
            back >= missing
        });
        enough.map_or(Duration::MAX, |due| due.at.since(now))
    }
}

/// The ends of the windows of this length, which follow on each other since the Unix epoch.
pub(crate) fn ends(per: Duration, now: Timestamp) -> [Timestamp; 3] {
    let per = u64::try_from(per.as_micros()).unwrap_or(u64::MAX).clamp(1, CENTURY);
    // before the first window there is none
    let window = (now.as_micros() / per).max(1);
    [0, 1, 2].map(|next| Timestamp::from_micros((window + next).saturating_mul(per)))
}

fn sum(taken: &[Due]) -> u64 {
    taken.iter().map(|due| u64::from(due.units)).sum()
}

/// Adds what is back at this moment, in order.
fn add(taken: &mut Taken, at: Timestamp, units: u32) {
    if units == 0 {
        return;
    }
    let place = taken.partition_point(|due| due.at < at);
    match taken.get_mut(place) {
        Some(due) if due.at == at => due.units = due.units.saturating_add(units),
        _ => taken.insert(place, Due { at, units }),
    }
}

#[cfg(test)]
mod tests;
