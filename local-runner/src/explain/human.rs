//! What there is to tell, for people.

use std::fmt::Write as _;

use serde_json::Value;
use similar::ChangeTag;

use super::diff::diff;
use super::told::{Step, Told, Trace, Upstream, fields};
use crate::log::{Readable, plain};

/// Where the second column begins, and the third.
const OUTCOME: usize = 20;
const REASON: usize = 36;

/// The whole of it. Writing to a String does not fail.
pub(crate) fn human(told: &Told, style: Readable) -> String {
    let mut text = String::new();
    let shown = |text: &str| plain(&told.mask.text(text));
    _ = writeln!(text, "{}\n", style.bold(&shown(&format!("{} {}", told.asked.method, told.asked.url()))));
    for (step, place) in told.trace.steps.iter().zip(&told.places) {
        let place = place.as_ref().map(ToString::to_string);
        let lines = lines(step, &told.trace, place);
        let mut lines = lines.iter().map(|line| shown(line));
        // what a gateway far away calls them is its own affair
        let word = format!("{:<width$}", plain(&step.outcome.replace('_', " ")), width = REASON - OUTCOME);
        let outcome = step.outcome().map_or_else(|| style.dim(&word), |outcome| style.outcome(outcome, &word));
        let first = lines.next().unwrap_or_default();
        let line = format!("  {:<width$}{outcome}{first}", plain(&step.step), width = OUTCOME - 2);
        _ = writeln!(text, "{}", line.trim_end());
        for line in lines {
            _ = writeln!(text, "{:REASON$}{}", "", style.dim(&line));
        }
    }
    for near in &told.near {
        _ = writeln!(text, "\n  The route {} serves this path with {}.", near.route, near.asks.join(" and "));
    }
    for (at, bound) in &told.bounds {
        _ = writeln!(text, "\n  By its lease, {bound} ({at}).");
    }
    text.push('\n');
    upstream(told, style, &mut text);
    reply(told, style, &mut text);
    text
}

/// What is said about a step: the first line stands beside it.
fn lines(step: &Step, trace: &Trace, place: Option<String>) -> Vec<String> {
    let mut lines = Vec::new();
    match (step.step.as_str(), &step.reason) {
        (_, Some(code)) => lines.push(match step.reason() {
            Some(reason) => format!("{code}: {}", reason.title()),
            None => code.clone(),
        }),
        ("path", None) => {
            lines.extend(trace.request.canonical_path.iter().map(|path| format!("in its canonical form {path}")));
        }
        ("identify", None) => lines.push(identified(trace)),
        ("route", None) if trace.steps.iter().all(|step| step.reason.is_none()) => {
            lines.push("the gateway answers its health route itself".to_owned());
        }
        _ => {}
    }
    match step.step.as_str() {
        _ if step.reason.is_none() => {}
        "route" => lines.extend(trace.route.iter().map(|route| format!("route {route}"))),
        "auth" => lines.extend(
            trace.caller.iter().map(|caller| format!("consumer {}, by identity {}", caller.consumer, caller.identity)),
        ),
        "forward" => lines.extend(trace.upstream.iter().map(|upstream| format!("upstream {upstream}"))),
        _ => {}
    }
    lines.extend(Some(step.detail.clone()).filter(|detail| !detail.is_empty()));
    let places: Vec<_> = place.into_iter().chain(step.place.clone()).collect();
    lines.extend(Some(places.join("  ")).filter(|places| !places.is_empty()));
    lines
}

fn identified(trace: &Trace) -> String {
    let facts = &trace.request;
    let known = [facts.country.clone(), facts.asn.map(|number| format!("AS{number}"))];
    let known: Vec<_> = known.into_iter().flatten().collect();
    let known = if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) };
    let from = if facts.client_from == "peer" { "who connected" } else { "says X-Forwarded-For" };
    let client = format!("client {}{known}, {from}", facts.client);
    let id = if facts.id_kept { format!("request id {} kept", facts.id) } else { "a new request id".to_owned() };
    let trace = if facts.trace_continued { "its trace goes on" } else { "a new trace" };
    format!("{client}; {id}; {trace}")
}

fn upstream(told: &Told, style: Readable, text: &mut String) {
    match &told.upstream {
        Upstream::Nothing => text.push_str("Nothing goes upstream.\n\n"),
        Upstream::Untold => {}
        Upstream::Sent(sent) => {
            _ = writeln!(text, "What goes upstream, to {}:\n", plain(&sent.origin()));
            for (tag, line) in diff(&told.asked, sent, &told.mask) {
                let line = plain(&line);
                let line = match tag {
                    None => style.bold(&line),
                    Some(ChangeTag::Delete) => style.bad(&line),
                    Some(ChangeTag::Insert) => style.good(&line),
                    Some(ChangeTag::Equal) => line,
                };
                _ = writeln!(text, "{line}");
            }
            text.push('\n');
        }
    }
}

fn reply(told: &Told, style: Readable, text: &mut String) {
    _ = match &told.upstream {
        Upstream::Sent(sent) => {
            writeln!(text, "What the client gets, if the upstream answers {}:\n", sent.answer.as_str())
        }
        Upstream::Nothing | Upstream::Untold => writeln!(text, "What the client gets:\n"),
    };
    let status = told.reply.status;
    let line = format!("{} {}", status.as_str(), status.canonical_reason().unwrap_or_default());
    _ = writeln!(text, "{}", style.bold(line.trim_end()));
    for (name, value) in fields(&told.reply.headers) {
        _ = writeln!(text, "{name}: {}", plain(&told.mask.value(name, value)));
    }
    let body = told.reply.text(&told.mask);
    if body.is_empty() {
        return;
    }
    // a terminal would take control characters for commands; line breaks are none
    let pretty = serde_json::from_str::<Value>(&body).map(|json| format!("{json:#}")).unwrap_or(body);
    let lines: Vec<_> = pretty.lines().map(plain).collect();
    _ = writeln!(text, "\n{}", lines.join("\n"));
}
