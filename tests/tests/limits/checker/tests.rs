//! Histories made by hand, and by limiters that are right or wrong by one.

use portico_core::Timestamp;
use portico_core::limit::{Quota, decide};
use portico_core::sim::{Random, check_seeds};

mod windows;

use super::*;
use crate::history::Told;

/// Two units at once, one comes back each second.
const LIMIT: Limit = Limit {
    algorithm: Algorithm::Gcra,
    limit: 60,
    per: 60_000_000,
    burst: 2,
    cost: 1,
    lease: None,
    instances: None,
    reads_clock_first: false,
    ahead: Vec::new(),
    slack: 0,
};

fn request(sent: u64, done: u64, answer: Answer) -> Request {
    Request { sent, done, bucket: "a".to_owned(), client: 0, node: 0, counted: 1, answer }
}

fn passed(sent: u64, done: u64, remaining: u64, reset: u64) -> Request {
    request(sent, done, Answer::Passed(Told { remaining, reset, retry_after: None }))
}

fn denied(sent: u64, done: u64, retry_after: u64) -> Request {
    request(sent, done, Answer::Denied(Told { remaining: 0, reset: 2, retry_after: Some(retry_after) }))
}

fn checked(limit: &Limit, requests: &[Request]) -> Result<Tally, String> {
    let history = History { limit: limit.clone(), requests: requests.to_vec() };
    check(&history).map_err(|violation| violation.to_string())
}

/// What is said of these, with this limit.
fn flaw(limit: &Limit, requests: &[Request]) -> String {
    checked(limit, requests).expect_err("no limiter does this")
}

const S: u64 = 1_000_000;

#[test]
fn a_sound_history_is_one() {
    let requests = [
        passed(0, 9, 1, 1),
        passed(10, 19, 0, 2),
        denied(20, 29, 1),
        passed(S + 5, S + 20, 0, 2),
        denied(S + 21, S + 29, 1),
    ];
    let tally = Tally { buckets: 1, passed: 3, denied: 2, unanswered: 0 };
    assert_eq!(checked(&LIMIT, &requests), Ok(tally));
}

#[test]
fn one_too_many_is_found_and_nobody_else_is_named() {
    let early = [passed(0, 9, 1, 1), passed(10 * S, 10 * S + 9, 1, 1)];
    let three = [20 * S, 20 * S + 10, 20 * S + 20].map(|at| passed(at, at + 9, 0, 2));
    let said = flaw(&LIMIT, &[&early[..], &three].concat());
    assert!(said.contains("3 requests of 1 passed within 29 µs: the limit alone permits 2"), "{said}");
    let lines: Vec<_> = said.lines().skip(1).map(|line| line.trim().split(':').next().unwrap()).collect();
    assert_eq!(lines, ["line 4", "line 5", "line 6"]);
}

#[test]
fn one_too_many_that_counting_does_not_show_is_found() {
    // a bucket of one: the second passes at the fifth second and nowhere else, and the first is in its way all the time it has
    let limit = Limit { burst: 1, per: 600 * S, ..LIMIT };
    let requests = [passed(0, 14 * S, 0, 10), passed(5 * S, 5 * S, 0, 10)];
    let said = flaw(&limit, &requests);
    assert!(said.contains("no limiter that decides each while it is under way"), "{said}");
    // one moment later it has passed the other
    assert!(checked(&limit, &[passed(0, 15 * S, 0, 10), passed(5 * S, 5 * S, 0, 10)]).is_ok());
}

#[test]
fn who_was_under_way_at_the_same_time_may_have_been_before_or_after() {
    let long = passed(0, 2 * S, 0, 2);
    let requests = [long, passed(10, 19, 1, 1), passed(S + 5, S + 9, 0, 2)];
    assert_eq!(checked(&LIMIT, &requests).map(|tally| tally.passed), Ok(3));
}

#[test]
fn a_denial_without_a_reason_is_found() {
    let said = flaw(&LIMIT, &[passed(0, 9, 1, 1), denied(10, 19, 1)]);
    assert!(said.contains("denied, though at least 1 units were there all the time"), "{said}");
    // full again once the window is over
    let said = flaw(&LIMIT, &[passed(0, 9, 1, 1), passed(10, 19, 0, 2), denied(2 * S + 20, 2 * S + 29, 1)]);
    assert!(said.contains("denied, though"), "{said}");
}

#[test]
fn a_denial_is_explained_by_what_may_have_been_counted() {
    let lost = request(5, 9, Answer::Unanswered("503".to_owned()));
    let requests = [passed(0, 9, 1, 1), lost, denied(10, 19, 1)];
    assert_eq!(checked(&LIMIT, &requests).map(|tally| tally.unanswered), Ok(1));
    // a request that was counted twice explains one, too, but only where that can happen
    let twice = [passed(0, 9, 0, 2), denied(10, 19, 1)];
    assert!(checked(&LIMIT, &twice).is_err());
    let counted = twice.map(|request| Request { counted: 2, ..request });
    assert!(checked(&LIMIT, &counted).is_ok());
}

