//! The router by example; [`reference`](super::reference) has it against all the rules at once.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::*;

/// SplitMix64: the same numbers on every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to `bound` - 1.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    pub(super) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.get(self.below(from.len())).copied().unwrap()
    }
}

/// `[host ][METHOD,METHOD ]/path[ header=value][ ?name=value]`
pub(super) fn parse(text: &str) -> Match {
    let mut parsed = Match::default();
    for word in text.split(' ') {
        if let Some((name, value)) = word.strip_prefix('?').and_then(|query| query.split_once('=')) {
            parsed.query.push((name.into(), value.into()));
        } else if word.starts_with('/') {
            parsed.path = word.into();
        } else if let Some((name, value)) = word.split_once('=') {
            parsed.headers.push((name.parse().unwrap(), value.into()));
        } else if word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b',') {
            parsed.methods = word.split(',').map(|method| method.parse().unwrap()).collect();
        } else {
            parsed.host = Some(word.into());
        }
    }
    parsed
}

fn router(routes: &[&str]) -> Router {
    Router::build(&routes.iter().map(|route| parse(route)).collect::<Vec<_>>()).unwrap()
}

/// `[host ]METHOD /path[?query][ header=value]` → the route's position and its parameters, `405 A,B`, or `404`.
fn find(router: &Router, request: &str) -> String {
    let (mut host, mut method, mut path, mut query) = (None, Method::GET, "", None);
    let mut headers = HeaderMap::new();
    for word in request.split(' ') {
        if word.starts_with('/') {
            (path, query) = word.split_once('?').map_or((word, None), |(path, query)| (path, Some(query)));
        } else if let Some((name, value)) = word.split_once('=') {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        } else if word.bytes().all(|byte| byte.is_ascii_uppercase()) {
            method = word.parse().unwrap();
        } else {
            host = Some(word);
        }
    }
    answer(&router.find(&Lookup { host, path, method: &method, headers: &headers, announced: &[], query }))
}

pub(super) fn answer(found: &Found<'_, '_>) -> String {
    match found {
        Found::Route { index, params } => {
            let params: String = params.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("{index}{params}")
        }
        Found::MethodNotAllowed { allow } => format!("405 {}", join(allow)),
        Found::NotFound => "404".into(),
    }
}

pub(super) fn join(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(",")
}

#[track_caller]
fn check(routes: &[&str], cases: &[(&str, &str)]) {
    let router = router(routes);
    for (request, expected) in cases {
        assert_eq!(find(&router, request), *expected, "{request}");
    }
}

#[test]
fn the_most_specific_path_wins() {
    check(
        &[
            "/{*all}",
            "/{section}/{id}",
            "/orders/{*rest}",
            "/orders/{id}",
            "/orders/new",
            "/orders/{name}.png",
            "/orders/img-{name}.png",
            "/orders/{id}/items",
            "/{*other} GET x-v=1",
            "/",
            "/orders/",
        ],
        &[
            ("/", "9"),
            ("/x", "0 all=x"),
            ("/x/7", "1 section=x id=7"),
            ("/x/7/", "0 all=x/7/"),
            ("/orders", "0 all=orders"),
            ("/orders/", "10"),
            ("/orders/new", "4"),
            ("/orders/new/", "2 rest=new/"),
            ("/orders/7", "3 id=7"),
            ("/orders/a.png", "5 name=a"),
            ("/orders/img-a.png", "6 name=a"),
            ("/orders/img-.png", "5 name=img-"),
            ("/orders/.png", "3 id=.png"),
            ("/orders/a.png/items", "7 id=a.png"),
            ("/orders/new/items", "7 id=new"),
            ("/orders/7/items/1", "2 rest=7/items/1"),
            ("/x x-v=1", "8 other=x"),
            ("/orders/7 x-v=1", "3 id=7"),
        ],
    );
}

