use super::super::entry::tests::fields;
use super::*;

fn names(vary: &[&str]) -> Option<Vec<String>> {
    let lines: Vec<_> = vary.iter().map(|line| ("vary", *line)).collect();
    varies(&fields(&lines)).map(|names| names.iter().map(ToString::to_string).collect())
}

/// What a request says in the one field that selects.
fn said(name: &'static str, lines: &[&str]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| (name, *line)).collect();
    variant(&[HeaderName::from_static(name)], &fields(&lines))
}

#[track_caller]
fn alike(name: &'static str, one: &[&str], other: &[&str]) {
    assert_eq!(said(name, one), said(name, other));
}

#[track_caller]
fn unlike(name: &'static str, one: &[&str], other: &[&str]) {
    assert_ne!(said(name, one), said(name, other));
}

#[test]
fn section_4_1_names_are_sorted_and_each_is_there_once() {
    assert_eq!(names(&[]), Some(vec![]));
    assert_eq!(names(&["", " ,"]), Some(vec![]));
    assert_eq!(names(&["Foo, Bar,foo", "BAZ"]).unwrap(), ["bar", "baz", "foo"]);
}

#[test]
fn rfc_9110_section_12_5_5_a_star_anywhere_matches_nothing() {
    for vary in [&["*"][..], &["*, *"], &["*", "*"], &[", *"], &["", "*"], &["*, Foo"], &["Foo, *"], &["a b"]] {
        assert_eq!(names(vary), None, "{vary:?}");
    }
}

#[test]
fn section_4_1_lines_are_joined_and_white_space_does_not_matter() {
    alike("foo", &["1, 2"], &["1", "2"]);
    alike("foo", &["1,2"], &[" 1 ,  2 "]);
    unlike("foo", &["1, 2"], &["2, 1"]);
    unlike("foo", &["1"], &["2"]);
    unlike("foo", &["a b"], &["ab"]);
    unlike("foo", &["A"], &["a"]);
    unlike("foo", &[], &[""]);
    unlike("foo", &["\"1, 2\""], &["\"1,2\""]);
    alike("foo", &["\"\\\"1, 2\" , 3"], &["\"\\\"1, 2\",3"]);
    unlike("foo", &["\"1, 2"], &["\"1,2"]);
    unlike("foo", &["\u{e9}"], &["\u{e8}"]);
}

#[test]
fn fields_are_not_taken_for_each_other() {
    let names = [HeaderName::from_static("a"), HeaderName::from_static("b")];
    let said = |lines: &[(&'static str, &str)]| variant(&names, &fields(lines));
    assert_ne!(said(&[("a", "1")]), said(&[("b", "1")]));
    assert_ne!(said(&[("a", "1"), ("b", "")]), said(&[("a", "1")]));
    assert_eq!(said(&[("b", "1"), ("a", "2"), ("c", "3")]), said(&[("a", "2"), ("b", "1")]));
}

#[test]
fn rfc_9110_section_12_5_3_accept_encoding_is_what_is_acceptable() {
    const NAME: &str = "accept-encoding";
    alike(NAME, &["gzip, deflate, br, zstd"], &["br;q=1.0, gzip;q=0.8, zstd;q=0.1", "DEFLATE"]);
    alike(NAME, &["gzip"], &["x-gzip, br;q=0"]);
    alike(NAME, &["gzip"], &["gzip;q=0.5, identity"]);
    alike(NAME, &[""], &["identity"]);
    alike(NAME, &["gzip, *;q=0"], &["gzip, identity;q=0"]);
    alike(NAME, &["*"], &["*;q=0.1"]);
    unlike(NAME, &["gzip"], &["br"]);
    unlike(NAME, &["gzip"], &["gzip, br"]);
    unlike(NAME, &["gzip"], &["gzip, identity;q=0"]);
    unlike(NAME, &["gzip"], &["gzip;q=0"]);
    unlike(NAME, &["*"], &["*, gzip;q=0"]);
    unlike(NAME, &["*"], &["*, identity;q=0"]);
    unlike(NAME, &[], &[""]);
}

#[test]
fn rfc_9110_section_12_5_4_accept_language_is_an_order_of_languages() {
    const NAME: &str = "accept-language";
    alike(NAME, &["en, de"], &["de, en"]);
    alike(NAME, &["en, de"], &["eN, De"]);
    alike(NAME, &["en, de"], &[" en ,   de"]);
    alike(NAME, &["en, de"], &["en", "de"]);
    alike(NAME, &["de, en;q=0.8, fr;q=0.5"], &["fr;q=0.1,de;q=1.000,en; q=0.2"]);
    unlike(NAME, &["de, en"], &["de, en;q=0.8"]);
    unlike(NAME, &["de;q=0.8, en"], &["de, en;q=0.8"]);
    unlike(NAME, &["de, en;q=0"], &["de, en;q=0.1"]);
    unlike(NAME, &["de, en;q=0"], &["de"]);
    unlike(NAME, &["en"], &["en-US"]);
    unlike(NAME, &[], &[""]);
}

#[test]
fn what_cannot_be_read_is_taken_as_it_is() {
    for name in ["accept-encoding", "accept-language"] {
        for line in ["a;q=2", "a;q=1.001", "a;q=0.1234", "a;q=", "a;x=1", "a;q=+1", "a b", "\u{e9}", "a;q=.5"] {
            assert_eq!(said(name, &[line]), format!("{name}:{}\n", latin_1(line)));
        }
        unlike(name, &["a;q=2"], &["a"]);
        unlike(name, &["a;q=2,b"], &["b,a;q=2"]);
    }
}

fn latin_1(text: &str) -> String {
    text.bytes().map(char::from).collect()
}
