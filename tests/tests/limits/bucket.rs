//! What one bucket may have held at most and at least when a request was decided.
//!
//! A bucket's theoretical arrival time (TAT) grows with each draw and with the moment of each draw. So it is never later than if all
//! that may have drawn before did so, as late and as often as it may; and never earlier than if only what was answered before the request
//! was sent did, as early as it may. That finds every answer that no order of the requests explains, as far as these bounds go: where many
//! are under way at once they are wide, and an answer that is wrong by less stays unseen.

/// What a request drew, as far as anybody knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw {
    /// Not before.
    pub(crate) from: i64,
    /// Not after.
    pub(crate) to: i64,
    /// How often at least.
    pub(crate) least: i64,
    /// How often at most.
    pub(crate) most: i64,
}

/// The last moment of a draw.
#[derive(Debug)]
struct End {
    to: i64,
    /// How much was drawn when it is over.
    drawn: i64,
    /// The latest TAT that any of the draws so far leads to, less what came back for those before it.
    latest: i64,
}

/// All draws from one bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// In which what is drawn at once comes back.
    drip: i64,
    /// What was certainly drawn, in the order of `from`.
    certain: Vec<Draw>,
    /// The `from` of whatever may have been drawn, in order, and how much was before each.
    starts: Vec<(i64, i64)>,
    /// The `to` likewise.
    ends: Vec<End>,
}

impl Bucket {
    pub(crate) fn new(draws: &[Draw], drip: i64) -> Self {
        let mut certain: Vec<Draw> = draws.iter().copied().filter(|draw| draw.least > 0).collect();
        certain.sort_unstable_by_key(|draw| draw.from);
        let mut possible = draws.to_vec();
        possible.sort_unstable_by_key(|draw| draw.from);
        let mut before = 0;
        let mut starts = Vec::new();
        for draw in &possible {
            starts.push((draw.from, before));
            before += draw.most;
        }
        starts.push((i64::MAX, before));
        possible.sort_unstable_by_key(|draw| draw.to);
        let (mut drawn, mut latest) = (0, i64::MIN);
        let mut ends = Vec::new();
        for draw in &possible {
            latest = latest.max(draw.to - drawn * drip);
            drawn += draw.most;
            ends.push(End { to: draw.to, drawn, latest });
        }
        Self { drip, certain, starts, ends }
    }

    /// How long the bucket may have needed at most until it was full again, at any moment of a request. The longest is at its beginning, or
    /// when another began.
    pub(crate) fn longest(&self, from: i64, to: i64) -> i64 {
        let first = self.starts.partition_point(|(start, _)| *start <= from);
        let others = self.starts[first..].iter().map(|(start, _)| *start).take_while(|start| *start <= to);
        std::iter::once(from).chain(others).map(|moment| self.at_most(moment)).max().unwrap_or(0)
    }

    /// The same by a clock that was read when the request began, though others may have drawn until it was over.
    pub(crate) fn longest_since(&self, from: i64, to: i64) -> i64 {
        self.at_most(to) + (to - from)
    }

    fn at_most(&self, moment: i64) -> i64 {
        let begun = self.starts.partition_point(|(start, _)| *start <= moment);
        let drawn = self.starts.get(begun).map_or(0, |(_, before)| *before);
        let ended = self.ends.partition_point(|end| end.to <= moment);
        let Some(End { drawn: over, latest, .. }) = ended.checked_sub(1).and_then(|last| self.ends.get(last)) else {
            // all of it may have been drawn at this very moment
            return drawn * self.drip;
        };
        (latest + drawn * self.drip - moment).max((drawn - over) * self.drip)
    }

    /// How long the bucket needed at least until it was full again, at `at`, of a request that was sent at `sent`.
    pub(crate) fn shortest(&self, sent: i64, at: i64) -> i64 {
        let (mut drawn, mut tat) = (0, at);
        for draw in self.certain.iter().rev().filter(|draw| draw.to < sent) {
            drawn += draw.least;
            tat = tat.max(draw.from + drawn * self.drip);
        }
        tat - at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(draws: &[(i64, i64)]) -> Bucket {
        let draws: Vec<_> = draws.iter().map(|(from, to)| Draw { from: *from, to: *to, least: 1, most: 1 }).collect();
        Bucket::new(&draws, 10)
    }

    #[test]
    fn draws_that_are_over_have_come_back_in_part() {
        let bucket = bucket(&[(0, 1), (2, 3)]);
        assert_eq!((bucket.shortest(4, 6), bucket.longest(4, 6)), (14, 17));
        assert_eq!((bucket.shortest(100, 100), bucket.longest(100, 100)), (0, 0));
    }

    #[test]
    fn draws_that_may_have_been_before_count_for_one_bound_only() {
        let bucket = bucket(&[(0, 50), (5, 60), (30, 40)]);
        assert_eq!((bucket.shortest(20, 25), bucket.longest(20, 25)), (0, 20));
        assert_eq!(bucket.longest(20, 30), 30, "the third may have been first");
        assert_eq!(bucket.shortest(45, 45), 0, "the third is over, and back since 40");
    }

    #[test]
    fn what_may_have_been_drawn_twice_counts_twice_at_most_and_not_at_all_at_least() {
        let bucket = Bucket::new(&[Draw { from: 0, to: 1, least: 0, most: 2 }], 10);
        assert_eq!((bucket.shortest(2, 2), bucket.longest(2, 2)), (0, 19));
    }
}