#[test]
fn a_failed_condition_hides_nothing() {
    check(
        &[
            "/orders/{id} x-version=v2",
            "/{*rest}",
            "/orders/{order} x-version=v2 ?debug=*",
            "GET /orders/{id} x-version=v3",
            "a.example /orders/{id} x-version=v9",
            "POST /orders/new",
        ],
        &[
            ("/orders/7", "1 rest=orders/7"),
            ("/orders/7 x-version=v2", "0 id=7"),
            ("/orders/7?debug x-version=v2", "2 order=7"),
            ("/orders/7 x-version=v3", "3 id=7"),
            ("POST /orders/7 x-version=v3", "1 rest=orders/7"),
            ("a.example /orders/7 x-version=v2", "0 id=7"),
            ("a.example /orders/7 x-version=v9", "4 id=7"),
            ("/orders/7 x-version=v1 x-version=v2", "0 id=7"),
            ("/orders/7 x-version=V2", "1 rest=orders/7"),
            ("POST /orders/new x-version=v2", "5"),
            ("PUT /orders/new x-version=v2", "0 id=new"),
        ],
    );
}

#[test]
fn conditions_then_methods_then_order() {
    check(
        &[
            "/a",
            "GET /a",
            "/a x-one=1",
            "GET /a x-two=*",
            "/a ?q=caf\u{e9} x-one=1",
            "POST /a ?tag=a+b",
            "/a ?tag=1 ?tag=2",
        ],
        &[
            ("/a", "1"),
            ("POST /a", "0"),
            ("/a x-one=1", "2"),
            ("/a x-two=anything", "3"),
            // equal in number: the route that names the method
            ("/a x-one=1 x-two=1", "3"),
            ("PUT /a x-one=1 x-two=1", "2"),
            ("/a?x&q=caf%C3%A9 x-one=1", "4"),
            ("/a?q=caf%c3%a9&q=x x-one=1", "4"),
            ("/a?q=caf x-one=1", "2"),
            ("POST /a?tag=a%2Bb", "5"),
            ("POST /a?t%61g=a+b", "0"),
            ("/a?tag=2&tag=1", "6"),
            ("/a?tag=%ff", "1"),
        ],
    );
    check(&["/a x-one=1", "/a x-two=2"], &[("/a x-two=2 x-one=1", "0"), ("/a x-two=2", "1")]);
}

#[test]
fn hosts() {
    check(
        &[
            "/{*any}",
            "*.example.com /w",
            "*.eu.example.com /w",
            "api.eu.example.com /api",
            "[::1] /w",
            "10.0.0.1 /w",
            "*.example.com /only",
        ],
        &[
            ("/w", "0 any=w"),
            ("example.com /w", "0 any=w"),
            (".example.com /w", "0 any=w"),
            ("a.example.com /w", "1"),
            ("a.b.example.com /w", "1"),
            ("a.eu.example.com /w", "2"),
            ("eu.example.com /w", "1"),
            ("API.eu.Example.com.:443 /api", "3"),
            ("api.eu.example.com /w", "2"),
            ("api.eu.example.com /only", "6"),
            ("api.eu.example.com /x", "0 any=x"),
            ("evil-example.com /w", "0 any=w"),
            ("a.example.com:x /w", "0 any=w"),
            ("[::1] /w", "4"),
            ("[::1]:8080 /w", "4"),
            ("[0:0:0::0:1]:8080 /w", "4"),
            ("[::2]:8080 /w", "0 any=w"),
            ("10.0.0.1:80 /w", "5"),
        ],
    );
}

