//! Against an exhaustive search: on small random tables, a route is reported exactly when none of all requests reaches it.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

/// A linear congruential generator (Knuth's MMIX): the same tables on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const HEADER: HeaderName = HeaderName::from_static("x");

/// Neighbours have requests in common.
const PATHS: [&str; 16] = [
    "/",
    "/{p}",
    "/{p}/{*rest}",
    "/{*rest}",
    "/a",
    "/a/",
    "/a/{p}",
    "/a/{p}/{*rest}",
    "/a/{*rest}",
    "/a{p}/{*rest}",
    "/a{p}",
    "/{p}b",
    "/{p}b/{*rest}",
    "/{p}/b",
    "/b",
    "/{p}/{q}",
];

fn random_route(random: &mut Random, paths: &[&str], hosts: &[&str]) -> Match {
    let (path, host) = (random.one(paths), random.one(hosts));
    let methods = random.one(&["", "", "GET", "HEAD", "GET HEAD", "GET POST", "GET POST", "POST", "HEAD POST"]);
    let condition = random.one(&["", "", "*", "1"]);
    let query = random.one(&["", "", "", "", "", "1"]);
    Match {
        host: (!host.is_empty()).then(|| host.to_owned()),
        path: path.to_owned(),
        methods: methods.split_whitespace().map(|method| method.parse().unwrap()).collect(),
        headers: (!condition.is_empty()).then(|| (HEADER, condition.to_owned())).into_iter().collect(),
        query: (!query.is_empty()).then(|| ("q".to_owned(), query.to_owned())).into_iter().collect(),
    }
}

/// Every request that the routes above could tell from another.
fn requests(mut tell: impl FnMut(&Lookup<'_, '_>)) {
    let mut paths = vec![String::new()];
    let mut all = Vec::new();
    for _ in 0..3 {
        let segments = ["a", "b", "ab", "an", "nb", "n"];
        let longer: Vec<_> =
            paths.iter().flat_map(|path| segments.map(|segment| format!("{path}/{segment}"))).collect();
        all.extend(paths.iter().map(|path| format!("{path}/")));
        all.extend(longer.iter().cloned());
        paths = longer;
    }
    let fields = ["1", "2"].map(|value| HeaderMap::from_iter([(HEADER, HeaderValue::from_static(value))]));
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::DELETE];
    for path in &all {
        for host in [None, Some("h.c"), Some("n.c"), Some("n.h.c")] {
            for headers in [&HeaderMap::new(), &fields[0], &fields[1]] {
                for query in [None, Some("q=1")] {
                    for method in &methods {
                        tell(&Lookup { host, path, method, headers, announced: &[], query });
                    }
                }
            }
        }
    }
}

#[test]
fn a_route_is_reported_exactly_when_no_request_reaches_it() {
    let mut random = Random(9110);
    let mut seen = BTreeMap::<&str, u32>::new();
    for _ in 0..24 {
        let mut table: Vec<Match> = Vec::new();
        let first = random.below(PATHS.len() - 5);
        let hosts = [random.one(&["", "h.c", "*.c", "*.h.c"]), random.one(&["", "h.c", "*.c"])];
        for _ in 0..24 {
            table.push(random_route(&mut random, &PATHS[first..first + 5], &hosts));
            if Router::build(&table).is_err() {
                table.pop();
            }
        }
        let router = Router::build(&table).unwrap();
        let mut reached: BTreeSet<(usize, Method)> = BTreeSet::new();
        requests(|lookup| {
            if let Found::Route { index, .. } = router.find(lookup) {
                reached.insert((index, lookup.method.clone()));
            }
        });
        let reaches = |index, method: &Method| {
            let head = *method == Method::GET && reached.contains(&(index, Method::HEAD));
            head || reached.contains(&(index, method.clone()))
        };
        let refuse = vec![AmbiguousPath::Refuse; table.len()];
        let found: BTreeMap<_, Vec<_>> =
            shadows(&table, &refuse).into_iter().fold(BTreeMap::new(), |mut all, (index, shadow)| {
                all.entry(index).or_insert_with(Vec::new).push(shadow);
                all
            });
        for (index, route) in table.iter().enumerate() {
            let alive = reached.iter().any(|(one, _)| *one == index);
            let told = found.get(&index).map(Vec::as_slice).unwrap_or_default();
            assert_eq!(matches!(told, [Shadow::Whole(_)]), !alive, "{route:?} of\n{table:#?}");
            let kind = if !alive {
                "dead"
            } else {
                for (place, method) in route.methods.iter().enumerate() {
                    let told = told.iter().any(|shadow| matches!(shadow, Shadow::Method(at, _) if *at == place));
                    assert_eq!(told, !reaches(index, method), "{method} of {route:?} of\n{table:#?}");
                }
                if told.is_empty() { "alive" } else { "without a method" }
            };
            *seen.entry(kind).or_default() += 1;
        }
    }
    assert!(seen.len() == 3 && seen.values().all(|count| *count > 3), "{seen:?}");
}

