//! Whether a history is one that the limit permits.
//!
//! Where every request is counted in the store, each algorithm has its own answer to what one limiter could have passed, deciding each
//! request at some moment while it was under way, what it may have denied, and what the fields may have said: [`gcra`], [`sliding`]
//! and [`fixed`].
//!
//! Where instances lease units, a window passes no more than the store does in its time and what instances held when it began; and never
//! more than [`Bound`](portico_core::limit::Bound) says altogether. What they hold is unknown, and so is what they know: denials are only
//! asked to be sane then.
//!
//! Nodes may have clocks of their own. Who passed passed by the clock of its node; what others knew of that is checked as if it had been by any.

mod fixed;
mod gcra;
mod sliding;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Add;

use crate::bucket::Draw;
use crate::history::{Algorithm, Answer, History, Limit, Request};

const SECOND: i64 = 1_000_000;

/// What nobody waits for any more may still be on its way to the store for so long.
const LATE: i64 = 3 * SECOND;

/// What a history has of each kind of request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) buckets: usize,
    pub(crate) passed: usize,
    pub(crate) denied: usize,
    pub(crate) unanswered: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { buckets, passed, denied, unanswered } = self;
        let requests = passed + denied + unanswered;
        write!(
            formatter,
            "{requests} requests of {buckets} buckets, {passed} passed, {denied} denied, {unanswered} unanswered"
        )
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            buckets: self.buckets + other.buckets,
            passed: self.passed + other.passed,
            denied: self.denied + other.denied,
            unanswered: self.unanswered + other.unanswered,
        }
    }
}

/// What no limiter does.
#[derive(Debug)]
pub(crate) struct Violation {
    what: String,
    /// Those who show it, with their lines in the history's file.
    requests: Vec<(usize, Request)>,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.what)?;
        let first = self.requests.iter().map(|(_, request)| request.sent).min().unwrap_or_default();
        for (line, Request { sent, done, client, node, answer, .. }) in &self.requests {
            let (from, to) = (sent - first, done - first);
            write!(formatter, "\n  line {line}: {from} to {to} µs, client {client}, node {node}: {answer:?}")?;
        }
        Ok(())
    }
}

/// Looks for what no limiter does; the first that is found is told.
pub(crate) fn check(history: &History) -> Result<Tally, Violation> {
    let mut buckets = BTreeMap::<&str, Vec<(usize, &Request)>>::new();
    for (index, request) in history.requests.iter().enumerate() {
        // the first line is about the limit
        buckets.entry(&request.bucket).or_default().push((index + 2, request));
    }
    let mut tally = Tally { buckets: buckets.len(), ..Tally::default() };
    for requests in buckets.values() {
        let of_bucket = OfBucket { limit: &history.limit, requests };
        match (history.limit.lease, history.limit.algorithm) {
            (Some(lease), _) => of_bucket.is_bounded(lease)?,
            (None, Algorithm::Gcra) => of_bucket.is_exact()?,
            (None, Algorithm::SlidingWindow) => of_bucket.slides()?,
            (None, Algorithm::FixedWindow) => of_bucket.fits_windows()?,
        }
        for (_, request) in requests {
            *match request.answer {
                Answer::Passed(_) => &mut tally.passed,
                Answer::Denied(_) => &mut tally.denied,
                Answer::Unanswered(_) => &mut tally.unanswered,
            } += 1;
        }
    }
    Ok(tally)
}

/// What the fields of an answer may say, each at least and at most.
struct May {
    /// Units that are not there once the request is decided.
    used: (i64, i64),
    /// Microseconds until all of them are.
    reset: (i64, i64),
    /// Microseconds until the request would pass, if it did not.
    wait: (i64, i64),
}

/// What is known of one bucket.
struct OfBucket<'h> {
    limit: &'h Limit,
    requests: &'h [(usize, &'h Request)],
}

