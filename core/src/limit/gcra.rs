//! GCRA, the generic cell rate algorithm: `limit` units per `per` over time, `burst` of them at once.
//!
//! Its state is one number, the *theoretical arrival time* (TAT): the moment at which the bucket would be full again. In any window of
//! length `per` at most `burst + limit` units pass. With the default (`burst = limit`) a caller may use a whole quota at once, then
//! goes on at the steady rate.
//!
//! ```
//! use portico_core::limit::{Quota, decide};
//! use portico_core::Timestamp;
//! use std::time::Duration;
//!
//! let quota = Quota::new(2, Duration::from_secs(60), 2).unwrap();
//! let start = Timestamp::from_secs(1_000);
//! let (first, tat) = decide(None, &quota, start, 1);
//! let (second, tat) = decide(Some(tat), &quota, start, 1);
//! let (third, tat) = decide(Some(tat), &quota, start, 1);
//! assert!(first.allowed && second.allowed && !third.allowed);
//! assert_eq!(third.retry_after, Duration::from_secs(30));
//! let (fourth, _) = decide(Some(tat), &quota, start + Duration::from_secs(30), 1);
//! assert!(fourth.allowed);
//! ```

use std::time::Duration;

use super::{SLACK, Verdict};
use crate::platform::Timestamp;

/// In microseconds. Keeps every product below far from the end of u64 and every sum below 2^53.
pub(super) const CENTURY: u64 = 100 * 366 * 86_400 * 1_000_000;

/// How much may pass: `limit` units per `per`, `burst` of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Microseconds in which one unit comes back, rounded up so that never more than the limit passes.
    interval: u64,
    /// Units that fit into the bucket.
    burst: u32,
}

impl Quota {
    /// A quota of `limit` units per `per`, of which `burst` may be taken at once.
    ///
    /// An error when a number is zero, or when one unit would come back faster than once in a microsecond.
    pub fn new(limit: u32, per: Duration, burst: u32) -> Result<Self, QuotaError> {
        let per = u64::try_from(per.as_micros()).map_err(|_| QuotaError::TooLong)?;
        if limit == 0 || per == 0 || burst == 0 {
            return Err(QuotaError::Zero);
        }
        if per < u64::from(limit) {
            return Err(QuotaError::TooFast);
        }
        if per > CENTURY {
            return Err(QuotaError::TooLong);
        }
        Self::from_interval(per.div_ceil(u64::from(limit)), burst)
    }

    /// The quota of which one unit comes back every `interval` microseconds and `burst` may be taken at once: what
    /// [`interval_micros`](Self::interval_micros) and [`burst`](Self::burst) say of it, so that a store elsewhere decides with exactly the
    /// same numbers.
    ///
    /// An error when a number is zero, or when the bucket would take more than a century to fill.
    pub fn from_interval(interval: u64, burst: u32) -> Result<Self, QuotaError> {
        if interval == 0 || burst == 0 {
            return Err(QuotaError::Zero);
        }
        if interval.checked_mul(u64::from(burst)).is_none_or(|window| window > CENTURY) {
            return Err(QuotaError::TooLong);
        }
        Ok(Self { interval, burst })
    }

    /// Microseconds in which one unit comes back.
    pub const fn interval_micros(&self) -> u64 {
        self.interval
    }

    /// Units that may be taken at once: what `RateLimit-Policy` calls `q`.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// The time in which an empty bucket fills: what `RateLimit-Policy` calls `w`.
    pub const fn window(&self) -> Duration {
        Duration::from_micros(self.interval * self.burst as u64)
    }
}

/// Why numbers make no quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// A limit, window or burst of zero.
    #[error("limit, per and burst must be greater than zero")]
    Zero,
    /// More than one unit a microsecond.
    #[error("more than 1000000 a second cannot be counted")]
    TooFast,
    /// A window of more than a century.
    #[error("the window is longer than a century")]
    TooLong,
}

