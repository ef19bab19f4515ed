use std::path::Path;

use super::*;
use crate::case::parse;

fn case(upstreams: &str, rules: &str) -> Case {
    let text = format!(
        "\
config:
  portico: 1
  name: stubs
  upstreams: {{ {upstreams} }}
  routes:
    - {{ name: a, match: {{ path: /a }}, upstream: a }}
    - {{ name: b, match: {{ path: /b }}, upstream: b }}
upstreams: {{ {rules} }}
steps:
  - {{ send: {{ url: \"http://x/a\" }}, expect: {{ status: 200 }} }}
  - {{ send: {{ url: \"http://x/b\" }}, expect: {{ status: 200, upstream: {{ b: [{{}}] }} }} }}
"
    );
    parse(&text, Path::new("case.yaml"), "case").unwrap_or_else(|wrong| panic!("{wrong}")).remove(0)
}

fn upstreams(a: &str, b: &str) -> String {
    format!("a: {{ targets: [{{ url: \"{a}\" }}] }}, b: {{ targets: [{{ url: \"{b}\" }}] }}")
}

fn given(list: &[&str]) -> Vec<Given> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

fn stubs(given: &[Given]) -> Stubs {
    Stubs { given: given.to_vec(), origins: BTreeMap::new(), inbox: Inbox::default(), reached: Vec::new(), left: false }
}

#[test]
fn targets_on_loopback_are_their_own_place() {
    let place = |given: &[&str], url: &str| match stubs(&self::given(given)).place("a", &url.parse().unwrap()) {
        Place::At(addresses) => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Place::Demo => "demo".to_owned(),
        Place::Unknown(_) => "unknown".to_owned(),
    };
    for (given, url, wanted) in [
        (&[][..], "http://127.0.0.1:9001/v1", "127.0.0.1:9001"),
        (&[], "http://[::1]:9001", "[::1]:9001"),
        (&[], "http://localhost:9001", "127.0.0.1:9001 [::1]:9001"),
        (&[], "http://127.0.0.1", "unknown"),
        (&[], "https://127.0.0.1:9001", "unknown"),
        (&[], "http://orders.internal:9001", "unknown"),
        (&[], "demo://orders", "demo"),
        (&["10.0.0.1:1"], "demo://orders", "10.0.0.1:1"),
        (&["10.0.0.1:1"], "http://orders.internal", "10.0.0.1:1"),
        (&["10.0.0.1:1"], "http://127.0.0.1:9001", "127.0.0.1:9001"),
        (&["10.0.0.1:1", "a=10.0.0.2:2"], "http://127.0.0.1:9001", "10.0.0.2:2"),
        (&["b=10.0.0.2:2"], "http://orders.internal", "unknown"),
    ] {
        assert_eq!(place(given, url), wanted, "{given:?} {url}");
    }
}

#[test]
fn what_cannot_be_told_apart_is_declined() {
    let declined = |given: &[&str], case: &Case| {
        let reach = Reach::of([case].into_iter());
        stubs(&self::given(given)).declines(case, &reach).unwrap_or_default()
    };
    let far = upstreams("http://a.internal", "http://b.internal");
    let shared = ["127.0.0.1:9001"];
    let apart = ["127.0.0.1:9001", "b=127.0.0.1:9002"];
    assert_eq!(declined(&shared, &case(&far, "")), "");
    let one_gone = case(&far, "a: [{ fail: connect_error }]");
    assert!(declined(&shared, &one_gone).contains("--origin a="), "{}", declined(&shared, &one_gone));
    assert_eq!(declined(&apart, &one_gone), "");
    assert_eq!(declined(&shared, &case(&far, "a: [{ fail: connect_error }], b: [{ fail: connect_error }]")), "");
    let keeps = case(&far.replace("b.internal\" }]", "b.internal\" }], preserve_host: true"), "");
    assert!(declined(&shared, &keeps).contains("--origin b="), "{}", declined(&shared, &keeps));
    assert_eq!(declined(&apart, &keeps), "");
    assert!(declined(&[], &case(&upstreams("demo://echo", "http://127.0.0.1:9001"), "")).contains("demo://echo"));
}

#[test]
fn all_places_that_are_not_known_are_told_at_once() {
    let cases = [case(&upstreams("http://a.internal", "https://127.0.0.1:9001"), "")];
    let problem = Stubs::start(&[], &cases, &Reach::of(cases.iter())).unwrap_err();
    assert!(problem.message.contains("a (http://a.internal/), b (https://127.0.0.1:9001/)"), "{problem}");
}
