use std::path::Path;

use serde_json::json;

use super::*;
use crate::config::parse_plain;

fn read(text: &str) -> Value {
    parse_plain(text, Path::new("a.yaml")).unwrap_or_else(|report| panic!("{report}\n{text}")).document
}

#[test]
fn what_is_written_reads_back() {
    let odd = [
        "",
        " ",
        "a",
        "7",
        "1e3",
        "0x1f",
        "-",
        "- a",
        "a: b #c",
        "#",
        "# c",
        "null",
        "NULL",
        "~",
        "Yes",
        "off",
        "true",
        "[a]",
        "{a}",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a`",
        "'a'",
        "\"a\"",
        "a\\b",
        "a\nb",
        "a\tb",
        "\u{0}\u{7f}\u{85}\u{2028}\u{feff}",
        "ü",
        "😀",
        "a ",
        " a",
        "a:b",
        "a: b",
        "a:",
        "?",
        "? a",
        "=",
        "<<",
        "2026-01-01",
        "12:30",
        "...",
        "---",
        "/a/b",
        "${token.caller}",
        "a,b",
        ",",
        "a}b",
    ];
    let values = json!({ "list": odd.as_slice(), "more": [null, true, 1, -1.5, [], {}, [[1]], { "a": { "b": [] } }] });
    for text in odd {
        for value in [json!({ text: text }), json!({ "a": { text: [text] } }), values.clone()] {
            let Yaml::Map(entries) = Yaml::from(&value) else { panic!() };
            assert_eq!(read(&file("about", &entries)), value, "{text:?}");
        }
    }
}

#[test]
fn long_values_take_several_lines_and_comments_stand_above() {
    let long = "x".repeat(60);
    let step: Yaml = vec![
        entry("send", vec![entry("url", "http://a/")]).about("a step"),
        entry(
            "expect",
            vec![entry("status", Yaml::Scalar("200".to_owned())), entry("body", &*long).about("two\nlines")],
        ),
    ]
    .into();
    let entries = [entry("name", "a"), entry("steps", vec![step]), entry("long", vec![entry(&*long, &*long)])];
    assert_eq!(
        file("heading", &entries),
        format!(
            "\
# heading

name: a

steps:
  # a step
  - send: {{ url: \"http://a/\" }}
    expect:
      status: 200
      # two
      # lines
      body: {long}

long:
  {long}: {long}
"
        )
    );
}
