//! The log of `portico dev`: one line for each request, for people.

use std::fmt::Write as _;
use std::io::IsTerminal;

use http::StatusCode;
use portico::config::Style;
use portico_core::decision::{Decision, Outcome, Reason};
use portico_core::time::clock;
use portico_core::{Record, Timestamp};

/// Whether colours are wanted on `stream`: it is a terminal that has them, and `NO_COLOR` is not set.
pub(crate) fn colour(stream: &impl IsTerminal) -> bool {
    Style::for_stream(stream) == Style::Fancy { colour: true }
}

/// Writes lines like
/// `12:03:44  GET /orders/7  200  3 ms  orders (acme)  auth allow key_valid · forward allow forwarded`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readable {
    /// Whether in colour.
    pub(crate) colour: bool,
}

const DIM: &str = "2";
const BOLD: &str = "1";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";

impl Readable {
    /// One request. `now`: when the head of its response was ready.
    pub(crate) fn line(self, record: &Record, now: Timestamp) -> String {
        let mut line = self.paint(DIM, &clock(record.received));
        let request =
            format!("{:<4} {}{}", record.method.as_str(), plain(record.uri.path()), query(record.uri.query()));
        // writing to a String does not fail
        _ = write!(line, "  {}", self.paint(BOLD, &format!("{request:<28}")));
        _ = write!(line, "  {}", self.paint(of_status(record.status), record.status.as_str()));
        _ = write!(line, "  {:>7}", duration(now.since(record.received).as_micros()));
        _ = write!(line, "  {}", record.route.as_deref().unwrap_or("-"));
        if let Some(principal) = &record.principal {
            _ = write!(line, " ({})", plain(&principal.consumer));
        }
        // the route is named already, and nearly every body is small enough
        let usual = [Reason::RouteMatched, Reason::BodyWithinLimit];
        let worth_telling = record.decisions.iter().filter(|decision| !usual.contains(&decision.reason));
        let decisions: Vec<_> = worth_telling.map(|decision| self.decision(decision)).collect();
        _ = writeln!(line, "  {}", decisions.join(" · "));
        line
    }

    fn decision(self, decision: &Decision) -> String {
        let Decision { policy, outcome, reason, detail } = decision;
        let text = match outcome {
            Outcome::Deny | Outcome::WouldDeny if !detail.is_empty() => {
                format!("{policy} {} {reason} ({})", outcome.as_str(), plain(detail))
            }
            _ => format!("{policy} {} {reason}", outcome.as_str()),
        };
        self.outcome(*outcome, &text)
    }

    /// A text about a decision, in the colour of its outcome.
    pub(crate) fn outcome(self, outcome: Outcome, text: &str) -> String {
        let colour = match outcome {
            Outcome::Allow => DIM,
            Outcome::Respond => CYAN,
            Outcome::WouldDeny => YELLOW,
            Outcome::Deny => RED,
        };
        self.paint(colour, text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint(BOLD, text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint(DIM, text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint(GREEN, text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint(RED, text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn of_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        500.. => RED,
        400..500 => YELLOW,
        300..400 => CYAN,
        _ => GREEN,
    }
}

fn duration(micros: u128) -> String {
    match micros {
        0..10_000 => format!("{:.1} ms", micros as f64 / 1_000.0),
        10_000..10_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{} s", micros / 1_000_000),
    }
}

/// Without what a terminal would take for commands: a client chooses its path freely.
pub(crate) fn plain(text: &str) -> String {
    text.chars().flat_map(|char| if char.is_control() { char.escape_unicode().collect() } else { vec![char] }).collect()
}

/// The keys of a query. Values may be secrets, and so may a key without one.
fn query(query: Option<&str>) -> String {
    let pairs = query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty());
    let keys: Vec<_> =
        pairs.map(|pair| pair.split_once('=').map_or("…".to_owned(), |(key, _)| format!("{}=…", plain(key)))).collect();
    if keys.is_empty() { String::new() } else { format!("?{}", keys.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_write_to_the_terminal() {
        assert_eq!(plain("/a\u{9b}31m\u{1b}[0m\n"), "/a\\u{9b}31m\\u{1b}[0m\\u{a}");
        assert_eq!(plain("/café"), "/café");
    }

    #[test]
    fn queries_are_told_without_their_values() {
        assert_eq!(query(None), "");
        assert_eq!(query(Some("")), "");
        assert_eq!(query(Some("page=2&token=s3cret&bare")), "?page=…&token=…&…");
    }

    #[test]
    fn what_stopped_a_request_stands_out() {
        let style = Readable { colour: true };
        let coded = Outcome::ALL.map(|outcome| style.outcome(outcome, "x"));
        assert_eq!(coded, ["\x1b[2mx\x1b[0m", "\x1b[31mx\x1b[0m", "\x1b[33mx\x1b[0m", "\x1b[36mx\x1b[0m"]);
        assert_eq!(Readable { colour: false }.outcome(Outcome::Deny, "x"), "x");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(240), "0.2 ms");
        assert_eq!(duration(12_345), "12 ms");
        assert_eq!(duration(61_000_000), "61 s");
    }
}