#[test]
fn fields_that_lie_are_found() {
    let first = |remaining, reset| flaw(&LIMIT, &[passed(0, 9, 1, 1), passed(10, 19, remaining, reset)]);
    assert!(first(1, 2).contains("from 0 to 0 units left, not 1"), "{}", first(1, 2));
    assert!(first(2, 2).contains("no more than 1 units are left, not 2"), "{}", first(2, 2));
    assert!(first(0, 1).contains("full in from 2 to 2 s, not in 1"), "{}", first(0, 1));
    assert!(first(0, 3).contains("an empty bucket is full in 2 s, not in 3"), "{}", first(0, 3));
    let later = |after| flaw(&LIMIT, &[passed(0, 9, 1, 1), passed(10, 19, 0, 2), denied(20, 29, after)]);
    assert!(later(0).contains("in from 1 to 1 s, not in Some(0)"), "{}", later(0));
    assert!(later(2).contains("in from 1 to 1 s, not in Some(2)"), "{}", later(2));
    let slow = Limit { limit: 1, burst: 1, ..LIMIT };
    let told = |after| denied_of(0, 60, after);
    let said = flaw(&slow, &[passed(0, 9, 0, 60), passed_later(), told(30)]);
    assert!(said.contains("in from 60 to 60 s, not in 30"), "{said}");
}

fn passed_later() -> Request {
    passed(60 * S, 60 * S + 9, 0, 60)
}

fn denied_of(remaining: u64, reset: u64, retry_after: u64) -> Request {
    let told = Told { remaining, reset, retry_after: Some(retry_after) };
    request(60 * S + 10, 60 * S + 19, Answer::Denied(told))
}

#[test]
fn leases_may_pass_what_instances_held_and_no_more() {
    // at most 2 + 60 in a window by the store, a lease of 2 holds 1 more
    let leased = |instances| Limit { lease: Some(2), instances, ..LIMIT };
    let at_once = |count: u64| (0..count).map(|index| passed(index, index + 1, 0, 1)).collect::<Vec<_>>();
    assert!(checked(&leased(Some(1)), &at_once(3)).is_ok());
    let said = flaw(&leased(Some(1)), &at_once(4));
    assert!(said.contains("the limit and what instances held permits 3"), "{said}");
    assert!(checked(&leased(Some(2)), &at_once(4)).is_ok());
    // however many there are: what came back in the time, the bucket, and as much as the limit
    assert!(checked(&leased(None), &at_once(62)).is_ok());
    assert!(flaw(&leased(None), &at_once(63)).contains("the limit and all that may be leased permits 62"));
}

/// A history of clients who all are impatient, of a limiter that may be wrong: by its bucket's size and by what it forgets.
fn played(seed: u64, more: u32, forgets: bool) -> History {
    let random = Random::new(seed);
    let draw = |from: u64, to: u64| from + random.below(to + 1 - from);
    let cost = draw(1, 3) as u32;
    let limit = Limit {
        limit: draw(20, 60) as u32,
        per: draw(200_000, 900_000),
        burst: draw(u64::from(cost), 20) as u32,
        cost,
        ..LIMIT
    };
    let quota = Quota::from_interval(limit.interval(), limit.burst + more * cost).unwrap();
    let (mut now, mut tat, mut requests) = (1_000_000_000, None, Vec::new());
    let clients = 1 + random.below(8);
    for index in 0..600 {
        now += random.below(limit.interval());
        if forgets && index == 300 {
            tat = None;
        }
        let (verdict, next) = decide(tat, &quota, Timestamp::from_micros(now), cost);
        tat = Some(next);
        let wide = clients * 500;
        let told = Told {
            remaining: u64::from(verdict.remaining.saturating_sub(more * cost)),
            reset: verdict.reset.as_micros().div_ceil(1_000_000) as u64,
            retry_after: (!verdict.allowed).then_some(verdict.retry_after.as_micros().div_ceil(1_000_000) as u64),
        };
        let answer = if verdict.allowed { Answer::Passed(told) } else { Answer::Denied(told) };
        requests.push(request(now - random.below(wide), now + random.below(wide), answer));
    }
    requests.sort_by_key(|request| request.sent);
    History { limit, requests }
}

#[test]
fn every_history_of_a_limiter_is_one() {
    check_seeds(150, None, |seed| {
        let history = played(seed, 0, false);
        let tally = check(&history).unwrap_or_else(|violation| panic!("{violation}"));
        assert!(tally.passed > 20, "{tally:?}");
    });
}

#[test]
fn a_limiter_that_passes_one_more_or_forgets_is_found() {
    for (more, forgets) in [(1, false), (0, true)] {
        let found = (0..150).filter(|seed| check(&played(*seed, more, forgets)).is_err()).count();
        assert!(found > 140, "{found} of 150");
    }
}
