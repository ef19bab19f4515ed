//! Lines of a field that a platform joined.
//!
//! workerd hands several lines of a field to a Worker as one, joined by commas, and sends some that a Worker wrote likewise; payload
//! format 2.0 of AWS has one value a field. For a field that may have several lines the two mean the same (RFC 9110 §5.3), so a case
//! that writes them as several is satisfied by one.

use std::collections::BTreeSet;

use portico::case::Case;
use portico::case::expect::Matcher;
use portico::case::subject::Answer;

/// The lines that a case expects of fields that have several.
pub(crate) struct Joined(BTreeSet<(String, Vec<String>)>);

impl Joined {
    pub(crate) fn of(case: &Case) -> Self {
        let mut fields = BTreeSet::new();
        for expect in case.expectations() {
            let upstream = expect.upstream.iter().flatten().flat_map(|(_, seen)| seen).flat_map(|seen| &seen.headers);
            for (name, matcher) in expect.headers.iter().chain(upstream) {
                match matcher {
                    Matcher::Lines(lines) if lines.len() > 1 => drop(fields.insert((name.clone(), lines.clone()))),
                    _ => {}
                }
            }
        }
        Self(fields)
    }

    /// Puts the lines that are expected in place of a line that is all of them: in what came back, and in what the upstreams got.
    pub(crate) fn split(&self, mut answer: Answer) -> Answer {
        let received = answer.upstream.values_mut().flatten().map(|received| &mut received.headers);
        received.chain([&mut answer.headers]).for_each(|headers| self.split_fields(headers));
        answer
    }

    fn split_fields(&self, headers: &mut Vec<(String, String)>) {
        for (name, lines) in &self.0 {
            let joined = [lines.join(", "), lines.join(",")];
            if let Some(at) = headers.iter().position(|(other, value)| other == name && joined.contains(value)) {
                headers.splice(at..=at, lines.iter().map(|line| (name.clone(), line.clone())));
            }
        }
    }
}