/// Decides one request of `cost` units at `now`, given the stored TAT (`None`: a key never seen, or expired).
///
/// Returns the verdict and the TAT to store; a denied request costs nothing. The state may
/// be forgotten once its time is past. A stored time that is ahead of what the quota allows by up to [`SLACK`] is another clock's, and stays
/// as it is: cut down, it would give units back to whoever asks by a clock that is behind. One that is further ahead
/// is cut down to one bucket's worth and stored so, for it may mean that the quota was lowered.
/// It may also mean that the clock went back: then the limit is stricter until the bucket has refilled by the new clock, and
/// when the clock jumps forward again, at most one bucket passes in excess. So clocks that decide about the same limit must not be further
/// apart than [`SLACK`]: of two that are, the one that is behind gives back by how much with each denial.
pub fn decide(stored: Option<Timestamp>, quota: &Quota, now: Timestamp, cost: u32) -> (Verdict, Timestamp) {
    let now_us = now.as_micros();
    let window = quota.interval.saturating_mul(u64::from(quota.burst));
    let latest = now_us.saturating_add(window);
    let full_at = full_at(stored, quota, now);
    let taken_until = full_at.saturating_add(quota.interval.saturating_mul(u64::from(cost)));
    let allowed = taken_until <= latest;
    let tat = if allowed { taken_until } else { full_at };
    let used = tat - now_us;
    let retry_after = if allowed {
        Duration::ZERO
    } else if cost > quota.burst {
        Duration::MAX
    } else {
        Duration::from_micros(taken_until - now_us - window)
    };
    let verdict = Verdict {
        allowed,
        remaining: u32::try_from(window.saturating_sub(used) / quota.interval).unwrap_or(u32::MAX),
        reset: Duration::from_micros(used),
        retry_after,
    };
    (verdict, Timestamp::from_micros(tat))
}

/// Takes `units`, or what is left of the bucket.
pub(super) fn charge(stored: Option<Timestamp>, quota: &Quota, now: Timestamp, units: u32) -> Timestamp {
    let full_at = full_at(stored, quota, now);
    let taken_until = full_at.saturating_add(quota.interval.saturating_mul(u64::from(units)));
    Timestamp::from_micros(taken_until.min((now + quota.window()).as_micros()).max(full_at))
}

/// Puts `units` back, as far as the bucket has room.
pub(super) fn give_back(stored: Option<Timestamp>, quota: &Quota, now: Timestamp, units: u32) -> Timestamp {
    let given = quota.interval.saturating_mul(u64::from(units));
    Timestamp::from_micros(full_at(stored, quota, now).saturating_sub(given).max(now.as_micros()))
}

