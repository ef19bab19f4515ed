use super::*;
use crate::sim::Random;

const START: Timestamp = Timestamp::from_secs(1_700_000_000);
const MINUTE: Duration = Duration::from_secs(60);

fn sliding(limit: u32, per: Duration) -> Window {
    Window::sliding(limit, per).unwrap()
}

/// A window of minutes, as one sees it whose clock shows this.
fn minutes(limit: u32, now: Timestamp) -> Window {
    Window::fixed(limit, ends(MINUTE, now))
}

/// Never more than the limit in any window, and never less than it in a window and a slice.
#[test]
fn a_sliding_window_keeps_its_promise_to_both_sides() {
    for seed in 0..50 {
        let random = Random::new(seed);
        let (limit, per) = (1 + random.below(40), 1_000 + random.below(10_000_000));
        let window = sliding(limit as u32, Duration::from_micros(per));
        let slice = per.div_ceil(SLICES);
        let (mut taken, mut now, mut passed) = (Taken::new(), START, Vec::<(u64, u64)>::new());
        for _ in 0..2_000 {
            now = now
                + Duration::from_micros(
                    *random.pick(&[0, 1, slice - 1, slice, per / limit, random.below(per)]).unwrap(),
                );
            let cost = 1 + random.below(limit.min(3));
            let (verdict, next) = window.decide(&taken, now, cost as u32);
            taken = next;
            assert!(taken.len() <= SLICES as usize + 1, "{} slices", taken.len());
            let at = now.as_micros();
            let within =
                |span: u64| passed.iter().filter(|(then, _)| at - then < span).map(|(_, cost)| cost).sum::<u64>();
            if verdict.allowed {
                assert!(within(per) + cost <= limit, "seed {seed}: too many in {per} µs");
                passed.push((at, cost));
            } else {
                assert!(within(per + slice) + cost > limit, "seed {seed}: there was room");
                let then = now + verdict.retry_after;
                assert!(window.decide(&taken, then, cost as u32).0.allowed, "seed {seed}: not after all");
                let before = Timestamp::from_micros(then.as_micros() - 1);
                assert!(!window.decide(&taken, before, cost as u32).0.allowed, "seed {seed}: earlier than said");
            }
            let left = limit - taken.iter().map(|due| u64::from(due.units)).sum::<u64>();
            assert_eq!(u64::from(verdict.remaining), left);
            let full = window.decide(&taken, now + verdict.reset, 0).0;
            assert_eq!((u64::from(full.remaining), full.reset), (limit, Duration::ZERO));
        }
    }
}

#[test]
fn a_fixed_window_begins_anew_at_its_end() {
    let last = Timestamp::from_micros(60 * 1_000_000 * 28_333_333 - 1);
    let (first, taken) = minutes(3, last).decide(&[], last, 3);
    assert!(first.allowed && first.remaining == 0 && first.reset == Duration::from_micros(1));
    let (denied, taken) = minutes(3, last).decide(&taken, last, 1);
    assert!(!denied.allowed && denied.retry_after == Duration::from_micros(1));
    let next = last + denied.retry_after;
    let (second, taken) = minutes(3, next).decide(&taken, next, 3);
    assert!(second.allowed && second.reset == MINUTE);
    assert_eq!(taken.len(), 1, "what is over is forgotten");
}

#[test]
fn more_than_a_window_never_passes() {
    for window in [sliding(5, MINUTE), minutes(5, START)] {
        let (verdict, taken) = window.decide(&[], START, 6);
        assert!(!verdict.allowed && verdict.retry_after == Duration::MAX && verdict.remaining == 5);
        assert!(taken.is_empty());
    }
}

#[test]
fn a_clock_that_goes_back_gives_nothing_away_and_does_not_lock_out() {
    let earlier = Timestamp::from_secs(START.as_secs() - 86_400);
    for (window, then) in [(sliding(5, MINUTE), sliding(5, MINUTE)), (minutes(5, START), minutes(5, earlier))] {
        let (_, taken) = window.decide(&[], START, 5);
        let (verdict, taken) = then.decide(&taken, earlier, 1);
        assert!(!verdict.allowed);
        assert!(verdict.retry_after <= MINUTE + MINUTE / 60, "it recovers within a window: {verdict:?}");
        assert!(then.decide(&taken, earlier + verdict.retry_after, 1).0.allowed);
    }
}

