use portico_core::config::{Findings, Pointer};
use serde_json::Value;

use super::*;
use crate::config::load;

/// The report of core's findings about a file.
fn report(text: &str, findings: &Findings) -> String {
    with(text, findings, |report| report.render(Style::Fancy { colour: false }))
}

fn with<T>(text: &str, findings: &Findings, then: impl FnOnce(Report) -> T) -> T {
    let name = format!("portico-report-{}-{:?}.yaml", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).expect("a file");
    let loaded = load(&path);
    _ = std::fs::remove_file(&path);
    then(loaded.map_or_else(|report| report, |loaded| loaded.report(findings)))
}

fn two_findings() -> Findings {
    let mut findings = Findings::new();
    let cache = Pointer::root().child_key("cache");
    let tll = findings.error(cache.child_key("tll"), "unknown key \"tll\"");
    tll.code(Code::UnknownKey).help("did you mean \"ttl\"?").on_key();
    findings.error(cache.child_key("é"), "expected text, found the number 7").code(Code::WrongType);
    findings
}

const TEXT: &str = "name: x\ncache:\n  tll: 5m\n  é: 7\n";

#[test]
fn fancy() {
    let shown = report(TEXT, &two_findings());
    let lines: Vec<_> = shown.lines().map(str::trim_end).collect();
    assert!(lines.iter().any(|line| line.ends_with("× unknown key \"tll\"")), "{shown}");
    assert!(lines.contains(&"unknown_key"), "{shown}");
    assert!(lines.iter().any(|line| line.contains(".yaml:3:3]")), "{shown}");
    assert!(lines.iter().any(|line| line.contains(".yaml:4:6]")), "{shown}");
    assert!(lines.contains(&" 3 │   tll: 5m"), "{shown}");
    assert!(lines.iter().any(|line| line.ends_with("╰── cache.tll")), "{shown}");
    assert!(lines.iter().any(|line| line.ends_with("help: did you mean \"ttl\"?")), "{shown}");
    assert_eq!(lines.last(), Some(&"2 errors"));
    assert!(!shown.contains('\u{1b}'));
    assert!(with(TEXT, &two_findings(), |report| report.render(Style::Fancy { colour: true })).contains('\u{1b}'));
}

#[test]
fn json() {
    let text = with(TEXT, &two_findings(), |report| report.render(Style::Json));
    let notes: Value = serde_json::from_str(&text).expect("JSON");
    let file = notes[0]["file"].as_str().expect("a name").to_owned();
    assert_eq!(
        notes,
        json!([
            {
                "severity": "error", "code": "unknown_key", "file": file, "line": 3, "column": 3, "end_line": 3,
                "end_column": 6, "pointer": "cache.tll", "message": "unknown key \"tll\"",
                "help": "did you mean \"ttl\"?", "waived": null,
            },
            {
                "severity": "error", "code": "wrong_type", "file": file, "line": 4, "column": 6, "end_line": 4,
                "end_column": 7, "pointer": "cache[\"é\"]", "message": "expected text, found the number 7",
                "help": null, "waived": null,
            },
        ])
    );
    let missing = load("/nowhere/gateway.yaml").expect_err("no file").render(Style::Json);
    let notes: Value = serde_json::from_str(&missing).expect("JSON");
    for unknown in ["file", "line", "column", "end_line", "end_column", "pointer"] {
        assert_eq!(notes[0][unknown], Value::Null, "{unknown}");
    }
}

#[test]
fn nothing_to_say() {
    let findings = Findings::new();
    with(TEXT, &findings, |report| {
        assert!(!report.has_errors());
        assert_eq!(report.render(Style::Plain), "");
        assert_eq!(report.render(Style::Fancy { colour: true }), "");
        assert_eq!(report.render(Style::Json), "[]\n");
    });
}

#[test]
fn long_lines_are_not_shown_and_terminals_not_steered() {
    let mut findings = Findings::new();
    findings.error(Pointer::root().child_key("b"), "wrong");
    let long = format!("{{ a: {}, b: 1 }}", "x".repeat(1_000));
    assert!(report(&long, &findings).contains(".yaml:1:1011: wrong"), "{}", report(&long, &findings));
    for style in [Style::Plain, Style::Fancy { colour: false }] {
        let shown = with("# \u{202e}\u{85}\nb: \u{1b}[31m\n", &findings, |report| report.render(style));
        assert!(shown.contains("?[31m"), "{shown}");
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{85}']), "{shown:?}");
    }
}

/// Wherever a span is, it can be shown.
#[test]
fn every_place_can_be_shown() {
    for text in ["a", "a: 1", "\n\n", "é: \"\n\n b\"\r\n\tc", "a:\n- b\n\n-\tc: |\n    d\n\n", "\u{85}b\r\rc: 1\n"] {
        let sources = with(text, &Findings::new(), |report| report.sources().clone());
        let ends: Vec<_> = (0..=text.len() + 1).collect();
        for offset in &ends {
            for length in &ends {
                let number = |number: &usize| u32::try_from(*number).expect("small");
                let file = crate::config::FileId(0);
                let span = Span { file, offset: number(offset), length: number(length), line: 2, column: 1 };
                let note = Note::at(Severity::Warning, Code::NoRoutes, span, "here").with_help("help");
                let report = Report::new(&sources, &[note], &[]);
                for style in [Style::Plain, Style::Fancy { colour: true }, Style::Json] {
                    assert!(report.render(style).contains("here"));
                }
            }
        }
    }
}