/// The time at which the bucket is full, in microseconds: not before now, and not later than it can be.
fn full_at(stored: Option<Timestamp>, quota: &Quota, now: Timestamp) -> u64 {
    let latest = (now + quota.window()).as_micros();
    match stored.map(Timestamp::as_micros) {
        // who decides may have read the clock before others drew, or has another clock than they
        Some(tat) if tat <= latest.saturating_add(SLACK.as_micros() as u64) => tat.max(now.as_micros()),
        Some(_) => latest,
        None => now.as_micros(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn quota(limit: u32, seconds: u64, burst: u32) -> Quota {
        Quota::new(limit, Duration::from_secs(seconds), burst).unwrap()
    }

    #[test]
    fn a_full_bucket_passes_its_burst_then_the_steady_rate() {
        let quota = quota(5, 10, 5);
        let mut tat = None;
        for left in (0..5).rev() {
            let (verdict, next) = decide(tat, &quota, START, 1);
            assert!(verdict.allowed);
            assert_eq!(verdict.remaining, left);
            tat = Some(next);
        }
        let (denied, unchanged) = decide(tat, &quota, START, 1);
        assert!(!denied.allowed);
        assert_eq!(denied.retry_after, Duration::from_secs(2));
        assert_eq!(denied.reset, Duration::from_secs(10));
        assert_eq!(Some(unchanged), tat, "a denied request costs nothing");

        let just_before = START + Duration::from_micros(1_999_999);
        assert!(!decide(tat, &quota, just_before, 1).0.allowed);
        assert!(decide(tat, &quota, START + Duration::from_secs(2), 1).0.allowed);
    }

    #[test]
    fn retry_after_is_the_exact_moment_for_any_quota_and_cost() {
        for (limit, seconds, burst) in [(7, 60, 7), (1, 1, 1), (1000, 60, 10), (3, 86_400, 9)] {
            let quota = quota(limit, seconds, burst);
            let (_, tat) = decide(None, &quota, START, burst);
            for cost in 1..=burst.min(9) {
                let (denied, _) = decide(Some(tat), &quota, START, cost);
                assert!(!denied.allowed);
                let then = START + denied.retry_after;
                assert!(decide(Some(tat), &quota, then, cost).0.allowed);
                let before = Timestamp::from_micros(then.as_micros() - 1);
                assert!(!decide(Some(tat), &quota, before, cost).0.allowed);
            }
        }
    }

    #[test]
    fn a_window_never_passes_more_than_burst_plus_limit() {
        let quota = quota(7, 60, 3);
        let mut passed = Vec::new();
        let mut tat = None;
        for step in 0..4_000_u64 {
            let now = START + Duration::from_millis(step * 137);
            let (verdict, next) = decide(tat, &quota, now, 1);
            tat = Some(next);
            if verdict.allowed {
                passed.push(now);
            }
        }
        for (index, first) in passed.iter().enumerate() {
            let in_window =
                passed.iter().skip(index).take_while(|at| at.since(*first) < Duration::from_secs(60)).count();
            assert!(in_window <= 10, "{in_window} in one window");
        }
    }

    #[test]
    fn more_than_the_bucket_never_passes() {
        let (verdict, _) = decide(None, &quota(5, 10, 5), START, 6);
        assert!(!verdict.allowed);
        assert_eq!(verdict.retry_after, Duration::MAX);
        assert_eq!(verdict.remaining, 5);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let quota = quota(2, 60, 2);
        let (_, tat) = decide(None, &quota, START, 2);
        let earlier = Timestamp::from_secs(START.as_secs() - 3_600);
        let (verdict, _) = decide(Some(tat), &quota, earlier, 1);
        assert!(!verdict.allowed);
        assert!(verdict.retry_after <= quota.window(), "and it recovers within one window");
    }

    #[test]
    fn a_lowered_quota_is_not_a_lockout() {
        let (_, tat) = decide(None, &quota(1, 86_400, 10), START, 10);
        let (verdict, _) = decide(Some(tat), &quota(10, 10, 10), START, 1);
        assert!(!verdict.allowed);
        assert_eq!(verdict.retry_after, Duration::from_secs(1));
    }

    /// Two nodes that decide by clocks of their own, and clients who ask both all the time.
    #[test]
    fn a_node_whose_clock_is_behind_gives_nothing_away() {
        for (limit, skew) in [(100, 5_000), (100, 20_000), (1_000, 1_000), (1_000, 100_000)] {
            let quota = quota(limit, 1, limit);
            let (mut tat, mut passed) = (None, 0);
            for step in 0..40_000 {
                let clock = if step % 2 == 0 { 0 } else { skew };
                let now = START + Duration::from_micros(step * 250 + clock);
                let (verdict, next) = decide(tat, &quota, now, 1);
                tat = Some(next);
                passed += u32::from(verdict.allowed);
            }
            // ten seconds, a full bucket, and what the clocks are apart
            assert!(passed <= 11 * limit + limit / 10, "{passed} of {limit} a second, {skew} µs apart");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Quota::new(0, Duration::from_secs(1), 1), Err(QuotaError::Zero));
        assert_eq!(Quota::new(1, Duration::ZERO, 1), Err(QuotaError::Zero));
        assert_eq!(Quota::new(1, Duration::from_secs(1), 0), Err(QuotaError::Zero));
        assert_eq!(Quota::new(2_000_000, Duration::from_secs(1), 1), Err(QuotaError::TooFast));
        assert_eq!(Quota::new(1, Duration::from_secs(u64::MAX), 1), Err(QuotaError::TooLong));
        assert_eq!(Quota::new(1, Duration::from_secs(86_400), u32::MAX), Err(QuotaError::TooLong));
        assert_eq!(Quota::from_interval(0, 1), Err(QuotaError::Zero));
        assert_eq!(Quota::from_interval(1, 0), Err(QuotaError::Zero));
        assert_eq!(Quota::from_interval(u64::MAX, 2), Err(QuotaError::TooLong));
    }

    #[test]
    fn a_quota_crosses_a_wire_as_two_numbers() {
        for (limit, seconds, burst) in [(7, 60, 7), (30_000, 1, 1), (1, 86_400, 365), (1, 100 * 366 * 86_400, 1)] {
            let quota = quota(limit, seconds, burst);
            assert_eq!(Quota::from_interval(quota.interval_micros(), quota.burst()), Ok(quota));
        }
    }
}