#[test]
fn methods_and_405() {
    let routes =
        ["GET /a", "POST /a x-v=1", "HEAD /h", "GET /h", "GET /s", "/s/{x}", "DELETE /{*r}", "h.example PUT /a"];
    check(
        &routes,
        &[
            ("HEAD /a", "0"),
            ("HEAD /h", "2"),
            ("POST /a", "405 DELETE,GET,HEAD"),
            ("POST /a x-v=1", "1"),
            ("OPTIONS /a x-v=1", "405 DELETE,GET,HEAD,POST"),
            ("h.example PATCH /a", "405 DELETE,GET,HEAD,PUT"),
            ("DELETE /a", "6 r=a"),
            ("TRACE /s/1", "5 x=1"),
            ("PROPFIND /s", "405 DELETE,GET,HEAD"),
            ("POST /none", "405 DELETE"),
        ],
    );
    check(&["GET /a", "/a"], &[("HEAD /a", "0"), ("POST /a", "1")]);
    check(&["HEAD /a", "GET /a x-v=1"], &[("HEAD /a", "0"), ("HEAD /a x-v=1", "1")]);
    check(
        &["OPTIONS /a", "GET /{*r}"],
        &[("OPTIONS /a", "0"), ("OPTIONS /b", "405 GET,HEAD"), ("POST /c", "405 GET,HEAD")],
    );
    check(&["POST /a"], &[("HEAD /a", "405 POST"), ("GET /b", "404")]);
    let none = Router::build(&[]).unwrap();
    assert_eq!(find(&none, "GET /"), "404");
    let headers = HeaderMap::new();
    let star =
        Lookup { host: None, path: "*", method: &Method::OPTIONS, headers: &headers, announced: &[], query: None };
    assert!(matches!(router(&["/{*r}"]).find(&star), Found::NotFound));
}

#[test]
fn spelling_does_not_get_past_a_route() {
    check(
        &["/{*public}", "/admin/{id}:delete", "/admin/a@b", "/café/{x}"],
        &[
            ("/admin/7:delete", "1 id=7"),
            ("/admin/7%3Adelete", "1 id=7"),
            ("/admin/a%40b", "2"),
            ("/caf%C3%A9/%2B", "3 x=%2B"),
        ],
    );
}

#[test]
fn every_error_is_reported() {
    let routes: Vec<_> =
        ["/a", "b..c /{", "/{x} h=1", "GET,PUT /{y} h=1", "GET /{z} h=1", "/a%", "/{w} h=1", "PUT,PUT /{v} h=1"]
            .map(parse)
            .into();
    let errors = Router::build(&routes).unwrap_err();
    let seen: Vec<_> = errors.iter().map(|(index, error)| format!("{index} {error}")).collect();
    let expected = [
        "1 host: `b..c`",
        "1 path: `{`",
        "4 route 3 has the same host, path and conditions for GET, so",
        "5 path: ",
        "6 route 2 has the same host, path and conditions for any method, so",
        "7 route 3 has the same host, path and conditions for PUT, so",
    ];
    assert_eq!(seen.len(), expected.len(), "{seen:#?}");
    for (seen, expected) in seen.iter().zip(expected) {
        assert!(seen.starts_with(expected), "{seen}");
    }
    assert!(Router::build(&[parse("GET,GET /a h=1 h=1")]).is_ok());
    // of a route that is refused, the methods before the one it is refused for are taken
    let errors = Router::build(&["GET /a", "PUT,GET,POST /a", "PUT /a", "POST /a"].map(parse)).unwrap_err();
    let duplicate = |other, method| MatchError::Duplicate { other, method: Some(method) };
    assert_eq!(errors, [(1, duplicate(0, Method::GET)), (2, duplicate(1, Method::PUT))]);

    let mut conditions = parse("/a");
    conditions.headers = vec![
        (http::header::ACCEPT, String::new()),
        (http::header::TE, "a\nb".into()),
        (http::header::VIA, " a".into()),
    ];
    conditions.query = vec![(String::new(), "1".into()), ("q".into(), String::new())];
    let errors: Vec<_> = Router::build(&[conditions]).unwrap_err().into_iter().map(|(_, error)| error).collect();
    assert_eq!(
        errors,
        [
            MatchError::EmptyHeader(http::header::ACCEPT),
            MatchError::HeaderValue(http::header::TE),
            MatchError::HeaderValue(http::header::VIA),
            MatchError::EmptyQueryName,
            MatchError::EmptyQuery("q".into()),
        ]
    );
}

#[test]
fn many_parameters_and_no_slash() {
    let path: String = (0..9).map(|i| format!("/{{p{i}}}")).collect::<String>() + "/{*rest}";
    let request: String = (0..9).map(|i| format!("/{i}")).collect::<String>() + "/x/y";
    let router = router(&[&path]);
    assert!(find(&router, &request).ends_with(" p8=8 rest=x/y"));
    assert_eq!(find(&router, "/1/2"), "404");
    const fn shared<T: Send + Sync>() {}
    shared::<Router>();
}
