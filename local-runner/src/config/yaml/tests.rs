use portico_core::config::{Part, Pointer, Segment};
use serde_json::json;

use super::*;
use crate::config::builder::MAX_NOTES;

fn read(text: &str) -> Node {
    parse(text, FileId(0)).unwrap_or_else(|notes| panic!("{text:?}: {notes:?}"))
}

/// `line:column message`, each.
fn refused(text: &str) -> Vec<String> {
    let notes = parse(text, FileId(0)).expect_err(text);
    let shown = |note: &Note| {
        let span = note.span.expect("a place");
        format!("{}:{} {}", span.line, span.column, note.message)
    };
    notes.iter().map(shown).collect()
}

/// The text at a pointer such as `a.0.b`.
fn text_at<'a>(text: &'a str, pointer: &str, part: Part) -> &'a str {
    let segment = |step: &str| step.parse().map_or_else(|_| Segment::Key(step.to_owned()), Segment::Index);
    let pointer: Pointer = pointer.split('.').filter(|step| !step.is_empty()).map(segment).collect();
    let span = read(text).locate(&pointer, part);
    let before = &text[..span.offset as usize];
    assert_eq!(span.line as usize, before.matches('\n').count() + 1);
    assert_eq!(span.column as usize, before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1);
    &text[span.offset as usize..span.end() as usize]
}

const EXAMPLE: &str = "\
# a comment
name: shop
on: [connect_error, 502]
routes:
- path: &path /ä/{id}
  empty:
  note: |
    two
    lines
- { path: *path, 'quoted key': \"a\\tb\" }
last: !!str 404
";

#[test]
fn values() {
    let wanted = json!({
        "name": "shop",
        "on": ["connect_error", 502],
        "routes": [
            { "path": "/ä/{id}", "empty": null, "note": "two\nlines\n" },
            { "path": "/ä/{id}", "quoted key": "a\tb" },
        ],
        "last": "404",
    });
    assert_eq!(read(EXAMPLE).to_value(), wanted);
    assert_eq!(read(&format!("\u{feff}{EXAMPLE}")).to_value(), wanted);
    assert_eq!(read(&EXAMPLE.replace('\n', "\r\n")).to_value(), wanted);
    assert_eq!(read(&wanted.to_string()).to_value(), wanted);
    assert_eq!(read(&format!("{wanted:#}").replace("  ", "\t")).to_value(), wanted, "JSON with tabs");
    for nothing in ["", "# nothing\n", "---\n", "~", "\u{feff}"] {
        assert_eq!(read(nothing).to_value(), json!(null));
    }
    assert_eq!(read(r#"{"a\u00e9\ud83d\ude00\/": -1.5e3}"#).to_value(), json!({ "aé😀/": -1500.0 }));
}

#[test]
fn places() {
    for (pointer, part, text) in [
        ("name", Part::Value, "shop"),
        ("name", Part::Key, "name"),
        ("on", Part::Value, "on"),
        ("on.1", Part::Value, "502"),
        ("routes.0.path", Part::Value, "/ä/{id}"),
        ("routes.0.empty", Part::Value, "empty"),
        ("routes.0.note", Part::Key, "note"),
        ("routes.1", Part::Value, "{ path: *path, 'quoted key': \"a\\tb\" }"),
        ("routes.1.path", Part::Value, "*path"),
        ("routes.1.quoted key", Part::Key, "'quoted key'"),
        ("routes.1.quoted key", Part::Value, "\"a\\tb\""),
        ("last", Part::Value, "404"),
        // What is not there is where it should be.
        ("routes.7.path", Part::Value, "routes"),
        ("name.first", Part::Key, "shop"),
    ] {
        assert_eq!(text_at(EXAMPLE, pointer, part), text, "{pointer} {part:?}");
    }
    assert!(text_at(EXAMPLE, "routes.0", Part::Value).ends_with("lines\n"));
    assert!(text_at(EXAMPLE, "nothing", Part::Value).starts_with("name: shop"));
}

#[test]
fn refusals() {
    for (text, wanted) in [
        (
            "a: 1\nb: 2\na: 3\nb: 4",
            &["3:1 the key \"a\" is here twice, first in line 1", "4:1 the key \"b\" is here twice, first in line 2"][..],
        ),
        ("{\"a\": 1, \"a\": 2}", &["1:10 the key \"a\" is here twice, first in line 1"]),
        ("<<: {a: 1}\nb: 1", &["1:1 merge keys are not supported"]),
        (
            "200: a\ntrue: b\n~: c\n: d\n? [x]\n: e",
            &[
                "1:1 a key is text, found the number 200",
                "2:1 a key is text, found true",
                "3:1 a key is text, found nothing",
                "4:1 a key is missing here",
                "5:3 a key is text, found a list",
            ],
        ),
        (
            "a: !foo b\nc: !!set {d}\ne: !!int x\nf: !!binary aGk=",
            &[
                "1:4 this tag is not supported",
                "2:4 this tag is not supported",
                "3:10 the value is not what its tag says",
                "4:4 this tag is not supported",
            ],
        ),
        (
            "a: .nan\nb: -.inf\nc: 1e999",
            &[
                "1:4 infinity and not-a-number are no numbers here",
                "2:4 infinity and not-a-number are no numbers here",
                "3:4 this number is too large",
            ],
        ),
        ("a: 1\n---\nb: 2", &["2:1 a second document begins here"]),
        ("%YAML 1.1\n---\na: 1", &["1:1 directives are not supported"]),
        ("a: 1\n\tb: 2", &["1:4 a tab in this value, or in the line below it"]),
        ("a:\n\tb: 2", &["2:2 a tab cannot be used for indentation"]),
        ("a: b: c", &["1:5 a `:` cannot stand here"]),
        ("a: [1,\n2", &["1:4 this [ is never closed"]),
        ("a: \"b\nc: d", &["2:1 text in quotes runs on to here"]),
        ("a: @b", &["1:4 a value cannot begin like this"]),
        ("a: *b", &["1:4 no anchor of this name is defined above"]),
        ("a: &b [*b]", &["1:8 this alias stands inside the value that it repeats"]),
        ("a: \0", &["1:4 a control character"]),
    ] {
        assert_eq!(refused(text), wanted, "{text}");
    }
    assert_eq!(read("\"<<\": 1\n'200': 2\noff: no").to_value(), json!({ "<<": 1, "200": 2, "off": "no" }));
    let tagged = "a: !!str\nb: ! 1\nc: !!int 1\nd: !!map {}\ne: !!seq []\nf: !!float 1\n!!str 5: x";
    let value = json!({ "a": "", "b": "1", "c": 1, "d": {}, "e": [], "f": 1, "5": "x" });
    assert_eq!(read(tagged).to_value(), value);
}

#[test]
fn bounds() {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&deep(64), FileId(0)).is_ok());
    assert_eq!(refused(&deep(65)), ["1:65 nested deeper than 64 levels"]);
    let indented: String = (0..100).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_eq!(refused(&indented), ["65:65 nested deeper than 64 levels"]);

    // 10^10 values in a few lines.
    let laughs: String = (1..=10)
        .map(|level| format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(",")))
        .collect();
    assert_eq!(refused(&format!("a0: &a0 1\n{laughs}")).len(), 1);
    assert!(read("a: &a [1, 2]\nb: [*a, *a]").to_value() == json!({ "a": [1, 2], "b": [[1, 2], [1, 2]] }));
    // Few values, much text.
    let long = format!("a: &a {}\nb: [{}]", "x".repeat(100_000), vec!["*a"; 1_000].join(","));
    assert_eq!(refused(&long).len(), 1);
    // Each alias holds one more level.
    let tower: String = (1..100).map(|level| format!("- &a{level} [*a{}]\n", level - 1)).collect();
    assert!(refused(&format!("- &a0 1\n{tower}")).concat().contains("nested deeper"));

    assert_eq!(refused(&" ".repeat(MAX_BYTES + 1)), ["1:1 the file is larger than 8 MiB"]);
    let many: String = (0..200).map(|_| "a: 1\n").collect();
    assert_eq!(refused(&many).len(), MAX_NOTES);
}

