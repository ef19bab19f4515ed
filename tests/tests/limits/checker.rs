//! Whether a history is one that the limit permits.
//!
//! Where every request is counted in the store (`exact`):
//!
//! * what passed of each bucket is what one limiter could have passed, deciding each request while it was under way
//!   ([`schedule`](crate::schedule));
//! * what was denied may have been denied, and what the fields say may have been so, at some moment while the request was under way
//!   ([`bucket`](crate::bucket)).
//!
//! Where instances lease units, a window passes no more than the store does in its time and what instances held when it began; and never
//! more than [`Bound`] says altogether. What they hold is unknown, and so is what they know: denials are only asked to be sane then.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Add;

use portico_core::limit::Bound;

use crate::bucket::{Bucket, Draw};
use crate::history::{Answer, History, Limit, Request, Told};
use crate::schedule::{self, Job};

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
        match history.limit.lease {
            None => of_bucket.is_exact()?,
            Some(lease) => of_bucket.is_bounded(lease)?,
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

/// What is known of one bucket.
struct OfBucket<'h> {
    limit: &'h Limit,
    requests: &'h [(usize, &'h Request)],
}

impl OfBucket<'_> {
    fn is_exact(&self) -> Result<(), Violation> {
        self.passes_at_most(0, i64::MAX, "the limit alone")?;
        self.one_limiter_passes_this()?;
        let bucket = Bucket::new(&self.draws(), self.drip());
        self.requests.iter().try_for_each(|told| self.may_say(&bucket, told))
    }

    fn is_bounded(&self, lease: u32) -> Result<(), Violation> {
        let Limit { limit, burst, cost, instances, .. } = *self.limit;
        let bound = Bound::new(limit, burst, cost, lease);
        if let Some(instances) = instances {
            let held = bound.for_each_instance * u64::from(instances);
            self.passes_at_most(signed(held), i64::MAX, "the limit and what instances held")?;
        }
        let more = signed(bound.altogether - bound.shared);
        self.passes_at_most(more, signed(self.limit.per), "the limit and all that may be leased")?;
        self.requests.iter().try_for_each(|told| self.is_sane(told))
    }

    /// No window up to this length has more than came back in it, a full bucket and so many units. Only requests that were
    /// under way within it and nowhere else count.
    fn passes_at_most(&self, units: i64, longest: i64, what: &str) -> Result<(), Violation> {
        let passed: Vec<_> = self.passed().collect();
        let mut by_sent: Vec<usize> = (0..passed.len()).collect();
        by_sent.sort_unstable_by_key(|at| passed[*at].1.sent);
        let interval = signed(self.limit.interval());
        let mut ends: Vec<i64> = Vec::new();
        for at in by_sent.into_iter().rev() {
            let (from, to) = self.span(passed[at].1);
            ends.insert(ends.partition_point(|end| *end <= to), to);
            for (count, end) in (1..).zip(&ends).take_while(|(_, end)| **end - from <= longest) {
                let most = self.window() + (end - from) + units * interval;
                if count * self.drip() <= most {
                    continue;
                }
                let within = |(_, request): &&(usize, &Request)| {
                    let span = self.span(request);
                    span.0 >= from && span.1 <= *end
                };
                let what = format!(
                    "{count} requests of {} passed within {} µs: {} permits {}",
                    self.limit.cost,
                    end - from,
                    what,
                    most / self.drip()
                );
                return Err(self.violation(what, passed.iter().filter(within).copied()));
            }
        }
        Ok(())
    }

    fn one_limiter_passes_this(&self) -> Result<(), Violation> {
        let passed: Vec<_> = self.passed().collect();
        let job = |(_, request): &(usize, &Request)| {
            let (release, to) = self.span(request);
            Job { release, deadline: to + self.window() }
        };
        let jobs: Vec<_> = passed.iter().map(job).collect();
        let Some(conflict) = schedule::conflict(&jobs, self.drip()) else { return Ok(()) };
        let what = "no limiter that decides each while it is under way passes all of these".to_owned();
        Err(self.violation(what, conflict.into_iter().filter_map(|at| passed.get(at).copied())))
    }

    /// Whether the answer to a request is one that it may have got at some moment.
    fn may_say(&self, bucket: &Bucket, told: &(usize, &Request)) -> Result<(), Violation> {
        self.is_sane(told)?;
        let (from, to) = self.span(told.1);
        let (said, own, denied) = match &told.1.answer {
            Answer::Passed(said) => (said, self.drip(), false),
            Answer::Denied(said) => (said, 0, true),
            Answer::Unanswered(_) => return Ok(()),
        };
        // how long the bucket needs until it is full once this request is decided: at least, and at most
        let least = bucket.shortest(from, to) + own;
        let most = match self.limit.reads_clock_first {
            true => bucket.longest_since(from, to),
            false => bucket.longest(from, to),
        };
        let most = most.min(self.window() + self.late(told.1));
        let fails = |what: String| Err(self.violation(what, [*told].into_iter()));
        let units = |until_full: i64| (self.window() - until_full).max(0) / signed(self.limit.interval());
        if denied && most + self.drip() <= self.window() {
            return fails(format!("denied, though at least {} units were there all the time", units(most)));
        }
        let remaining = signed(said.remaining);
        if !(units(most)..=units(least)).contains(&remaining) {
            return fails(format!("there were from {} to {} units left, not {remaining}", units(most), units(least)));
        }
        let (early, late) = (seconds(least), seconds(most));
        if !(early..=late).contains(&signed(said.reset)) {
            return fails(format!("the bucket was full in from {early} to {late} s, not in {}", said.reset));
        }
        let wait = |until_full: i64| seconds((until_full + self.drip() - self.window()).max(1));
        let (early, late) = (wait(least), wait(most));
        match said.retry_after {
            Some(after) if denied && !(early..=late).contains(&signed(after)) => {
                fails(format!("it would have passed in from {early} to {late} s, not in {after}"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the fields of a response are possible at any time at all.
    fn is_sane(&self, told: &(usize, &Request)) -> Result<(), Violation> {
        let (said, denied) = match &told.1.answer {
            Answer::Passed(said) => (said, false),
            Answer::Denied(said) => (said, true),
            Answer::Unanswered(_) => return Ok(()),
        };
        let Told { remaining, reset, retry_after } = *said;
        let Limit { burst, cost, lease, .. } = *self.limit;
        let most = match lease {
            _ if denied => cost - 1,
            None => burst - cost,
            // it says how things are when the answer of the store is there: what was drawn may be back
            Some(_) => burst,
        };
        let wait = retry_after.map(signed);
        let (longest, latest) = (seconds(self.window() + self.late(told.1)), seconds(self.drip() + self.late(told.1)));
        let flaw = if remaining > u64::from(most) {
            format!("after it no more than {most} units are left, not {remaining}")
        } else if signed(reset) > longest {
            format!("an empty bucket is full in {longest} s, not in {reset}")
        } else if denied && wait.is_none_or(|wait| !(1..=latest).contains(&wait)) {
            format!("it would pass in from 1 to {latest} s, not in {retry_after:?}")
        } else if !denied && retry_after.is_some() {
            "it passed, and is told to wait".to_owned()
        } else {
            return Ok(());
        };
        Err(self.violation(flaw, [*told].into_iter()))
    }

    /// What each request drew: once when it passed, and whatever else may have been counted unseen, late as that may be.
    fn draws(&self) -> Vec<Draw> {
        let draws = self.requests.iter().flat_map(|(_, request)| {
            let (from, to) = self.span(request);
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
        (signed(request.sent) - slack, signed(request.done) + slack)
    }

    /// By how much the time may be over at which a request was denied.
    fn late(&self, request: &Request) -> i64 {
        let (from, to) = self.span(request);
        let denied = matches!(request.answer, Answer::Denied(_));
        if denied && self.limit.reads_clock_first { to - from } else { 0 }
    }

    fn drip(&self) -> i64 {
        signed(self.limit.drip())
    }

    fn window(&self) -> i64 {
        signed(self.limit.window())
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