/// One whose clock is ahead is in the next window already, one whose clock is behind still in this.
#[test]
fn clocks_that_are_apart_count_each_window_once() {
    let end = minutes(10, START).back_at(START);
    let (behind, ahead) = (Timestamp::from_micros(end.as_micros() - 400_000), end + Duration::from_micros(400_000));
    let (mut taken, mut passed) = (Taken::new(), [0, 0]);
    for step in 0..60 {
        let (now, who) = if step % 2 == 0 { (behind, 0) } else { (ahead, 1) };
        let (verdict, next) = minutes(10, now).decide(&taken, now, 1);
        taken = next;
        passed[who] += u32::from(verdict.allowed);
    }
    assert_eq!(passed, [6, 5], "the first is of this window, and all others of the next, which has begun");
}

/// One clock that was ahead by a day when a month was long from over does not hold the next one against anybody.
#[test]
fn what_was_taken_too_early_is_of_this_window() {
    let day = Duration::from_secs(86_400);
    let now = Timestamp::from_secs(START.as_secs() / 86_400 * 86_400 + 1);
    let window = Window::fixed(10, ends(day, now));
    let (_, taken) = Window::fixed(10, ends(day, now + day)).decide(&[], now + day, 4);
    let (verdict, taken) = window.decide(&taken, now, 1);
    assert_eq!((verdict.remaining, verdict.reset), (5, day - Duration::from_secs(1)));
    assert_eq!(taken.len(), 1);
}

#[test]
fn a_clock_far_ahead_of_the_callers_has_windows_as_well() {
    let window = minutes(1, START);
    let ahead = START + Duration::from_secs(3_600) + Duration::from_secs(7);
    let (verdict, taken) = window.decide(&[], ahead, 1);
    assert!(verdict.allowed && verdict.reset <= MINUTE, "{verdict:?}");
    assert!(!window.decide(&taken, ahead, 1).0.allowed);
}

#[test]
fn what_is_given_back_is_what_would_be_back_first() {
    let window = sliding(10, MINUTE);
    let later = START + Duration::from_secs(30);
    let (_, taken) = window.decide(&[], START, 4);
    let (_, taken) = window.decide(&taken, later, 4);
    let taken = window.give_back(&taken, later, 5);
    assert_eq!(taken.iter().map(|due| due.units).collect::<Vec<_>>(), [3]);
    assert_eq!(taken[0].at, window.back_at(later));
    assert!(window.give_back(&taken, later, 9).is_empty(), "there is no more than the limit");
}

/// Between the question and the step the window may have ended.
#[test]
fn nothing_of_the_next_fixed_window_is_given_back() {
    let (before, after) = (START, START + MINUTE);
    let window = minutes(10, before);
    let (_, taken) = minutes(10, after).decide(&[], after, 4);
    assert_eq!(window.give_back(&taken, after, 4), taken, "another's");
    let (_, taken) = window.decide(&[], before, 4);
    assert!(window.give_back(&taken, before, 4).is_empty());
}

#[test]
fn a_charge_takes_what_is_left_at_most() {
    let window = sliding(10, MINUTE);
    let (_, taken) = window.decide(&[], START, 4);
    let taken = window.charge(&taken, START, 100);
    assert_eq!(window.decide(&taken, START, 0).0.remaining, 0);
    assert_eq!(sum(&taken), 10);
}

#[test]
fn windows_since_the_epoch_follow_on_each_other() {
    for (per, now) in [(60, 1_700_000_000), (7, 1_700_000_000), (3_600, 7_200), (3_600, 7_199), (60, 0)] {
        let (per, now) = (Duration::from_secs(per), Timestamp::from_secs(now));
        let [before, this, next] = ends(per, now);
        assert!(this.since(before) == per && next.since(this) == per && now < this);
        assert!(before <= now || now.as_secs() < per.as_secs());
    }
}

#[test]
fn nonsense_is_refused() {
    assert_eq!(Window::sliding(0, MINUTE), Err(QuotaError::Zero));
    assert_eq!(Window::sliding(1, Duration::ZERO), Err(QuotaError::Zero));
    assert_eq!(Window::sliding(1, Duration::from_micros(59)), Err(QuotaError::TooFast));
    assert_eq!(Window::sliding(1, Duration::MAX), Err(QuotaError::TooLong));
}