const ROUTES: &str = "name: x\nroutes:\n  - name: a\n    waive:\n      no_routes: because\n  - name: b\n";

/// A waiver on the gateway or on one of its routes.
fn waiver<'w>((at, code): &(&str, &'w str)) -> Waiver<'w> {
    let routes = Pointer::root().child_key("routes");
    let (scope, reason) = match *at {
        "gateway" => (Pointer::root(), "everywhere"),
        "a" => (routes.child_index(0), "here"),
        _ => (routes.child_index(1), "here"),
    };
    let at = scope.child_key("waive").child_key(*code);
    Waiver { scope, at, code, reason }
}

/// Findings on the gateway and on both routes, and what becomes of them.
fn waived(waivers: &[(&str, &str)], search: Search) -> Report {
    let routes = Pointer::root().child_key("routes");
    let mut findings = Findings::new();
    findings.warning(Code::NoRoutes, Pointer::root(), "on the gateway");
    findings.warning(Code::NoRoutes, routes.child_index(0).child_key("name"), "on a");
    findings.warning(Code::KeySkipped, routes.child_index(1), "another on b");
    findings.error(routes.child_index(1), "an error on b").code(Code::NoRoutes);
    with(ROUTES, &findings, |mut report| {
        report.waive(&waivers.iter().map(waiver).collect::<Vec<_>>(), search);
        report
    })
}

fn told(report: &Report) -> Vec<String> {
    report.notes().iter().map(|note| format!("{} {}", note.code, note.message)).collect()
}

#[test]
fn waivers_cover_what_is_below_and_never_errors() {
    let told_with = |waivers| told(&waived(waivers, Search::Partial));
    let (gateway, a) = ("no_routes on the gateway", "no_routes on a");
    let (b, error) = ("key_skipped another on b", "no_routes an error on b");
    assert_eq!(told_with(&[]), [gateway, a, b, error]);
    assert_eq!(told_with(&[("a", "no_routes")]), [gateway, b, error]);
    assert_eq!(told_with(&[("b", "no_routes")]), [gateway, a, b, error]);
    assert_eq!(told_with(&[("b", "key_skipped"), ("gateway", "no_routes")]), [error]);
}

#[test]
fn the_nearest_waiver_counts_and_what_is_unused_is_told() {
    let report = waived(&[("gateway", "no_routes"), ("a", "no_routes")], Search::Full);
    let reasons: Vec<_> = report.waived().iter().map(|waived| (&*waived.note.message, &*waived.reason)).collect();
    assert_eq!(reasons, [("on the gateway", "everywhere"), ("on a", "here")]);
    assert_eq!(report.summary(), "1 error, 1 warning, 2 waived");

    let unused = &[("b", "no_routes"), ("b", "secret_unset")];
    assert_eq!(waived(unused, Search::Partial).notes().len(), 4);
    let report = waived(unused, Search::Full);
    let told: Vec<_> = report.notes().iter().filter(|note| note.code == Code::WaiverUnused).collect();
    let [note] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(note.pointer.to_string(), "routes[1].waive.no_routes");
}

#[test]
fn what_is_waived_is_counted_for_people_and_told_to_tools() {
    let report = waived(&[("gateway", "no_routes"), ("b", "key_skipped")], Search::Full);
    let shown = report.render(Style::Plain);
    assert!(shown.contains("an error on b") && !shown.contains("on the gateway"), "{shown}");
    assert!(shown.ends_with("\n1 error, 3 waived\n"), "{shown}");
    let shown = report.render_waived(Style::Plain);
    assert!(shown.contains(":3:11: waived: on a [no_routes]\n"), "{shown}");
    assert!(shown.contains("  reason: everywhere\n") && shown.contains("  reason: here\n"), "{shown}");
    let shown = report.render_waived(Style::Fancy { colour: false });
    assert!(shown.contains("waived: everywhere"), "{shown}");
    let notes: Value = serde_json::from_str(&report.render(Style::Json)).expect("JSON");
    let reasons: Vec<_> = notes.as_array().expect("a list").iter().map(|note| note["waived"].clone()).collect();
    assert_eq!(reasons, [json!(null), json!("everywhere"), json!("everywhere"), json!("here")]);
}

#[test]
fn places_end_behind_the_last_character() {
    let sources = with("é: [a,\n  é]\nb: c", &Findings::new(), |report| report.sources().clone());
    let file = crate::config::FileId(0);
    for (offset, length, line, column, end) in [
        (0, 2, 1, 1, (1, 2)),
        (4, 9, 1, 4, (2, 5)),
        (14, 0, 3, 1, (3, 1)),
        (14, 4, 3, 1, (3, 5)),
        (14, 9, 3, 1, (3, 1)),
    ] {
        assert_eq!(sources.end(Span { file, offset, length, line, column }), end, "{offset} {length}");
    }
}
