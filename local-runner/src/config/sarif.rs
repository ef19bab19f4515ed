//! Findings as SARIF 2.1.0, the format in which code hosts and editors take them from any tool.

use std::collections::BTreeSet;

use portico_core::config::{Code, Severity};
use portico_core::route::encode_segment;
use serde_json::{Value, json};

use super::checks;
use super::note::Note;
use super::report::Report;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// One run with everything that was found; what is waived is a suppressed result with its justification.
pub(super) fn render(report: &Report) -> String {
    let codes: BTreeSet<Code> = report.all().map(|(note, _)| note.code).collect();
    let rules: Vec<_> = codes.iter().map(|code| rule(*code)).collect();
    let index = |code: Code| codes.iter().position(|known| *known == code);
    let results: Vec<_> = report
        .all()
        .map(|(note, waived)| {
            // present on all results or on none (§3.27.23); a waiver stands in the file itself (§3.35.2)
            let suppressions = waived.map(|reason| json!({ "kind": "inSource", "justification": reason }));
            json!({
                "ruleId": note.code.as_str(),
                "ruleIndex": index(note.code),
                "level": level(note.severity),
                "message": { "text": text(note) },
                "locations": location(report, note).into_iter().collect::<Value>(),
                "suppressions": suppressions.into_iter().collect::<Value>(),
            })
        })
        .collect();
    let driver = json!({ "name": "portico", "version": portico_core::VERSION, "rules": rules });
    let run = json!({ "tool": { "driver": driver }, "columnKind": "unicodeCodePoints", "results": results });
    format!("{:#}\n", json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] }))
}

fn rule(code: Code) -> Value {
    let entry = checks::entry(code);
    json!({
        "id": code.as_str(),
        "shortDescription": { "text": code.title() },
        "help": { "text": entry, "markdown": entry },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// Two sentences, or one.
fn text(note: &Note) -> String {
    match &note.help {
        Some(help) => format!("{}. Help: {help}", note.message),
        None => format!("{}.", note.message),
    }
}

/// `None` when the note is about no file that could be read.
fn location(report: &Report, note: &Note) -> Option<Value> {
    let span = note.span?;
    let (end_line, end_column) = report.sources().end(span);
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(&report.file_name(span)) },
            "region": {
                "startLine": span.line,
                "startColumn": span.column,
                "endLine": end_line,
                "endColumn": end_column,
            },
        },
    });
    if !note.pointer.is_root() {
        location["logicalLocations"] = json!([{ "fullyQualifiedName": note.pointer.to_string() }]);
    }
    Some(location)
}

/// A path as a URI reference: relative to where the command ran, or of the scheme `file` (§3.4.3).
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    let segments: Vec<_> = path.split('/').map(encode_segment).collect();
    format!("{scheme}{}", segments.join("/"))
}
