//! Results as JUnit's XML, in the form that GitHub's actions, GitLab and Jenkins read: a suite for each file, and one for the files
//! that could not be read.

use std::fmt::Write as _;

use portico::case::Case;
use portico::case::run::Verdict;
use portico::case::suite::Ran;
use portico::case::tally::Counts;
use portico::config::{Report, Style};

use super::{Results, counts};

/// The document.
pub(super) fn render(results: &Results<'_>) -> String {
    let total = results.tally().total(results.subject);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let errors = results.malformed.len();
    let head = numbers(total, errors, results.took.as_secs_f64());
    // writing to a String does not fail
    _ = writeln!(out, "<testsuites name=\"portico test\"{head}>");
    let each: Vec<_> = results.each().collect();
    for suite in each.chunk_by(|(one, _), (other, _)| one.file == other.file) {
        suite_of(suite, &mut out);
    }
    if errors > 0 {
        let head = numbers(Counts::default(), errors, 0.0);
        _ = writeln!(out, "  <testsuite name=\"files\"{head}>");
        results.malformed.iter().for_each(|report| malformed(report, &mut out));
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn numbers(Counts { passed, failed, skipped }: Counts, errors: usize, seconds: f64) -> String {
    let all = passed + failed + skipped + errors;
    format!(" tests=\"{all}\" failures=\"{failed}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{seconds:.3}\"")
}

fn suite_of(suite: &[(&Case, &Ran)], out: &mut String) {
    let Some((first, _)) = suite.first() else { return };
    let mut total = Counts::default();
    suite.iter().for_each(|(_, ran)| total += counts(ran));
    let seconds = suite.iter().map(|(_, ran)| ran.took.as_secs_f64()).sum();
    let (name, file) = (escape(&first.group), escape(&first.file.display().to_string()));
    _ = writeln!(out, "  <testsuite name=\"{name}\" file=\"{file}\"{}>", numbers(total, 0, seconds));
    for (case, ran) in suite {
        let (title, class) = (escape(case.title()), escape(&case.group.replace('/', ".")));
        let (line, seconds) = (case.line, ran.took.as_secs_f64());
        _ = write!(
            out,
            "    <testcase name=\"{title}\" classname=\"{class}\" file=\"{file}\" line=\"{line}\" time=\"{seconds:.3}\""
        );
        match &ran.verdict {
            Verdict::Passed => out.push_str("/>\n"),
            Verdict::Skipped(why) => {
                _ = writeln!(out, ">\n      <skipped message=\"{}\"/>\n    </testcase>", escape(why));
            }
            Verdict::Failed(failure) => {
                let (message, text) = (escape(&failure.summary()), escape(&failure.to_string()));
                _ = writeln!(
                    out,
                    ">\n      <failure type=\"failed\" message=\"{message}\">{text}</failure>\n    </testcase>"
                );
            }
        }
    }
    out.push_str("  </testsuite>\n");
}

fn malformed(report: &Report, out: &mut String) {
    let file = report.sources().files().next().map(|source| source.path.display().to_string()).unwrap_or_default();
    let (file, message, text) = (escape(&file), escape(&report.summary()), escape(&report.render(Style::Plain)));
    _ = writeln!(
        out,
        "    <testcase name=\"{file}\" classname=\"files\" file=\"{file}\" time=\"0.000\">\n      <error type=\"malformed\" \
         message=\"{message}\">{text}</error>\n    </testcase>"
    );
}

/// Text as it may stand in XML 1.0, also in attributes: what must not stand there at all (§2.2) becomes a replacement character.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => _ = write!(out, "&#{};", u32::from(char)),
            '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_quotes() {
        assert_eq!(escape("<a href=\"x\">&</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;");
        assert_eq!(escape("a\u{1b}[31m\u{0}\u{ffff}é🦀"), "a\u{fffd}[31m\u{fffd}\u{fffd}é🦀");
        assert_eq!(escape("one\r\n\ttwo"), "one&#13;&#10;&#9;two");
    }
}
