//! GCRA, and leases of it.
//!
//! * What passed of each bucket is what one limiter could have passed, deciding each request while it was under way
//!   ([`schedule`](crate::schedule)): exactly.
//! * What was denied may have been denied, and what the fields say may have been so, at some moment while the request was under way
//!   ([`bucket`](crate::bucket)).

use portico_core::limit::Bound;

use super::{OfBucket, Violation, seconds, signed};
use crate::bucket::Bucket;
use crate::history::{Answer, Limit, Request, Told};
use crate::schedule::{self, Job};

impl OfBucket<'_> {
    pub(super) fn is_exact(&self) -> Result<(), Violation> {
        self.passes(0, i64::MAX, "the limit alone")?;
        self.one_limiter_passes_this()?;
        let bucket = Bucket::new(&self.draws(), self.drip());
        self.requests.iter().try_for_each(|told| self.may_say(&bucket, told))
    }

    pub(super) fn is_bounded(&self, lease: u32) -> Result<(), Violation> {
        let Limit { limit, burst, cost, instances, .. } = *self.limit;
        let bound = Bound::new(limit, burst, cost, lease);
        if let Some(instances) = instances {
            let held = bound.for_each_instance * u64::from(instances);
            self.passes(signed(held), i64::MAX, "the limit and what instances held")?;
        }
        let more = signed(bound.altogether - bound.shared);
        self.passes(more, signed(self.limit.per), "the limit and all that may be leased")?;
        self.requests.iter().try_for_each(|told| self.is_sane(told))
    }

    /// No window up to this length has more than came back in it, a full bucket and so many units.
    fn passes(&self, units: i64, longest: i64, what: &str) -> Result<(), Violation> {
        let interval = signed(self.limit.interval());
        let most = |from: i64, end: i64| {
            let most = (self.window() + (end - from) + units * interval) / self.drip();
            (end - from <= longest).then_some(most)
        };
        self.passes_at_most(|request| self.span(request), most, what)
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
        let (from, to) = self.span_by_any(told.1);
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

    /// By how much the time may be over at which a request was denied.
    fn late(&self, request: &Request) -> i64 {
        let (from, to) = self.span_by_any(request);
        let denied = matches!(request.answer, Answer::Denied(_));
        if denied && self.limit.reads_clock_first { to - from } else { 0 }
    }

    fn drip(&self) -> i64 {
        signed(self.limit.drip())
    }

    fn window(&self) -> i64 {
        signed(self.limit.window())
    }
}
