//! What a limit consists of, decided together; and how it is written down in numbers, for stores and for whoever decides elsewhere.

use super::window::{Due, Span, Taken};
use super::{Draw, Quota, Verdict, Window, gcra};
use crate::platform::Timestamp;

/// One rule of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// So many units over time, and so many at once.
    Gcra(Quota),
    /// So many units in a window.
    Window(Window),
}

/// What of a key's units is taken, by the rules of its limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State(Vec<Part>);

/// What is taken of one rule's.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Gcra(Option<Timestamp>),
    Window(Taken),
}

/// Does to a key what `draw` says, by all rules together. Returns what each rule says, in their order, and the new state.
///
/// What is taken is taken of all or of none; then the rules that would have permitted it say so, and how many units they have.
pub fn step(rules: &[Rule], state: &State, now: Timestamp, draw: Draw) -> (Vec<Verdict>, State) {
    let parts = || rules.iter().enumerate().map(|(index, rule)| (rule, state.0.get(index)));
    let changed = match draw {
        Draw::Take(cost) => {
            let (verdicts, taken): (Vec<_>, Vec<_>) = parts().map(|(rule, part)| rule.decide(part, now, cost)).unzip();
            if verdicts.iter().all(|verdict| verdict.allowed) {
                return (verdicts, State(taken));
            }
            let untouched = parts().map(|(rule, part)| rule.decide(part, now, 0));
            let of_all = |(verdict, (alone, part)): (Verdict, _)| (if verdict.allowed { alone } else { verdict }, part);
            let (verdicts, parts) = verdicts.into_iter().zip(untouched).map(of_all).unzip();
            return (verdicts, State(parts));
        }
        Draw::Charge(units) => parts().map(|(rule, part)| rule.charge(part, now, units)).collect(),
        Draw::Return(units) => parts().map(|(rule, part)| rule.give_back(part, now, units)).collect(),
    };
    step(rules, &State(changed), now, Draw::Take(0))
}

impl Rule {
    fn decide(&self, part: Option<&Part>, now: Timestamp, cost: u32) -> (Verdict, Part) {
        match self {
            Self::Gcra(quota) => {
                let (verdict, tat) = gcra::decide(tat(part), quota, now, cost);
                (verdict, Part::Gcra(Some(tat)))
            }
            Self::Window(window) => {
                let (verdict, taken) = window.decide(taken(part), now, cost);
                (verdict, Part::Window(taken))
            }
        }
    }

    fn charge(&self, part: Option<&Part>, now: Timestamp, units: u32) -> Part {
        match self {
            Self::Gcra(quota) => Part::Gcra(Some(gcra::charge(tat(part), quota, now, units))),
            Self::Window(window) => Part::Window(window.charge(taken(part), now, units)),
        }
    }

    fn give_back(&self, part: Option<&Part>, now: Timestamp, units: u32) -> Part {
        match self {
            Self::Gcra(quota) => Part::Gcra(Some(gcra::give_back(tat(part), quota, now, units))),
            Self::Window(window) => Part::Window(window.give_back(taken(part), now, units)),
        }
    }

    /// The rule in numbers: 0, microseconds of a unit and `burst`; 1, `limit` and microseconds of a sliding window; 2, `limit` and the three
    /// ends of a fixed one, in microseconds since the epoch.
    fn numbers(&self) -> Vec<u64> {
        match self {
            Self::Gcra(quota) => vec![0, quota.interval_micros(), u64::from(quota.burst())],
            Self::Window(window) => match (u64::from(window.limit()), window.span()) {
                (limit, Span::Sliding { per }) => vec![1, limit, per],
                (limit, Span::Fixed { ends: [before, this, next] }) => {
                    vec![2, limit, before.as_micros(), this.as_micros(), next.as_micros()]
                }
            },
        }
    }

    /// Rules in numbers, one after the other: all below 2^53.
    pub fn write(rules: &[Self]) -> Vec<u64> {
        rules.iter().flat_map(Self::numbers).collect()
    }