impl OfBucket<'_> {
    /// No time has more requests that passed, and had a span within it and nowhere else, than it may have. A longer time than one that
    /// may have any number need not be looked at.
    fn passes_at_most(
        &self,
        span: impl Fn(&Request) -> (i64, i64),
        most: impl Fn(i64, i64) -> Option<i64>,
        what: &str,
    ) -> Result<(), Violation> {
        let passed: Vec<_> = self.passed().collect();
        let mut spans: Vec<_> = passed.iter().map(|(_, request)| span(request)).collect();
        spans.sort_unstable_by_key(|(from, _)| *from);
        let mut ends: Vec<i64> = Vec::new();
        for (from, to) in spans.into_iter().rev() {
            ends.insert(ends.partition_point(|end| *end <= to), to);
            let mut times = (1..).zip(&ends).map_while(|(count, end)| Some((count, *end, most(from, *end)?)));
            if let Some((count, end, most)) = times.find(|(count, _, most)| count > most) {
                let within = |(_, request): &(usize, &Request)| {
                    let span = span(request);
                    span.0 >= from && span.1 <= end
                };
                let cost = self.limit.cost;
                let what = format!("{count} requests of {cost} passed within {} µs: {what} permits {most}", end - from);
                return Err(self.violation(what, passed.iter().copied().filter(within)));
            }
        }
        Ok(())
    }

    /// Whether the answer to a request is one that it may have got from windows.
    fn says(&self, told: &(usize, &Request), may: &May) -> Result<(), Violation> {
        let (said, denied) = match &told.1.answer {
            Answer::Passed(said) => (said, false),
            Answer::Denied(said) => (said, true),
            Answer::Unanswered(_) => return Ok(()),
        };
        let fails = |what: String| Err(self.violation(what, [*told].into_iter()));
        let Limit { limit, cost, .. } = *self.limit;
        let units = |used: i64| (i64::from(limit) - used).max(0);
        let (fewest, most) = (units(may.used.1), units(may.used.0));
        if denied && fewest >= i64::from(cost) {
            return fails(format!("denied, though at least {fewest} units were there all the time"));
        }
        if !(fewest..=most).contains(&signed(said.remaining)) {
            return fails(format!("there were from {fewest} to {most} units left, not {}", said.remaining));
        }
        let (early, late) = (seconds(may.reset.0), seconds(may.reset.1));
        if !(early..=late).contains(&signed(said.reset)) {
            return fails(format!("all of it is back in from {early} to {late} s, not in {}", said.reset));
        }
        let (early, late) = (seconds(may.wait.0).max(1), seconds(may.wait.1).max(1));
        match said.retry_after {
            Some(after) if denied && (early..=late).contains(&signed(after)) => Ok(()),
            None if !denied => Ok(()),
            Some(_) if !denied => fails("it passed, and is told to wait".to_owned()),
            after => fails(format!("it would pass in from {early} to {late} s, not in {after:?}")),
        }
    }

    /// What each request drew: once when it passed, and whatever else may have been counted unseen, late as that may be.
    fn draws(&self) -> Vec<Draw> {
        let draws = self.requests.iter().flat_map(|(_, request)| {
            let (from, to) = self.span_by_any(request);
            let counted = i64::from(request.counted);
            let (seen, unseen) = match request.answer {
                Answer::Passed(_) => (1, counted - 1),
                // its first attempt may have been counted
                Answer::Denied(_) => (0, counted - 1),
                Answer::Unanswered(_) => (0, counted),
            };
            let seen = Draw { from, to, least: seen, most: seen };
            [seen, Draw { from, to: to + LATE, least: 0, most: unseen }]
        });
        draws.filter(|draw| draw.most > 0).collect()
    }

    fn passed(&self) -> impl Iterator<Item = (usize, &Request)> {
        self.requests.iter().copied().filter(|(_, request)| matches!(request.answer, Answer::Passed(_)))
    }

    /// When it was under way by the clock of who decided.
    fn span(&self, request: &Request) -> (i64, i64) {
        let slack = signed(self.limit.slack);
        let ahead = self.limit.ahead.get(request.node).copied().unwrap_or_default();
        (signed(request.sent) + ahead - slack, signed(request.done) + ahead + slack)
    }

    /// When it was under way by the clock of any node.
    fn span_by_any(&self, request: &Request) -> (i64, i64) {
        let slack = signed(self.limit.slack);
        let ahead = || self.limit.ahead.iter().copied();
        let (behind, ahead) = (ahead().min().unwrap_or(0).min(0), ahead().max().unwrap_or(0).max(0));
        (signed(request.sent) + behind - slack, signed(request.done) + ahead + slack)
    }

    fn violation<'r>(&self, what: String, requests: impl Iterator<Item = (usize, &'r Request)>) -> Violation {
        let requests: Vec<_> = requests.map(|(line, request)| (line, request.clone())).collect();
        let bucket = requests.first().map(|(_, request)| request.bucket.as_str()).unwrap_or_default();
        Violation { what: format!("bucket {bucket:?} of {:?}: {what}", self.limit), requests }
    }
}

/// Whole seconds, rounded up.
fn seconds(micros: i64) -> i64 {
    (micros + SECOND - 1) / SECOND
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
