use portico_core::config::Findings;
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
    findings.error(cache.child_key("tll"), "unknown key \"tll\"").help("did you mean \"ttl\"?").on_key();
    findings.error(cache.child_key("é"), "expected text, found the number 7");
    findings
}

const TEXT: &str = "name: x\ncache:\n  tll: 5m\n  é: 7\n";

#[test]
fn fancy() {
    let shown = report(TEXT, &two_findings());
    let lines: Vec<_> = shown.lines().map(str::trim_end).collect();
    assert!(lines.iter().any(|line| line.ends_with("× unknown key \"tll\"")), "{shown}");
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
                "severity": "error", "file": file, "line": 3, "column": 3, "pointer": "cache.tll",
                "message": "unknown key \"tll\"", "help": "did you mean \"ttl\"?",
            },
            {
                "severity": "error", "file": file, "line": 4, "column": 6, "pointer": "cache[\"é\"]",
                "message": "expected text, found the number 7", "help": null,
            },
        ])
    );
    let missing = load("/nowhere/gateway.yaml").expect_err("no file").render(Style::Json);
    let notes: Value = serde_json::from_str(&missing).expect("JSON");
    assert_eq!(
        (&notes[0]["file"], &notes[0]["line"], &notes[0]["pointer"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
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
                let note = Note::at(Severity::Warning, span, "here").with_help("help");
                let report = Report::new(&sources, &[note], &[]);
                for style in [Style::Plain, Style::Fancy { colour: true }, Style::Json] {
                    assert!(report.render(style).contains("here"));
                }
            }
        }
    }
}