    /// What was [written](Self::write), `None` for other numbers.
    pub fn read(numbers: &[u64]) -> Option<Vec<Self>> {
        let mut rules = Vec::new();
        let mut rest = numbers;
        while !rest.is_empty() {
            let (rule, left) = match *rest {
                [0, interval, burst, ref left @ ..] => {
                    (Self::Gcra(Quota::from_interval(interval, u32::try_from(burst).ok()?).ok()?), left)
                }
                [1, limit, per, ref left @ ..] => {
                    let per = std::time::Duration::from_micros(per);
                    (Self::Window(Window::sliding(u32::try_from(limit).ok()?, per).ok()?), left)
                }
                [2, limit, before, this, next, ref left @ ..] if before < this && this < next => {
                    let ends = [before, this, next].map(Timestamp::from_micros);
                    (Self::Window(Window::fixed(u32::try_from(limit).ok()?, ends)), left)
                }
                _ => return None,
            };
            rules.push(rule);
            rest = left;
        }
        Some(rules)
    }
}

fn tat(part: Option<&Part>) -> Option<Timestamp> {
    match part {
        Some(Part::Gcra(tat)) => *tat,
        Some(Part::Window(_)) | None => None,
    }
}

fn taken(part: Option<&Part>) -> &[Due] {
    match part {
        Some(Part::Window(taken)) => taken,
        Some(Part::Gcra(_)) | None => &[],
    }
}

impl State {
    /// From when on it is as if it had never been: it may be forgotten then.
    pub fn idle_at(&self) -> Timestamp {
        let idle_at = |part: &Part| match part {
            Part::Gcra(tat) => *tat,
            Part::Window(taken) => taken.last().map(|due| due.at),
        };
        self.0.iter().filter_map(idle_at).max().unwrap_or_default()
    }

    /// Units of windows that are taken, of all rules together.
    pub(super) fn units(&self, now: Timestamp) -> u64 {
        let taken = self.0.iter().flat_map(|part| taken(Some(part)));
        taken.filter(|due| due.at > now).map(|due| u64::from(due.units)).sum()
    }

    /// Whether it says the same as another one from `now` on. What is past by then says nothing: a store need not write for its sake.
    pub fn same_from(&self, other: &Self, now: Timestamp) -> bool {
        (0..self.0.len().max(other.0.len())).all(|index| {
            let [one, other] = [self, other].map(|state| state.0.get(index));
            let due = |part| taken(part).iter().filter(|due| due.at > now);
            tat(one).filter(|tat| *tat > now) == tat(other).filter(|tat| *tat > now) && due(one).eq(due(other))
        })
    }

    /// The state in numbers, all below 2^53: of GCRA its time; of a window how many pairs follow, each a time and units. Times are in
    /// microseconds since the epoch.
    pub fn write(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        for part in &self.0 {
            match part {
                Part::Gcra(tat) => numbers.push(tat.unwrap_or_default().as_micros()),
                Part::Window(taken) => {
                    numbers.push(taken.len() as u64);
                    numbers.extend(taken.iter().flat_map(|due| [due.at.as_micros(), u64::from(due.units)]));
                }
            }
        }
        numbers
    }

    /// What was [written](Self::write) under such rules. No numbers are that of a key never seen; `None` for others that are none's.
    pub fn read(rules: &[Rule], numbers: &[u64]) -> Option<Self> {
        if numbers.is_empty() {
            return Some(Self::default());
        }
        let mut rest = numbers.iter().copied();
        let mut parts = Vec::with_capacity(rules.len());
        for rule in rules {
            let first = rest.next()?;
            parts.push(match rule {
                Rule::Gcra(_) => {
                    Part::Gcra(Some(Timestamp::from_micros(first)).filter(|tat| *tat > Timestamp::default()))
                }
                Rule::Window(_) => {
                    let mut taken = Taken::new();
                    for _ in 0..first {
                        let (at, units) = (Timestamp::from_micros(rest.next()?), u32::try_from(rest.next()?).ok()?);
                        taken.push(Due { at, units });
                    }
                    taken.is_sorted_by_key(|due| due.at).then_some(Part::Window(taken))?
                }
            });
        }
        rest.next().is_none().then_some(Self(parts))
    }

    /// That of a lone GCRA.
    pub fn of_tat(tat: Timestamp) -> Self {
        Self(vec![Part::Gcra(Some(tat))])
    }

    /// The time of a lone GCRA.
    pub fn tat(&self) -> Option<Timestamp> {
        tat(self.0.first())
    }
}

#[cfg(test)]
mod tests;
