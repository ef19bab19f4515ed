//! Windows that begin when the epoch did, and each where the one before ends.
//!
//! * What passed fits into the windows that were there while it was under way: exactly. For whatever windows in a row, those requests that
//!   were under way in them and nowhere else are no more than they hold together; so there is a place for each (Hall's theorem).
//! * What was denied, and what the fields say, may have been so in one of the windows that were there: by what may have been taken from it
//!   before, and by what was certainly.

use super::{May, OfBucket, Violation, signed};
use crate::bucket::Draw;
use crate::history::{Answer, Request};

impl OfBucket<'_> {
    pub(super) fn fits_windows(&self) -> Result<(), Violation> {
        let per = signed(self.limit.per);
        let whole = |request: &Request| {
            let (from, to) = self.span_by_any(request);
            (from.div_euclid(per) * per, (to.div_euclid(per) + 1) * per)
        };
        let each = i64::from(self.limit.limit / self.limit.cost);
        self.passes_at_most(whole, |from, end| Some((end - from) / per * each), "what fits into the windows")?;
        let draws = self.draws();
        self.requests.iter().try_for_each(|told| self.may_say_in_some_window(&draws, told))
    }

    fn may_say_in_some_window(&self, draws: &[Draw], told: &(usize, &Request)) -> Result<(), Violation> {
        let per = signed(self.limit.per);
        let (from, to) = self.span_by_any(told.1);
        let windows = from.div_euclid(per)..=to.div_euclid(per);
        let mut may = windows.map(|window| self.says(told, &self.may_be_in(window * per, draws, told.1)));
        let first = may.next().unwrap_or(Ok(()));
        // what is said is what the first does not permit
        if first.is_ok() || may.any(|says| says.is_ok()) { Ok(()) } else { first }
    }

    /// What an answer may say in the window that begins at `start`.
    fn may_be_in(&self, start: i64, draws: &[Draw], request: &Request) -> May {
        let end = start + signed(self.limit.per);
        let (from, to) = self.span_by_any(request);
        let own = i64::from(matches!(request.answer, Answer::Passed(_)));
        let certain = |draw: &&Draw| draw.to < from && draw.from >= start && draw.to < end;
        let possible = |draw: &&Draw| draw.from <= to && draw.to >= start && draw.from < end;
        let least: i64 = draws.iter().filter(certain).map(|draw| draw.least).sum();
        let most: i64 = draws.iter().filter(possible).map(|draw| draw.most).sum();
        let cost = i64::from(self.limit.cost);
        // whoever reads the clock first may find a window that others have begun since
        let earliest = if self.limit.reads_clock_first { from } else { from.max(start) };
        let left = (end - to.min(end - 1), end - earliest);
        May { used: ((least + own) * cost, most * cost), reset: left, wait: left }
    }
}
