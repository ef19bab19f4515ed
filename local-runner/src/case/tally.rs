//! How many cases passed, by topic and by subject.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A table: topic × subject. The topic of a case is the first part of its name, a folder or a file.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<String, BTreeMap<&'static str, Counts>>);

/// How many cases came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that are as they should be.
    pub passed: usize,
    /// Those that are not.
    pub failed: usize,
    /// Those that the subject cannot do, as a whole or to their end.
    pub skipped: usize,
}

impl Counts {
    /// One that passed.
    pub const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    /// One that failed.
    pub const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    /// One that was skipped.
    pub const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// How many there are in all.
    pub const fn all(self) -> usize {
        self.passed + self.failed + self.skipped
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// `429 passed, 0 failed, 3 skipped`.
impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Tally {
    /// Adds what came of a case on a subject.
    pub fn add(&mut self, case: &str, subject: &'static str, counts: Counts) {
        let topic = case.split('/').next().unwrap_or(case);
        *self.0.entry(topic.to_owned()).or_default().entry(subject).or_default() += counts;
    }

    /// How many topics there are.
    pub fn topics(&self) -> usize {
        self.0.len()
    }

    /// All topics together, on one subject.
    pub fn total(&self, subject: &str) -> Counts {
        let mut total = Counts::default();
        self.0.values().filter_map(|row| row.get(subject)).for_each(|counts| total += *counts);
        total
    }
}

/// One line for each topic, one column for each subject, and a line for all of them. What is zero is left out, but `passed`.
impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subjects: BTreeSet<_> = self.0.values().flat_map(BTreeMap::keys).copied().collect();
        let mut rows =
            vec![["topic"].into_iter().chain(subjects.iter().copied()).map(str::to_owned).collect::<Vec<_>>()];
        for (topic, row) in &self.0 {
            let cells = subjects.iter().map(|subject| cell(row.get(subject).copied().unwrap_or_default()));
            rows.push([topic.clone()].into_iter().chain(cells).collect());
        }
        let totals = subjects.iter().map(|subject| cell(self.total(subject)));
        rows.push(["all".to_owned()].into_iter().chain(totals).collect());
        let width =
            |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<_> = (0..=subjects.len()).map(|column| width(column).unwrap_or(0)).collect();
        for row in &rows {
            let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(formatter, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

fn cell(counts: Counts) -> String {
    let Counts { passed, failed, skipped } = counts;
    let mut cell = format!("{passed} passed");
    for (count, what) in [(failed, "failed"), (skipped, "skipped")] {
        if count > 0 {
            cell.push_str(&format!(", {count} {what}"));
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_lines_and_subjects_columns() {
        let mut tally = Tally::default();
        tally.add("cors/preflight/it is answered", "offline", Counts::PASSED);
        tally.add("cors/preflight/it is answered", "native", Counts::FAILED);
        tally.add("cors/actual/it is not", "offline", Counts::PASSED);
        tally.add("rate_limit/a clock", "offline", Counts::PASSED);
        tally.add("rate_limit/a clock", "native", Counts::SKIPPED);
        let table = "\
topic       native                         offline
cors        0 passed, 1 failed             2 passed
rate_limit  0 passed, 1 skipped            1 passed
all         0 passed, 1 failed, 1 skipped  3 passed
";
        assert_eq!(tally.to_string(), table);
        assert_eq!((tally.topics(), tally.total("native").all()), (2, 2));
    }
}