/// No input makes the parser panic or hang, or gives a place outside of the file.
#[test]
fn any_text_is_taken_or_refused() {
    let seeds = [
        EXAMPLE,
        "a: &a [1, {b: *x}]\n? - c\n: >-\n  d\n\n  e\n--- \"f\\u00e9\"\n...\n",
        "{\"a\": [1, 2.5e3, null, \"\\n\"]}",
    ];
    let bits = b"-:?[]{}\"'&*!|>%@`#,\n\r\t ~\\0a.<=\xc3\xa9\xf0\x9f\x98\x80\xef\xbb\xbf";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("small")
    };
    for round in 0..20_000 {
        let mut bytes = seeds[round % seeds.len()].as_bytes().to_vec();
        for _ in 0..=random(8) {
            let (at, to) = (random(bytes.len()), random(bytes.len()));
            match random(5) {
                0 => _ = bytes.drain(at.min(to)..at.max(to)),
                1 => bytes[at] = bits[random(bits.len())],
                2 => bytes.insert(at, bits[random(bits.len())]),
                3 => bytes.extend_from_within(at.min(to)..at.max(to)),
                _ => bytes[at] = u8::try_from(random(256)).expect("a byte"),
            }
            bytes.push(b'\n');
        }
        let text = String::from_utf8_lossy(&bytes);
        match parse(&text, FileId(0)) {
            Ok(node) => _ = node.to_value(),
            Err(notes) => {
                for span in notes.iter().filter_map(|note| note.span) {
                    assert!(text.get(span.offset as usize..span.end() as usize).is_some(), "{text:?} {span:?}");
                }
            }
        }
    }
}
