use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use portico_core::config::{Code, Findings, Part, Pointer};
use serde_json::json;

use super::*;
use crate::config::{FileId, Style};

/// A directory of its own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn with(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("portico-load-{}-{}[x]", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&directory.0).expect("a directory");
        for (path, text) in files {
            let path = directory.0.join(path);
            fs::create_dir_all(path.parent().expect("below the directory")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        directory
    }

    fn load(&self) -> Result<Loaded, Report> {
        load(self.0.join("gateway.yaml"))
    }

    fn shorten(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.display()), "")
    }

    /// `file:line:column: error: message`, each.
    fn refused(&self) -> Vec<String> {
        let report = self.load().expect_err("errors").render(Style::Plain);
        let lines = report.lines().filter(|line| line.contains(": error: ") || line.starts_with("error: "));
        lines.map(|line| self.shorten(line)).collect()
    }

    fn place(&self, loaded: &Loaded, pointer: &Pointer) -> String {
        let span = loaded.sources.locate(pointer, Part::Value).expect("a place");
        self.shorten(&loaded.sources.name(span))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

const KEYS: &str = "{\n  \"keys\": [{ \"kty\": \"EC\", \"x\": 1 }]\n}\n";

fn team() -> Directory {
    Directory::with(&[
        (
            "gateway.yaml",
            "portico: 1\nname: shop\ninclude: ['teams/*.yaml', 'extra/a.yaml', '*.yaml']\n\
             identities:\n  users: { jwt: { jwks: keys/users.json, algorithms: [ES256] } }\n\
             routes:\n- name: first\n",
        ),
        ("teams/b.yaml", "routes:\n- name: b\n  upstream: b\nupstreams:\n  b: { targets: [] }\n"),
        (
            "teams/a.yaml",
            "\u{feff}identities:\n  a: { jwt: { jwks: ../keys/a.json } }\n  c: { jwt: { jwks: 'HTTPS://id.example/' } }\nroutes: [{ name: a }]\n",
        ),
        ("teams/.hidden.yaml", "nonsense"),
        ("teams/notes.txt", "nonsense"),
        ("extra/a.yaml", ""),
        ("keys/users.json", KEYS),
        ("keys/a.json", KEYS),
    ])
}

#[test]
fn everything_becomes_one_document() {
    let directory = team();
    let loaded = directory.load().unwrap_or_else(|report| panic!("{report}"));
    let keys = json!({ "keys": [{ "kty": "EC", "x": 1 }] });
    assert_eq!(
        loaded.document,
        json!({
            "portico": 1,
            "name": "shop",
            "identities": {
                "users": { "jwt": { "jwks": keys, "algorithms": ["ES256"] } },
                "a": { "jwt": { "jwks": keys } },
                "c": { "jwt": { "jwks": "HTTPS://id.example/" } },
            },
            "upstreams": { "b": { "targets": [] } },
            "routes": [{ "name": "first" }, { "name": "a" }, { "name": "b", "upstream": "b" }],
        })
    );
    assert_eq!(loaded.notes, []);

    let root = Pointer::root();
    let routes = root.child_key("routes");
    let jwks = root.child_key("identities").child_key("a").child_key("jwt").child_key("jwks");
    for (pointer, place) in [
        (root.child_key("name"), "gateway.yaml:2:7"),
        (routes.child_index(1).child_key("name"), "teams/a.yaml:4:18"),
        (routes.child_index(2).child_key("upstream"), "teams/b.yaml:3:13"),
        (root.child_key("upstreams").child_key("b"), "teams/b.yaml:5:3"),
        (root.child_key("upstreams"), "teams/b.yaml:4:1"),
        (jwks.clone(), "teams/a.yaml:2:15"),
        (jwks.child_key("keys").child_index(0).child_key("x"), "teams/../keys/a.json:2:32"),
        (jwks.child_key("keys").child_index(0).child_key("y"), "teams/../keys/a.json:2:12"),
    ] {
        assert_eq!(directory.place(&loaded, &pointer), place, "{pointer}");
    }
    let read: Vec<_> = loaded.sources.files().map(|file| directory.shorten(&file.path.display().to_string())).collect();
    assert_eq!(
        read,
        ["gateway.yaml", "keys/users.json", "teams/a.yaml", "teams/../keys/a.json", "teams/b.yaml", "extra/a.yaml"]
    );
    let watched: Vec<_> = loaded.sources.watched().map(|path| directory.shorten(&path.display().to_string())).collect();
    let own = directory.0.display().to_string();
    for path in [&own, "teams", "gateway.yaml", "teams/b.yaml", "keys/users.json", "extra/a.yaml"] {
        assert!(watched.iter().any(|watched| watched == path), "{path}: {watched:?}");
    }
}

#[test]
fn findings_of_core_get_their_place() {
    let directory = team();
    let loaded = directory.load().unwrap_or_else(|report| panic!("{report}"));
    let mut findings = Findings::new();
    let route = Pointer::root().child_key("routes").child_index(2);
    let upstream = findings.error(route.child_key("upstream"), "no upstream \"b\"");
    upstream.code(Code::UnknownName).help("known upstreams: c");
    findings.warning(Code::RouteShadowed, &route, "this route serves nobody");
    findings.warning(Code::NoRoutes, Pointer::root(), "nothing is logged");
    let report = loaded.report(&findings);
    assert!(report.has_errors());
    assert_eq!(
        directory.shorten(&report.render(Style::Plain)),
        "gateway.yaml:1:1: warning: nothing is logged [no_routes]\n 1 | portico: 1\n   | ^^^^^^^^^^\n\n\
         teams/b.yaml:2:3: warning: this route serves nobody [route_shadowed]\n 2 | - name: b\n   |   ^^^^^^^\n  at: routes[2]\n\n\
         teams/b.yaml:3:13: error: no upstream \"b\" [unknown_name]\n 3 |   upstream: b\n   |             ^\n  help: known upstreams: c\n  \
         at: routes[2].upstream\n\n\
         1 error, 2 warnings\n"
    );
}

#[test]
fn what_is_wrong_is_refused_at_once() {
    let directory = Directory::with(&[
        (
            "gateway.yaml",
            "include: [a.yaml, b.yaml, c.yaml, d.yaml, 'x[', nobody.yaml]\nupstreams:\n  one: 1\n\
             identities: { u: { jwt: { jwks: none.json } }, v: { jwt: { jwks: bad.json } }, w: { jwt: { jwks: list.json } } }\n",
        ),
        ("a.yaml", "name: x\nrotues: []\nupstreams:\n  one: 2\n  two: 2\n"),
        ("b.yaml", "upstreams: { two: 3 }\nroutes: { a: 1 }\nidentities:\n"),
        ("c.yaml", "- a\n"),
        ("d.yaml", "a: b: c\n"),
        ("bad.json", "{\"é\": yes}"),
        ("list.json", "[]"),
    ]);
    assert_eq!(
        directory.refused(),
        [
            "gateway.yaml:1:43: error: \"x[\" is no pattern: invalid range pattern [invalid_value]",
            "gateway.yaml:1:49: error: cannot read nobody.yaml: No such file or directory (os error 2) [file_unreadable]",
            "gateway.yaml:4:33: error: cannot read none.json: No such file or directory (os error 2) [file_unreadable]",
            "bad.json:1:7: error: this is not JSON: expected value [syntax]",
            "list.json:1:1: error: a key set is a JSON object with `keys` [wrong_type]",
            "a.yaml:1:1: error: \"name\" cannot stand in an included file [misplaced_key]",
            "a.yaml:2:1: error: \"rotues\" cannot stand in an included file [misplaced_key]",
            "a.yaml:4:3: error: the upstream \"one\" is defined twice, first at gateway.yaml:3:3 [duplicate_name]",
            "b.yaml:1:14: error: the upstream \"two\" is defined twice, first at a.yaml:5:3 [duplicate_name]",
            "b.yaml:2:1: error: expected a list, found a map [wrong_type]",
            "b.yaml:3:1: error: expected a map, found nothing [wrong_type]",
            "c.yaml:1:1: error: expected a map with routes, upstreams or identities, found a list [wrong_type]",
            "d.yaml:1:5: error: a `:` cannot stand here [syntax]",
        ]
    );
}

#[test]
fn files_that_cannot_be_read() {
    let directory = Directory::with(&[]);
    let refused = |why: &str| {
        assert_eq!(directory.refused(), [format!("error: cannot read gateway.yaml: {why} [file_unreadable]")])
    };
    refused("No such file or directory (os error 2)");
    fs::write(directory.0.join("gateway.yaml"), b"a: 1\nb: \xff\n").expect("a file");
    refused("it is not UTF-8 (line 2)");
    fs::write(directory.0.join("gateway.yaml"), vec![b' '; crate::config::MAX_BYTES + 1]).expect("a file");
    refused("it is larger than 8 MiB");
    let report = directory.load().expect_err("an error");
    assert!(report.sources().watched().any(|path| path.ends_with("gateway.yaml")));
    assert!(load(&directory.0).is_err(), "a directory");
}

#[test]
fn what_core_is_to_judge_is_left_to_it() {
    for text in ["", "[]", "include: 5", "include: [5]\nroutes: x", "identities: []", "identities: { a: 1 }"] {
        let directory = Directory::with(&[("gateway.yaml", text)]);
        let loaded = directory.load().unwrap_or_else(|report| panic!("{text}: {report}"));
        let alone = parse(text, FileId(0)).expect(text).to_value();
        assert_eq!((loaded.document, loaded.notes), (alone, vec![]));
    }
    let directory =
        Directory::with(&[("gateway.yaml", "include: [a.yaml]\nroutes: x"), ("a.yaml", "routes: [1]\nupstreams: {}")]);
    assert_eq!(directory.load().expect("for core").document, json!({ "routes": "x", "upstreams": {} }));
}

#[test]
fn a_pattern_without_files_is_a_warning() {
    let directory = Directory::with(&[("gateway.yaml", "include: ['routes/**/*.yaml']\nname: x")]);
    let loaded = directory.load().unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(loaded.document, json!({ "name": "x" }));
    let report = directory.shorten(&loaded.report(&[]).render(Style::Plain));
    assert!(
        report.starts_with("gateway.yaml:1:11: warning: no file matches \"routes/**/*.yaml\" [include_empty]\n"),
        "{report}"
    );
    assert!(report.ends_with("  at: include[0]\n\n1 warning\n"), "{report}");
    assert!(loaded.sources.watched().any(|path| path == directory.0.join("routes")));
}