fn route(path: &str, methods: &[Method]) -> Match {
    Match { path: path.to_owned(), methods: methods.to_vec(), ..Match::default() }
}

fn with_header(path: &str, value: &str) -> Match {
    Match { headers: vec![(HEADER, value.to_owned())], ..route(path, &[]) }
}

fn told(table: &[Match]) -> Vec<(usize, Shadow)> {
    shadows(table, &vec![AmbiguousPath::Refuse; table.len()])
}

#[test]
fn a_catch_all_can_be_covered_piece_by_piece() {
    let pieces = [route("/api/", &[]), route("/api/{a}", &[]), route("/api/{a}/{*rest}", &[])];
    let mut table = vec![route("/api/{*rest}", &[])];
    table.extend(pieces);
    assert_eq!(told(&table), [(0, Shadow::Whole([1, 2, 3].into()))]);
    // a path with `//` is left for a route that takes such paths
    let allow = [AmbiguousPath::Allow, AmbiguousPath::Refuse, AmbiguousPath::Refuse, AmbiguousPath::Refuse];
    assert_eq!(shadows(&table, &allow), []);
    for missing in 1..4 {
        let mut fewer = table.clone();
        fewer.remove(missing);
        assert_eq!(told(&fewer), [], "without {missing}");
    }
}

#[test]
fn what_is_left_of_a_catch_all_may_be_long_or_end_with_a_slash() {
    for (left, pieces) in [
        ("/a/ alone", &["/", "/{a}", "/{a}/{b}", "/{a}/{b}/{*rest}"][..]),
        ("three and more segments", &["/", "/{a}", "/{a}/", "/{a}/{b}", "/{a}/{b}/"]),
    ] {
        let table: Vec<_> = ["/{*rest}"].iter().chain(pieces).map(|path| route(path, &[])).collect();
        assert_eq!(told(&table), [], "{left}");
    }
}

#[test]
fn what_stands_behind_any_value_is_never_reached() {
    assert_eq!(told(&[with_header("/a", "*"), with_header("/a", "2")]), [(1, Shadow::Whole([0].into()))]);
    assert_eq!(told(&[with_header("/a", "2"), with_header("/a", "*")]), []);
    // more conditions come first, wherever they stand
    let mut both = with_header("/a", "2");
    both.query.push(("q".to_owned(), "1".to_owned()));
    assert_eq!(told(&[with_header("/a", "*"), both]), []);
}

#[test]
fn one_method_of_several() {
    let both = Match { methods: vec![Method::GET, Method::POST], ..with_header("/a", "2") };
    let get = Match { methods: vec![Method::GET], ..with_header("/a", "*") };
    assert_eq!(told(&[get, both]), [(1, Shadow::Method(0, [0].into()))]);
}

#[test]
fn any_spelling_is_understood() {
    let spelled = |path: &str, value: &str| Match { host: Some("A.example.".to_owned()), ..with_header(path, value) };
    for (one, other) in [("/café {x}", "/caf%c3%a9%20{y}"), ("/{{x}}/{y}", "/%7Bx%7D/{z}"), ("/%7Ea", "/~a")] {
        assert_eq!(told(&[spelled(one, "*"), spelled(other, "2")]), [(1, Shadow::Whole([0].into()))], "{one}");
    }
}

#[test]
fn a_table_that_names_everything_is_left_alone() {
    let all = "/~_!*'(),0123456789abcdefghijklmnopqrstuvwxyz";
    assert_eq!(told(&[route(all, &[]), with_header("/a", "*"), with_header("/a", "2")]), []);
}
