//! A window that slides: what is taken comes back when `per` is over since then, at the next of sixty marks.
//!
//! * Of what passed no more than the limit was taken within any `per`: of requests that were under way in such a time and nowhere else.
//! * What was denied, and what the fields say, may have been so at some moment while the request was under way: by what may not have been
//!   back then, and by what was certainly not.

use super::{May, OfBucket, Violation, signed};
use crate::bucket::Draw;
use crate::history::{Answer, Request};

/// Marks in a time of `per`.
const SLICES: u64 = 60;

impl OfBucket<'_> {
    pub(super) fn slides(&self) -> Result<(), Violation> {
        let most = i64::from(self.limit.limit / self.limit.cost);
        let within = |from: i64, end: i64| (end < self.back(from)).then_some(most);
        self.passes_at_most(|request| self.span_by_any(request), within, "the limit")?;
        let draws = self.draws();
        self.requests.iter().try_for_each(|told| self.says(told, &self.may_be(&draws, told.1)))
    }

    /// When that is back which was taken at a moment.
    fn back(&self, taken: i64) -> i64 {
        let slice = signed(self.limit.per.div_ceil(SLICES));
        (taken + signed(self.limit.per) + slice - 1).div_euclid(slice) * slice
    }

    fn may_be(&self, draws: &[Draw], request: &Request) -> May {
        let (from, to) = self.span_by_any(request);
        let cost = i64::from(self.limit.cost);
        let passed = matches!(request.answer, Answer::Passed(_));
        // when it is back, and how much
        let certain: Vec<(i64, i64)> = (draws.iter())
            .filter(|draw| draw.to < from && self.back(draw.from) > to)
            .map(|draw| (self.back(draw.from), draw.least * cost))
            .chain(passed.then(|| (self.back(from), cost)))
            .collect();
        let possible: Vec<(i64, i64)> = (draws.iter())
            .filter(|draw| draw.from <= to && self.back(draw.to) > from)
            .map(|draw| (self.back(draw.to.min(to)), draw.most * cost))
            .collect();
        let used = |some: &[(i64, i64)]| some.iter().map(|(_, units)| units).sum();
        let room = i64::from(self.limit.limit) - cost;
        let in_time = |room: i64| (left(&certain, room) - to, left(&possible, room) - from);
        May { used: (used(&certain), used(&possible)), reset: in_time(0), wait: in_time(room) }
    }
}

/// When so much of it is back that no more than `room` is left out; the beginning of time, if it is no more than that.
fn left(taken: &[(i64, i64)], room: i64) -> i64 {
    let mut latest_first = taken.to_vec();
    latest_first.sort_unstable_by(|one, other| other.cmp(one));
    let mut out = 0;
    let over = latest_first.into_iter().find(|(_, units)| {
        out += units;
        out > room
    });
    over.map_or(0, |(back, _)| back)
}
