//! Whether one limiter could have passed what passed: exactly, not by a bound.
//!
//! A limiter that decides at the moments t₁ ≤ t₂ ≤ … is a machine that works off one job after another: a request that passes is
//! a job that takes `drip` (the time in which its cost comes back), begins when it is decided or when the one before is done, and is done
//! at the bucket's theoretical arrival time. It passes when it is done by t + `window`. Nobody saw the moments, only that each is
//! between `sent` and `done`. That loses nothing: begin no earlier than `sent`, be done by `done` + `window`, and with
//! t = min(`done`, its begin) all of the above holds. So the question is whether jobs of one length with release times and deadlines
//! fit on one machine.
//!
//! Earliest deadline first, each as soon as possible, does not answer it: where a bucket holds one unit, a request that may pass at any
//! time from 0 to 100 must not do so at 0 when another has to pass at 1. What does is the theorem of Garey, Johnson, Simons
//! and Tarjan ("Scheduling unit-time tasks with arbitrary release times and deadlines", SIAM Journal on Computing 10, 1981): from the
//! latest release time to the earliest, all that is released since and due by some deadline, put as late as it goes, tells when
//! the first of it has to begin. If that is before the release there is no schedule; if it is less than one job after, no job may begin
//! in the time by which it would be late: a forbidden region, which what is put later keeps free. Where nothing fails, there is a
//! schedule.

/// What passed: it was decided in no other moment than from `release` on and so that it is done by `deadline`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) release: i64,
    pub(crate) deadline: i64,
}

/// Jobs that do not fit on one machine, by their places in `jobs`, so few that without any of them the others do; `None` if all fit.
pub(crate) fn conflict(jobs: &[Job], length: i64) -> Option<Vec<usize>> {
    let all: Vec<usize> = (0..jobs.len()).collect();
    let mut conflict = overfull(jobs, &all, length)?;
    let mut part = conflict.len() / 2;
    while part > 0 {
        let mut from = 0;
        while from < conflict.len() {
            let without: Vec<usize> = conflict
                .iter()
                .enumerate()
                .filter(|(at, _)| !(from..from + part).contains(at))
                .map(|(_, job)| *job)
                .collect();
            match overfull(jobs, &without, length) {
                Some(smaller) => conflict = smaller,
                None => from += part,
            }
        }
        part /= 2;
    }
    Some(conflict)
}

/// Some of these jobs that do not fit, in the order of their releases.
fn overfull(jobs: &[Job], chosen: &[usize], length: i64) -> Option<Vec<usize>> {
    let mut by_release = chosen.to_vec();
    by_release.sort_by_key(|job| jobs[*job].release);
    let mut deadlines: Vec<i64> = chosen.iter().map(|job| jobs[*job].deadline).collect();
    deadlines.sort_unstable();
    deadlines.dedup();
    // for each deadline, when the first of what is due by then has to begin
    let mut begins = deadlines.clone();
    let mut forbidden = Forbidden::default();
    for (at, job) in by_release.iter().enumerate().rev() {
        let Job { release, deadline } = jobs[*job];
        let from = deadlines.partition_point(|due| *due < deadline);
        for begin in &mut begins[from..] {
            *begin = forbidden.before(*begin - length);
            if *begin < release {
                // no matter by when they are due: others may be why something is forbidden
                return Some(by_release[at..].to_vec());
            }
        }
        let first = begins[from..].iter().min().copied().unwrap_or(i64::MAX);
        if first - length < release {
            forbidden.add(first - length, release);
        }
    }
    None
}

/// Times in which no job may begin, without their ends; apart from each other, from the latest to the earliest.
#[derive(Debug, Default)]
struct Forbidden(Vec<(i64, i64)>);

impl Forbidden {
    /// The latest moment up to this one that is not forbidden.
    fn before(&self, moment: i64) -> i64 {
        let region = self.0.partition_point(|(from, _)| *from >= moment);
        match self.0.get(region) {
            Some((from, to)) if *from < moment && moment < *to => *from,
            _ => moment,
        }
    }

    /// A region that ends no later than any other.
    fn add(&mut self, from: i64, to: i64) {
        match self.0.last_mut() {
            Some((other, _)) if *other < to => *other = from.min(*other),
            _ => self.0.push((from, to)),
        }
    }
}

#[cfg(test)]
mod tests {
    use portico_core::sim::{Random, check_seeds};

    use super::*;

    fn jobs(times: &[(i64, i64)]) -> Vec<Job> {
        times.iter().map(|(release, deadline)| Job { release: *release, deadline: *deadline }).collect()
    }

    /// Whether any order of them fits: for small numbers of them.
    fn fits(left: &[Job], free: i64, length: i64) -> bool {
        left.is_empty()
            || (0..left.len()).any(|next| {
                let mut rest = left.to_vec();
                let job = rest.remove(next);
                let done = free.max(job.release) + length;
                done <= job.deadline && fits(&rest, done, length)
            })
    }

    #[test]
    fn it_says_what_trying_every_order_says() {
        let (fitting, not) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        check_seeds(4_000, None, |seed| {
            let random = Random::new(seed);
            let length = 1 + random.below(6) as i64;
            let job = |_| {
                let release = random.below(20) as i64;
                Job { release, deadline: release + length + random.below(16) as i64 }
            };
            let jobs: Vec<Job> = (0..2 + random.below(5)).map(job).collect();
            let found = conflict(&jobs, length);
            assert_eq!(found.is_none(), fits(&jobs, 0, length), "{jobs:?} of length {length}");
            let Some(found) = found else { return fitting.set(fitting.get() + 1) };
            not.set(not.get() + 1);
            let chosen: Vec<Job> = found.iter().map(|job| jobs[*job]).collect();
            assert!(!fits(&chosen, 0, length), "{chosen:?} fit");
            for left_out in 0..chosen.len() {
                let mut fewer = chosen.clone();
                fewer.remove(left_out);
                assert!(fits(&fewer, 0, length), "{fewer:?} do not fit either");
            }
        });
        assert!(fitting.get() > 500 && not.get() > 500, "{fitting:?} {not:?}");
    }

    #[test]
    fn who_can_wait_makes_room_for_who_cannot() {
        assert_eq!(conflict(&jobs(&[(0, 110), (1, 11)]), 10), None);
    }

    #[test]
    fn who_can_wait_but_not_long_enough_is_in_the_way() {
        // counting alone would not tell: 20 are due in a time of 24, and 10 in one of 10
        assert_eq!(conflict(&jobs(&[(0, 24), (5, 15)]), 10), Some(vec![0, 1]));
    }

    #[test]
    fn the_conflict_names_nobody_else() {
        let mut many: Vec<(i64, i64)> = (0..200).map(|index| (index * 10, index * 10 + 20)).collect();
        many.extend([(500, 520), (500, 520)]);
        let found = conflict(&jobs(&many), 10).unwrap();
        assert!(found.contains(&200) && found.contains(&201) && found.len() < 10, "{found:?}");
    }
}
