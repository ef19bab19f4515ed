//! Results for people.

use std::fmt::Write as _;

use portico::case::failure::Trouble;
use portico::case::run::Verdict;
use portico::paint::Paint;

use super::Results;
use crate::log;

/// What failed, what was skipped, and how many cases there were. `here`: it goes to stdout.
pub(super) fn render(results: &Results<'_>, here: bool) -> String {
    let paint = if here && log::colour(&std::io::stdout()) { Paint::Colour } else { Paint::Plain };
    let mut out = String::new();
    let mut said = None;
    // writing to a String does not fail
    for (case, ran) in results.each() {
        match &ran.verdict {
            Verdict::Passed => {}
            Verdict::Failed(failure) => {
                _ = writeln!(out, "{}", paint.bad(&format!("FAILED {}", case.name)));
                match &failure.trouble {
                    // a gateway that cannot start fails all its cases
                    Trouble::Said(why) if said == Some(why) => _ = writeln!(out, "  {}: the same\n", failure.place),
                    Trouble::Said(why) => {
                        _ = writeln!(out, "{}", failure.render(paint));
                        said = Some(why);
                    }
                    Trouble::Differs(_) => _ = writeln!(out, "{}", failure.render(paint)),
                }
            }
            Verdict::Skipped(why) => _ = writeln!(out, "{}", paint.dim(&format!("skipped {}: {why}", case.name))),
        }
    }
    let tally = results.tally();
    let total = tally.total(results.subject);
    if !out.is_empty() && !out.ends_with("\n\n") {
        out.push('\n');
    }
    if tally.topics() > 1 {
        _ = writeln!(out, "{tally}");
    }
    if !results.malformed.is_empty() {
        let files = results.malformed.len();
        _ = writeln!(out, "{}", paint.bad(&format!("{files} {} could not be read", files_of(files))));
    }
    let took = match results.took {
        took if took.as_secs() > 0 => format!("{:.1} s", took.as_secs_f64()),
        took => format!("{} ms", took.as_millis().max(1)),
    };
    let summary = format!("{total} in {took}");
    _ = writeln!(out, "{}", if total.failed > 0 { paint.bad(&summary) } else { paint.good(&summary) });
    out
}

fn files_of(count: usize) -> &'static str {
    if count == 1 { "file" } else { "files" }
}
